/* SPDX-License-Identifier: Apache-2.0 */
/* Of a packed shard the index is its end; of a plain or foreign file it lies beside it, and either
 * of the two may have been named. */
#include "verify.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"

static void open_index(hr_verify *verify, const char *path, void (*done)(hr_io *io))
{
    verify->io = (hr_io){
        .kind = HR_IO_OPEN,
        .path = path,
        .flags = HR_IO_READABLE | HR_IO_DIRECT,
        .done = done,
        .context = verify,
    };
    hr_verify_submit(verify, &verify->io);
}

static void opened_chunks(hr_io *io)
{
    hr_verify *verify = io->context;
    if (io->status == HR_OK)
        verify->chunk_file = io->file_out;
    if (!hr_verify_landed(verify))
        return;
    if (io->status != HR_OK) {
        hr_verify_fail_io(verify, "opening the file that this is the index of,", io);
        return;
    }
    verify->chunk_size = io->info.size;
    hr_verify_opened(verify);
}

/* The index was named: the file beside it has the name without the suffix. */
static void open_chunks(hr_verify *verify)
{
    size_t len = strlen(verify->path), suffix = sizeof HR_VERIFY_SUFFIX - 1;
    if (len <= suffix || strcmp(verify->path + len - suffix, HR_VERIFY_SUFFIX) != 0) {
        hr_verify_fail(verify, HR_UNSUPPORTED,
                       "%s is the index of a plain file, but not named *" HR_VERIFY_SUFFIX,
                       verify->shown);
        return;
    }
    verify->path[len - suffix] = '\0';
    open_index(verify, verify->path, opened_chunks);
}

static void read_tail(hr_verify *verify);

static void opened_beside(hr_io *io)
{
    hr_verify *verify = io->context;
    if (io->status == HR_OK)
        verify->index_file = io->file_out;
    if (!hr_verify_landed(verify))
        return;
    if (io->status == HR_NOT_FOUND && verify->begins_packed) {
        hr_verify_fail(
            verify, HR_INTEGRITY,
            "%s does not end with an index of Headrace, and has none beside it: it was cut, or "
            "something else made it",
            verify->shown);
        return;
    }
    if (io->status == HR_NOT_FOUND) {
        hr_verify_fail(
            verify, HR_UNSUPPORTED,
            "%s is no packed shard, and has no index beside it; headrace pack makes either",
            verify->shown);
        return;
    }
    if (io->status != HR_OK) {
        hr_verify_fail_io(verify, "opening the index beside", io);
        return;
    }
    verify->index_size = io->info.size;
    read_tail(verify);
}

static void look_beside(hr_verify *verify)
{
    verify->chunk_file = verify->index_file;
    verify->chunk_size = verify->index_size;
    verify->index_file = NULL;
    snprintf(verify->index_path, sizeof verify->index_path, "%s" HR_VERIFY_SUFFIX, verify->path);
    open_index(verify, verify->index_path, opened_beside);
}

static void got_head(hr_io *io)
{
    hr_verify *verify = io->context;
    if (!hr_verify_landed(verify))
        return;
    verify->begins_packed = hr_index_begins(verify->buffer.addr, io->bytes);
    if (io->status != HR_OK)
        hr_verify_fail_io(verify, "reading", io);
    else
        look_beside(verify);
}

static void refuse_tail(hr_verify *verify, hr_status status)
{
    bool is_beside = verify->chunk_file != NULL;
    if (status == HR_VERSION)
        hr_verify_fail(verify, status,
                       "%s is of a later version of the format than this headrace knows",
                       verify->shown);
    else if (status == HR_NOT_FOUND && !is_beside)
        hr_verify_read_index(verify, 0, HR_DIRECT_ALIGN, got_head);
    else
        hr_verify_fail(verify, HR_INTEGRITY, "%s: the index%s: the end of it is damaged",
                       verify->shown, is_beside ? " beside it" : "");
}

static void got_tail(hr_io *io)
{
    hr_verify *verify = io->context;
    uint64_t at = verify->index_size < HR_INDEX_TAIL_LEN
                      ? 0
                      : verify->index_size - HR_INDEX_TAIL_LEN - io->offset;
    if (!hr_verify_landed(verify))
        return;
    if (io->status != HR_OK) {
        hr_verify_fail_io(verify, "reading the end of", io);
        return;
    }
    hr_status status = HR_NOT_FOUND;
    if (io->bytes >= at + HR_INDEX_TAIL_LEN)
        status = hr_index_tail_unpack((const uint8_t *)verify->buffer.addr + at, verify->index_size,
                                      &verify->tail);
    if (status != HR_OK) {
        refuse_tail(verify, status);
    } else if (verify->chunk_file != NULL) {
        hr_verify_opened(verify);
    } else if (hr_container_is_beside(verify->tail.container)) {
        open_chunks(verify);
    } else {
        verify->chunk_file = verify->index_file;
        verify->chunk_size = verify->index_size;
        hr_verify_opened(verify);
    }
}

static void read_tail(hr_verify *verify)
{
    uint64_t size = verify->index_size < HR_INDEX_TAIL_LEN ? HR_INDEX_TAIL_LEN : verify->index_size;
    hr_verify_read_index(verify, hr_round_down(size - HR_INDEX_TAIL_LEN, HR_DIRECT_ALIGN),
                         (size_t)2 * HR_DIRECT_ALIGN, got_tail);
}

static void opened_file(hr_io *io)
{
    hr_verify *verify = io->context;
    if (io->status == HR_OK)
        verify->index_file = io->file_out;
    if (!hr_verify_landed(verify))
        return;
    if (io->status == HR_IS_DIRECTORY ||
        (io->status == HR_OK && io->info.type == HR_FILE_DIRECTORY)) {
        hr_verify_fail(verify, HR_IS_DIRECTORY,
                       "%s is a directory: name the shards in it, or compare it with --against",
                       verify->shown);
        return;
    }
    if (io->status != HR_OK) {
        hr_verify_fail_io(verify, "opening", io);
        return;
    }
    verify->index_size = io->info.size;
    read_tail(verify);
}

void hr_verify_open(hr_verify *verify)
{
    open_index(verify, verify->path, opened_file);
}
