// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>

extern "C" {
#include "greeting.h"
}

namespace
{

hr_greeting Example()
{
    hr_greeting greeting = {};
    greeting.kind = HR_GREETING_LINK;
    greeting.major = 0x0102;
    greeting.session = 0x1112131415161718;
    greeting.link = 0x21222324;
    for (int i = 0; i < HR_TICKET_LEN; i++)
        greeting.ticket[i] = static_cast<uint8_t>(0xC0 + i);
    return greeting;
}

TEST(Greeting, LiesInBytesAsTheProtocolSays)
{
    uint8_t bytes[HR_GREETING_LEN];
    hr_greeting greeting = Example();
    hr_greeting_pack(&greeting, bytes);
    const uint8_t expected[24] = {
        'H',  'E',  'A',  'D',  'R',  'A',  'C',  'E',  0x02, 0x01, 2,    0,
        0x24, 0x23, 0x22, 0x21, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
    };
    EXPECT_EQ(memcmp(bytes, expected, sizeof expected), 0);
    EXPECT_EQ(memcmp(bytes + 24, greeting.ticket, HR_TICKET_LEN), 0);
    for (int i = 56; i < 64; i++)
        EXPECT_EQ(bytes[i], 0);
    EXPECT_NE(bytes[0], 0x16); // with which TLS begins
}

TEST(Greeting, ComesBackAsItWas)
{
    uint8_t bytes[HR_GREETING_LEN];
    hr_greeting greeting = Example(), back = {};
    hr_greeting_pack(&greeting, bytes);
    ASSERT_EQ(hr_greeting_unpack(bytes, &back), HR_OK);
    EXPECT_EQ(back.kind, HR_GREETING_LINK);
    EXPECT_EQ(back.major, greeting.major);
    EXPECT_EQ(back.session, greeting.session);
    EXPECT_EQ(back.link, greeting.link);
    EXPECT_EQ(memcmp(back.ticket, greeting.ticket, HR_TICKET_LEN), 0);
}

TEST(Greeting, DoesNotJudgeTheMajor)
{
    uint8_t bytes[HR_GREETING_LEN];
    hr_greeting greeting = Example(), back = {};
    greeting.major = 9999;
    hr_greeting_pack(&greeting, bytes);
    ASSERT_EQ(hr_greeting_unpack(bytes, &back), HR_OK);
    EXPECT_EQ(back.major, 9999);
}

TEST(Greeting, RefusesWhatIsNone)
{
    const hr_greeting greeting = Example();
    const struct {
        int at;
        uint8_t value;
    } changes[] = {{0, 0x16}, {7, 'e'}, {10, 0}, {10, 3}, {11, 1}, {56, 1}, {63, 1}};
    for (const auto &change : changes) {
        uint8_t bytes[HR_GREETING_LEN];
        hr_greeting back = {};
        hr_greeting_pack(&greeting, bytes);
        bytes[change.at] = change.value;
        EXPECT_EQ(hr_greeting_unpack(bytes, &back), HR_PROTOCOL) << "byte " << change.at;
        EXPECT_EQ(back.major, 0); // nothing is set by a refusal
    }
}

TEST(Greeting, AChannelHasNoTicket)
{
    uint8_t bytes[HR_GREETING_LEN];
    hr_greeting greeting = Example(), back = {};
    greeting.kind = HR_GREETING_CHANNEL;
    hr_greeting_pack(&greeting, bytes);
    EXPECT_EQ(hr_greeting_unpack(bytes, &back), HR_PROTOCOL);
    memset(greeting.ticket, 0, sizeof greeting.ticket);
    hr_greeting_pack(&greeting, bytes);
    EXPECT_EQ(hr_greeting_unpack(bytes, &back), HR_OK);
}

} // namespace
