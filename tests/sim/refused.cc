// SPDX-License-Identifier: Apache-2.0
// Links that the server had no room for are asked for again while the session lasts, less and less
// often.
#include "two_rails.h"

#include <string>

namespace
{

using Connect = hr_status (*)(hr_transport *, const char *, unsigned, const hr_greeting *,
                              const hr_link_events *, void *, hr_link **);
Connect inner_connect;
unsigned connects;

hr_status counting_connect(hr_transport *transport, const char *address, unsigned rail,
                           const hr_greeting *greeting, const hr_link_events *events, void *context,
                           hr_link **link_out)
{
    connects++;
    return inner_connect(transport, address, rail, greeting, events, context, link_out);
}

hr_status wrap(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, false, &ops)) {
        inner_connect = ops.link.connect;
        ops.link.connect = counting_connect;
    }
    *transport_out = inner;
    return HR_OK;
}

class Refused : public TwoRails
{
  protected:
    void SetUp() override
    {
        TwoRails::SetUp();
        connects = 0;
        options_.wrap_client_transport = wrap;
        scenario_.server.rails = scenario_.client.rails = 0;
        scenario_.crowded = true;
        scenario_.links = 12;
        scenario_.faulty_attempts = 1;
        scenario_.limit_bytes_per_s = HR_CHUNK_LEN; // a chunk a second
        set_chunks(12);
    }
    // Links of the client at the end.
    unsigned play()
    {
        hr_trial_result result = {};
        hr_trial_play(&scenario_, &options_, &result);
        EXPECT_STREQ("", result.problem);
        EXPECT_EQ(1u, result.attempts);
        EXPECT_EQ(1u, result.ended[-HR_OK]);
        std::string path = result.path;
        size_t at = path.find(" links");
        EXPECT_NE(std::string::npos, at) << path;
        return (unsigned)std::stoul(path.substr(path.rfind(' ', at - 1)));
    }
};

// After 1, 3 and 7 seconds, each of those that are missing.
TEST_F(Refused, AreAskedForAgainLessAndLessOften)
{
    unsigned links = play();
    EXPECT_GT(links, 0u);
    EXPECT_LT(links, 12u);
    EXPECT_EQ(12 + 3 * (12 - links), connects);
}

TEST_F(Refused, AreTakenWhenThereIsRoom)
{
    hr_trial_result crowded = {};
    hr_trial_play(&scenario_, &options_, &crowded);
    scenario_.events[scenario_.event_count++] = {HR_SCENARIO_SERVER_ROOM, crowded.steps / 2, 0, 0};
    EXPECT_EQ(12u, play());
}

} // namespace
