/* SPDX-License-Identifier: Apache-2.0 */
#include "digest.h"

#include <string.h>

#include "bytes.h"
#include "chunk.h"
#include "crc32c.h"
#include "source.h"

static void step(hr_digest *digest, hr_io_kind kind, void (*done)(hr_io *io))
{
    hr_io *io = &digest->io;
    io->kind = kind;
    io->dir = digest->dir;
    io->file = digest->file;
    io->path = digest->path;
    io->done = done;
    io->context = digest;
    hr_storage_submit(digest->worker->storage, io);
}

static void closed(hr_io *io)
{
    hr_digest *digest = io->context;
    digest->done(digest);
}

static void end(hr_digest *digest, hr_status status)
{
    digest->status = status;
    digest->io = (hr_io){.buffer = -1};
    if (digest->file != NULL)
        step(digest, HR_IO_CLOSE, closed);
    else
        digest->done(digest);
}

static void looked_again(hr_io *io)
{
    hr_digest *digest = io->context;
    if (io->status != HR_OK)
        end(digest, io->status);
    else
        end(digest, hr_source_difference(&digest->info, &io->info) == NULL ? HR_OK : HR_CHANGED);
}

static uint64_t bytes_left(const hr_digest *digest)
{
    uint64_t end_at = hr_min_u64(digest->offset + digest->len, digest->info.size);
    return end_at > digest->at ? end_at - digest->at : 0;
}

static void read_next(hr_digest *digest);

static void was_read(hr_io *io)
{
    hr_digest *digest = io->context;
    size_t len = (size_t)hr_min_u64(bytes_left(digest), HR_CHUNK_LEN);
    hr_status status = io->status;
    if (status == HR_OK && io->bytes < len)
        status = HR_CHANGED; /* it was cut meanwhile */
    if (status == HR_OK)
        digest->crc = hr_crc32c(digest->crc, io->data, len);
    digest->at += len;
    hr_slot *slot = digest->slot;
    digest->slot = NULL;
    hr_slots_give(&digest->worker->slots, slot);
    if (status == HR_OK)
        read_next(digest);
    else
        end(digest, status);
}

static void slot_ready(hr_slot_waiter *waiter)
{
    read_next(HR_CONTAINER(waiter, hr_digest, waiter));
}

static void read_next(hr_digest *digest)
{
    uint64_t left = bytes_left(digest);
    digest->io = (hr_io){.buffer = -1};
    if (left == 0) {
        step(digest, HR_IO_STAT, looked_again);
        return;
    }
    digest->slot = hr_slots_take(&digest->worker->slots, digest->waiter.reserve);
    if (digest->slot == NULL) {
        hr_slots_wait(&digest->worker->slots, &digest->waiter);
        return;
    }
    digest->io.data = digest->slot->span.addr;
    digest->io.len = (size_t)hr_round_up(hr_min_u64(left, HR_CHUNK_LEN), HR_DIRECT_ALIGN);
    digest->io.offset = digest->at;
    digest->io.buffer = digest->slot->buffer;
    step(digest, HR_IO_READ, was_read);
}

static void opened(hr_io *io)
{
    hr_digest *digest = io->context;
    if (io->status != HR_OK) {
        end(digest, io->status);
        return;
    }
    digest->file = io->file_out;
    digest->info = io->info;
    read_next(digest);
}

/* Looked at before it is opened, so that no fifo is ever opened. */
static void looked_up(hr_io *io)
{
    hr_digest *digest = io->context;
    hr_status status = io->status;
    if (status == HR_OK && io->info.type == HR_FILE_DIRECTORY)
        status = HR_IS_DIRECTORY;
    else if (status == HR_OK && io->info.type == HR_FILE_SPECIAL)
        status = HR_UNSUPPORTED;
    if (status != HR_OK) {
        end(digest, status);
        return;
    }
    digest->io = (hr_io){
        .flags = HR_IO_READABLE | HR_IO_DIRECT | digest->flags,
        .buffer = -1,
    };
    step(digest, HR_IO_OPEN, opened);
}

void hr_digest_start(hr_digest *digest)
{
    digest->status = HR_AGAIN;
    digest->crc = 0;
    digest->at = digest->offset;
    digest->file = NULL;
    digest->slot = NULL;
    hr_list_init(&digest->waiter.node);
    digest->waiter.reserve = HR_SLOTS_FOR_STAGING;
    digest->waiter.ready = slot_ready;
    digest->io = (hr_io){.flags = digest->flags, .buffer = -1};
    step(digest, HR_IO_LOOKUP, looked_up);
}
