/* SPDX-License-Identifier: Apache-2.0 */
/* A chunk that claims to be planes; and the input as content, which must come back. */
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

static void decode(uint8_t *stored, size_t len)
{
    uint8_t *content = malloc(CONTENT_MAX);
    hr_codec_job job = {.source = hr_span_host(stored, len),
                        .target = hr_span_host(content, CONTENT_MAX)};
    require(content != NULL);
    hr_status status = hr_codec_planes.decode(&job);
    require(status == HR_OK || status == HR_INTEGRITY || status == HR_UNSUPPORTED);
    free(content);
}

static void give_back(hr_element element, uint8_t *content, size_t len)
{
    size_t bound = hr_codec_planes.bound(len);
    uint8_t *stored = malloc(bound), *back = malloc(len + 1);
    require(stored != NULL && back != NULL);
    hr_codec_job job = {.source = hr_span_host(content, len),
                        .target = hr_span_host(stored, bound),
                        .element = element};
    require(hr_codec_planes.encode(&job) == HR_OK && job.len_out <= bound);
    job.source = hr_span_host(stored, job.len_out);
    job.target = hr_span_host(back, len);
    require(hr_codec_planes.decode(&job) == HR_OK && job.len_out == len);
    require(memcmp(content, back, len) == 0);
    free(stored);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t copy[CONTENT_MAX];
    if (len > sizeof copy)
        return 0;
    memcpy(copy, bytes, len);
    decode(copy, len);
    for (hr_element element = HR_ELEMENT_UNKNOWN; element <= HR_ELEMENT_FP32; element++)
        give_back(element, copy, len);
    return 0;
}
