// SPDX-License-Identifier: Apache-2.0
// Who is dead and who is only busy: a peer whose heartbeat is late is called dead when nothing else
// of it comes either, and a worker that was kept from its loop does not take that for silence.
#include "two_rails.h"

extern "C" {
#include "sim_env.h"
}

namespace
{

// ---- a side that finds no time for its heartbeat ----

hr_status (*inner_send)(hr_channel *, const void *, size_t);
unsigned swallowed;

hr_status send_no_heartbeat(hr_channel *channel, const void *bytes, size_t len)
{
    hr_message_kind kind = kind_of_frame(bytes, len);
    if (kind != HR_MESSAGE_PING && kind != HR_MESSAGE_PONG)
        return inner_send(channel, bytes, len);
    swallowed++;
    return HR_OK;
}

hr_status wrap_to_swallow(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, false, &ops)) {
        inner_send = ops.channel.send;
        ops.channel.send = send_no_heartbeat;
    }
    *transport_out = inner;
    return HR_OK;
}

// ---- a worker that does one thing for longer than any silence may last ----

hr_status (*inner_arm)(hr_link *, hr_place *);
void (*inner_write)(hr_link *, hr_link_write *);
unsigned chunks;

void work_for_long(const hr_transport *transport)
{
    if (chunks++ == 4)
        ((hr_sim *)hr_loop_env(transport->loop)->context)->now_ns += 30 * HR_NS_PER_S;
}

hr_status wrap_to_work(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, true, &ops)) {
        inner_arm = ops.link.arm;
        inner_write = ops.link.write;
        ops.link.arm = [](hr_link *link, hr_place *place) {
            work_for_long(link->transport);
            return inner_arm(link, place);
        };
        ops.link.write = [](hr_link *link, hr_link_write *write) {
            work_for_long(link->transport);
            inner_write(link, write);
        };
    }
    *transport_out = inner;
    return HR_OK;
}

class Heartbeat : public TwoRails
{
  protected:
    void SetUp() override
    {
        TwoRails::SetUp();
        set_chunks(8);
        swallowed = chunks = 0;
    }
    void expect_well()
    {
        hr_trial_result result = {};
        hr_trial_play(&scenario_, &options_, &result);
        EXPECT_STREQ("", result.problem);
        EXPECT_EQ(1u, result.attempts);
        EXPECT_EQ(1u, result.ended[-HR_OK]);
    }
};

TEST_F(Heartbeat, OfAServerWhoseChunksComeIsNotMissed)
{
    scenario_.limit_bytes_per_s = HR_CHUNK_LEN; // a chunk a second
    options_.wrap_server_transport = wrap_to_swallow;
    expect_well();
    EXPECT_GT(swallowed, 6u);
}

// All is granted at the beginning, and takes long.
TEST_F(Heartbeat, OfAClientWhoseMemoryTakesChunksIsNotMissed)
{
    scenario_.target = HR_SCENARIO_TO_SPAN;
    scenario_.server.transport.delayed = UINT16_MAX;
    scenario_.server.transport.delay_ns_max = 5 * HR_NS_PER_S / 2;
    scenario_.faulty_attempts = 1;
    options_.wrap_client_transport = wrap_to_swallow;
    expect_well();
    EXPECT_GT(swallowed, 6u);
}

TEST_F(Heartbeat, IsNotMissedByAClientThatWasBusy)
{
    options_.wrap_client_transport = wrap_to_work;
    expect_well();
    EXPECT_GT(chunks, 4u);
}

TEST_F(Heartbeat, IsNotMissedByAServerThatWasBusy)
{
    options_.wrap_server_transport = wrap_to_work;
    expect_well();
    EXPECT_GT(chunks, 4u);
}

} // namespace
