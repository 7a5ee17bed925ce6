/* SPDX-License-Identifier: Apache-2.0 */
#include "upload.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec.h"
#include "slots.h"
#include "thread.h"

/* A batch is as many chunks as have come, at most these. What must be under way so that neither
 * the copies nor the kernels wait: PCIe's 55 GB/s of text at a ratio of 2 are 110 GB/s of content;
 * a warp is to decode 0.3 GB/s of it, so 370 blocks, 6 chunks, are being decoded while as many are
 * copied (8 chunks take 0.6 ms) and a third batch is answered. 24 slots are 98 MiB. Reckoned, not
 * measured. */
#define BATCHES      3
#define BATCH_CHUNKS 8
#define RING_LEN     ((size_t)BATCHES * BATCH_CHUNKS * HR_SLOT_LEN)
#define SLOTS_LEN    ((size_t)HR_UPLOAD_SLOTS * HR_SLOT_LEN)
#define TABLES_LEN   (BATCHES * ((size_t)2 << 20)) /* of either memory: small, and whole pieces */

typedef struct batch {
    hr_gpu_table table;
    hr_cuda_stream *stream;
    uint8_t *staging; /* BATCH_CHUNKS slots */
    hr_arrival *arrivals[BATCH_CHUNKS];
    unsigned count;
    bool failed; /* nothing more is to be awaited of it */
} batch;

struct hr_upload {
    hr_engine *engine;
    const hr_env *env;
    hr_loop *home;
    hr_upload_options options;
    const hr_upload_events *events;
    void *context;
    pthread_t thread;
    bool has_thread;       /* a simulation has none: a letter home for each step */
    hr_letter step_letter; /* without one: */
    bool stepping, open;   /* it is under way; opened was said */
    hr_letter opened_letter, closed_letter;
    hr_status status; /* of opening */
    bool detour;      /* through __atomic */
    char description[300], why[400];
    hr_upload_offer offer; /* the thread's until it is open */
    uint64_t copied;       /* the thread's until it is closed */

    /* the thread's */
    hr_span slots; /* what a NIC puts compressed chunks into */
    bool flushes;  /* what a NIC wrote is to be flushed before kernels read it */
    hr_gpu *gpu;
    hr_span target; /* what was taken for the content */
    uint64_t base;  /* where it begins */
    hr_span staging;
    batch batches[BATCHES];
    unsigned first, under_way;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by the lock */
    hr_arrival *arrived, **arrived_end;
    bool closing;
    hr_error error; /* the first; HR_OK: there was none */
};

/* ---- opening, on the thread ---- */

static hr_status fail(hr_upload *upload, hr_status status, const hr_error *why)
{
    pthread_mutex_lock(&upload->lock);
    hr_error_set(&upload->error, status, "%s", why->text);
    pthread_mutex_unlock(&upload->lock);
    return status;
}

static hr_status take_target(hr_upload *upload, hr_error *error)
{
    hr_gpu *gpu = upload->gpu;
    const hr_upload_options *options = &upload->options;
    hr_page_kind pages;
    size_t free_len = 0, total_len = 0;
    if (options->span.addr != NULL) {
        upload->base = (uint64_t)(uintptr_t)options->span.addr;
        if (upload->base % 16 == 0 && hr_gpu_owns(gpu, options->span.addr, options->span.len))
            return HR_OK;
        return hr_error_set(error, HR_INVALID,
                            "the target is not %zu bytes of the memory of cuda:%d, aligned to 16",
                            options->span.len, gpu->number);
    }
    if (options->len == 0)
        return HR_OK;
    hr_status status =
        options->len > SIZE_MAX / 2
            ? HR_NO_MEMORY
            : gpu->memory->ops->alloc(gpu->memory, (size_t)options->len, &upload->target, &pages);
    upload->base = (uint64_t)(uintptr_t)upload->target.addr;
    if (status == HR_OK)
        return HR_OK;
    (void)gpu->cuda->mem_get_info(&free_len, &total_len);
    return hr_error_set(error, status,
                        "taking %llu bytes on cuda:%d: %s; %zu of its %zu bytes are free, and "
                        "nvidia-smi says who holds the others",
                        (unsigned long long)options->len, gpu->number, hr_status_text(status),
                        free_len, total_len);
}

static hr_status take_ring(hr_upload *upload, hr_error *error)
{
    hr_gpu *gpu = upload->gpu;
    const size_t len = RING_LEN;
    hr_page_kind pages;
    if (!upload->options.ring)
        return HR_OK;
    hr_status status = gpu->memory->ops->alloc(gpu->memory, len, &upload->staging, &pages);
    if (status != HR_OK)
        return hr_error_set(error, status, "taking a ring of %zu bytes on cuda:%d: %s", len,
                            gpu->number, hr_status_text(status));
    for (unsigned i = 0; i < BATCHES; i++)
        upload->batches[i].staging =
            (uint8_t *)upload->staging.addr + i * (size_t)BATCH_CHUNKS * HR_SLOT_LEN;
    return HR_OK;
}

static hr_status make_batches(hr_upload *upload, hr_error *error)
{
    hr_gpu *gpu = upload->gpu;
    hr_status status = HR_OK;
    for (unsigned i = 0; status == HR_OK && i < BATCHES; i++) {
        batch *it = &upload->batches[i];
        status = hr_gpu_table_make(gpu, BATCH_CHUNKS, &it->table, error);
        if (status != HR_OK)
            return status;
        hr_cuda_result result = gpu->cuda->stream_create(&it->stream, HR_CUDA_STREAM_NONBLOCKING);
        if (result != HR_CUDA_SUCCESS) {
            it->stream = NULL;
            status = hr_gpu_fail(gpu, result, error, "making a stream");
        }
    }
    return status;
}

/* What the caller has put into its stream so far goes before anything that is written here. */
static hr_status wait_for_stream(hr_upload *upload, hr_error *error)
{
    hr_gpu *gpu = upload->gpu;
    hr_cuda_event *before;
    if (upload->options.stream == NULL)
        return HR_OK;
    hr_cuda_result result = gpu->cuda->event_create(&before, HR_CUDA_EVENT_QUIET);
    if (result != HR_CUDA_SUCCESS)
        return hr_gpu_fail(gpu, result, error, "making an event");
    result = gpu->cuda->event_record(before, upload->options.stream);
    for (unsigned i = 0; result == HR_CUDA_SUCCESS && i < BATCHES; i++)
        result = gpu->cuda->stream_wait_event(upload->batches[i].stream, before, 0);
    (void)gpu->cuda->event_destroy(before);
    return result == HR_CUDA_SUCCESS ? HR_OK
                                     : hr_gpu_fail(gpu, result, error, "waiting for the stream");
}

/* A NIC follows no stream: what is in the caller's is waited for here. */
static hr_status wait_on_host(hr_upload *upload, hr_error *error)
{
    const hr_cuda *cuda = upload->gpu->cuda;
    hr_cuda_event *before;
    if (upload->options.stream == NULL)
        return HR_OK;
    hr_cuda_result result = cuda->event_create(&before, HR_CUDA_EVENT_QUIET);
    if (result != HR_CUDA_SUCCESS)
        return hr_gpu_fail(upload->gpu, result, error, "making an event");
    result = cuda->event_record(before, upload->options.stream);
    if (result == HR_CUDA_SUCCESS)
        result = cuda->event_synchronize(before);
    (void)cuda->event_destroy(before);
    return result == HR_CUDA_SUCCESS
               ? HR_OK
               : hr_gpu_fail(upload->gpu, result, error, "waiting for the stream");
}

/* Where there is no room for them, what comes compressed is copied through the ring. */
static void offer_slots(hr_upload *upload)
{
    hr_upload_offer *offer = &upload->offer;
    hr_memory *memory = upload->gpu->memory;
    hr_page_kind pages;
    if (memory->ops->alloc(memory, SLOTS_LEN, &upload->slots, &pages) != HR_OK)
        return;
    if (offer->dmabuf.len == 0 ||
        memory->ops->dmabuf(memory, &upload->slots, &offer->slots_dmabuf) == HR_OK)
        offer->slots_memory = upload->slots;
}

static void offer_target(hr_upload *upload)
{
    hr_upload_offer *offer = &upload->offer;
    const hr_gpu *gpu = upload->gpu;
    hr_span target = {.addr = (void *)(uintptr_t)upload->base,
                      .len = (size_t)upload->options.len,
                      .kind = HR_MEMORY_CUDA,
                      .device = (int16_t)gpu->number,
                      .dmabuf_fd = -1};
    const hr_cuda_rdma_order order = hr_cuda_find_rdma_order(gpu->cuda, gpu->device);
    upload->flushes = order == HR_CUDA_RDMA_FLUSHED;
    if (order == HR_CUDA_RDMA_UNORDERED) {
        snprintf(offer->no_memory, sizeof offer->no_memory,
                 "neither this machine nor a call of the driver's orders what a NIC writes before "
                 "what cuda:%d reads",
                 gpu->number);
        return;
    }
    offer->memory = target;
    hr_status status = gpu->memory->ops->dmabuf(gpu->memory, &target, &offer->dmabuf);
    if (status != HR_OK)
        snprintf(offer->no_dmabuf, sizeof offer->no_dmabuf,
                 "the driver does not hand out the target as one (%s)", hr_status_text(status));
    if (upload->options.slots)
        offer_slots(upload);
}

static hr_status open_on_gpu(hr_upload *upload, hr_error *error)
{
    hr_status status = take_target(upload, error);
    if (status == HR_OK)
        status = take_ring(upload, error);
    if (status == HR_OK)
        status = make_batches(upload, error);
    if (status == HR_OK)
        status = wait_for_stream(upload, error);
    if (status == HR_OK && upload->options.offer)
        offer_target(upload);
    if (status == HR_OK && upload->offer.memory.len > 0)
        status = wait_on_host(upload, error);
    return status;
}

static void describe(hr_upload *upload)
{
    const hr_gpus *gpus = &upload->engine->gpus;
    bool pinned = gpus->pinned == upload->engine->worker_count;
    snprintf(upload->description, sizeof upload->description, "cuda:%d (%s), copied from %s%s%s%s",
             upload->gpu->number, upload->gpu->name, pinned ? "pinned slots" : "slots",
             pinned ? "" : " that are not pinned (", pinned ? "" : gpus->unpinned,
             pinned ? "" : ")");
}

static hr_status open(hr_upload *upload)
{
    hr_error why = {.status = HR_OK};
    hr_status status = hr_gpus_open(&upload->engine->gpus, upload->engine, upload->options.device,
                                    &upload->gpu, &why);
    hr_gpu *gpu = upload->gpu;
    if (gpu == NULL)
        return fail(upload, status, &why);
    hr_cuda_result result = hr_cuda_enter(gpu->cuda, gpu->context);
    if (result != HR_CUDA_SUCCESS) {
        upload->gpu = NULL; /* which is not entered */
        return fail(upload, hr_gpu_fail(gpu, result, &why, "entering its context"), &why);
    }
    status = open_on_gpu(upload, &why);
    if (status != HR_OK)
        return fail(upload, status, &why);
    describe(upload);
    return HR_OK;
}

/* ---- batches, on the thread ---- */

static void deliver(hr_letter *letter)
{
    hr_arrival *arrival = HR_CONTAINER(letter, hr_arrival, letter);
    arrival->done(arrival);
}

static void answer(hr_arrival *arrival, hr_status status, bool failed)
{
    arrival->status = status;
    arrival->failed = failed;
    arrival->letter.deliver = deliver;
    hr_loop_post(arrival->loop, &arrival->letter);
}

static bool is_stored(const hr_arrival *arrival)
{
    return arrival->codec == HR_CODEC_STORED;
}

static bool is_there(const hr_arrival *arrival)
{
    return arrival->there != NULL;
}

/* Where the bytes are, or go first: their place, or the ring. */
static uint64_t landing(const hr_upload *upload, const batch *it, unsigned i)
{
    const hr_arrival *arrival = it->arrivals[i];
    if (is_there(arrival))
        return (uint64_t)(uintptr_t)arrival->there;
    return is_stored(arrival) ? upload->base + arrival->offset
                              : (uint64_t)(uintptr_t)(it->staging + (size_t)i * HR_SLOT_LEN);
}

static hr_cuda_result copy(hr_upload *upload, const batch *it, unsigned i)
{
    const hr_arrival *arrival = it->arrivals[i];
    if (is_there(arrival))
        return HR_CUDA_SUCCESS;
    upload->copied++;
    return upload->gpu->cuda->copy_async(landing(upload, it, i),
                                         (uint64_t)(uintptr_t)arrival->stored, arrival->stored_len,
                                         it->stream);
}

static void make_job(const hr_upload *upload, const batch *it, unsigned i)
{
    const hr_arrival *arrival = it->arrivals[i];
    const uint64_t source = landing(upload, it, i), target = upload->base + arrival->offset;
    it->table.jobs[i] = (hr_batch_job){
        .source = source,
        .target = source == target ? 0 : target,
        .source_len = arrival->stored_len,
        .content_len = arrival->content_len,
        .content_crc = arrival->content_crc,
        .codec = arrival->codec,
    };
}

/* Nothing reads the slots or writes the target any more, as far as that can be had. */
static void fail_batch(hr_upload *upload, batch *it, hr_status status, const hr_error *why)
{
    (void)upload->gpu->cuda->stream_synchronize(it->stream);
    (void)fail(upload, status, why);
    it->failed = true;
}

/* Once a batch: what its receipts speak of was written before. */
static hr_status flush(hr_upload *upload, const batch *it, hr_error *error)
{
    bool needed = false;
    for (unsigned i = 0; upload->flushes && i < it->count; i++)
        needed = needed || is_there(it->arrivals[i]);
    if (!needed)
        return HR_OK;
    hr_cuda_result result =
        upload->gpu->cuda->flush_rdma_writes(HR_CUDA_RDMA_TARGET_CURRENT, HR_CUDA_RDMA_OWNER);
    return result == HR_CUDA_SUCCESS
               ? HR_OK
               : hr_gpu_fail(upload->gpu, result, error, "flushing what a NIC wrote");
}

static void start(hr_upload *upload, batch *it)
{
    hr_error why = {.status = HR_OK};
    hr_status status = HR_OK;
    uint32_t wrong = 0;
    it->failed = false;
    for (unsigned i = 0; status == HR_OK && i < it->count; i++) {
        make_job(upload, it, i);
        hr_cuda_result result = copy(upload, it, i);
        if (result != HR_CUDA_SUCCESS)
            status = hr_gpu_fail(upload->gpu, result, &why, "copying a chunk there");
    }
    if (status == HR_OK)
        status = flush(upload, it, &why);
    if (status == HR_OK)
        status = hr_gpu_table_run(upload->gpu, &it->table, it->count, NULL, upload->options.max_sms,
                                  it->stream, &wrong, &why);
    if (status != HR_OK && why.status == HR_OK)
        hr_error_set(&why, status, "cuda:%d: a chunk of codec %u and %u bytes cannot be decoded",
                     upload->gpu->number, it->arrivals[wrong]->codec,
                     it->arrivals[wrong]->content_len);
    if (status != HR_OK)
        fail_batch(upload, it, status, &why);
}

static void finish(hr_upload *upload, batch *it)
{
    hr_error why = {.status = HR_OK};
    if (!it->failed) {
        hr_cuda_result result = upload->gpu->cuda->event_synchronize(it->table.done);
        if (result != HR_CUDA_SUCCESS)
            fail_batch(upload, it, hr_gpu_fail(upload->gpu, result, &why, "decoding a batch"),
                       &why);
    }
    pthread_mutex_lock(&upload->lock);
    hr_status failure = upload->error.status;
    pthread_mutex_unlock(&upload->lock);
    for (unsigned i = 0; i < it->count; i++) {
        hr_status status = it->failed ? failure : (hr_status)it->table.statuses[i];
        answer(it->arrivals[i], status, it->failed);
    }
}

/* Up to a batch of what has come. */
static unsigned take(hr_upload *upload, hr_arrival **arrivals)
{
    unsigned count = 0;
    pthread_mutex_lock(&upload->lock);
    while (upload->arrived != NULL && count < BATCH_CHUNKS) {
        arrivals[count++] = upload->arrived;
        upload->arrived = upload->arrived->next;
    }
    if (upload->arrived == NULL)
        upload->arrived_end = &upload->arrived;
    pthread_mutex_unlock(&upload->lock);
    return count;
}

/* False: there is nothing to do before something comes. */
static bool step(hr_upload *upload)
{
    batch *next = &upload->batches[(upload->first + upload->under_way) % BATCHES];
    if (upload->under_way < BATCHES && (next->count = take(upload, next->arrivals)) > 0) {
        start(upload, next);
        upload->under_way++;
        return true;
    }
    if (upload->under_way == 0)
        return false;
    finish(upload, &upload->batches[upload->first]);
    upload->first = (upload->first + 1) % BATCHES;
    upload->under_way--;
    return true;
}

/* False: nothing will come any more. */
static bool wait(hr_upload *upload)
{
    pthread_mutex_lock(&upload->lock);
    while (upload->arrived == NULL && !upload->closing)
        pthread_cond_wait(&upload->changed, &upload->lock);
    bool came = upload->arrived != NULL;
    pthread_mutex_unlock(&upload->lock);
    return came;
}

/* ---- closing, on the thread ---- */

static void release(hr_upload *upload)
{
    hr_gpu *gpu = upload->gpu;
    if (gpu == NULL)
        return;
    if (upload->options.event != NULL && upload->status == HR_OK)
        (void)gpu->cuda->event_record(upload->options.event, upload->batches[0].stream);
    for (unsigned i = 0; i < BATCHES; i++) {
        hr_gpu_table_release(gpu, &upload->batches[i].table);
        if (upload->batches[i].stream != NULL)
            (void)gpu->cuda->stream_destroy(upload->batches[i].stream);
    }
    if (upload->offer.dmabuf.len > 0)
        close(upload->offer.dmabuf.dmabuf_fd);
    if (upload->offer.slots_dmabuf.len > 0)
        close(upload->offer.slots_dmabuf.dmabuf_fd);
    if (upload->slots.addr != NULL)
        gpu->memory->ops->release(gpu->memory, &upload->slots);
    if (upload->staging.addr != NULL)
        gpu->memory->ops->release(gpu->memory, &upload->staging);
    if (upload->target.addr != NULL)
        gpu->memory->ops->release(gpu->memory, &upload->target);
    hr_cuda_leave(gpu->cuda);
}

static void deliver_opened(hr_letter *letter)
{
    hr_upload *upload = HR_CONTAINER(letter, hr_upload, opened_letter);
    upload->events->opened(upload->context, upload->status);
}

static void deliver_closed(hr_letter *letter)
{
    hr_upload *upload = HR_CONTAINER(letter, hr_upload, closed_letter);
    upload->events->closed(upload->context);
}

static void open_and_say(hr_upload *upload)
{
    upload->status = open(upload);
    upload->opened_letter.deliver = deliver_opened;
    hr_loop_post(upload->home, &upload->opened_letter);
}

static void close_and_say(hr_upload *upload)
{
    release(upload);
    upload->closed_letter.deliver = deliver_closed;
    hr_loop_post(upload->home, &upload->closed_letter);
}

static void *run(void *argument)
{
    hr_upload *upload = argument;
    open_and_say(upload);
    do /* of one that failed, until it is closed */
        while (step(upload))
            ;
    while (wait(upload));
    close_and_say(upload);
    return NULL;
}

/* ---- without a thread: the same, a step of the loop each ---- */

static void post_step(hr_upload *upload)
{
    if (upload->stepping)
        return;
    upload->stepping = true;
    hr_loop_post(upload->home, &upload->step_letter);
}

static void deliver_step(hr_letter *letter)
{
    hr_upload *upload = HR_CONTAINER(letter, hr_upload, step_letter);
    upload->stepping = false;
    if (!upload->open) {
        open_and_say(upload);
        upload->open = true;
    } else if (!step(upload)) {
        if (upload->closing)
            close_and_say(upload);
        return;
    }
    post_step(upload);
}

/* ---- from outside ---- */

/* With the lock: something has come. */
static void tell(hr_upload *upload)
{
    if (upload->has_thread)
        pthread_cond_signal(&upload->changed);
    else
        post_step(upload);
}

hr_status hr_upload_create(hr_engine *engine, const hr_upload_options *options,
                           const hr_upload_events *events, void *context, hr_upload **upload_out)
{
    hr_upload *upload = hr_alloc(engine->env, sizeof *upload);
    if (upload == NULL)
        return HR_NO_MEMORY;
    upload->engine = engine;
    upload->env = engine->env;
    upload->home = hr_engine_home(engine)->loop;
    upload->options = *options;
    upload->events = events;
    upload->context = context;
    upload->arrived_end = &upload->arrived;
    upload->has_thread = engine->platform->processors > 0;
    upload->step_letter.deliver = deliver_step;
    pthread_mutex_init(&upload->lock, NULL);
    pthread_cond_init(&upload->changed, NULL);
    int error = 0;
    if (upload->has_thread)
        error = hr_thread_start(&upload->thread, run, upload);
    else
        post_step(upload);
    if (error != 0) {
        pthread_cond_destroy(&upload->changed);
        pthread_mutex_destroy(&upload->lock);
        hr_release(upload->env, upload);
        return hr_status_from_errno(error);
    }
    *upload_out = upload;
    return HR_OK;
}

void hr_upload_submit(hr_upload *upload, hr_arrival *arrival)
{
    arrival->next = NULL;
    pthread_mutex_lock(&upload->lock);
    *upload->arrived_end = arrival;
    upload->arrived_end = &arrival->next;
    tell(upload);
    pthread_mutex_unlock(&upload->lock);
}

void hr_upload_note_detour(hr_upload *upload)
{
    __atomic_store_n(&upload->detour, true, __ATOMIC_RELAXED);
}

bool hr_upload_had_detour(const hr_upload *upload)
{
    return __atomic_load_n(&upload->detour, __ATOMIC_RELAXED);
}

void hr_upload_close(hr_upload *upload)
{
    pthread_mutex_lock(&upload->lock);
    assert(upload->arrived == NULL);
    upload->closing = true;
    tell(upload);
    pthread_mutex_unlock(&upload->lock);
}

void hr_upload_destroy(hr_upload *upload)
{
    if (upload->has_thread)
        pthread_join(upload->thread, NULL);
    pthread_cond_destroy(&upload->changed);
    pthread_mutex_destroy(&upload->lock);
    hr_release(upload->env, upload);
}

const char *hr_upload_error(const hr_upload *upload)
{
    return upload->error.text;
}

const char *hr_upload_describe(const hr_upload *upload)
{
    return upload->description;
}

void *hr_upload_slot_at(const hr_upload *upload, unsigned slot)
{
    return (uint8_t *)upload->slots.addr + slot * (size_t)HR_SLOT_LEN;
}

const hr_upload_offer *hr_upload_offered(const hr_upload *upload)
{
    return &upload->offer;
}

void hr_upload_note_way(hr_upload *upload, const char *way, const char *why)
{
    if (way != NULL)
        snprintf(upload->description, sizeof upload->description, "cuda:%d (%s), %s",
                 upload->gpu->number, upload->gpu->name, way);
    snprintf(upload->why, sizeof upload->why, "%s", why);
}

const char *hr_upload_why(const hr_upload *upload)
{
    return upload->why;
}

uint64_t hr_upload_copied(const hr_upload *upload)
{
    return upload->copied;
}

void *hr_upload_at(const hr_upload *upload, uint64_t offset)
{
    return (void *)(uintptr_t)(upload->base + offset);
}

size_t hr_gpu_footprint(hr_footprint_row *rows, size_t rows_max)
{
    const hr_footprint_row table[] = {
        {"a GPU's ring", RING_LEN, "on the GPU: stored chunks of a packed shard; none of others"},
        {"a GPU's slots", SLOTS_LEN,
         "on the GPU: the same, where RDMA writes there; none otherwise"},
        {"a GPU's tables", TABLES_LEN, "on the GPU: what its kernels are to do, and their scratch"},
        {"pinned tables", TABLES_LEN, "the host's: the same tables, and what came of each chunk"},
    };
    size_t count = sizeof table / sizeof table[0];
    count = count < rows_max ? count : rows_max;
    memcpy(rows, table, count * sizeof *rows);
    return count;
}
