/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, a thread each or none, and events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

typedef struct fake_event {
    uint64_t recorded, reached; /* how often */
} fake_event;

typedef enum op_kind {
    OP_COPY,
    OP_LAUNCH,
    OP_RECORD,
    OP_WAIT,
} op_kind;

typedef struct op {
    hr_list node;
    op_kind kind;
    void *target, *source;
    void *owned; /* what the source was at the call, of memory that is not pinned */
    size_t len;
    fake_event *event;
    uint64_t turn; /* of the event */
    const char *function;
    unsigned grid;
    char arguments[FAKE_ARGUMENTS_LEN];
    bool flip;
} op;

/* hr_cuda_stream */
typedef struct fake_stream {
    hr_list node;
    fake_context *context;
    pthread_t thread; /* unless is_stepped() */
    hr_list ops;
    struct op *running;
    bool ending, held;
} fake_stream;

static hr_list all = {&all, &all};
static unsigned long copies;
static unsigned widest; /* grid of the kernels that decode */

/* ---- on a stream's thread ---- */

static bool happens(const fake_stream *it, const op *what)
{
    if (what->kind == OP_COPY && what->flip)
        ((uint8_t *)what->source)[what->len / 2] ^= 4; /* a copy of its own, see copy */
    if (what->kind == OP_COPY)
        memcpy(what->target, what->source, what->len);
    return what->kind != OP_LAUNCH ||
           fake_run_kernel(it->context->device, what->function, what->grid, what->arguments);
}

/* With the lock, which is let go of while it happens. */
static void run(fake_stream *it, op *what)
{
    hr_cuda_result failed = it->context->lost;
    if (failed == 0 && what->kind <= OP_LAUNCH)
        failed = fake_fail(what->kind == OP_COPY ? "copy" : "kernel");
    if (failed == 0 && what->kind <= OP_LAUNCH) {
        it->running = what;
        pthread_mutex_unlock(&fake_lock);
        failed = happens(it, what) ? 0 : FAKE_ILLEGAL_ADDRESS;
        pthread_mutex_lock(&fake_lock);
        it->running = NULL;
    }
    if (failed != 0)
        fake_lose(it->context, failed);
    if (what->kind == OP_RECORD && what->event->reached < what->turn)
        what->event->reached = what->turn;
    free(what->owned);
    free(what);
    pthread_cond_broadcast(&fake_changed);
}

/* What is first in it, if that may happen now. */
static op *find_next(const fake_stream *it)
{
    if (hr_list_is_empty(&it->ops) || it->held)
        return NULL;
    op *next = HR_CONTAINER(it->ops.next, op, node);
    return next->kind == OP_WAIT && next->event->reached < next->turn ? NULL : next;
}

static void *serve(void *argument)
{
    fake_stream *it = argument;
    pthread_mutex_lock(&fake_lock);
    while (!it->ending || !hr_list_is_empty(&it->ops)) {
        op *next = find_next(it);
        if (next == NULL) {
            pthread_cond_wait(&fake_changed, &fake_lock);
            continue;
        }
        hr_list_remove(&next->node);
        run(it, next);
    }
    pthread_mutex_unlock(&fake_lock);
    return NULL;
}

/* ---- without threads ---- */

static bool is_stepped(void)
{
    return getenv("FAKE_CUDA_SEED") != NULL;
}

static uint64_t dice;

void fake_begin(void)
{
    dice = fake_setting("FAKE_CUDA_SEED", 0);
    copies = 0;
}

/* splitmix64 */
static uint64_t roll(void)
{
    uint64_t value = dice += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

/* The next operation of one of the streams that have one. False: none has. */
static bool step(void)
{
    unsigned ready = 0;
    fake_stream *chosen = NULL;
    for (hr_list *node = all.next; node != &all; node = node->next) {
        fake_stream *it = HR_CONTAINER(node, fake_stream, node);
        if (find_next(it) != NULL && roll() % ++ready == 0)
            chosen = it;
    }
    if (chosen == NULL)
        return false;
    op *next = find_next(chosen);
    hr_list_remove(&next->node);
    run(chosen, next);
    return true;
}

/* ---- waiting ---- */

static void wait_for_change(void)
{
    if (!is_stepped())
        pthread_cond_wait(&fake_changed, &fake_lock);
    else if (!step())
        abort(); /* for ever */
}

static bool is_busy(const fake_stream *it)
{
    return it->running != NULL || !hr_list_is_empty(&it->ops);
}

static void wait_for(const fake_stream *it)
{
    while (is_busy(it))
        wait_for_change();
}

static bool device_is_busy(int device)
{
    for (hr_list *node = all.next; node != &all; node = node->next) {
        const fake_stream *it = HR_CONTAINER(node, fake_stream, node);
        if (it->context->device == device && is_busy(it))
            return true;
    }
    return false;
}

void fake_drain(int device)
{
    while (device_is_busy(device))
        wait_for_change();
}

static bool is_named(const fake_event *event)
{
    for (hr_list *node = all.next; node != &all; node = node->next) {
        const fake_stream *it = HR_CONTAINER(node, fake_stream, node);
        for (hr_list *at = it->ops.next; at != &it->ops; at = at->next)
            if (HR_CONTAINER(at, op, node)->event == event)
                return true;
    }
    return false;
}

/* ---- calls ---- */

static hr_cuda_result check(const char *call, const void *handle, fake_context **context_out)
{
    while (is_stepped() && roll() % 2 == 0 && step()) /* the GPU goes on by itself */
        ;
    hr_cuda_result result = fake_current(context_out);
    if (result == 0 && handle == NULL)
        result = FAKE_INVALID_HANDLE;
    if (result == 0) {
        result = fake_fail(call);
        if (result >= FAKE_ILLEGAL_ADDRESS)
            fake_lose(*context_out, result);
    }
    return result;
}

static op *add(hr_cuda_stream *handle, op_kind kind)
{
    op *it = calloc(1, sizeof *it);
    if (it == NULL)
        abort();
    it->kind = kind;
    hr_list_append(&((fake_stream *)handle)->ops, &it->node);
    pthread_cond_broadcast(&fake_changed);
    return it;
}

hr_cuda_result cuStreamCreate(hr_cuda_stream **out, unsigned flags)
{
    fake_context *context;
    (void)flags;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuStreamCreate", out, &context);
    if (result == 0) {
        fake_stream *it = calloc(1, sizeof *it);
        if (it == NULL)
            abort();
        it->context = context;
        hr_list_init(&it->ops);
        hr_list_append(&all, &it->node);
        if (!is_stepped() && pthread_create(&it->thread, NULL, serve, it) != 0)
            abort();
        fake_handles++;
        *out = (hr_cuda_stream *)it;
    }
    pthread_mutex_unlock(&fake_lock);
    return result;
}

/* What was put into it still happens, and is waited for. */
hr_cuda_result cuStreamDestroy_v2(hr_cuda_stream *handle)
{
    fake_stream *it = (fake_stream *)handle;
    if (it == NULL)
        return FAKE_INVALID_HANDLE;
    pthread_mutex_lock(&fake_lock);
    wait_for(it);
    it->ending = true;
    hr_list_remove(&it->node);
    fake_handles--;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
    if (!is_stepped())
        pthread_join(it->thread, NULL);
    free(it);
    return 0;
}

hr_cuda_result cuStreamSynchronize(hr_cuda_stream *handle)
{
    fake_context *context;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuStreamSynchronize", handle, &context);
    if (handle != NULL) {
        wait_for((fake_stream *)handle);
        result = result != 0 ? result : ((fake_stream *)handle)->context->lost;
    }
    pthread_mutex_unlock(&fake_lock);
    return result;
}

hr_cuda_result cuStreamWaitEvent(hr_cuda_stream *handle, hr_cuda_event *event, unsigned flags)
{
    fake_context *context;
    (void)flags;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuStreamWaitEvent", handle, &context);
    if (result == 0) {
        op *it = add(handle, OP_WAIT);
        it->event = (fake_event *)event;
        it->turn = it->event->recorded;
    }
    pthread_mutex_unlock(&fake_lock);
    return result;
}

hr_cuda_result cuEventCreate(hr_cuda_event **event, unsigned flags)
{
    fake_context *context;
    (void)flags;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuEventCreate", event, &context);
    if (result == 0) {
        *event = calloc(1, sizeof(fake_event));
        fake_handles++;
    }
    pthread_mutex_unlock(&fake_lock);
    return result;
}

/* One that is waited for or is still to be reached stays until then. */
hr_cuda_result cuEventDestroy_v2(hr_cuda_event *handle)
{
    fake_event *event = (fake_event *)handle;
    if (event == NULL)
        return FAKE_INVALID_HANDLE;
    pthread_mutex_lock(&fake_lock);
    while (is_named(event))
        wait_for_change();
    free(event);
    fake_handles--;
    pthread_mutex_unlock(&fake_lock);
    return 0;
}

hr_cuda_result cuEventRecord(hr_cuda_event *handle, hr_cuda_stream *stream)
{
    fake_context *context;
    fake_event *event = (fake_event *)handle;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuEventRecord", stream, &context);
    if (result == 0) {
        op *it = add(stream, OP_RECORD);
        it->event = event;
        it->turn = ++event->recorded;
    }
    pthread_mutex_unlock(&fake_lock);
    return result;
}

hr_cuda_result cuEventQuery(hr_cuda_event *handle)
{
    fake_context *context;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuEventQuery", handle, &context);
    const fake_event *event = (const fake_event *)handle;
    if (result == 0 && event->reached < event->recorded)
        result = HR_CUDA_NOT_READY;
    pthread_mutex_unlock(&fake_lock);
    return result;
}

hr_cuda_result cuEventSynchronize(hr_cuda_event *handle)
{
    fake_context *context;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuEventSynchronize", handle, &context);
    const fake_event *event = (const fake_event *)handle;
    while (result == 0 && event->reached < event->recorded)
        wait_for_change();
    if (result == 0)
        result = context->lost;
    pthread_mutex_unlock(&fake_lock);
    return result;
}

static bool is_to_flip(unsigned long number)
{
    unsigned long first = 0, count = 0;
    const char *text = getenv("FAKE_CUDA_FLIP");
    return text != NULL && sscanf(text, "%lu:%lu", &first, &count) == 2 && number >= first &&
           number - first < count;
}

/* Memory that the driver does not know is the host's, and read or written before the call is over.
 */
static hr_cuda_result copy(fake_stream *it, uint64_t target, uint64_t source, size_t len)
{
    const int device = it->context->device;
    const fake_memory *to = fake_find(target), *from = fake_find(source);
    void *to_bytes = to != NULL ? fake_reach(device, target, len) : (void *)(uintptr_t)target;
    void *from_bytes = from != NULL ? fake_reach(device, source, len) : (void *)(uintptr_t)source;
    if (to_bytes == NULL || from_bytes == NULL)
        return FAKE_INVALID_VALUE;
    op *what = add((hr_cuda_stream *)it, OP_COPY);
    what->target = to_bytes;
    what->source = from_bytes;
    what->len = len;
    if (to != NULL && to->kind == FAKE_DEVICE && len > 4096)
        what->flip = is_to_flip(++copies);
    if (from == NULL || what->flip) {
        what->owned = malloc(len);
        if (what->owned == NULL)
            abort();
        what->source = memcpy(what->owned, from_bytes, len);
    }
    if (to == NULL)
        wait_for(it);
    return 0;
}

hr_cuda_result cuMemcpyAsync(uint64_t target, uint64_t source, size_t len, hr_cuda_stream *stream)
{
    fake_context *context;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuMemcpyAsync", stream, &context);
    if (result == 0 && len > 0)
        result = copy((fake_stream *)stream, target, source, len);
    pthread_mutex_unlock(&fake_lock);
    return result;
}

/* For the doctor, who has no stream. */
static hr_cuda_result copy_now(uint64_t device_at, void *host, size_t len, bool to_device)
{
    fake_context *context;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuMemcpy", host, &context);
    void *bytes = result == 0 ? fake_reach(context->device, device_at, len) : NULL;
    if (result == 0 && bytes == NULL)
        result = FAKE_INVALID_VALUE;
    if (result == 0)
        memcpy(to_device ? bytes : host, to_device ? host : bytes, len);
    pthread_mutex_unlock(&fake_lock);
    return result;
}

hr_cuda_result cuMemcpyHtoD_v2(uint64_t target, const void *source, size_t len)
{
    return copy_now(target, (void *)(uintptr_t)source, len, true);
}

hr_cuda_result cuMemcpyDtoH_v2(void *target, uint64_t source, size_t len)
{
    return copy_now(source, target, len, false);
}

hr_cuda_result cuLaunchKernel(hr_cuda_function *function, unsigned grid_x, unsigned grid_y,
                              unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                              unsigned shared_len, hr_cuda_stream *stream, void **arguments,
                              void **extra)
{
    fake_context *context;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = check("cuLaunchKernel", stream, &context);
    bool shaped = grid_x > 0 && grid_y == 1 && grid_z == 1 && block_x == 128 && block_y == 1 &&
                  block_z == 1 && shared_len == 0 && extra == NULL;
    if (result == 0 && !shaped)
        result = FAKE_INVALID_VALUE;
    if (result == 0) {
        op *it = add(stream, OP_LAUNCH);
        it->function = (const char *)function;
        it->grid = grid_x;
        if (strcmp(it->function, "hr_batch_run") == 0)
            widest = grid_x > widest ? grid_x : widest;
        (void)fake_take_arguments(it->function, arguments, it->arguments);
    }
    pthread_mutex_unlock(&fake_lock);
    return result;
}

/* ---- for tests ---- */

void fake_cuda_hold(hr_cuda_stream *stream, int held)
{
    pthread_mutex_lock(&fake_lock);
    ((fake_stream *)stream)->held = held != 0;
    pthread_cond_broadcast(&fake_changed);
    pthread_mutex_unlock(&fake_lock);
}

unsigned fake_cuda_grid(void)
{
    pthread_mutex_lock(&fake_lock);
    unsigned grid = widest;
    widest = 0;
    pthread_mutex_unlock(&fake_lock);
    return grid;
}
