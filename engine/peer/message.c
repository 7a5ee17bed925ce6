/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways between hr_message and bytes. protobuf-c does the encoding; it sees no memory but
 * the arena, so that a message of a few bytes that claims to be large ends at the arena's end. */
#include "message.h"

#include <assert.h>

#include "bytes.h"
#include "message_wire.h"

/* Envelope fields from here on are hints: whoever does not know them skips them. */
#define HINT_FIRST 1000u

static const struct {
    const char *name;
    bool from_client, from_server;
} kinds[] = {
    [HR_MESSAGE_HINT] = {"hint", true, true},
    [HR_MESSAGE_HELLO] = {"hello", true, false},
    [HR_MESSAGE_WELCOME] = {"welcome", false, true},
    [HR_MESSAGE_LIST] = {"list", true, false},
    [HR_MESSAGE_ENTRIES] = {"entries", false, true},
    [HR_MESSAGE_OPEN] = {"open", true, false},
    [HR_MESSAGE_OPENED] = {"opened", false, true},
    [HR_MESSAGE_KEYS] = {"keys", true, false},
    [HR_MESSAGE_TICKETS] = {"tickets", false, true},
    [HR_MESSAGE_GRANT] = {"grant", true, false},
    [HR_MESSAGE_FAILED] = {"failed", false, true},
    [HR_MESSAGE_CANCEL] = {"cancel", true, false},
    [HR_MESSAGE_CLOSE] = {"close", true, false},
    [HR_MESSAGE_CLOSED] = {"closed", false, true},
    [HR_MESSAGE_ERROR] = {"error", true, true},
    [HR_MESSAGE_PING] = {"ping", true, true},
    [HR_MESSAGE_PONG] = {"pong", true, true},
    [HR_MESSAGE_JOINED] = {"joined", false, true},
    [HR_MESSAGE_PARTED] = {"parted", true, true},
    [19] = {"?", false, false},
    [HR_MESSAGE_OPEN_BUNDLES] = {"open_bundles", true, false},
    [HR_MESSAGE_DIGEST] = {"digest", true, false},
    [HR_MESSAGE_DIGESTED] = {"digested", false, true},
};

static_assert((int)HR_MESSAGE_OPEN_BUNDLES == (int)HEADRACE__ENVELOPE__BODY_OPEN_BUNDLES,
              "kinds are field numbers");
static_assert((int)HR_MESSAGE_PARTED == (int)HEADRACE__ENVELOPE__BODY_PARTED,
              "kinds are field numbers");

const char *hr_message_name(hr_message_kind kind)
{
    return (size_t)kind < sizeof kinds / sizeof kinds[0] ? kinds[kind].name : "?";
}

bool hr_message_is_from(hr_message_kind kind, hr_side sender)
{
    if ((size_t)kind >= sizeof kinds / sizeof kinds[0])
        return false;
    return sender == HR_SIDE_CLIENT ? kinds[kind].from_client : kinds[kind].from_server;
}

static size_t body_max_of(hr_message_kind kind)
{
    return kind == HR_MESSAGE_ENTRIES ? HR_MESSAGE_PAGE_MAX : HR_MESSAGE_BODY_MAX;
}

hr_status hr_message_pack(const hr_message *message, hr_arena *arena, uint8_t *frame_out,
                          size_t frame_max, size_t *len_out)
{
    if (hr_message_check(message) != HR_OK)
        return HR_INVALID;
    arena->used = 0;
    hr_message_body body;
    Headrace__Envelope envelope;
    if (!hr_message_to_wire(message, arena, &body, &envelope))
        return HR_INVALID;
    size_t len = headrace__envelope__get_packed_size(&envelope);
    if (len > body_max_of(message->kind) || HR_FRAME_HEADER_LEN + len > frame_max)
        return HR_INVALID;
    hr_put_u32(frame_out, (uint32_t)len);
    headrace__envelope__pack(&envelope, frame_out + HR_FRAME_HEADER_LEN);
    *len_out = HR_FRAME_HEADER_LEN + len;
    return HR_OK;
}

static void *take(void *arena, size_t len)
{
    return hr_arena_take(arena, len);
}

/* The arena is taken back as a whole. */
static void give(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

static bool is_hint(const ProtobufCMessage *envelope)
{
    for (unsigned i = 0; i < envelope->n_unknown_fields; i++)
        if (envelope->unknown_fields[i].tag < HINT_FIRST)
            return false;
    return envelope->n_unknown_fields > 0;
}

hr_status hr_message_unpack(const uint8_t *body, size_t len, hr_side sender, hr_arena *arena,
                            hr_message *message_out)
{
    if (len == 0 || len > HR_MESSAGE_PAGE_MAX)
        return HR_PROTOCOL;
    arena->used = 0;
    ProtobufCAllocator allocator = {.alloc = take, .free = give, .allocator_data = arena};
    const Headrace__Envelope *envelope = headrace__envelope__unpack(&allocator, len, body);
    if (envelope == NULL)
        return HR_PROTOCOL;
    if (envelope->body_case == HEADRACE__ENVELOPE__BODY__NOT_SET) {
        if (len > HR_MESSAGE_BODY_MAX || !is_hint(&envelope->base))
            return HR_PROTOCOL;
        message_out->kind = HR_MESSAGE_HINT;
        return HR_OK;
    }
    hr_message message = {.kind = HR_MESSAGE_HINT};
    if (!hr_message_from_wire(envelope, arena, &message) || len > body_max_of(message.kind) ||
        !hr_message_is_from(message.kind, sender) || hr_message_check(&message) != HR_OK)
        return HR_PROTOCOL;
    *message_out = message;
    return HR_OK;
}

/* Of a number as protobuf writes it, seven bits a byte. */
static size_t varint_len(uint64_t number)
{
    size_t len = 1;
    while ((number >>= 7) != 0)
        len++;
    return len;
}

static size_t bytes_len(hr_bytes bytes)
{
    return bytes.len > 0 ? 1 + varint_len(bytes.len) + bytes.len : 0;
}

size_t hr_message_small_len(const hr_message_small *file)
{
    /* Each with its one-byte tag; the two times are 8 bytes long. */
    size_t len = bytes_len(file->directory) + bytes_len(file->name) + 1 + varint_len(file->size) +
                 (size_t)2 * (1 + 8);
    return 1 + varint_len(len) + len;
}
