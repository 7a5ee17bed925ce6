// SPDX-License-Identifier: Apache-2.0
// What a client says over its channel before chunks take imitated NICs, changed on its way: an
// older client, and one whose places are shorter than its chunks. And what a server says to people.
#include "changed_words.h"

#include <string>

using namespace changed_words;

namespace
{

class Words : public TwoRails
{
  protected:
    hr_trial_result result_ = {};

    void SetUp() override
    {
        TwoRails::SetUp();
        options_.wrap_client_transport = wrap;
        options_.echo = true;
    }
    // What was said on the way.
    std::string play()
    {
        testing::internal::CaptureStderr();
        hr_trial_play(&scenario_, &options_, &result_);
        std::string said = testing::internal::GetCapturedStderr();
        EXPECT_STREQ("", result_.problem) << said;
        return said;
    }
};

TEST_F(Words, OfAnOlderMinorVersionDoForChunksOverRdma)
{
    unsigned changed = 0;
    change = [&changed](hr_message &message) {
        if (message.kind != HR_MESSAGE_HELLO)
            return false;
        message.hello.minor = 0;
        message.hello.features = 0;
        changed++;
        return true;
    };
    play();
    EXPECT_EQ(1u, changed);
    EXPECT_EQ(1u, result_.attempts);
    EXPECT_EQ(1u, result_.over_rdma);
}

// The first time it is asked for; it asks again, and all is well.
TEST_F(Words, APlaceShorterThanItsChunkIsRefused)
{
    bool changed = false;
    scenario_.faulty_attempts = 1;
    change = [&changed](hr_message &message) {
        if (changed || message.kind != HR_MESSAGE_KEYS || message.keys.region_count == 0)
            return false;
        for (size_t i = 0; i < message.keys.region_count; i++)
            const_cast<hr_region_key *>(message.keys.regions)[i].len = 4096;
        changed = true;
        return true;
    };
    std::string said = play();
    EXPECT_TRUE(changed);
    EXPECT_EQ(1u, result_.ended[-HR_PROTOCOL]);
    EXPECT_EQ(1u, result_.ended[-HR_OK]);
    EXPECT_NE(std::string::npos, said.find("its place is shorter than the chunk")) << said;
}

// The simulator's memory has none.
TEST_F(Words, OfAServerWithoutHugePagesSayHowToHaveThem)
{
    change = [](hr_message &) { return false; };
    std::string said = play();
    EXPECT_NE(std::string::npos, said.find("huge pages make that less")) << said;
    EXPECT_NE(std::string::npos, said.find("vm.nr_hugepages")) << said;
    EXPECT_EQ(1u, result_.over_rdma);
}

} // namespace
