/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs alone: chunks in memory, decoded over and over, on one core or on a GPU. What comes
 * out depends on the content as much as on the code, so each codec has content of the kind that it
 * is for. */
#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "child.h"
#include "codec.h"
#include "contender.h"
#include "content.h"
#include "decode_gpu.h"
#include "env.h"

#define CHUNKS    8
#define CHUNK_LEN ((size_t)4 << 20)
#define GRACE_NS  (60 * HR_NS_PER_S)

typedef struct decode_run {
    const hr_codec *codec;
    const hr_bench_contender *contender;
    LZ4F_dctx *lz4; /* of the libraries */
    ZSTD_DCtx *zstd;
    const hr_bench_settings *settings;
    uint64_t duration_ns;
    uint8_t *content, *stored[CHUNKS], *scratch;
    size_t stored_len[CHUNKS], scratch_len, stored_sum;
    hr_bench_histogram latency;
} decode_run;

/* The upper halves are what bfloat16 is, the lower ones noise. */
static void fill_fp32(uint8_t *out, size_t len)
{
    hr_bench_fill_random(out, len / 2, 1);
    hr_bench_fill_weights(out + len / 2, len / 2, 1);
    uint8_t *halves = malloc(len);
    if (halves == NULL)
        return;
    memcpy(halves, out, len);
    for (size_t i = 0; i < len / 4; i++) {
        memcpy(out + 4 * i, halves + 2 * i, 2);
        memcpy(out + 4 * i + 2, halves + len / 2 + 2 * i, 2);
    }
    free(halves);
}

static const char *fill(unsigned element, uint8_t *out, size_t len)
{
    switch (element) {
    case HR_ELEMENT_BF16:
        hr_bench_fill_weights(out, len, 1);
        return "normal weights in bfloat16";
    case HR_ELEMENT_FP32:
        fill_fp32(out, len);
        return "normal weights in float32";
    default:
        hr_bench_fill_text(out, len, 1);
        return "text of words";
    }
}

static hr_status encode_all(decode_run *run)
{
    size_t bound = run->codec->bound(CHUNK_LEN);
    run->scratch_len = run->codec->scratch_len(CHUNK_LEN);
    run->scratch = malloc(run->scratch_len + 1);
    hr_status status = run->scratch != NULL ? HR_OK : HR_NO_MEMORY;
    for (unsigned i = 0; i < CHUNKS && status == HR_OK; i++) {
        run->stored[i] = malloc(bound);
        if (run->stored[i] == NULL)
            return HR_NO_MEMORY;
        hr_codec_job job = {
            .source = hr_span_host(run->content + i * CHUNK_LEN, CHUNK_LEN),
            .target = hr_span_host(run->stored[i], bound),
            .scratch = hr_span_host(run->scratch, run->scratch_len),
            .element = (hr_element)run->contender->element,
        };
        status = run->codec->encode(&job);
        run->stored_len[i] = job.len_out;
        run->stored_sum += job.len_out;
    }
    return status;
}

static hr_status decode_by_library(decode_run *run, unsigned index, uint8_t *target)
{
    size_t made = CHUNK_LEN, used = run->stored_len[index];
    if (run->codec->id == HR_CODEC_ZSTD)
        made = ZSTD_decompressDCtx(run->zstd, target, CHUNK_LEN, run->stored[index], used);
    else if (LZ4F_decompress(run->lz4, target, &made, run->stored[index], &used, NULL) != 0)
        return HR_INTEGRITY;
    return made == CHUNK_LEN ? HR_OK : HR_INTEGRITY;
}

static hr_status decode_one(decode_run *run, unsigned index, uint8_t *target)
{
    if (run->contender->library)
        return decode_by_library(run, index, target);
    hr_codec_job job = {
        .source = hr_span_host(run->stored[index], run->stored_len[index]),
        .target = hr_span_host(target, CHUNK_LEN),
        .scratch = hr_span_host(run->scratch, run->scratch_len),
    };
    hr_status status = run->codec->decode(&job);
    return status == HR_OK && job.len_out != CHUNK_LEN ? HR_INTEGRITY : status;
}

/* The first time over all chunks warms up, and is compared with what was encoded. */
static hr_status warm_up(decode_run *run, uint8_t *target)
{
    hr_status status = HR_OK;
    for (unsigned i = 0; i < CHUNKS && status == HR_OK; i++) {
        status = decode_one(run, i, target);
        if (status == HR_OK && memcmp(target, run->content + i * CHUNK_LEN, CHUNK_LEN) != 0)
            status = HR_INTEGRITY;
    }
    return status;
}

static hr_status make_contexts(decode_run *run)
{
    run->zstd = ZSTD_createDCtx();
    if (run->zstd == NULL || LZ4F_isError(LZ4F_createDecompressionContext(&run->lz4, LZ4F_VERSION)))
        return HR_NO_MEMORY;
    return HR_OK;
}

static hr_status decode_all(decode_run *run, uint8_t *target, hr_bench_measure *measure_out)
{
    hr_status status = warm_up(run, target);
    hr_bench_meter start = hr_bench_meter_read();
    uint64_t bytes = 0, at_ns = start.at_ns;
    for (unsigned i = 0; status == HR_OK && at_ns - start.at_ns < run->duration_ns; i++) {
        uint64_t began_ns = at_ns;
        status = decode_one(run, i % CHUNKS, target);
        at_ns = hr_now_ns(hr_env_system());
        hr_bench_histogram_add(&run->latency, at_ns - began_ns);
        bytes += CHUNK_LEN;
    }
    *measure_out = hr_bench_meter_since(&start, bytes);
    return status;
}

static hr_status decode_on_cpu(decode_run *run, hr_bench_measure *measure_out)
{
    uint8_t *target = malloc(CHUNK_LEN);
    hr_status status = target != NULL ? make_contexts(run) : HR_NO_MEMORY;
    if (status == HR_OK)
        status = decode_all(run, target, measure_out);
    snprintf(measure_out->note, sizeof measure_out->note, "CPU, one core");
    free(target);
    return status;
}

static hr_status decode_on_gpu(decode_run *run, hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_gpu_work work = {
        .gpu = run->settings->gpu,
        .batch = run->settings->chunks,
        .chunks = CHUNKS,
        .stored = run->stored,
        .stored_len = run->stored_len,
        .content = run->content,
        .content_len = CHUNK_LEN,
        .codec = run->codec->id,
        .duration_ns = run->duration_ns,
        .latency = &run->latency,
    };
    return hr_bench_decode_gpu(&work, measure_out, error);
}

static void tell(decode_run *run, const char *what, hr_bench_measure *measure)
{
    size_t len = strlen(measure->note);
    snprintf(measure->note + len, sizeof measure->note - len, ", %s, ratio %.2f", what,
             (double)(CHUNKS * CHUNK_LEN) / (double)run->stored_sum);
    measure->latency = &run->latency;
    hr_bench_measure_tell(measure);
}

static hr_status run_in_child(void *context)
{
    decode_run *run = context;
    hr_bench_measure measure = {.bytes = 0};
    hr_error error = {0};
    run->content = malloc(CHUNKS * CHUNK_LEN);
    hr_status status = run->content != NULL ? HR_OK : HR_NO_MEMORY;
    const char *what = "";
    if (status == HR_OK) {
        what = fill(run->contender->element, run->content, CHUNKS * CHUNK_LEN);
        status = encode_all(run);
    }
    if (status == HR_OK)
        status = run->contender->gpu ? decode_on_gpu(run, &measure, &error)
                                     : decode_on_cpu(run, &measure);
    if (status == HR_OK)
        tell(run, what, &measure);
    else
        fprintf(stderr, "%s: %s\n", run->codec->name,
                error.text[0] != '\0' ? error.text : hr_status_text(status));
    LZ4F_freeDecompressionContext(run->lz4);
    ZSTD_freeDCtx(run->zstd);
    for (unsigned i = 0; i < CHUNKS; i++)
        free(run->stored[i]);
    free(run->content);
    free(run->scratch);
    return status;
}

hr_status hr_bench_run_decode(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error)
{
    static decode_run run;
    hr_bench_child child = {0};
    run = (decode_run){
        .codec = hr_codec_find(contender->codec),
        .contender = contender,
        .duration_ns = field->settings->duration_ns,
        .settings = field->settings,
    };
    hr_status status = hr_bench_child_fork(&child, contender->title, run_in_child, &run, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, run.duration_ns + GRACE_NS, error);
    if (status == HR_OK)
        status = hr_bench_measure_hear(child.text, measure_out, error);
    hr_bench_child_stop(&child);
    return status;
}
