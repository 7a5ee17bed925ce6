/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of a link, fed with what a peer may send. Some places are armed, each in memory of its
 * own and exactly as long as it may be, so that a sanitizer sees a write outside. Receipts of the
 * input get their own CRC repaired if its first byte says so. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "frames.h"

enum {
    PLACES = 8,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void arm(hr_frames *frames, hr_place *place, uint32_t chunk)
{
    size_t len = chunk * 37;
    *place = (hr_place){.transfer = 1, .chunk = chunk, .generation = chunk % 3};
    place->span = hr_span_host(malloc(len > 0 ? len : 1), len);
    if (hr_places_arm(&frames->places, place) != HR_OK)
        abort();
}

/* Returns the bytes taken, or -1 when the link would end. */
static long feed(hr_frames *frames, const uint8_t *bytes, size_t len, int repair)
{
    hr_span next = hr_frames_next(frames);
    if (next.len == 0)
        abort(); /* a receive of nothing would look like the end of the stream */
    size_t take = hr_min_u64(next.len, len);
    memcpy(next.addr, bytes, take);
    if (take < next.len)
        return -1; /* the stream ended in the middle */
    if (repair && frames->landing == NULL)
        hr_put_u32((uint8_t *)next.addr + 60, hr_crc32c(0, next.addr, 60));
    hr_place *landed = NULL;
    if (hr_frames_take(frames, &landed) != HR_OK)
        return -1;
    if (landed != NULL && (landed->chunk != frames->receipt.chunk ||
                           landed->generation != frames->receipt.generation ||
                           frames->receipt.stored_len > landed->span.len))
        abort();
    if (landed != NULL && hr_places_disarm(&frames->places, landed))
        abort(); /* a place is used once */
    return (long)take;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    hr_place places[PLACES];
    hr_frames frames;
    hr_frames_init(&frames);
    for (uint32_t i = 0; i < PLACES; i++)
        arm(&frames, &places[i], i);
    int repair = len > 0 && (bytes[0] & 1) != 0;
    for (size_t at = 1; at < len;) {
        long taken = feed(&frames, bytes + at, len - at, repair);
        if (taken < 0)
            break;
        at += (size_t)taken;
    }
    for (uint32_t i = 0; i < PLACES; i++)
        free(places[i].span.addr);
    return 0;
}
