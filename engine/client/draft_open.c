/* SPDX-License-Identifier: Apache-2.0 */
/* hr_draft: opening. What has the name already? Then the journal, whose lock makes the temporary
 * files ours; the data; and what the journal says of it.
 *
 *   look up the name -> open the journal, lock it, is it still the one? -> open the data
 *     -> read the journal -> cut it behind its last good record -> ready
 *     -> or start anew: empty both, write a header, reserve space -> ready */
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "draft.h"
#include "granularity.h"

#define LOCK_TRIES 16

static void open_journal(hr_draft *draft);

static void ready(hr_draft *draft)
{
    draft->opened = true;
    hr_recorder_start(&draft->recorder, draft->journal_file, draft->file, &draft->journal);
    draft->events->ready(draft->context);
}

static void wrote_start(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "writing the journal of", io);
        return;
    }
    ready(draft);
}

/* The header of a new journal, or the mark that another boot goes on with an old one. */
static void write_start(hr_draft *draft, bool other_boot)
{
    if (!draft->fresh && !other_boot) {
        ready(draft);
        return;
    }
    size_t len = HR_JOURNAL_HEADER_LEN; /* packed by start_fresh */
    uint64_t at = 0;
    if (!draft->fresh) {
        len = HR_JOURNAL_RECORD_LEN;
        at = hr_journal_offset(&draft->journal);
        hr_journal_boot(&draft->journal, draft->options.boot, draft->buffer);
    }
    hr_io *io = hr_draft_io(draft);
    io->file = draft->journal_file;
    io->data = draft->buffer;
    io->len = len;
    io->offset = at;
    hr_draft_step(draft, HR_IO_WRITE, wrote_start);
}

static void allocated(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK && io->status != HR_UNSUPPORTED) {
        hr_draft_fail_io(draft, "reserving space for", io);
        return;
    }
    write_start(draft, false);
}

static void emptied_journal(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "starting the journal of", io);
        return;
    }
    if (draft->options.size == 0) {
        write_start(draft, false);
        return;
    }
    io = hr_draft_io(draft);
    io->file = draft->file;
    io->len = draft->options.size;
    hr_draft_step(draft, draft->options.sparse ? HR_IO_TRUNCATE : HR_IO_ALLOCATE, allocated);
}

static void emptied_data(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "emptying an earlier attempt at", io);
        return;
    }
    io = hr_draft_io(draft);
    io->file = draft->journal_file;
    hr_draft_step(draft, HR_IO_TRUNCATE, emptied_journal);
}

static void set_header(const hr_draft *draft, hr_journal_header *header)
{
    const hr_draft_options *options = &draft->options;
    memset(header, 0, sizeof *header);
    memcpy(header->identity, options->identity, sizeof header->identity);
    memcpy(header->boot, options->boot, sizeof header->boot);
    header->content_len = options->size;
    header->chunk_len = options->chunk_len;
    uint8_t inode[8];
    hr_put_u64(inode, draft->data_inode);
    header->target = hr_crc32c(hr_crc32c(0, draft->name, strlen(draft->name)), inode, 8);
}

/* Nothing of an earlier run can be used. */
static void start_fresh(hr_draft *draft)
{
    draft->fresh = true;
    draft->found = false;
    memset(draft->chunks, 0, draft->chunk_count * sizeof *draft->chunks);
    if (draft->options.look) {
        ready(draft);
        return;
    }
    hr_journal_header header;
    set_header(draft, &header);
    hr_journal_begin(&draft->journal, &header, draft->buffer);
    hr_io *io = hr_draft_io(draft);
    io->file = draft->file;
    hr_draft_step(draft, HR_IO_TRUNCATE, emptied_data);
}

static void cut_journal(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "continuing the journal of", io);
        return;
    }
    write_start(draft, memcmp(draft->reader.boot, draft->options.boot, 16) != 0);
}

static void settle_journal(hr_draft *draft)
{
    hr_journal_finish(&draft->reader, &draft->journal);
    if (draft->options.look) {
        ready(draft);
        return;
    }
    hr_io *io = hr_draft_io(draft);
    io->file = draft->journal_file;
    io->len = hr_journal_offset(&draft->journal); /* drops a torn record */
    hr_draft_step(draft, HR_IO_TRUNCATE, cut_journal);
}

static void read_journal(hr_draft *draft);

static void read_piece(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK) {
        start_fresh(draft);
        return;
    }
    const uint8_t *bytes = draft->buffer;
    size_t len = io->bytes;
    if (draft->read_at == 0) {
        hr_journal_header header;
        set_header(draft, &header);
        if (len < HR_JOURNAL_HEADER_LEN ||
            hr_journal_open(&draft->reader, bytes, &header, draft->chunks, draft->chunk_count) !=
                HR_OK) {
            start_fresh(draft);
            return;
        }
        bytes += HR_JOURNAL_HEADER_LEN;
        len -= HR_JOURNAL_HEADER_LEN;
    }
    draft->read_at += io->bytes;
    if (hr_journal_read(&draft->reader, bytes, len) && io->bytes == HR_RECORDER_BUFFER_LEN)
        read_journal(draft);
    else
        settle_journal(draft);
}

static void read_journal(hr_draft *draft)
{
    hr_io *io = hr_draft_io(draft);
    io->file = draft->journal_file;
    io->data = draft->buffer;
    io->len = HR_RECORDER_BUFFER_LEN;
    io->offset = draft->read_at;
    hr_draft_step(draft, HR_IO_READ, read_piece);
}

static void opened_data(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status == HR_NOT_FOUND && draft->options.look) {
        start_fresh(draft);
        return;
    }
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "making a temporary file beside", io);
        return;
    }
    draft->file = io->file_out;
    draft->data_inode = io->info.inode;
    if (io->info.size < draft->options.size)
        start_fresh(draft); /* it was never reserved, or was cut: its journal is another's */
    else
        read_journal(draft);
}

/* Who may read it is said when it gets its name; until then nobody else may. */
static void make_private(hr_draft *draft)
{
    if (draft->options.look)
        return;
    draft->io.flags |= HR_IO_WRITABLE | HR_IO_CREATE | HR_IO_MODE;
    draft->io.info.mode = 0600;
}

static void open_data(hr_draft *draft)
{
    hr_io *io = hr_draft_io(draft);
    io->path = draft->data_path;
    io->flags = HR_IO_READABLE | HR_IO_DIRECT | HR_IO_NO_SYMLINKS;
    make_private(draft);
    hr_draft_step(draft, HR_IO_OPEN, opened_data);
}

static void closed_stale(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    draft->journal_file = NULL;
    if (++draft->lock_tries < LOCK_TRIES)
        open_journal(draft);
    else
        hr_draft_fail(draft, HR_BUSY, "%s is being written by others over and over", draft->shown);
}

/* Whoever held the lock before may have published and removed the journal that was opened here. */
static void looked_up_journal(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status == HR_OK && io->info.inode == draft->journal_inode) {
        draft->owned = true;
        open_data(draft);
        return;
    }
    if (io->status != HR_OK && io->status != HR_NOT_FOUND) {
        hr_draft_fail_io(draft, "looking for the journal of", io);
        return;
    }
    io = hr_draft_io(draft);
    io->file = draft->journal_file;
    hr_draft_step(draft, HR_IO_CLOSE, closed_stale);
}

static void locked(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status == HR_BUSY) {
        hr_draft_fail(draft, HR_BUSY,
                      "%s is being written by another headrace: wait for it, or stop it",
                      draft->shown);
        return;
    }
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "locking", io);
        return;
    }
    io = hr_draft_io(draft);
    io->path = draft->journal_path;
    hr_draft_step(draft, HR_IO_LOOKUP, looked_up_journal);
}

static void opened_journal(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status == HR_NOT_FOUND && draft->options.look) {
        start_fresh(draft);
        return;
    }
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "making a journal beside", io);
        return;
    }
    draft->journal_file = io->file_out;
    draft->journal_inode = io->info.inode;
    draft->found = io->info.size >= HR_JOURNAL_HEADER_LEN;
    if (draft->options.look) {
        open_data(draft);
        return;
    }
    io = hr_draft_io(draft);
    io->file = draft->journal_file;
    hr_draft_step(draft, HR_IO_LOCK, locked);
}

static void open_journal(hr_draft *draft)
{
    hr_io *io = hr_draft_io(draft);
    io->path = draft->journal_path;
    io->flags = HR_IO_READABLE | HR_IO_NO_SYMLINKS;
    make_private(draft);
    hr_draft_step(draft, HR_IO_OPEN, opened_journal);
}

static void synced_same(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK)
        hr_draft_fail_io(draft, "syncing the directory of", io);
    else
        draft->events->same(draft->context);
}

/* The run that gave it its name may have ended before the directory was synced. */
static void sync_same(hr_draft *draft)
{
    hr_io *io = hr_draft_io(draft);
    io->path = draft->parent;
    hr_draft_step(draft, HR_IO_SYNC_DIR, synced_same);
}

static void stamped_same(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "setting permissions and time of", io);
        return;
    }
    draft->owner_lost = io->owner_lost;
    sync_same(draft);
}

/* Its content is there; who may read it may have changed since. */
static void keep_same(hr_draft *draft, const hr_file_info *info)
{
    const hr_draft_options *options = &draft->options;
    bool other_owner = options->owner && (info->uid != options->uid || info->gid != options->gid);
    if (options->look) {
        draft->events->same(draft->context);
        return;
    }
    if (info->mode == options->mode && !other_owner) {
        sync_same(draft);
        return;
    }
    hr_io *io = hr_draft_io(draft);
    io->path = draft->name;
    io->flags = HR_IO_NO_SYMLINKS;
    hr_draft_set_stamp(draft, io);
    hr_draft_step(draft, HR_IO_STAMP, stamped_same);
}

/* ---- a journal without data: its run ended between giving the name and removing it ---- */

static void settle_there(hr_draft *draft)
{
    if (draft->taken)
        hr_draft_fail(draft, HR_EXISTS, "%s exists already; --overwrite replaces it", draft->shown);
    else
        keep_same(draft, &draft->there);
}

static void looked_up_left_data(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    draft->owned = io->status == HR_NOT_FOUND; /* closing removes it */
    settle_there(draft);
}

static void looked_up_left(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK || io->info.inode != draft->journal_inode) {
        settle_there(draft);
        return;
    }
    io = hr_draft_io(draft);
    io->path = draft->data_path;
    io->flags = HR_IO_NO_SYMLINKS;
    hr_draft_step(draft, HR_IO_LOOKUP, looked_up_left_data);
}

static void locked_left(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK) {
        settle_there(draft);
        return;
    }
    io = hr_draft_io(draft);
    io->path = draft->journal_path;
    hr_draft_step(draft, HR_IO_LOOKUP, looked_up_left);
}

static void opened_left(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK) {
        settle_there(draft);
        return;
    }
    draft->journal_file = io->file_out;
    draft->journal_inode = io->info.inode;
    io = hr_draft_io(draft);
    io->file = draft->journal_file;
    hr_draft_step(draft, HR_IO_LOCK, locked_left);
}

/* What has the name stays. taken: it is not what the source is. */
static void leave_there(hr_draft *draft, const hr_file_info *there, bool taken)
{
    draft->there = *there;
    draft->taken = taken;
    if (draft->options.look) {
        settle_there(draft);
        return;
    }
    hr_io *io = hr_draft_io(draft);
    io->path = draft->journal_path;
    io->flags = HR_IO_READABLE | HR_IO_NO_SYMLINKS;
    hr_draft_step(draft, HR_IO_OPEN, opened_left);
}

static void looked_up_name(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    const hr_file_info looked = io->info;
    if (io->status == HR_OK && io->info.type == HR_FILE_DIRECTORY)
        hr_draft_fail(draft, HR_IS_DIRECTORY,
                      "%s is a directory; a file is to get this name: remove it first",
                      draft->shown);
    else if (io->status == HR_OK && io->info.type == HR_FILE_SPECIAL)
        hr_draft_fail(draft, HR_EXISTS,
                      "%s is a device, a fifo or a socket, and stays; to measure without a disk "
                      "bring it to host:",
                      draft->shown);
    else if (io->status == HR_OK && draft->options.keep_same && io->info.type == HR_FILE_REGULAR &&
             io->info.size == draft->options.size &&
             hr_is_time_of(io->info.mtime_ns, draft->options.mtime_ns))
        leave_there(draft, &looked, false);
    else if (io->status == HR_OK && draft->options.fresh)
        hr_draft_fail(draft, HR_EXISTS, "%s" HR_DRAFT_CAME, draft->shown);
    else if (io->status == HR_OK && !draft->options.overwrite)
        leave_there(draft, &looked, true);
    else if (io->status != HR_OK && io->status != HR_NOT_FOUND)
        hr_draft_fail_io(draft, "looking for", io);
    else
        open_journal(draft);
}

void hr_draft_look_up(hr_draft *draft)
{
    hr_io *io = hr_draft_io(draft);
    io->path = draft->name;
    hr_draft_step(draft, HR_IO_LOOKUP, looked_up_name);
}
