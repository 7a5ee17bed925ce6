/* SPDX-License-Identifier: Apache-2.0 */
/* A chunk that claims to be zstd. What is accepted, libzstd accepts as a whole too, with the same
 * content; the other way round we may be stricter. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define CONTENT_MAX (600u << 10)

static void require(int holds)
{
    if (!holds)
        abort(); /* in every build, unlike assert */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t copy[CONTENT_MAX], theirs[CONTENT_MAX];
    static void *scratch;
    size_t scratch_len = hr_codec_zstd.scratch_len(CONTENT_MAX);
    if (scratch == NULL)
        scratch = malloc(scratch_len);
    uint8_t *content = malloc(CONTENT_MAX);
    if (len > sizeof copy || content == NULL || scratch == NULL) {
        free(content);
        return 0;
    }
    memcpy(copy, bytes, len);
    hr_codec_job job = {.source = hr_span_host(copy, len),
                        .target = hr_span_host(content, CONTENT_MAX),
                        .scratch = hr_span_host(scratch, scratch_len)};
    hr_status status = hr_codec_zstd.decode(&job);
    require(status == HR_OK || status == HR_INTEGRITY);
    if (status == HR_OK) {
        require(ZSTD_decompress(theirs, sizeof theirs, bytes, len) == job.len_out);
        require(memcmp(theirs, content, job.len_out) == 0);
    }
    free(content);
    return 0;
}
