/* SPDX-License-Identifier: Apache-2.0 */
#include "device_codec.h"

#include "bytes.h"
#include "codec.h"
#include "lz4_frame.h"

static const hr_codec *const codecs[] = {&hr_codec_stored, &hr_codec_lz4, &hr_codec_planes};

const char *device_codec_name(device_codec codec)
{
    return codecs[codec]->name;
}

uint32_t device_codec_id(device_codec codec)
{
    return (uint32_t)codecs[codec]->id;
}

size_t device_encode(device_codec codec, uint8_t *content, size_t content_len, uint8_t *stored,
                     size_t room)
{
    static uint64_t scratch[(1u << 20) / 8];
    hr_codec_job job = {.source = hr_span_host(content, content_len),
                        .target = hr_span_host(stored, room),
                        .scratch = hr_span_host(scratch, sizeof scratch)};
    return codecs[codec]->encode(&job) == HR_OK ? job.len_out : 0;
}

static size_t lengthen(const uint8_t *stored, size_t *at, size_t length)
{
    if (length == 15)
        do
            length += stored[*at];
        while (stored[(*at)++] == 255);
    return length;
}

/* Of a block of our own making, which is right. */
static uint64_t count_block(const uint8_t *stored, size_t len)
{
    uint64_t count = 0;
    for (size_t at = 0; at < len; count++) {
        size_t token = stored[at++];
        size_t literals = lengthen(stored, &at, token >> 4);
        at += literals;
        if (at >= len)
            break;
        at += 2;
        (void)lengthen(stored, &at, token & 15);
    }
    return count;
}

uint64_t device_sequences(device_codec codec, const uint8_t *stored, size_t len)
{
    uint64_t count = 0;
    if (codec != DEVICE_LZ4)
        return 0;
    for (size_t at = HR_LZ4_HEADER_LEN; at + HR_LZ4_END_LEN < len;) {
        uint32_t size = hr_get_u32(stored + at);
        at += 4;
        if ((size & HR_LZ4_RAW_BIT) == 0)
            count += count_block(stored + at, size);
        at += size & ~HR_LZ4_RAW_BIT;
    }
    return count;
}

uint32_t device_blocks(device_codec codec, const uint8_t *stored, size_t len,
                       uint32_t places_out[2 * DEVICE_BLOCKS_MAX])
{
    uint32_t count = 0;
    if (codec != DEVICE_LZ4)
        return 0;
    for (size_t at = HR_LZ4_HEADER_LEN; at + HR_LZ4_END_LEN < len; count++) {
        uint32_t size = hr_get_u32(stored + at);
        if ((size & HR_LZ4_RAW_BIT) != 0 || count == DEVICE_BLOCKS_MAX)
            return 0;
        places_out[2 * count] = (uint32_t)at + 4;
        places_out[2 * count + 1] = size;
        at += 4 + size;
    }
    return count;
}
