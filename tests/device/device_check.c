/* SPDX-License-Identifier: Apache-2.0 */
#include "device_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "codec.h"
#include "crc32c.h"
#include "device_gpu.h"
#include "lane_material.h"

#define GUARD     256u /* bytes around each target, which nobody writes */
#define POISON    0xEEu
#define DAMAGES   24u
#define CHUNK_MAX (4u << 20)

/* Everything of a run, on both sides. */
typedef struct trial {
    hr_batch_job *jobs;
    uint8_t *stored, *content; /* what goes in; what the CPU makes of it */
    uint8_t *back;             /* from the GPU */
    int32_t *statuses, *expected;
    size_t stored_len, content_len;
    uint32_t count;
} trial;

static const hr_codec *const codecs[] = {&hr_codec_stored, &hr_codec_lz4, &hr_codec_planes};
static const uint32_t lengths[] = {1, 13, 511, 65535, 65536, 65537, 300001};

static uint32_t draw(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return *random >> 8;
}

/* What the CPU makes of the chunk decides what the GPU has to say. */
static void add(trial *it, const hr_codec *codec, const uint8_t *stored, size_t stored_len,
                uint32_t content_len, uint32_t crc)
{
    uint8_t *to = it->content + it->content_len + GUARD;
    hr_codec_job job = {.source = hr_span_host(it->stored + it->stored_len, stored_len),
                        .target = hr_span_host(to, content_len)};
    memcpy(it->stored + it->stored_len, stored, stored_len);
    hr_status status = codec->decode(&job);
    if (status == HR_OK && (job.len_out != content_len || hr_crc32c(0, to, content_len) != crc))
        status = HR_INTEGRITY;
    it->jobs[it->count] = (hr_batch_job){
        .source = it->stored_len,
        .target = it->content_len + GUARD,
        .source_len = (uint32_t)stored_len,
        .content_len = content_len,
        .content_crc = crc,
        .codec = (uint32_t)codec->id,
    };
    it->expected[it->count++] = status;
    it->stored_len += stored_len + 1 + it->count % 5; /* at any address */
    it->content_len += (GUARD + content_len + 15) / 16 * 16 + GUARD;
}

static void add_damaged(trial *it, const hr_codec *codec, uint8_t *stored, size_t stored_len,
                        uint32_t content_len, uint32_t crc)
{
    uint32_t random = content_len;
    for (uint32_t i = 0; i < DAMAGES && content_len > 1; i++) {
        size_t at = draw(&random) % stored_len;
        uint8_t kept = stored[at];
        stored[at] ^= (uint8_t)(1u << draw(&random) % 8);
        add(it, codec, stored, stored_len, content_len, crc);
        stored[at] = kept;
    }
    if (codec != &hr_codec_stored)
        add(it, codec, stored, stored_len - 1 - stored_len / 3, content_len, crc);
}

static void fill(trial *it)
{
    static uint8_t content[CHUNK_MAX], stored[CHUNK_MAX + (64u << 10)], scratch[1u << 20];
    for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (int kind = 0; kind < LANE_MATERIALS; kind++) {
                lane_material_fill((lane_material)kind, content, lengths[l], 3);
                hr_codec_job job = {.source = hr_span_host(content, lengths[l]),
                                    .target = hr_span_host(stored, sizeof stored),
                                    .scratch = hr_span_host(scratch, sizeof scratch)};
                if (codecs[c]->encode(&job) != HR_OK)
                    abort();
                uint32_t crc = hr_crc32c(0, content, lengths[l]);
                add(it, codecs[c], stored, job.len_out, lengths[l], crc);
                if (lengths[l] < 60000)
                    add_damaged(it, codecs[c], stored, job.len_out, lengths[l], crc);
            }
}

static bool poison_is_left(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != POISON)
            return false;
    return true;
}

static hr_status judge(const trial *it, device_report *report)
{
    for (uint32_t i = 0; i < it->count; i++) {
        const hr_batch_job *job = &it->jobs[i];
        const uint8_t *back = it->back + job->target;
        const char *what = NULL;
        if (it->statuses[i] != it->expected[i])
            what = "status differs";
        else if (it->statuses[i] == HR_OK &&
                 memcmp(back, it->content + job->target, job->content_len) != 0)
            what = "content differs";
        else if (!poison_is_left(back - GUARD, GUARD) ||
                 !poison_is_left(back + job->content_len, GUARD))
            what = "written outside of the target";
        if (what != NULL) {
            snprintf(report->text, sizeof report->text,
                     "job %u, codec %u, content of %u bytes: %s (GPU %s, CPU %s)", i, job->codec,
                     job->content_len, what, hr_status_name((hr_status)it->statuses[i]),
                     hr_status_name((hr_status)it->expected[i]));
            return HR_INTEGRITY;
        }
        *(it->statuses[i] == HR_OK ? &report->right : &report->refused) += 1;
    }
    return HR_OK;
}

hr_status device_check(device_report *report_out)
{
    const size_t room = 64u << 20;
    device_report report = {.text = ""};
    if (!device_gpu_there(report.text, sizeof report.text)) {
        *report_out = report;
        return HR_UNSUPPORTED;
    }
    trial it = {.jobs = calloc(8192, sizeof *it.jobs), .stored = malloc(room)};
    it.content = malloc(room);
    it.back = malloc(room);
    it.statuses = calloc(8192, sizeof *it.statuses);
    it.expected = calloc(8192, sizeof *it.expected);
    if (!it.jobs || !it.stored || !it.content || !it.back || !it.statuses || !it.expected)
        abort();
    fill(&it);
    memset(it.back, POISON, room);
    hr_status status = device_gpu_run(it.jobs, it.count, it.stored, it.stored_len, it.back,
                                      it.content_len + GUARD, it.statuses);
    if (status == HR_OK)
        status = judge(&it, &report);
    else
        snprintf(report.text, sizeof report.text, "the batch did not run: %s",
                 hr_status_text(status));
    free(it.jobs);
    free(it.stored);
    free(it.content);
    free(it.back);
    free(it.statuses);
    free(it.expected);
    *report_out = report;
    return status;
}
