/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include "packing.h"

uint8_t *hr_packing_page(const hr_packing *packing, uint32_t number)
{
    return (uint8_t *)packing->pages.addr + (size_t)number * HR_INDEX_PAGE_LEN;
}

static void fail_chunk(hr_packing *packing, const hr_seat *seat, const char *what,
                       const char *shown, const hr_io *io)
{
    char text[100];
    snprintf(text, sizeof text, "%s chunk %u of", what, seat->chunk);
    hr_packing_fail_io(packing, text, shown, io);
}

static void settle_chunk(hr_packing *packing, hr_seat *seat)
{
    seat->state = HR_SEAT_FREE;
    packing->written++;
    packing->progress.bytes_done += seat->row.content_len;
    packing->progress.chunks_done++;
    hr_packing_pump(packing);
}

static void wrote_chunk(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_packing *packing = seat->owner;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK)
        fail_chunk(packing, seat, "writing", packing->outlet.shown, io);
    else
        settle_chunk(packing, seat);
}

/* Chunks are placed in order; this one's turn has come. */
static void place_chunk(hr_packing *packing, hr_seat *seat)
{
    bool beside = packing->container == HR_CONTAINER_BESIDE;
    seat->row.stored_offset =
        beside ? (uint64_t)seat->chunk * HR_INDEX_CHUNK_MAX : packing->place_at;
    hr_index_row_pack(&seat->row, seat->chunk,
                      hr_packing_page(packing, seat->chunk / HR_INDEX_PAGE_ROWS));
    packing->progress.chunks_stored += seat->row.stored_len >= seat->row.content_len;
    packing->progress.stored_bytes += seat->stored_len;
    if (beside) {
        settle_chunk(packing, seat);
        return;
    }
    seat->state = HR_SEAT_WRITING;
    seat->io = (hr_io){
        .kind = HR_IO_WRITE,
        .file = packing->outlet.file,
        .data = seat->stored.addr,
        .len = seat->stored_len,
        .offset = packing->place_at,
        .done = wrote_chunk,
        .context = seat,
    };
    packing->place_at += seat->stored_len;
    hr_packing_submit(packing, &seat->io);
}

static uint32_t content_len_of(const hr_packing *packing, uint32_t chunk)
{
    uint64_t left = packing->tail.content_len - (uint64_t)chunk * HR_INDEX_CHUNK_MAX;
    return (uint32_t)hr_min_u64(left, HR_INDEX_CHUNK_MAX);
}

/* On a thread of the crew. */
static void make_chunk(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    const hr_packing *packing = seat->owner;
    hr_span content = hr_span_host(seat->content.addr, content_len_of(packing, seat->chunk));
    seat->status = HR_CANCELED;
    if (__atomic_load_n(&packing->stopped, __ATOMIC_RELAXED))
        return;
    const hr_packed_recipe recipe = {
        .container = packing->container,
        .level = packing->options.level,
        .element = hr_elements_at(&packing->elements, (uint64_t)seat->chunk * HR_INDEX_CHUNK_MAX,
                                  content.len),
    };
    seat->status = hr_packed_encode(&recipe, &content, &seat->stored, &seat->scratch, &seat->row);
    seat->stored_len = seat->row.stored_len;
    if (packing->container != HR_CONTAINER_BESIDE)
        seat->stored_len += hr_index_gap_len(seat->row.stored_len);
}

static void made_chunk(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_packing *packing = seat->owner;
    if (!hr_packing_landed(packing))
        return;
    if (seat->status != HR_OK) {
        hr_packing_fail(packing, seat->status, "packing chunk %u of %s: %s", seat->chunk,
                        packing->shown, hr_status_text(seat->status));
        return;
    }
    seat->state = HR_SEAT_READY;
    hr_packing_pump(packing);
}

static void read_chunk(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_packing *packing = seat->owner;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK) {
        fail_chunk(packing, seat, "reading", packing->shown, io);
        return;
    }
    if (io->bytes < content_len_of(packing, seat->chunk)) {
        hr_packing_fail_changed(packing);
        return;
    }
    packing->under_way++;
    hr_crew_work(&packing->crew, seat, make_chunk, made_chunk);
}

/* O_DIRECT wants whole pages; at the end of the file fewer bytes come back. */
void hr_packing_read(hr_packing *packing, hr_seat *seat, size_t at, uint64_t offset, size_t len,
                     void (*done)(hr_io *io))
{
    seat->state = HR_SEAT_READING;
    seat->io = (hr_io){
        .kind = HR_IO_READ,
        .file = packing->source,
        .data = (uint8_t *)seat->content.addr + at,
        .len = (size_t)hr_round_up(len, HR_DIRECT_ALIGN),
        .offset = offset,
        .done = done,
        .context = seat,
    };
    hr_packing_submit(packing, &seat->io);
}

static void start_chunk(hr_packing *packing, hr_seat *seat)
{
    seat->chunk = packing->next_read++;
    hr_packing_read(packing, seat, 0, (uint64_t)seat->chunk * HR_INDEX_CHUNK_MAX,
                    content_len_of(packing, seat->chunk), read_chunk);
}

void hr_packing_pump(hr_packing *packing)
{
    uint32_t count = packing->tail.chunk_count;
    if (hr_container_is_foreign(packing->container)) {
        hr_packing_foreign_pump(packing);
        return;
    }
    while (!hr_packing_has_failed(packing) && packing->next_place < packing->next_read) {
        hr_seat *seat = hr_crew_seat(&packing->crew, packing->next_place);
        if (seat->state != HR_SEAT_READY)
            break;
        packing->next_place++;
        place_chunk(packing, seat);
        if (packing->container == HR_CONTAINER_BESIDE)
            return; /* placing it has pumped */
    }
    while (packing->next_read < count &&
           hr_crew_seat(&packing->crew, packing->next_read)->state == HR_SEAT_FREE)
        start_chunk(packing, hr_crew_seat(&packing->crew, packing->next_read));
    if (packing->written == count)
        hr_packing_write_index(packing);
}
