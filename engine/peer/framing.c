/* SPDX-License-Identifier: Apache-2.0 */
#include "framing.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "bytes.h"

void hr_framing_init(hr_framing *frames, void *buffer, size_t body_max)
{
    assert(body_max > 0 && body_max <= UINT32_MAX);
    *frames = (hr_framing){.buffer = buffer, .body_max = body_max};
}

/* Moves bytes into the buffer until it holds wanted. False: they did not suffice. */
static bool collect(hr_framing *frames, size_t wanted, const uint8_t **bytes, size_t *len)
{
    size_t missing = wanted - frames->have;
    size_t taken = *len < missing ? *len : missing;
    if (taken > 0)
        memcpy(frames->buffer + frames->have, *bytes, taken);
    frames->have += taken;
    *bytes += taken;
    *len -= taken;
    return taken == missing;
}

static bool is_refused(const hr_framing *frames, size_t body_len)
{
    return body_len == 0 || body_len > frames->body_max;
}

hr_status hr_framing_next(hr_framing *frames, const uint8_t **bytes, size_t *len,
                          const uint8_t **body_out, size_t *body_len_out)
{
    /* Nearly always a whole frame is there at once, and then nothing is copied. */
    if (frames->have == 0 && *len >= HR_FRAME_HEADER_LEN) {
        size_t body_len = hr_get_u32(*bytes);
        if (is_refused(frames, body_len))
            return HR_PROTOCOL;
        if (*len - HR_FRAME_HEADER_LEN >= body_len) {
            *body_out = *bytes + HR_FRAME_HEADER_LEN;
            *body_len_out = body_len;
            *bytes += HR_FRAME_HEADER_LEN + body_len;
            *len -= HR_FRAME_HEADER_LEN + body_len;
            return HR_OK;
        }
    }
    if (frames->have < HR_FRAME_HEADER_LEN && !collect(frames, HR_FRAME_HEADER_LEN, bytes, len))
        return HR_AGAIN;
    size_t body_len = hr_get_u32(frames->buffer);
    if (is_refused(frames, body_len))
        return HR_PROTOCOL;
    if (!collect(frames, HR_FRAME_HEADER_LEN + body_len, bytes, len))
        return HR_AGAIN;
    frames->have = 0;
    *body_out = frames->buffer + HR_FRAME_HEADER_LEN;
    *body_len_out = body_len;
    return HR_OK;
}
