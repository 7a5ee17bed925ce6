/* SPDX-License-Identifier: Apache-2.0 */
/* hr_packing: of a file that lz4 or zstd made only an index is made, of its chunks as they are.
 * Where a chunk ends is seen when it was read, so one after the other is; threads decode them
 * meanwhile, for the digests of their content. What cannot be indexed so gets the index of a plain
 * file. */
#include <string.h>

#include "bytes.h"
#include "chunk.h"
#include "codec.h"
#include "crc32c.h"
#include "packing.h"

static void refuse(hr_packing *packing, const char *why)
{
    packing->refusal = why;
}

/* Begins again: only digests of its bytes. */
static void pack_as_plain(hr_packing *packing)
{
    snprintf(packing->choice_text, sizeof packing->choice_text,
             "none: it is served as a plain file, since %s", packing->refusal);
    packing->refusal = NULL;
    packing->container = packing->tail.container = HR_CONTAINER_BESIDE;
    packing->next_read = packing->written = 0;
    packing->place_at = 0;
    packing->progress.codec = hr_container_name(packing->container);
    packing->progress.bytes_done = packing->progress.chunks_done = 0;
    (void)hr_crew_does(&packing->crew, 0, packing->tail.chunk_count); /* all seats are free */
    hr_packing_pump(packing);
}

/* ---- the end ---- */

static void finish(hr_packing *packing)
{
    hr_index_tail *tail = &packing->tail;
    if (packing->short_chunk + 1 < packing->next_read) {
        refuse(packing, "its blocks are of different lengths");
        return;
    }
    tail->chunk_len = packing->foreign.chunk_len;
    tail->chunk_count = packing->next_read;
    tail->content_len = packing->foreign_content_len;
    tail->file_len = packing->info.size;
    packing->pages_len = ((size_t)hr_index_pages(tail->chunk_count) + 1) * HR_INDEX_PAGE_LEN;
    packing->progress.bytes = packing->progress.bytes_done = tail->content_len;
    packing->progress.chunks = packing->progress.chunks_done = tail->chunk_count;
    packing->progress.stored_bytes = packing->info.size;
    hr_packing_write_index(packing);
}

static void scan(hr_packing *packing);

/* After every step of it. */
static void go_on(hr_packing *packing)
{
    if (packing->refusal == NULL && packing->foreign.over && packing->under_way == 0)
        finish(packing);
    if (packing->refusal == NULL)
        scan(packing);
    else if (packing->under_way == 0 && !hr_packing_has_failed(packing))
        pack_as_plain(packing);
}

/* ---- chunks ---- */

/* On a thread of the crew. */
static void digest_chunk(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_index_row *row = &seat->row;
    uint8_t *stored = (uint8_t *)seat->stored.addr + (row->stored_offset - seat->io.offset);
    hr_codec_job decode = {
        .source = hr_span_host(stored, row->stored_len),
        .target = seat->content,
        .scratch = seat->scratch,
    };
    seat->status = hr_codec_find(row->codec)->decode(&decode);
    if (seat->status != HR_OK)
        return;
    row->content_len = (uint32_t)decode.len_out;
    row->content_crc = hr_crc32c(0, seat->content.addr, row->content_len);
    row->stored_crc = hr_crc32c(0, stored, row->stored_len);
}

/* How many chunks there will be is known in the end. */
static bool make_room(hr_packing *packing, uint32_t chunk)
{
    hr_memory *memory = packing->engine->platform->memory;
    size_t len = ((size_t)chunk / HR_INDEX_PAGE_ROWS + 2) * HR_INDEX_PAGE_LEN;
    hr_span pages;
    hr_page_kind kind;
    if (len <= packing->pages.len)
        return true;
    if (memory->ops->alloc(memory, 2 * len, &pages, &kind) != HR_OK)
        return false;
    memcpy(pages.addr, packing->pages.addr, packing->pages.len);
    memory->ops->release(memory, &packing->pages);
    packing->pages = pages;
    return true;
}

static void digested_chunk(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_packing *packing = seat->owner;
    if (!hr_packing_landed(packing))
        return;
    if (seat->status != HR_OK || !make_room(packing, seat->chunk)) {
        hr_status status = seat->status != HR_OK ? seat->status : HR_NO_MEMORY;
        hr_packing_fail(packing, status, "indexing chunk %u of %s: %s", seat->chunk, packing->shown,
                        hr_status_text(status));
        return;
    }
    hr_index_row_pack(&seat->row, seat->chunk,
                      hr_packing_page(packing, seat->chunk / HR_INDEX_PAGE_ROWS));
    if (seat->row.content_len != packing->foreign.chunk_len && seat->chunk < packing->short_chunk)
        packing->short_chunk = seat->chunk;
    packing->foreign_content_len += seat->row.content_len;
    packing->progress.chunks_done++;
    seat->state = HR_SEAT_FREE;
    go_on(packing);
}

/* ---- scanning ---- */

static void start_chunk(hr_packing *packing, hr_seat *seat, const hr_foreign_chunk *chunk)
{
    bool lz4 = packing->container == HR_CONTAINER_LZ4_BESIDE;
    seat->chunk = packing->next_read++;
    seat->row = (hr_index_row){
        .stored_offset = packing->place_at + chunk->skip,
        .stored_len = chunk->len,
        .codec = lz4 ? HR_CODEC_LZ4 : HR_CODEC_ZSTD,
        .block_log2 = (uint8_t)(31 - __builtin_clz(packing->foreign.block_len)),
    };
    packing->place_at += (uint64_t)chunk->skip + chunk->len;
    packing->progress.bytes_done = packing->place_at;
    packing->under_way++;
    hr_crew_work(&packing->crew, seat, digest_chunk, digested_chunk);
}

static void got_window(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_packing *packing = seat->owner;
    hr_foreign_chunk chunk;
    packing->scanning = false;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK) {
        hr_packing_fail_io(packing, "reading", packing->shown, io);
        return;
    }
    size_t skip = (size_t)(packing->place_at - io->offset);
    seat->state = HR_SEAT_FREE;
    if (io->bytes < skip) {
        hr_packing_fail_changed(packing);
        return;
    }
    size_t len = (size_t)hr_min_u64(io->bytes - skip, HR_FOREIGN_WINDOW);
    bool ends = packing->place_at + len >= packing->info.size;
    hr_status status =
        hr_foreign_next(&packing->foreign, (uint8_t *)seat->stored.addr + skip, len, ends, &chunk);
    if (status == HR_OK && packing->next_read == HR_CHUNKS_MAX)
        refuse(packing, "it is longer than an index can be");
    else if (status == HR_OK && chunk.len > 0)
        start_chunk(packing, seat, &chunk);
    else if (status == HR_OK && !packing->foreign.over)
        refuse(packing, "it is cut");
    else if (status != HR_OK)
        refuse(packing, packing->foreign.why);
    go_on(packing);
}

static void scan(hr_packing *packing)
{
    hr_seat *seat = hr_crew_seat(&packing->crew, packing->next_read);
    if (packing->scanning || packing->foreign.over || seat->state != HR_SEAT_FREE)
        return;
    packing->scanning = true;
    seat->state = HR_SEAT_READING;
    uint64_t offset = hr_round_down(packing->place_at, HR_DIRECT_ALIGN);
    seat->io = (hr_io){
        .kind = HR_IO_READ,
        .file = packing->source,
        .data = seat->stored.addr,
        .len = HR_INDEX_STORED_MAX,
        .offset = offset,
        .done = got_window,
        .context = seat,
    };
    hr_packing_submit(packing, &seat->io);
}

void hr_packing_foreign_pump(hr_packing *packing)
{
    packing->short_chunk = HR_CHUNKS_MAX;
    scan(packing);
}

/* ---- what is it? ---- */

static void describe(hr_packing *packing)
{
    const hr_foreign *foreign = &packing->foreign;
    bool lz4 = foreign->container == HR_CONTAINER_LZ4_BESIDE;
    bool slow = lz4 && foreign->block_len > (64u << 10);
    snprintf(packing->choice_text, sizeof packing->choice_text,
             "%s: it is compressed already and indexed as it is, in %s of %u KiB%s",
             hr_container_name(foreign->container), lz4 ? "blocks" : "frames",
             foreign->block_len >> 10,
             slow ? ", which a GPU decodes slowly; lz4 -B4 makes better ones" : "");
}

static void got_head(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_packing *packing = seat->owner;
    uint32_t at = 0;
    seat->state = HR_SEAT_FREE;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK) {
        hr_packing_fail_io(packing, "reading", packing->shown, io);
        return;
    }
    hr_status status = hr_foreign_begin(&packing->foreign, seat->stored.addr, io->bytes, &at);
    if (status == HR_OK) {
        packing->container = packing->foreign.container;
        packing->place_at = at;
        describe(packing);
    } else if (status == HR_UNSUPPORTED) {
        snprintf(packing->choice_text, sizeof packing->choice_text,
                 "none: it is served as a plain file, since %s", packing->foreign.why);
    }
    hr_packing_open_outlet(packing);
}

void hr_packing_look(hr_packing *packing)
{
    hr_seat *seat = hr_crew_seat(&packing->crew, 0);
    seat->state = HR_SEAT_READING;
    seat->io = (hr_io){
        .kind = HR_IO_READ,
        .file = packing->source,
        .data = seat->stored.addr,
        .len = (size_t)1 << 20,
        .done = got_head,
        .context = seat,
    };
    hr_packing_submit(packing, &seat->io);
}
