// SPDX-License-Identifier: Apache-2.0
// Tickets of data links over imitated NICs: one that is wrong, shown twice or shown late opens
// nothing, and the transfer that it was meant for does not suffer.
#include "two_rails.h"

#include <string>

namespace
{

using Connect = hr_status (*)(hr_transport *, const char *, unsigned, const hr_greeting *,
                              const hr_link_events *, void *, hr_link **);
Connect inner_connect, planted_connect;

hr_status wrap(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, true, &ops)) {
        inner_connect = ops.link.connect;
        ops.link.connect = planted_connect;
    }
    *transport_out = inner;
    return HR_OK;
}

// A link that somebody opens beside the client, with a ticket that it got hold of.
struct Thief {
    hr_timer timer = {};
    hr_transport *transport = nullptr;
    std::string address;
    hr_greeting greeting = {};
    hr_link *link = nullptr;
    unsigned connects = 0, ups = 0, downs = 0;
};
Thief thief;

const hr_link_events thief_events = {
    [](void *) {
        thief.ups++;
        thief.transport->ops->link.close(thief.link);
    },
    [](void *, hr_place *, const hr_receipt *) {},
    [](void *, hr_status) {
        thief.downs++;
        thief.transport->ops->link.destroy(thief.link);
    },
};

void show_ticket()
{
    ASSERT_EQ(HR_OK, inner_connect(thief.transport, thief.address.c_str(), HR_RAIL_ANY,
                                   &thief.greeting, &thief_events, nullptr, &thief.link));
}

class Tickets : public TwoRails
{
  protected:
    void SetUp() override
    {
        TwoRails::SetUp();
        thief = Thief();
    }
    void play(Connect planted)
    {
        hr_trial_options options = {};
        hr_trial_result result;
        planted_connect = planted;
        options.wrap_client_transport = wrap;
        hr_trial_play(&scenario_, &options, &result);
        EXPECT_STREQ("", result.problem);
        EXPECT_EQ(1u, result.attempts);
        EXPECT_EQ(1u, result.ended[-HR_OK]);
    }
};

TEST_F(Tickets, OneThatIsWrongOpensNothing)
{
    play([](hr_transport *transport, const char *address, unsigned rail,
            const hr_greeting *greeting, const hr_link_events *events, void *context,
            hr_link **link_out) {
        if (thief.connects++ == 0) {
            thief.transport = transport;
            thief.address = address;
            thief.greeting = *greeting;
            thief.greeting.ticket[HR_TICKET_LEN - 1] ^= 1;
            show_ticket();
        }
        return inner_connect(transport, address, rail, greeting, events, context, link_out);
    });
    EXPECT_EQ(0u, thief.ups);
    EXPECT_EQ(1u, thief.downs);
}

TEST_F(Tickets, OneThatIsShownAgainOpensNothing)
{
    play([](hr_transport *transport, const char *address, unsigned rail,
            const hr_greeting *greeting, const hr_link_events *events, void *context,
            hr_link **link_out) {
        if (thief.connects++ == 0) {
            thief.transport = transport;
            thief.address = address;
            thief.greeting = *greeting;
        }
        hr_status status =
            inner_connect(transport, address, rail, greeting, events, context, link_out);
        if (thief.connects == 2)
            show_ticket();
        return status;
    });
    EXPECT_EQ(0u, thief.ups);
    EXPECT_EQ(1u, thief.downs);
}

// The client's first ticket is taken away from it (it shows another, is refused, and asks again),
// and shown by the thief after so many seconds.
template <unsigned seconds>
hr_status steal(hr_transport *transport, const char *address, unsigned rail,
                const hr_greeting *greeting, const hr_link_events *events, void *context,
                hr_link **link_out)
{
    hr_greeting shown = *greeting;
    if (thief.connects++ == 0) {
        thief.transport = transport;
        thief.address = address;
        thief.greeting = *greeting;
        thief.timer.fire = [](hr_timer *) { show_ticket(); };
        EXPECT_EQ(HR_OK,
                  hr_loop_timer_set(transport->loop, &thief.timer,
                                    hr_loop_now_ns(transport->loop) + seconds * HR_NS_PER_S));
        shown.ticket[0] ^= 1;
    }
    return inner_connect(transport, address, rail, &shown, events, context, link_out);
}

TEST_F(Tickets, OneThatIsShownLateOpensNothing)
{
    scenario_.limit_bytes_per_s = HR_CHUNK_LEN / 8; // two chunks take 16 s
    play(steal<11>);
    EXPECT_EQ(0u, thief.ups);
    EXPECT_EQ(1u, thief.downs);
}

TEST_F(Tickets, OneThatIsShownInTimeOpensALink)
{
    scenario_.limit_bytes_per_s = HR_CHUNK_LEN / 8; // two chunks take 16 s
    play(steal<9>);
    EXPECT_EQ(1u, thief.ups);
    EXPECT_EQ(1u, thief.downs);
}

} // namespace
