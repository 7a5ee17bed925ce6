/* SPDX-License-Identifier: Apache-2.0 */
/* Wraps another storage and fails by seed. A request's fate is drawn when it is submitted, with the
 * same number of draws whatever it is, so that one seed gives one story. */
#include <errno.h>

#include "list.h"
#include "storage_memory.h"

#define REQUESTS_MAX 256 /* under way at once; more wait */
#define DECEIVED_MAX 64  /* files whose sync failed */

typedef enum fate {
    FATE_PASS,
    FATE_FAIL,       /* nothing happens, and it says so */
    FATE_FAIL_AFTER, /* it happens and says that it failed */
    FATE_LIE,        /* nothing happens and it says that it did */
    FATE_TEAR,       /* a part happens and it says that it failed */
    FATE_FLIP,       /* it happens with one bit wrong */
    FATE_FAIL_ONE,   /* of many files one fails, after it happened */
} fate;

typedef struct fault_storage fault_storage;

/* A request under way; the caller's io points to it with scratch[3]. */
typedef struct fault_request {
    fault_storage *storage;
    struct fault_request *next_free;
    hr_io *io;
    void (*done)(hr_io *io); /* the caller's */
    size_t len;              /* the caller's */
    fate fate;
    hr_status status; /* of a failure */
    uint64_t dice;    /* where it tears, which bit */
    uint64_t delay_ns;
    hr_task task;
    hr_timer timer;
} fault_request;

struct fault_storage {
    hr_storage base;
    hr_storage *inner;
    hr_storage_faults faults;
    uint64_t random_state, count, *requests_out;
    hr_io *first, *last; /* waiting, linked through scratch[2] */
    fault_request *free;
    /* The system forgets a failed sync: the next one succeeds and the bytes are lost all the same.
     */
    const hr_file *deceived[DECEIVED_MAX];
    unsigned deceived_count;
    fault_request requests[REQUESTS_MAX];
};

/* ---- fates ---- */

/* splitmix64 */
static uint64_t next_u64(fault_storage *storage)
{
    uint64_t mixed = storage->random_state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

static bool is_deceived(const fault_storage *storage, const hr_file *file)
{
    for (unsigned i = 0; i < storage->deceived_count; i++)
        if (storage->deceived[i] == file)
            return true;
    return false;
}

static void deceive(fault_storage *storage, const hr_file *file)
{
    if (storage->deceived_count < DECEIVED_MAX && !is_deceived(storage, file))
        storage->deceived[storage->deceived_count++] = file;
}

static void undeceive(fault_storage *storage, const hr_file *file)
{
    for (unsigned i = 0; i < storage->deceived_count; i++)
        if (storage->deceived[i] == file)
            storage->deceived[i] = storage->deceived[--storage->deceived_count];
}

static bool is_close(const hr_io *io)
{
    return io->kind == HR_IO_CLOSE || io->kind == HR_IO_CLOSE_DIR;
}

static bool is_of_folders(const hr_io *io)
{
    return io->kind == HR_IO_MAKE_DIRS || io->kind == HR_IO_STAMP_FILES;
}

/* A change that fails may have happened, which is for the dice to say; a handle is made or given
 * back in accordance with what the caller believes. */
static fate fail_other(const hr_io *io, uint64_t dice)
{
    bool changes = io->kind == HR_IO_RENAME || io->kind == HR_IO_REMOVE ||
                   io->kind == HR_IO_TRUNCATE || io->kind == HR_IO_ALLOCATE ||
                   io->kind == HR_IO_STAMP || io->kind == HR_IO_SYMLINK || io->kind == HR_IO_LINK ||
                   io->kind == HR_IO_SET_XATTRS || io->kind == HR_IO_RENAME_FILES ||
                   io->kind == HR_IO_MAKE_DIR || is_of_folders(io);
    if (is_of_folders(io) && dice >> 62 & 1)
        return FATE_FAIL_ONE;
    return is_close(io) || (changes && dice >> 63) ? FATE_FAIL_AFTER : FATE_FAIL;
}

/* The chances of one kind share the range of chance one after the other. */
static bool takes(uint32_t *chance, uint16_t share)
{
    if (*chance < share)
        return true;
    *chance -= share;
    return false;
}

static void draw_write(fault_request *request, uint32_t chance)
{
    const hr_storage_faults *faults = &request->storage->faults;
    if (takes(&chance, faults->write_error)) {
        request->fate = FATE_FAIL;
    } else if (takes(&chance, faults->no_space)) {
        request->fate = FATE_FAIL;
        request->status = HR_NO_SPACE;
    } else if (takes(&chance, faults->lost_write)) {
        request->fate = FATE_LIE;
    } else if (takes(&chance, faults->torn_write)) {
        request->fate = FATE_TEAR;
    }
}

/* One of many files fails, the others do not. */
static void draw_files(fault_request *request, uint32_t chance)
{
    const hr_storage_faults *faults = &request->storage->faults;
    bool reads = request->io->kind == HR_IO_READ_FILES;
    if (takes(&chance, reads ? faults->read_error : faults->write_error)) {
        request->fate = FATE_FAIL_ONE;
    } else if (!reads && takes(&chance, faults->no_space)) {
        request->fate = FATE_FAIL_ONE;
        request->status = HR_NO_SPACE;
    }
}

static void draw_kind(fault_request *request, uint32_t chance)
{
    fault_storage *storage = request->storage;
    const hr_storage_faults *faults = &storage->faults;
    const hr_io *io = request->io;
    if (io->kind == HR_IO_WRITE) {
        draw_write(request, chance);
    } else if (io->kind == HR_IO_WRITE_FILES || io->kind == HR_IO_READ_FILES) {
        draw_files(request, chance);
    } else if (io->kind == HR_IO_READ) {
        if (takes(&chance, faults->read_error))
            request->fate = FATE_FAIL;
        else if (takes(&chance, faults->flipped_bit))
            request->fate = FATE_FLIP;
    } else if (io->kind == HR_IO_SYNC || io->kind == HR_IO_SYNC_DIR || io->kind == HR_IO_SYNC_ALL) {
        bool is_file = io->kind == HR_IO_SYNC;
        if (is_file && is_deceived(storage, io->file))
            request->fate = FATE_LIE;
        else if (takes(&chance, faults->sync_error))
            request->fate = FATE_FAIL;
        if (is_file && request->fate == FATE_FAIL)
            deceive(storage, io->file);
    } else if (io->kind == HR_IO_ALLOCATE && takes(&chance, faults->no_space)) {
        request->fate = FATE_FAIL;
        request->status = HR_NO_SPACE;
    } else if (takes(&chance, faults->other_error)) {
        request->fate = fail_other(io, request->dice);
    }
}

static bool takes_room(const hr_io *io)
{
    switch ((int)io->kind) {
    case HR_IO_OPEN:
    case HR_IO_OPEN_DIR:
        return (io->flags & HR_IO_CREATE) != 0;
    case HR_IO_WRITE:
    case HR_IO_WRITE_FILES:
    case HR_IO_ALLOCATE:
    case HR_IO_MAKE_DIR:
    case HR_IO_MAKE_DIRS:
    case HR_IO_SYMLINK:
    case HR_IO_LINK:
    case HR_IO_SET_XATTRS:
        return true;
    default:
        return false;
    }
}

static bool is_change(const hr_io *io)
{
    switch ((int)io->kind) {
    case HR_IO_TRUNCATE:
    case HR_IO_RENAME:
    case HR_IO_RENAME_FILES:
    case HR_IO_REMOVE:
    case HR_IO_STAMP:
    case HR_IO_STAMP_FILES:
    case HR_IO_SYNC:
    case HR_IO_SYNC_DIR:
    case HR_IO_SYNC_ALL:
        return true;
    default:
        return takes_room(io);
    }
}

static bool is_out(const fault_storage *storage, const hr_io *io)
{
    const hr_storage_faults *faults = &storage->faults;
    bool over =
        faults->outage_len > 0 && storage->count >= faults->outage_from + faults->outage_len;
    if (storage->count < faults->outage_from || over || is_close(io))
        return false;
    switch (faults->outage) {
    case HR_OUTAGE_NONE:
        return false;
    case HR_OUTAGE_READS:
        return io->kind == HR_IO_READ || io->kind == HR_IO_READ_FILES;
    case HR_OUTAGE_CHANGES:
    case HR_OUTAGE_READ_ONLY:
        return is_change(io);
    case HR_OUTAGE_FULL:
        return takes_room(io);
    case HR_OUTAGE_ALL:
        break;
    }
    return true;
}

static void fail_in_outage(fault_request *request)
{
    fault_storage *storage = request->storage;
    hr_outage outage = storage->faults.outage;
    request->fate = FATE_FAIL;
    request->status = outage == HR_OUTAGE_FULL        ? HR_NO_SPACE
                      : outage == HR_OUTAGE_READ_ONLY ? HR_DENIED
                                                      : HR_IO;
    if (request->io->kind == HR_IO_SYNC)
        deceive(storage, request->io->file);
}

static void draw(fault_request *request)
{
    fault_storage *storage = request->storage;
    const hr_storage_faults *faults = &storage->faults;
    uint32_t chance = next_u64(storage) & 0xFFFF, delayed = next_u64(storage) & 0xFFFF;
    uint64_t delay = next_u64(storage);
    request->dice = next_u64(storage);
    request->delay_ns = 0;
    if (delayed < faults->delay && faults->delay_ns_max > 0)
        request->delay_ns = 1 + delay % faults->delay_ns_max;
    request->fate = FATE_PASS;
    request->status = HR_IO;
    if (is_out(storage, request->io)) {
        fail_in_outage(request);
        return;
    }
    if (storage->count != faults->fail_nth) {
        draw_kind(request, chance);
        return;
    }
    request->fate = is_close(request->io) ? FATE_FAIL_AFTER : FATE_FAIL;
    if (faults->failed_out != NULL)
        *faults->failed_out = request->io->kind;
}

/* ---- requests ---- */

static void begin(fault_storage *storage, fault_request *request, hr_io *io);

static void answer(fault_request *request)
{
    fault_storage *storage = request->storage;
    hr_io *io = request->io, *waiting = storage->first;
    io->done = request->done;
    io->len = request->len;
    if (waiting != NULL) {
        storage->first = waiting->scratch[2];
        begin(storage, request, waiting);
    } else {
        request->next_free = storage->free;
        storage->free = request;
    }
    io->done(io);
}

static void answer_from_timer(hr_timer *timer)
{
    answer(HR_CONTAINER(timer, fault_request, timer));
}

static void answer_in_time(fault_request *request)
{
    hr_loop *loop = request->storage->base.loop;
    uint64_t due_ns = hr_loop_now_ns(loop) + request->delay_ns;
    if (request->delay_ns == 0 || hr_loop_timer_set(loop, &request->timer, due_ns) != HR_OK)
        answer(request);
}

static void set_failure(hr_io *io, hr_status status)
{
    io->status = status;
    io->error = status == HR_NO_SPACE ? ENOSPC : status == HR_DENIED ? EROFS : EIO;
    io->bytes = 0;
}

/* The answer of the inner storage, made worse. */
static void was_done(hr_io *io)
{
    fault_request *request = io->scratch[3];
    if (request->fate == FATE_FAIL_AFTER || request->fate == FATE_TEAR)
        set_failure(io, request->status);
    if (request->fate == FATE_FLIP && io->status == HR_OK && io->bytes > 0)
        ((uint8_t *)io->data)[request->dice % io->bytes] ^=
            (uint8_t)(1u << (request->dice >> 32) % 8);
    if (request->fate == FATE_FAIL_ONE && io->status == HR_OK && io->file_count > 0)
        io->files[request->dice % io->file_count].status = request->status;
    answer_in_time(request);
}

/* The inner storage was not asked. */
static void was_not_done(hr_task *task)
{
    fault_request *request = HR_CONTAINER(task, fault_request, task);
    hr_io *io = request->io;
    if (request->fate == FATE_LIE) {
        io->status = HR_OK;
        io->error = 0;
        io->bytes = io->kind == HR_IO_WRITE ? io->len : 0;
    } else {
        set_failure(io, request->status);
    }
    answer_in_time(request);
}

/* What is torn off: less than all, and aligned if all is. */
static size_t torn_len(const fault_request *request)
{
    size_t len = request->len;
    if (len == 0)
        return 0;
    if (len % HR_DIRECT_ALIGN != 0)
        return request->dice % len;
    return request->dice % (len / HR_DIRECT_ALIGN) * HR_DIRECT_ALIGN;
}

static void begin(fault_storage *storage, fault_request *request, hr_io *io)
{
    storage->count++;
    if (storage->requests_out != NULL)
        *storage->requests_out = storage->count;
    request->io = io;
    request->done = io->done;
    request->len = io->len;
    draw(request);
    if (io->kind == HR_IO_CLOSE)
        undeceive(storage, io->file);
    if (request->fate == FATE_FAIL || request->fate == FATE_LIE) {
        hr_loop_defer(storage->base.loop, &request->task);
        return;
    }
    if (request->fate == FATE_TEAR)
        io->len = torn_len(request);
    io->done = was_done;
    io->scratch[3] = request;
    hr_storage_submit(storage->inner, io);
}

static void fault_submit(hr_storage *base, hr_io *io)
{
    fault_storage *storage = (fault_storage *)base;
    fault_request *request = storage->free;
    if (request != NULL) {
        storage->free = request->next_free;
        begin(storage, request, io);
        return;
    }
    io->scratch[2] = NULL;
    if (storage->first == NULL)
        storage->first = io;
    else
        storage->last->scratch[2] = io;
    storage->last = io;
}

/* ---- the rest of the table ---- */

static void fault_query(const hr_storage *base, hr_storage_caps *caps_out)
{
    const hr_storage *inner = ((const fault_storage *)base)->inner;
    inner->ops->query(inner, caps_out);
}

static hr_status fault_register_buffers(hr_storage *base, const struct iovec *iov, unsigned count)
{
    hr_storage *inner = ((fault_storage *)base)->inner;
    return inner->ops->register_buffers(inner, iov, count);
}

static void fault_attach(hr_storage *base, hr_file *file)
{
    hr_storage *inner = ((fault_storage *)base)->inner;
    inner->ops->attach(inner, file);
}

static void fault_detach(hr_storage *base, hr_file *file)
{
    hr_storage *inner = ((fault_storage *)base)->inner;
    inner->ops->detach(inner, file);
}

static void fault_destroy(hr_storage *base)
{
    fault_storage *storage = (fault_storage *)base;
    storage->inner->ops->destroy(storage->inner);
    hr_release(hr_loop_env(base->loop), storage);
}

static const hr_storage_ops fault_ops = {
    .name = "fault",
    .destroy = fault_destroy,
    .query = fault_query,
    .submit = fault_submit,
    .register_buffers = fault_register_buffers,
    .attach = fault_attach,
    .detach = fault_detach,
};

hr_status hr_storage_fault_create(hr_storage *inner, const hr_storage_faults *faults,
                                  uint64_t *requests_out, hr_storage **storage_out)
{
    fault_storage *storage = hr_alloc(hr_loop_env(inner->loop), sizeof *storage);
    if (storage == NULL)
        return HR_NO_MEMORY;
    storage->base = (hr_storage){.ops = &fault_ops, .loop = inner->loop};
    storage->inner = inner;
    storage->faults = *faults;
    storage->random_state = faults->seed;
    storage->requests_out = requests_out;
    for (unsigned i = 0; i < REQUESTS_MAX; i++) {
        fault_request *request = &storage->requests[i];
        request->storage = storage;
        request->task.run = was_not_done;
        request->timer.fire = answer_from_timer;
        request->next_free = storage->free;
        storage->free = request;
    }
    *storage_out = &storage->base;
    return HR_OK;
}
