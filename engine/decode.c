/* SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"

#include <assert.h>
#include <pthread.h>

#include "bytes.h"
#include "codec.h"
#include "crc32c.h"

struct hr_decoders {
    const hr_env *env;
    hr_memory *memory;
    hr_helpers *threads; /* NULL: there are none */
    unsigned count;      /* of scratches, at least 1 */
    hr_span scratches;
    size_t scratch_len;
    pthread_mutex_t lock; /* guards what follows */
    unsigned free_count;
    void *free[]; /* scratches */
};

static const hr_codec *const codecs[] = {
    &hr_codec_stored,
    &hr_codec_lz4,
    &hr_codec_zstd,
    &hr_codec_planes,
};

/* There is one for each thread, so one is always free. */
static void *take_scratch(hr_decoders *decoders)
{
    pthread_mutex_lock(&decoders->lock);
    assert(decoders->free_count > 0);
    void *scratch = decoders->free[--decoders->free_count];
    pthread_mutex_unlock(&decoders->lock);
    return scratch;
}

static void give_scratch(hr_decoders *decoders, void *scratch)
{
    pthread_mutex_lock(&decoders->lock);
    decoders->free[decoders->free_count++] = scratch;
    pthread_mutex_unlock(&decoders->lock);
}

static hr_status decode(hr_decoding *decoding, const hr_span *scratch)
{
    const hr_codec *codec = hr_codec_find(decoding->codec);
    if (codec == NULL)
        return HR_UNSUPPORTED;
    if (hr_crc32c(0, decoding->stored.addr, decoding->stored.len) != decoding->stored_crc)
        return HR_INTEGRITY;
    hr_codec_job job = {
        .source = decoding->stored,
        .target = decoding->content,
        .scratch = *scratch,
    };
    hr_status status = codec->decode(&job);
    if (status != HR_OK)
        return status;
    return job.len_out == decoding->content.len &&
                   hr_crc32c(0, decoding->content.addr, job.len_out) == decoding->content_crc
               ? HR_OK
               : HR_INTEGRITY;
}

static void run(hr_job *job)
{
    hr_decoding *decoding = HR_CONTAINER(job, hr_decoding, job);
    hr_decoders *decoders = decoding->decoders;
    void *addr = take_scratch(decoders);
    hr_span scratch = hr_span_host(addr, decoders->scratch_len);
    decoding->status = decode(decoding, &scratch);
    give_scratch(decoders, addr);
}

static void finish(hr_job *job)
{
    hr_decoding *decoding = HR_CONTAINER(job, hr_decoding, job);
    decoding->done(decoding);
}

void hr_decode(hr_decoders *decoders, hr_decoding *decoding, hr_loop *loop)
{
    decoding->decoders = decoders;
    decoding->job = (hr_job){.run = run, .done = finish, .loop = loop};
    hr_helpers_submit(decoders->threads, &decoding->job);
}

static size_t scratch_len(void)
{
    size_t most = 0;
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        size_t len = codecs[i]->decode_scratch_len();
        most = len > most ? len : most;
    }
    return (size_t)hr_round_up(most, 64);
}

hr_status hr_decoders_create(const hr_env *env, hr_memory *memory, unsigned threads,
                             hr_decoders **decoders_out)
{
    unsigned count = threads == 0 ? 1 : threads;
    hr_decoders *decoders = hr_alloc(env, sizeof *decoders + count * sizeof(void *));
    if (decoders == NULL)
        return HR_NO_MEMORY;
    decoders->env = env;
    decoders->memory = memory;
    decoders->count = count;
    decoders->scratch_len = scratch_len();
    pthread_mutex_init(&decoders->lock, NULL);
    hr_page_kind pages;
    hr_status status =
        memory->ops->alloc(memory, count * decoders->scratch_len, &decoders->scratches, &pages);
    if (status == HR_OK)
        status = hr_helpers_create(env, threads, &decoders->threads);
    if (status != HR_OK) {
        hr_decoders_destroy(decoders);
        return status;
    }
    for (unsigned i = 0; i < count; i++)
        give_scratch(decoders, (uint8_t *)decoders->scratches.addr + i * decoders->scratch_len);
    *decoders_out = decoders;
    return HR_OK;
}

void hr_decoders_destroy(hr_decoders *decoders)
{
    if (decoders == NULL)
        return;
    hr_helpers_destroy(decoders->threads);
    if (decoders->scratches.addr != NULL)
        decoders->memory->ops->release(decoders->memory, &decoders->scratches);
    pthread_mutex_destroy(&decoders->lock);
    hr_release(decoders->env, decoders);
}

unsigned hr_decoders_threads(const hr_decoders *decoders)
{
    return decoders->count;
}
