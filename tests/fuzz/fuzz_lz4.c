/* SPDX-License-Identifier: Apache-2.0 */
/* A chunk that claims to be lz4. What is accepted, liblz4's own reader of frames accepts too, with
 * the same content; the other way round we may be stricter. */
#include <lz4frame.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define CONTENT_MAX (256u << 10)

static void require(int holds)
{
    if (!holds)
        abort(); /* in every build, unlike assert */
}

static void compare(const uint8_t *bytes, size_t len, const uint8_t *content, size_t content_len)
{
    static uint8_t theirs[CONTENT_MAX];
    LZ4F_dctx *context;
    size_t at = 0, made = 0, hint = 1;
    require(!LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
    while (hint != 0 && at < len) {
        size_t room = sizeof theirs - made, used = len - at;
        hint = LZ4F_decompress(context, theirs + made, &room, bytes + at, &used, NULL);
        require(!LZ4F_isError(hint));
        made += room;
        at += used;
    }
    LZ4F_freeDecompressionContext(context);
    require(hint == 0 && at == len && made == content_len);
    require(memcmp(theirs, content, made) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t copy[CONTENT_MAX];
    /* Exactly as long as it may be, so that a sanitizer sees a write past it. */
    uint8_t *content = malloc(CONTENT_MAX);
    if (len > sizeof copy || content == NULL) {
        free(content);
        return 0;
    }
    memcpy(copy, bytes, len);
    hr_codec_job job = {.source = hr_span_host(copy, len),
                        .target = hr_span_host(content, CONTENT_MAX)};
    hr_status status = hr_codec_lz4.decode(&job);
    require(status == HR_OK || status == HR_INTEGRITY);
    /* Bare blocks are no frame to liblz4; that they stay inside is all that is asked of them. */
    static const uint8_t magic[4] = {0x04, 0x22, 0x4D, 0x18};
    if (status == HR_OK && len >= 4 && memcmp(bytes, magic, 4) == 0)
        compare(bytes, len, content, job.len_out);
    free(content);
    return 0;
}
