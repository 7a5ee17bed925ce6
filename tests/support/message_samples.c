/* SPDX-License-Identifier: Apache-2.0 */
#include "message_samples.h"

/* A string without its terminator. */
#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const hr_bytes folders[] = {BYTES("a"), BYTES("a/b")};
static const uint32_t counts[] = {3, 0};

static const hr_message_entry entries[] = {
    {
        .name = BYTES("shard-00001.tar"),
        .type = HR_NODE_REGULAR,
        .mode = 0644,
        .size = 21474836480,
        .mtime_ns = 1700000000123456789,
        .ctime_ns = 1700000001123456789,
    },
    {
        .name = BYTES("not\xffutf8\nand a newline"),
        .type = HR_NODE_SYMLINK,
        .mode = 0777,
        .size = 9,
        .mtime_ns = -1, /* before 1970 */
        .ctime_ns = 0,
        .target = BYTES("../other"),
    },
    {.name = BYTES("..."), .type = HR_NODE_DIRECTORY, .mode = 07777},
};

static const hr_region_key regions[] = {
    {.index = 0, .address = 0x7f0000000000, .len = 4259840, .rkey = 0xdeadbeef},
    {.index = 1, .address = 0, .len = 1, .rkey = 0},
};

static const hr_ring_key rings[] = {
    {.link = 7, .address = 0x7f0000001000, .rkey = 0x12345678},
};

static const hr_ticket tickets[] = {
    {.link = 7, .ticket = "the first ticket has 32 letters"},
    {.link = 8, .ticket = {0xff, 0, 0xff}},
};

static const hr_rail rails[] = {
    {.family = BYTES("tcp"), .address = BYTES("[fe80::1%eth0]:7431")},
    {.family = BYTES("verbs")},
};

static const hr_grant grants[] = {
    {.transfer = 1, .chunk = 0, .generation = 1, .link = 7, .region = 0, .offset = 0},
    {
        .transfer = UINT64_MAX,
        .chunk = 1048575,
        .generation = UINT32_MAX,
        .link = 8,
        .region = 1,
        .offset = 4398046511104,
        .flags = HR_GRANT_COMPLAIN,
    },
};

static const hr_message_small small[] = {
    {.directory = BYTES("."), .name = BYTES("a"), .size = 4096, .mtime_ns = 1700000000123456789},
    {.name = BYTES("empty"), .mtime_ns = -1},
    {.directory = BYTES("x/\xff"), .name = BYTES("largest"), .size = 1048576},
};

const hr_message_sample hr_message_samples[] = {
    {HR_SIDE_CLIENT,
     {.kind = HR_MESSAGE_HELLO,
      .hello = {.major = 1, .minor = 0, .features = 1ull << 63, .name = BYTES("headrace 0.1.0")}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_WELCOME,
      .welcome = {.major = 1,
                  .minor = 3,
                  .features = 1,
                  .boot = "a boot has 16 b",
                  .session = 0x0123456789abcdef,
                  .links_max = 64,
                  .heartbeat_ms = 1000}}},
    {HR_SIDE_CLIENT,
     {.kind = HR_MESSAGE_LIST,
      .list = {.request = 3, .path = BYTES("data/train"), .cookie = 77, .entries_max = 2048}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_ENTRIES,
      .entries = {.request = 3, .status = HR_OK, .cookie = 78, .entries = entries, .count = 3}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_ENTRIES,
      .entries = {.request = 4,
                  .status = HR_DENIED,
                  .text = BYTES("listing data/secret: denied")}}},
    {HR_SIDE_CLIENT,
     {.kind = HR_MESSAGE_OPEN, .open = {.transfer = 1, .path = BYTES("data/shard-00001.tar")}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_OPENED,
      .opened = {.transfer = 1,
                 .status = HR_OK,
                 .identity = "16 bytes of it.",
                 .type = HR_NODE_REGULAR,
                 .mode = 0640,
                 .size = 21474836481,
                 .mtime_ns = 1700000000123456789,
                 .chunk_len = 4194304,
                 .codec = 0}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_OPENED,
      .opened = {.transfer = 2,
                 .status = HR_NOT_FOUND,
                 .text = BYTES("opening data/x: not found")}}},
    {HR_SIDE_CLIENT,
     {.kind = HR_MESSAGE_KEYS,
      .keys = {.first_link = 7,
               .links = 2,
               .regions = regions,
               .region_count = 2,
               .rings = rings,
               .ring_count = 1}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_TICKETS,
      .tickets = {.status = HR_OK,
                  .tickets = tickets,
                  .ticket_count = 2,
                  .rails = rails,
                  .rail_count = 2}}},
    {HR_SIDE_SERVER, {.kind = HR_MESSAGE_JOINED, .joined = {.link = 7}}},
    {HR_SIDE_SERVER, {.kind = HR_MESSAGE_PARTED, .parted = {.link = 7}}},
    {HR_SIDE_CLIENT, {.kind = HR_MESSAGE_GRANT, .grant = {.grants = grants, .count = 2}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_FAILED,
      .failed = {.transfer = 1,
                 .chunk = 5,
                 .generation = 2,
                 .status = HR_IO,
                 .text = BYTES("reading data/shard-00001.tar: input/output error")}}},
    {HR_SIDE_CLIENT, {.kind = HR_MESSAGE_CANCEL, .cancel = {.transfer = 1}}},
    {HR_SIDE_CLIENT, {.kind = HR_MESSAGE_CLOSE, .close = {.transfer = 1}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_CLOSED,
      .closed = {.transfer = 1, .status = HR_CHANGED, .text = BYTES("it grew")}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_ERROR,
      .error = {.status = HR_VERSION, .text = BYTES("this server speaks 1.0, the client 2.0")}}},
    {HR_SIDE_CLIENT,
     {.kind = HR_MESSAGE_DIGEST,
      .digest = {.request = 9, .path = BYTES("data/a"), .offset = 67108864, .len = 67108864}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_DIGESTED,
      .digested = {.request = 9,
                   .status = HR_OK,
                   .identity = "16 bytes of it.",
                   .size = 67108865,
                   .crc32c = 0x12345678}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_DIGESTED,
      .digested = {.request = 10, .status = HR_CHANGED, .text = BYTES("it grew")}}},
    {HR_SIDE_CLIENT, {.kind = HR_MESSAGE_PING, .ping = {.number = 5}}},
    {HR_SIDE_SERVER, {.kind = HR_MESSAGE_PONG, .ping = {.number = UINT64_MAX}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_OPENED,
      .opened = {.transfer = 3,
                 .status = HR_OK,
                 .text = BYTES("a note"),
                 .identity = "of the content.",
                 .type = HR_NODE_REGULAR,
                 .mode = 0640,
                 .size = 9 * 262144,
                 .mtime_ns = 1700000000123456789,
                 .chunk_len = 262144,
                 .codec = 2,
                 .stored_len = 1234567,
                 .direct = BYTES("\x05\x01")}}},
    {HR_SIDE_CLIENT,
     {.kind = HR_MESSAGE_OPEN,
      .open = {.transfer = 3, .path = BYTES("data/shard.zst"), .content = true, .listed = true}}},
    {HR_SIDE_CLIENT,
     {.kind = HR_MESSAGE_OPEN_BUNDLES,
      .open_bundles = {.transfer = 3, .path = BYTES("data/train"), .files = small, .count = 3}}},
    {HR_SIDE_CLIENT,
     {.kind = HR_MESSAGE_LIST,
      .list = {.request = 5,
               .path = BYTES("data/train"),
               .entries_max = 2048,
               .folders = folders,
               .folder_count = 2}}},
    {HR_SIDE_SERVER,
     {.kind = HR_MESSAGE_ENTRIES,
      .entries = {.request = 5,
                  .status = HR_NOT_FOUND,
                  .text = BYTES("listing data/train/a/b: not found"),
                  .entries = entries,
                  .count = 3,
                  .counts = counts,
                  .folder_count = 2}}},
};

const size_t hr_message_sample_count = sizeof hr_message_samples / sizeof hr_message_samples[0];
