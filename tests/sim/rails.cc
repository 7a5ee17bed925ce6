// SPDX-License-Identifier: Apache-2.0
// Which way a transfer takes between machines with and without RDMA, and what it says of it. The
// NICs are imitated, and check every key and address that they are shown.
#include "two_rails.h"

#include <map>
#include <set>
#include <string>

namespace
{

class Rails : public TwoRails
{
  protected:
    void SetUp() override
    {
        TwoRails::SetUp();
        scenario_.server.workers = scenario_.client.workers = 2;
    }
    // The path that the last get says.
    std::string play()
    {
        hr_trial_result result;
        hr_trial_play(&scenario_, &options_, &result);
        EXPECT_STREQ("", result.problem);
        EXPECT_GT(result.ended[-HR_OK], 0u);
        return result.path;
    }
    static bool holds(const std::string &text, const char *part)
    {
        return text.find(part) != std::string::npos;
    }
};

TEST_F(Rails, BothSidesHaveThem)
{
    EXPECT_EQ(0u, play().find("verbs (rail"));
}

TEST_F(Rails, ATargetInMemoryIsReachedToo)
{
    scenario_.target = HR_SCENARIO_TO_SPAN;
    EXPECT_EQ(0u, play().find("verbs (rail"));
}

void (*inner_write)(hr_link *, hr_link_write *);
unsigned writes;

// ---- where chunks land ----

hr_status (*inner_arm)(hr_link *, hr_place *);
unsigned armed_in_slots, armed_in_target;

// Every chunk but the first has its offset in a target; in a slot it has none.
hr_status counting_arm(hr_link *link, hr_place *place)
{
    if (place->chunk > 0)
        (place->offset == 0 ? armed_in_slots : armed_in_target)++;
    return inner_arm(link, place);
}

hr_status wrap_to_count(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, true, &ops)) {
        inner_arm = ops.link.arm;
        ops.link.arm = counting_arm;
    }
    *transport_out = inner;
    return HR_OK;
}

TEST_F(Rails, ContentForMemoryLandsWhereItBelongs)
{
    armed_in_slots = armed_in_target = 0;
    options_.wrap_client_transport = wrap_to_count;
    scenario_.target = HR_SCENARIO_TO_SPAN;
    play();
    EXPECT_EQ(2u, armed_in_target);
    EXPECT_EQ(0u, armed_in_slots);
}

TEST_F(Rails, ContentForAFileLandsInSlots)
{
    armed_in_slots = armed_in_target = 0;
    options_.wrap_client_transport = wrap_to_count;
    play();
    EXPECT_EQ(0u, armed_in_target);
    EXPECT_EQ(2u, armed_in_slots);
}

// ---- which rail ----

void (*inner_rail)(const hr_transport *, unsigned, hr_rail_info *);

void second_is_faster(const hr_transport *transport, unsigned rail, hr_rail_info *info_out)
{
    inner_rail(transport, rail, info_out);
    info_out->bits_per_s = rail == 1 ? 200000000000 : 100000000000;
}

hr_status wrap_to_speed_up(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, true, &ops)) {
        inner_rail = ops.rail;
        ops.rail = second_is_faster;
    }
    *transport_out = inner;
    return HR_OK;
}

// As near as each other, for nothing is known of where the drive is.
TEST_F(Rails, ASingleLinkTakesTheServersFastestRail)
{
    scenario_.links = 1;
    EXPECT_EQ(0u, play().find("verbs (rail0"));
    options_.wrap_server_transport = wrap_to_speed_up;
    EXPECT_EQ(0u, play().find("verbs (rail1"));
}

// Two NICs of the client, the second beside its drive.
void second_is_nearer(const hr_transport *transport, unsigned rail, hr_rail_info *info_out)
{
    static const char *const paths[] = {"/sys/devices/pci0000:80/0000:80:01.0/0000:81:00.0",
                                        "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"};
    inner_rail(transport, rail, info_out);
    snprintf(info_out->site.path, sizeof info_out->site.path, "%s", paths[rail]);
    info_out->bits_per_s = rail == 1 ? 100000000000 : 200000000000;
}

hr_status wrap_to_bring_near(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, true, &ops)) {
        inner_rail = ops.rail;
        ops.rail = second_is_nearer;
    }
    *transport_out = inner;
    return HR_OK;
}

TEST_F(Rails, ASingleLinkTakesTheNicBesideTheTarget)
{
    scenario_.links = 1;
    options_.wrap_client_transport = wrap_to_bring_near;
    EXPECT_EQ(0u, play().find("verbs (rail0, soft-RoCE), one of 2 NICs, ")); // the faster
    options_.client_drive = "/sys/devices/pci0000:00/0000:00:01.1/0000:02:00.0";
    EXPECT_EQ(0u, play().find("verbs (rail1, soft-RoCE), of 2 NICs the nearest to the target: same "
                              "PCI root (PHB), "));
}

// ---- which worker ----

std::map<const hr_transport *, std::set<unsigned>> rails_of_workers;

void each_on_its_node(const hr_transport *transport, unsigned rail, hr_rail_info *info_out)
{
    inner_rail(transport, rail, info_out);
    info_out->site.node = (int)rail;
}

void noting_rail(hr_link *link, hr_link_write *write)
{
    rails_of_workers[link->transport].insert(link->rail);
    inner_write(link, write);
}

hr_status noting_arm(hr_link *link, hr_place *place)
{
    rails_of_workers[link->transport].insert(link->rail);
    return inner_arm(link, place);
}

// A server writes to its links, and a client arms places for them.
hr_status wrap_to_place(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, true, &ops)) {
        inner_rail = ops.rail;
        inner_write = ops.link.write;
        inner_arm = ops.link.arm;
        ops.rail = each_on_its_node;
        ops.link.write = noting_rail;
        ops.link.arm = noting_arm;
    }
    *transport_out = inner;
    return HR_OK;
}

// Of three workers two sit beside the first NIC and one beside the second: four links in turns
// would not do.
class Placed : public Rails
{
  protected:
    using Wrap = hr_status (*)(hr_transport *, hr_transport **);
    void expect_each_beside_its_nic(hr_scenario_side *side, Wrap *wrap)
    {
        rails_of_workers.clear();
        side->workers = 3;
        scenario_.links = 4;
        *wrap = wrap_to_place;
        EXPECT_EQ(0u, play().find("verbs (rail"));
        EXPECT_EQ(3u, rails_of_workers.size());
        for (const auto &worker : rails_of_workers)
            EXPECT_EQ(1u, worker.second.size());
    }
};

TEST_F(Placed, ALinkOfAServerIsCarriedByAWorkerOfItsNode)
{
    expect_each_beside_its_nic(&scenario_.server, &options_.wrap_server_transport);
}

TEST_F(Placed, ALinkOfAClientToo)
{
    expect_each_beside_its_nic(&scenario_.client, &options_.wrap_client_transport);
}

// ---- what the server does with the bytes ----

std::set<const void *> read_to; // where the disk put chunks
unsigned written_from_elsewhere;
void (*inner_submit)(hr_storage *, hr_io *);

void noting_submit(hr_storage *storage, hr_io *io)
{
    if (io->kind == HR_IO_READ)
        read_to.insert(io->data);
    inner_submit(storage, io);
}

hr_status wrap_to_note(hr_storage *inner, hr_storage **storage_out)
{
    static hr_storage_ops ops;
    ops = *inner->ops;
    inner_submit = ops.submit;
    ops.submit = noting_submit;
    inner->ops = &ops;
    *storage_out = inner;
    return HR_OK;
}

void noting_write(hr_link *link, hr_link_write *write)
{
    if (write->receipt.transfer != 0)
        written_from_elsewhere += read_to.count(write->payload.addr) == 0;
    writes++;
    inner_write(link, write);
}

hr_status wrap_to_compare(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, true, &ops)) {
        inner_write = ops.link.write;
        ops.link.write = noting_write;
    }
    *transport_out = inner;
    return HR_OK;
}

// The NIC reads where the drive wrote: no byte is copied by the server's processor.
TEST_F(Rails, TheServerCopiesNothing)
{
    read_to.clear();
    writes = written_from_elsewhere = 0;
    options_.wrap_server_storage = wrap_to_note;
    options_.wrap_server_transport = wrap_to_compare;
    play();
    EXPECT_EQ(2u + 3u, writes);
    EXPECT_EQ(0u, written_from_elsewhere);
}

TEST_F(Rails, TheServerHasNone)
{
    scenario_.server.rails = 0;
    std::string path = play();
    EXPECT_TRUE(holds(path, "no RDMA: the server offers no RDMA")) << path;
}

TEST_F(Rails, TheClientHasNone)
{
    scenario_.client.rails = 0;
    std::string path = play();
    EXPECT_TRUE(holds(path, "no RDMA: this side has no rails")) << path;
}

// ---- links over rails that connect and then are good for nothing ----

unsigned spoiled_from, spoiled_to; // of the writes over rails, counted

// The first byte is wrong, and stays so for as long as it is under way.
void spoiling_write(hr_link *link, hr_link_write *write)
{
    unsigned number = writes++;
    if (number >= spoiled_from && number < spoiled_to && write->payload.len > 0)
        static_cast<uint8_t *>(write->payload.addr)[0] ^= 1;
    inner_write(link, write);
}

hr_status wrap(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, true, &ops)) {
        inner_write = ops.link.write;
        ops.link.write = spoiling_write;
    }
    *transport_out = inner;
    return HR_OK;
}

TEST_F(Rails, AProbeThatArrivesWrongMeansTcp)
{
    writes = 0;
    spoiled_from = 0;
    spoiled_to = UINT32_MAX;
    options_.wrap_server_transport = wrap;
    std::string path = play();
    EXPECT_TRUE(holds(path, "no RDMA: the probe over the rail")) << path;
    EXPECT_TRUE(holds(path, hr_status_text(HR_INTEGRITY))) << path;
    EXPECT_LE(writes, 4u) << "nothing but the probes went over them";
}

TEST_F(Rails, OneChunkThatArrivesWrongIsAskedForAgain)
{
    writes = 0;
    spoiled_from = 3;
    spoiled_to = 4;
    options_.wrap_server_transport = wrap;
    scenario_.faulty_attempts = 1;
    EXPECT_EQ(0u, play().find("verbs (rail"));
    EXPECT_EQ(2u + 3u + 1u, writes) << "two probes, three chunks, one of them twice";
}

} // namespace
