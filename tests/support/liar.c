/* SPDX-License-Identifier: Apache-2.0 */
#include "liar.h"

#include <string.h>

#include "message.h"
#include "message_samples.h"
#include "planted.h"

static struct {
    hr_side liar;
    const uint8_t *at;
    size_t left;
    unsigned count;
} script;

static uint64_t arena_memory[HR_MESSAGE_PAGE_ARENA_LEN / 8];
static uint64_t pack_memory[HR_MESSAGE_PAGE_ARENA_LEN / 8];
static uint8_t frame[HR_FRAME_HEADER_LEN + HR_MESSAGE_PAGE_MAX];
static hr_grant grants[64];

void hr_liar_script(hr_side liar, const uint8_t *bytes, size_t len)
{
    script.liar = liar;
    script.at = bytes;
    script.left = len;
    script.count = 0;
}

unsigned hr_liar_count(void)
{
    return script.count;
}

static uint8_t next(void)
{
    if (script.left == 0)
        return 0;
    script.left--;
    return *script.at++;
}

/* Not always: who lies in every word gets nowhere. */
static bool lies_now(hr_side side)
{
    return script.liar == side && script.left > 0 && next() % 4 == 0;
}

/* ---- numbers ---- */

static uint64_t other_number(uint64_t value)
{
    static const uint64_t edges[] = {0, 1, 2, 63, 64, 4096, UINT16_MAX, UINT32_MAX, UINT64_MAX};
    uint8_t how = next();
    switch (how & 3) {
    case 0:
        return value + 1;
    case 1:
        return value - 1;
    case 2:
        return value ^ (UINT64_C(1) << (how >> 2));
    default:
        return edges[(how >> 2) % (sizeof edges / sizeof *edges)];
    }
}

static void lie64(uint64_t *value)
{
    *value = other_number(*value);
}

static void lie32(uint32_t *value)
{
    *value = (uint32_t)other_number(*value);
}

static void lie_status(hr_status *status)
{
    *status = (hr_status) - (int)(next() % 32);
}

/* One of them. */
static void lie_of_two(uint64_t *first, uint32_t *second)
{
    if (next() & 1)
        lie64(first);
    else
        lie32(second);
}

/* ---- messages ---- */

static void lie_in_grant(hr_message_grant *grant)
{
    size_t count = grant->count < 64 ? grant->count : 64;
    memcpy(grants, grant->grants, count * sizeof *grants);
    hr_grant *one = &grants[next() % count];
    uint32_t *const numbers[] = {&one->chunk, &one->generation, &one->link, &one->region,
                                 &one->flags};
    uint8_t which = next() % 7;
    if (which < 5)
        lie32(numbers[which]);
    else if (which == 5)
        lie64(&one->offset);
    else
        lie64(&one->transfer);
    grant->grants = grants;
    grant->count = count;
}

static void lie_in_opened(hr_message_opened *opened)
{
    switch (next() % 11) {
    case 0:
        lie64(&opened->transfer);
        break;
    case 1:
        lie_status(&opened->status);
        break;
    case 2:
        opened->identity[next() % HR_ID_LEN] ^= 1;
        break;
    case 3:
        opened->type = opened->type == HR_NODE_REGULAR ? HR_NODE_DIRECTORY : HR_NODE_REGULAR;
        break;
    case 4:
        lie64(&opened->size);
        break;
    case 5:
        lie32(&opened->chunk_len);
        break;
    case 6:
        lie32(&opened->codec);
        break;
    case 7:
        lie64(&opened->stored_len);
        break;
    case 8:
        opened->direct.len = opened->direct.len / 2;
        break;
    case 9:
        lie32(&opened->cipher);
        break;
    default:
        opened->sparse = !opened->sparse;
    }
}

static void lie_in_entries(hr_message_entries *entries)
{
    static hr_message_entry copies[HR_MESSAGE_ENTRIES_MAX];
    memcpy(copies, entries->entries, entries->count * sizeof *copies);
    hr_message_entry *one = &copies[entries->count > 0 ? next() % entries->count : 0];
    uint8_t which = next() % 8;
    if (which == 0)
        lie32(&entries->request);
    else if (which == 1)
        lie64(&entries->cookie);
    else if (which == 2)
        lie_status(&entries->status);
    else if (entries->count == 0)
        return;
    else if (which == 3)
        lie64(&one->size);
    else if (which == 4)
        one->type = 1 + next() % 5;
    else if (which == 5) /* the same name twice */
        one->name = copies[0].name;
    else if (which == 6)
        one->target = hr_bytes_make("../../etc", 9);
    else
        lie64(&one->inode);
    entries->entries = copies;
}

/* What has only a number or two. */
static void lie_in_small(hr_message *message)
{
    switch ((int)message->kind) {
    case HR_MESSAGE_FAILED:
        lie_of_two(&message->failed.transfer, &message->failed.chunk);
        break;
    case HR_MESSAGE_CLOSED:
        if (next() & 1)
            lie_status(&message->closed.status);
        else
            lie64(&message->closed.transfer);
        break;
    case HR_MESSAGE_WELCOME:
        lie_of_two(&message->welcome.session, &message->welcome.links_max);
        break;
    case HR_MESSAGE_HELLO:
        lie_of_two(&message->hello.features, &message->hello.minor);
        break;
    case HR_MESSAGE_KEYS:
        if (next() & 1)
            lie32(&message->keys.links);
        else
            lie32(&message->keys.first_link);
        break;
    case HR_MESSAGE_LIST:
        lie_of_two(&message->list.cookie, &message->list.entries_max);
        break;
    case HR_MESSAGE_DIGEST:
        lie_of_two(&message->digest.len, &message->digest.request);
        break;
    case HR_MESSAGE_DIGESTED:
        lie_of_two(&message->digested.size, &message->digested.request);
        break;
    case HR_MESSAGE_JOINED:
    case HR_MESSAGE_PARTED:
        lie32(&message->joined.link);
        break;
    default: /* the first member of the rest is the number of a transfer, or of a ping */
        if (message->kind != HR_MESSAGE_HINT && message->kind != HR_MESSAGE_TICKETS &&
            message->kind != HR_MESSAGE_ERROR)
            lie64(&message->open.transfer);
    }
}

static void lie_in(hr_message *message)
{
    if (message->kind == HR_MESSAGE_GRANT)
        lie_in_grant(&message->grant);
    else if (message->kind == HR_MESSAGE_OPENED)
        lie_in_opened(&message->opened);
    else if (message->kind == HR_MESSAGE_ENTRIES)
        lie_in_entries(&message->entries);
    else
        lie_in_small(message);
}

/* Another message of this side's altogether. */
static const hr_message *some_sample(hr_side side)
{
    size_t at = next() % hr_message_sample_count;
    while (hr_message_samples[at].sender != side)
        at = (at + 1) % hr_message_sample_count;
    return &hr_message_samples[at].message;
}

static hr_status pass(hr_channel *channel, const void *bytes, size_t len)
{
    return channel->transport->ops->channel.send(channel, bytes, len);
}

static hr_status send_message(hr_channel *channel, const hr_message *message)
{
    size_t len;
    hr_arena arena = hr_arena_make(pack_memory, sizeof pack_memory);
    if (hr_message_pack(message, &arena, frame, sizeof frame, &len) != HR_OK)
        return HR_INVALID; /* no such message crosses the wire */
    return pass(channel, frame, len);
}

static hr_status send_lie(hr_channel *channel, const uint8_t *bytes, size_t len, hr_side side)
{
    hr_arena arena = hr_arena_make(arena_memory, sizeof arena_memory);
    hr_message message;
    hr_status status = HR_INVALID;
    script.count++;
    switch (next() % 8) {
    case 0: /* not at all */
        return HR_OK;
    case 1: /* twice */
        status = pass(channel, bytes, len);
        return status == HR_OK ? pass(channel, bytes, len) : status;
    case 2: /* something else first */
        status = send_message(channel, some_sample(side));
        return status == HR_OK || status == HR_INVALID ? pass(channel, bytes, len) : status;
    case 3: /* a bit of it */
        memcpy(frame, bytes, len);
        frame[HR_FRAME_HEADER_LEN + next() % (len - HR_FRAME_HEADER_LEN)] ^=
            (uint8_t)(1u << next() % 8);
        return pass(channel, frame, len);
    default:
        if (hr_message_unpack(bytes + HR_FRAME_HEADER_LEN, len - HR_FRAME_HEADER_LEN, side, &arena,
                              &message) == HR_OK) {
            lie_in(&message);
            status = send_message(channel, &message);
        }
        return status == HR_INVALID ? pass(channel, bytes, len) : status;
    }
}

/* The engine sends a message a call, in clear. */
static hr_status send_as(hr_channel *channel, const void *bytes, size_t len, hr_side side)
{
    if (!lies_now(side) || len <= HR_FRAME_HEADER_LEN || len > sizeof frame)
        return pass(channel, bytes, len);
    return send_lie(channel, bytes, len, side);
}

static hr_status send_as_client(hr_channel *channel, const void *bytes, size_t len)
{
    return send_as(channel, bytes, len, HR_SIDE_CLIENT);
}

static hr_status send_as_server(hr_channel *channel, const void *bytes, size_t len)
{
    return send_as(channel, bytes, len, HR_SIDE_SERVER);
}

/* ---- chunks ---- */

static void write_lie(hr_link *link, hr_link_write *write)
{
    hr_receipt *receipt = &write->receipt;
    if (lies_now(HR_SIDE_SERVER)) {
        uint32_t *const numbers[] = {&receipt->chunk, &receipt->generation, &receipt->content_len,
                                     &receipt->stored_crc, &receipt->content_crc};
        uint8_t which = next() % 8;
        script.count++;
        if (which < 5)
            lie32(numbers[which]);
        else if (which == 5)
            lie64(&receipt->transfer);
        else if (which == 6)
            receipt->codec = (uint8_t)(next() % 8);
        else if (write->payload.len > 0)
            receipt->stored_len = (uint32_t)(write->payload.len = next() % write->payload.len);
    }
    link->transport->ops->link.write(link, write);
}

hr_status hr_liar_client(hr_transport *inner, hr_transport **transport_out)
{
    return hr_planted_transport(inner, send_as_client, NULL, transport_out);
}

hr_status hr_liar_server(hr_transport *inner, hr_transport **transport_out)
{
    return hr_planted_transport(inner, send_as_server, write_lie, transport_out);
}
