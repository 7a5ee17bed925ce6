// SPDX-License-Identifier: Apache-2.0
// What a client says over its channel before chunks take imitated NICs, changed on its way: an
// older client, and one whose places are shorter than its chunks. And what a server says to people.
#include "two_rails.h"

#include <functional>
#include <string>
#include <vector>

extern "C" {
#include "message.h"
}

namespace
{

hr_status (*inner_send)(hr_channel *, const void *, size_t);
std::function<bool(hr_message &)> change; // false: it stays as it is

hr_status changing_send(hr_channel *channel, const void *bytes, size_t len)
{
    static std::vector<uint64_t> in(HR_MESSAGE_PAGE_ARENA_LEN / 8), out(in.size());
    static std::vector<uint8_t> frame(HR_MESSAGE_PAGE_MAX + HR_FRAME_HEADER_LEN);
    hr_arena arena = hr_arena_make(in.data(), HR_MESSAGE_PAGE_ARENA_LEN);
    hr_message message = {};
    if (len <= HR_FRAME_HEADER_LEN ||
        hr_message_unpack((const uint8_t *)bytes + HR_FRAME_HEADER_LEN, len - HR_FRAME_HEADER_LEN,
                          HR_SIDE_CLIENT, &arena, &message) != HR_OK ||
        !change(message))
        return inner_send(channel, bytes, len);
    hr_arena room = hr_arena_make(out.data(), HR_MESSAGE_PAGE_ARENA_LEN);
    EXPECT_EQ(HR_OK, hr_message_pack(&message, &room, frame.data(), frame.size(), &len));
    return inner_send(channel, frame.data(), len);
}

hr_status wrap(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, false, &ops)) {
        inner_send = ops.channel.send;
        ops.channel.send = changing_send;
    }
    *transport_out = inner;
    return HR_OK;
}

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
