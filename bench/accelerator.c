/* SPDX-License-Identifier: Apache-2.0 */
/* An accelerator in training, as MLPerf Storage replays it: it takes a batch of samples, computes
 * for a fixed time (it sleeps), and takes the next, while files are fetched ahead of it into memory
 * of its own, where they are verified and, if they were packed, decoded. What counts is the part of
 * its time in which it computed. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "cuda.h"
#include "demand.h"
#include "env.h"
#include "memory.h"
#include "starter.h"

#define FILES_MAX 1000
#define AHEAD     2 /* batches, as data loaders prefetch */

/* Memory for one file of the stream. */
typedef struct file_slot {
    hr_get *get; /* under way */
    hr_span memory;
    bool is_there;
} file_slot;

typedef struct accelerator {
    hr_bench_client *client;
    hr_bench_demand demand;
    hr_memory *memory;
    hr_cuda cuda; /* of a GPU's memory */
    bool has_driver;
    char *files[FILES_MAX]; /* paths in the server */
    unsigned file_count;
    uint64_t longest;             /* of the files, as the server has them */
    file_slot *slots;             /* file n of the stream is in slot n % window */
    uint64_t window, next, first; /* files: the next to ask for; the first that is still wanted */
    unsigned under_way;
    uint64_t seed;
} accelerator;

/* ---- what there is ---- */

static hr_status list_files(accelerator *acc)
{
    hr_bench_client *client = acc->client;
    hr_listing *listing;
    hr_entry entry;
    hr_status status = hr_listing_open(client->client, client->path, &listing, &client->error);
    if (status != HR_OK)
        return status;
    do {
        hr_engine_step(client->engine, HR_WAIT_FOREVER);
        while (hr_listing_next(listing, &entry)) {
            char path[HR_BENCH_SOURCE_MAX + 300];
            if (entry.type != HR_ENTRY_FILE || acc->file_count == FILES_MAX)
                continue;
            snprintf(path, sizeof path, "%s/%.255s", client->path, entry.name);
            acc->files[acc->file_count] = strdup(path);
            if (acc->files[acc->file_count++] == NULL)
                status = HR_NO_MEMORY;
            if (entry.size > acc->longest)
                acc->longest = entry.size;
        }
    } while (status == HR_OK && hr_listing_status(listing) == HR_AGAIN);
    if (status == HR_OK && hr_listing_status(listing) != HR_OK) {
        status = hr_listing_status(listing);
        client->error = *hr_listing_error(listing);
    }
    hr_listing_destroy(listing);
    if (status == HR_OK && acc->file_count == 0)
        status = hr_error_set(&client->error, HR_NOT_FOUND, "%s holds no files to train with",
                              client->path);
    return status;
}

/* Each accelerator goes through the files in an order of its own, another one each time. */
static const char *file_of(const accelerator *acc, uint64_t number)
{
    assert(acc->file_count > 0);
    uint64_t epoch = number / acc->file_count, at = number % acc->file_count;
    uint64_t mixed = (acc->seed + epoch) * UINT64_C(0x9E3779B97F4A7C15);
    /* A step that shares no divisor with the count visits each file once. */
    uint64_t step = 1 + (mixed >> 33) % acc->file_count;
    for (uint64_t a = step, b = acc->file_count; b != 0;) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
        if (b == 0 && a != 1) {
            step = 1;
            break;
        }
    }
    return acc->files[(mixed + at * step) % acc->file_count];
}

/* ---- fetching ahead ---- */

static hr_status ask_for(accelerator *acc, uint64_t number)
{
    file_slot *slot = &acc->slots[number % acc->window];
    hr_get_options options = {.path = file_of(acc, number), .target_span = slot->memory};
    hr_status status = hr_get_start(acc->client->client, &options, &slot->get, &acc->client->error);
    slot->is_there = false;
    acc->under_way += status == HR_OK;
    return status;
}

static hr_status fetch(accelerator *acc)
{
    hr_status status = HR_OK;
    while (status == HR_OK && acc->under_way < acc->demand.readers &&
           acc->next < acc->first + acc->window) {
        status = ask_for(acc, acc->next);
        acc->next += status == HR_OK;
    }
    return status;
}

static hr_status take_finished(accelerator *acc)
{
    for (uint64_t i = 0; i < acc->window; i++) {
        file_slot *slot = &acc->slots[i];
        hr_status status = slot->get != NULL ? hr_get_status(slot->get) : HR_AGAIN;
        if (status == HR_AGAIN)
            continue;
        if (status != HR_OK) {
            acc->client->error = *hr_get_error(slot->get);
            return status;
        }
        if (acc->client->note[0] == '\0')
            snprintf(acc->client->note, sizeof acc->client->note, "%.380s", hr_get_path(slot->get));
        hr_get_destroy(slot->get);
        slot->get = NULL;
        slot->is_there = true;
        acc->under_way--;
    }
    return fetch(acc);
}

static hr_status step(accelerator *acc, uint64_t timeout_ns)
{
    hr_engine_step(acc->client->engine, timeout_ns);
    return take_finished(acc);
}

static bool has_batch(const accelerator *acc, uint64_t batch)
{
    uint64_t last = ((batch + 1) * acc->demand.batch - 1) / acc->demand.samples_per_file;
    for (uint64_t n = acc->first; n <= last; n++)
        if (n >= acc->next || !acc->slots[n % acc->window].is_there)
            return false;
    return true;
}

/* ---- steps ---- */

static hr_status take_batch(accelerator *acc, uint64_t batch)
{
    hr_status status = fetch(acc);
    while (status == HR_OK && !has_batch(acc, batch))
        status = step(acc, HR_WAIT_FOREVER);
    return status;
}

static hr_status compute(accelerator *acc)
{
    uint64_t until_ns = hr_now_ns(hr_env_system()) + acc->demand.compute_ns;
    hr_status status = HR_OK;
    for (uint64_t now_ns = until_ns - acc->demand.compute_ns; status == HR_OK && now_ns < until_ns;
         now_ns = hr_now_ns(hr_env_system()))
        status = step(acc, until_ns - now_ns);
    return status;
}

/* The first batch is not counted, as MLPerf leaves out the first step: its wait is that of an empty
 * pipeline. */
static hr_status train(accelerator *acc, hr_bench_measure *measure_out)
{
    uint64_t duration_ns = acc->client->job->settings->duration_ns, steps = 0, began_ns = 0;
    hr_status status = take_batch(acc, 0);
    if (status == HR_OK)
        status = hr_bench_starter_await();
    hr_bench_meter start = hr_bench_meter_read();
    for (uint64_t batch = 0; status == HR_OK && !hr_bench_starter_is_gone(); batch++) {
        if (batch == 1)
            start = hr_bench_meter_read();
        began_ns = hr_now_ns(hr_env_system());
        if (batch > 1 && began_ns - start.at_ns >= duration_ns)
            break;
        status = take_batch(acc, batch);
        if (batch > 0)
            hr_bench_histogram_add(&acc->client->latency, hr_now_ns(hr_env_system()) - began_ns);
        if (status == HR_OK)
            status = compute(acc);
        steps += batch > 0 && status == HR_OK;
        acc->first = (batch + 1) * acc->demand.batch / acc->demand.samples_per_file;
    }
    uint64_t samples = steps * acc->demand.batch;
    *measure_out = hr_bench_meter_since(&start, samples * acc->demand.record_len);
    measure_out->items = samples;
    if (measure_out->seconds > 0)
        measure_out->utilisation =
            (double)steps * (double)acc->demand.compute_ns / 1e9 / measure_out->seconds;
    return status;
}

/* ---- its memory ---- */

/* The GPUs of a machine in turn, as its accelerators are numbered. */
static hr_status open_gpu(accelerator *acc)
{
    const hr_bench_client_job *job = acc->client->job;
    int count = 0;
    hr_status status = hr_cuda_open(HR_CUDA_LIBRARY, &acc->cuda, &acc->client->error);
    acc->has_driver = status == HR_OK;
    if (status == HR_OK)
        status = hr_cuda_status(acc->cuda.device_get_count(&count));
    if (status != HR_OK || count <= 0)
        return status != HR_OK ? status : HR_UNSUPPORTED;
    int number = (int)((job->settings->gpu + job->number) % (unsigned)count);
    return hr_memory_cuda_create(hr_env_system(), &acc->cuda, number, &acc->memory);
}

static hr_status open_memory(accelerator *acc)
{
    return acc->client->job->to_gpu ? open_gpu(acc)
                                    : hr_memory_host_create(hr_env_system(), &acc->memory);
}

static hr_status open_slots(accelerator *acc)
{
    hr_page_kind pages;
    uint64_t content_len = acc->demand.record_len * acc->demand.samples_per_file;
    size_t len = (size_t)(acc->longest > content_len ? acc->longest : content_len);
    acc->window =
        ((AHEAD + 1) * (uint64_t)acc->demand.batch - 1) / acc->demand.samples_per_file + 2;
    acc->slots = calloc(acc->window, sizeof *acc->slots);
    hr_status status = acc->slots != NULL ? open_memory(acc) : HR_NO_MEMORY;
    for (uint64_t i = 0; status == HR_OK && i < acc->window; i++)
        status = acc->memory->ops->alloc(acc->memory, len, &acc->slots[i].memory, &pages);
    if (status != HR_OK && acc->client->error.text[0] == '\0')
        return hr_error_set(&acc->client->error, status,
                            "%llu files of %zu MiB for the batches of one accelerator: %s",
                            (unsigned long long)acc->window, len >> 20, hr_status_text(status));
    return status;
}

static void release(accelerator *acc)
{
    for (uint64_t i = 0; acc->slots != NULL && i < acc->window; i++) {
        hr_get_destroy(acc->slots[i].get);
        if (acc->slots[i].memory.addr != NULL)
            acc->memory->ops->release(acc->memory, &acc->slots[i].memory);
    }
    free(acc->slots);
    hr_memory_destroy(acc->memory);
    if (acc->has_driver)
        hr_cuda_close(&acc->cuda);
    for (unsigned i = 0; i < acc->file_count; i++)
        free(acc->files[i]);
}

hr_status hr_bench_client_train(hr_bench_client *client, hr_bench_measure *measure_out)
{
    static accelerator acc;
    acc = (accelerator){
        .client = client,
        .demand = hr_bench_demand_of(client->job->settings),
        .seed = hr_random_u64(hr_env_system()) + client->job->number,
    };
    hr_status status = list_files(&acc);
    if (status == HR_OK)
        status = open_slots(&acc);
    if (status == HR_OK)
        status = train(&acc, measure_out);
    release(&acc);
    return status;
}
