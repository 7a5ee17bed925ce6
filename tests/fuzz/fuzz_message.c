/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of a peer: cut into frames, unpacked. What is accepted must be within the limits: it can
 * be packed again and means the same then. The corpus is made by tests/unit/message.cc. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static uint64_t unpack_memory[HR_MESSAGE_PAGE_ARENA_LEN / 8];
static uint64_t pack_memory[HR_MESSAGE_PAGE_ARENA_LEN / 8];
static uint64_t again_memory[HR_MESSAGE_PAGE_ARENA_LEN / 8];
static uint8_t collected[HR_FRAME_HEADER_LEN + HR_MESSAGE_PAGE_MAX];
static uint8_t first[HR_FRAME_HEADER_LEN + HR_MESSAGE_PAGE_MAX];
static uint8_t second[HR_FRAME_HEADER_LEN + HR_MESSAGE_PAGE_MAX];

static void require(int holds)
{
    if (!holds)
        abort(); /* in every build, unlike assert */
}

static void take_message(const hr_message *message, hr_side sender)
{
    if (message->kind == HR_MESSAGE_HINT)
        return;
    hr_arena pack = hr_arena_make(pack_memory, sizeof pack_memory);
    hr_arena again = hr_arena_make(again_memory, sizeof again_memory);
    size_t first_len, second_len;
    hr_message back;
    require(hr_message_pack(message, &pack, first, sizeof first, &first_len) == HR_OK);
    require(hr_message_unpack(first + HR_FRAME_HEADER_LEN, first_len - HR_FRAME_HEADER_LEN, sender,
                              &again, &back) == HR_OK);
    require(hr_message_pack(&back, &pack, second, sizeof second, &second_len) == HR_OK);
    require(first_len == second_len && memcmp(first, second, first_len) == 0);
}

static void take_body(const uint8_t *body, size_t len, hr_side sender)
{
    hr_arena arena = hr_arena_make(unpack_memory, sizeof unpack_memory);
    hr_message message;
    hr_status status = hr_message_unpack(body, len, sender, &arena, &message);
    require(status == HR_OK || status == HR_PROTOCOL);
    if (status == HR_OK)
        take_message(&message, sender);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    hr_framing frames;
    hr_framing_init(&frames, collected, HR_MESSAGE_PAGE_MAX);
    const uint8_t *body;
    size_t body_len;
    while (hr_framing_next(&frames, &bytes, &len, &body, &body_len) == HR_OK) {
        require(body_len > 0 && body_len <= HR_MESSAGE_PAGE_MAX);
        take_body(body, body_len, HR_SIDE_CLIENT);
        take_body(body, body_len, HR_SIDE_SERVER);
    }
    return 0;
}
