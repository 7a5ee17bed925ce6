/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include <assert.h>

#define RECORDS_MAX (HR_RECORDER_BUFFER_LEN / HR_JOURNAL_RECORD_LEN)

static void record_more(hr_recorder *recorder);

static void recorded(hr_io *io)
{
    hr_recorder *recorder = io->context;
    recorder->busy = false;
    if (io->status != HR_OK && io->kind == HR_IO_SYNC)
        recorder->poisoned = true;
    if (io->status != HR_OK && !recorder->ending)
        recorder->events->failed(
            recorder->context, io->kind == HR_IO_SYNC ? "flushing" : "writing the journal of", io);
    else
        record_more(recorder);
}

static void submit(hr_recorder *recorder, hr_io io, void (*done)(hr_io *io))
{
    recorder->busy = true;
    recorder->io = io;
    recorder->io.buffer = -1;
    recorder->io.done = done;
    recorder->io.context = recorder;
    hr_storage_submit(recorder->storage, &recorder->io);
}

/* at: where the journal ended before they were packed into the buffer. */
static void write_records(hr_recorder *recorder, uint64_t at, size_t count, void (*done)(hr_io *io))
{
    submit(recorder,
           (hr_io){
               .kind = HR_IO_WRITE,
               .file = recorder->journal_file,
               .data = recorder->buffer,
               .len = count * HR_JOURNAL_RECORD_LEN,
               .offset = at,
           },
           done);
}

static void sync_file(hr_recorder *recorder, hr_file *file, void (*done)(hr_io *io))
{
    submit(recorder, (hr_io){.kind = HR_IO_SYNC, .file = file}, done);
}

static void wrote_flushed(hr_io *io)
{
    hr_recorder *recorder = io->context;
    if (io->status != HR_OK)
        recorded(io);
    else
        sync_file(recorder, recorder->journal_file, recorded);
}

/* Records that came meanwhile have waited: FLUSHED vouches for what was packed before the sync
 * began, and for nothing else. */
static void synced_data(hr_io *io)
{
    hr_recorder *recorder = io->context;
    if (io->status != HR_OK) {
        recorded(io);
        return;
    }
    uint64_t at = hr_journal_offset(&recorder->journal);
    hr_journal_flushed(&recorder->journal, recorder->buffer);
    write_records(recorder, at, 1, wrote_flushed);
}

static void flush_if_due(hr_recorder *recorder)
{
    bool due = recorder->unflushed_len >= recorder->flush_len || recorder->flush_wanted;
    recorder->flush_wanted = false;
    if (!due || recorder->poisoned || recorder->unflushed_len == 0) {
        recorder->events->idle(recorder->context);
        return;
    }
    recorder->unflushed_len = 0;
    sync_file(recorder, recorder->data_file, synced_data);
}

static void record_more(hr_recorder *recorder)
{
    if (recorder->busy)
        return;
    if (recorder->count == 0) {
        flush_if_due(recorder);
        return;
    }
    size_t count = recorder->count < RECORDS_MAX ? recorder->count : RECORDS_MAX;
    uint64_t at = hr_journal_offset(&recorder->journal);
    for (size_t i = 0; i < count; i++) {
        const hr_recorder_note *note = &recorder->notes[(recorder->first + i) % HR_RECORDER_MAX];
        hr_journal_verified(&recorder->journal, note->chunk, note->len, note->crc,
                            recorder->buffer + i * HR_JOURNAL_RECORD_LEN);
        recorder->unflushed_len += note->len;
    }
    recorder->first = (recorder->first + count) % HR_RECORDER_MAX;
    recorder->count -= count;
    write_records(recorder, at, count, recorded);
}

/* ---- the interface ---- */

void hr_recorder_init(hr_recorder *recorder, hr_storage *storage, uint64_t flush_len,
                      uint8_t *buffer, hr_recorder_note *notes, const hr_recorder_events *events,
                      void *context)
{
    *recorder = (hr_recorder){
        .storage = storage,
        .events = events,
        .context = context,
        .flush_len = flush_len,
        .buffer = buffer,
        .notes = notes,
    };
}

void hr_recorder_start(hr_recorder *recorder, hr_file *journal_file, hr_file *data_file,
                       const hr_journal *journal)
{
    recorder->journal_file = journal_file;
    recorder->data_file = data_file;
    recorder->journal = *journal;
}

void hr_recorder_add(hr_recorder *recorder, uint32_t chunk, uint32_t len, uint32_t crc)
{
    assert(recorder->count < HR_RECORDER_MAX);
    size_t at = (recorder->first + recorder->count++) % HR_RECORDER_MAX;
    recorder->notes[at] = (hr_recorder_note){.chunk = chunk, .len = len, .crc = crc};
    record_more(recorder);
}

void hr_recorder_end(hr_recorder *recorder, bool forget)
{
    recorder->ending = true;
    if (forget) {
        recorder->count = 0; /* nobody will read them */
        recorder->unflushed_len = 0;
    }
    recorder->flush_wanted = !forget;
    record_more(recorder);
}
