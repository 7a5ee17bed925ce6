// SPDX-License-Identifier: Apache-2.0
// A transport that lets a test change what one side says over its channel, message by message.
#ifndef CHANGED_WORDS_H
#define CHANGED_WORDS_H

#include "two_rails.h"

#include <functional>
#include <vector>

namespace changed_words
{

inline hr_status (*inner_send)(hr_channel *, const void *, size_t);
inline std::function<bool(hr_message &)> change; // false: it stays as it is

inline hr_status changing_send(hr_channel *channel, const void *bytes, size_t len)
{
    static std::vector<uint64_t> in(HR_MESSAGE_PAGE_ARENA_LEN / 8), out(in.size());
    static std::vector<uint8_t> frame(HR_MESSAGE_PAGE_MAX + HR_FRAME_HEADER_LEN);
    for (hr_side side : {HR_SIDE_CLIENT, HR_SIDE_SERVER}) {
        hr_arena arena = hr_arena_make(in.data(), HR_MESSAGE_PAGE_ARENA_LEN);
        hr_message message = {};
        if (len <= HR_FRAME_HEADER_LEN ||
            hr_message_unpack((const uint8_t *)bytes + HR_FRAME_HEADER_LEN,
                              len - HR_FRAME_HEADER_LEN, side, &arena, &message) != HR_OK ||
            !change(message))
            continue;
        hr_arena room = hr_arena_make(out.data(), HR_MESSAGE_PAGE_ARENA_LEN);
        EXPECT_EQ(HR_OK, hr_message_pack(&message, &room, frame.data(), frame.size(), &len));
        return inner_send(channel, frame.data(), len);
    }
    return inner_send(channel, bytes, len);
}

inline hr_status wrap(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, false, &ops)) {
        inner_send = ops.channel.send;
        ops.channel.send = changing_send;
    }
    *transport_out = inner;
    return HR_OK;
}

} // namespace changed_words

#endif
