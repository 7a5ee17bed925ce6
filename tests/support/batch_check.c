/* SPDX-License-Identifier: Apache-2.0 */
#include "batch_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_lanes.h"
#include "codec.h"
#include "crc32c.h"
#include "lane_material.h"

#define GUARD     256u /* bytes around each target, which nobody writes */
#define POISON    0xEEu
#define DAMAGES   16u
#define CHUNK_MAX (1u << 20)
#define JOBS_MAX  8192u

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
static const uint32_t lengths[] = {1, 13, 511, 4097, 65536, 65537, 150001};

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
                if (lengths[l] < 60000 || kind == LANE_TEXT)
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

static hr_status judge(const trial *it, batch_report *report)
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

static bool take(trial *it, size_t room)
{
    it->jobs = calloc(JOBS_MAX, sizeof *it->jobs);
    it->stored = malloc(room);
    it->content = malloc(room);
    it->back = malloc(room);
    it->statuses = calloc(JOBS_MAX, sizeof *it->statuses);
    it->expected = calloc(JOBS_MAX, sizeof *it->expected);
    return it->jobs && it->stored && it->content && it->back && it->statuses && it->expected;
}

static void give_back(trial *it)
{
    free(it->jobs);
    free(it->stored);
    free(it->content);
    free(it->back);
    free(it->statuses);
    free(it->expected);
}

hr_status batch_check(batch_runner run, batch_report *report_out)
{
    const size_t room = 64u << 20;
    batch_report report = {.text = ""};
    trial it = {.count = 0};
    if (!take(&it, room)) {
        give_back(&it);
        return HR_NO_MEMORY;
    }
    fill(&it);
    memset(it.back, POISON, it.content_len + GUARD);
    hr_status status = run(it.jobs, it.count, it.stored, it.stored_len, it.back,
                           it.content_len + GUARD, it.statuses);
    if (status == HR_OK)
        status = judge(&it, &report);
    else
        snprintf(report.text, sizeof report.text, "the batch did not run: %s",
                 hr_status_text(status));
    give_back(&it);
    *report_out = report;
    return status;
}

/* Each source in memory of its own length, so that a sanitizer sees a read past it. */
static void run_job(const hr_batch_view *view, const hr_crc32c_lane_table *table, hr_batch_job *job,
                    uint32_t number)
{
    const uint64_t kept = job->source;
    uint8_t *exact = malloc(job->source_len + 1u);
    hr_lanes lanes = {.seed = number};
    hr_batch_work work = {0};
    if (exact == NULL)
        abort();
    memcpy(exact + 1, (const uint8_t *)(uintptr_t)kept, job->source_len);
    job->source = (uint64_t)(uintptr_t)(exact + 1); /* at an odd address */
    hr_batch_start_job(&lanes, view, number);
    for (uint32_t i = hr_batch_blocks_of(job->content_len); i > 0; i--)
        hr_batch_run_block(&lanes, table, &work, view, job->first_block + i - 1);
    job->source = kept;
    free(exact);
}

static void move(hr_batch_job *jobs, uint32_t count, uint64_t source, uint64_t target)
{
    for (uint32_t i = 0; i < count; i++) {
        jobs[i].source += source;
        jobs[i].target += target;
    }
}

hr_status batch_run_on_lanes(hr_batch_job *jobs, uint32_t count, const uint8_t *stored,
                             size_t stored_len, uint8_t *targets, size_t targets_len,
                             int32_t *statuses)
{
    static hr_crc32c_lane_table table;
    const uint64_t source = (uint64_t)(uintptr_t)stored, target = (uint64_t)(uintptr_t)targets;
    hr_batch batch;
    uint32_t wrong;
    (void)stored_len;
    (void)targets_len;
    hr_crc32c_lane_table_make(&table);
    move(jobs, count, source, target);
    hr_status status = hr_batch_plan(jobs, count, &batch, &wrong);
    if (status == HR_OK) {
        const hr_batch_memory memory = {jobs, calloc(1, hr_batch_scratch_len(&batch)), statuses};
        const hr_batch_view view = hr_batch_view_of(&batch, &memory);
        if (memory.scratch == NULL)
            abort();
        for (uint32_t i = 0; i < count; i++)
            run_job(&view, &table, &jobs[i], i);
        free(memory.scratch);
    }
    move(jobs, count, 0 - source, 0 - target);
    return status;
}
