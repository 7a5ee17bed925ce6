/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include "packing.h"

/* A sample is pieces from all over the file: a model begins with a header, a log with its start. */
#define SAMPLE_PIECES    8u
#define SAMPLE_PIECE_LEN (HR_INDEX_CHUNK_MAX / SAMPLE_PIECES)

/* On a thread of the crew. */
static void try_sample(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_packing *packing = seat->owner;
    hr_span content = hr_span_host(seat->content.addr, packing->choice.sample_len);
    for (unsigned i = HR_CONTAINER_LZ4; i < HR_CHOICE_CONTAINERS; i++) {
        seat->status = hr_packed_encode((hr_container)i, packing->options.level, &content,
                                        &seat->stored, &seat->scratch, &seat->row);
        if (seat->status != HR_OK)
            return;
        packing->choice.stored_len[i] = seat->row.stored_len;
    }
}

static void tried_sample(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_packing *packing = seat->owner;
    if (!hr_packing_landed(packing))
        return;
    if (seat->status != HR_OK) {
        hr_packing_fail(packing, seat->status, "trying codecs on a sample of %s: %s",
                        packing->shown, hr_status_text(seat->status));
        return;
    }
    seat->state = HR_SEAT_FREE;
    packing->container = hr_choice_make(&packing->choice);
    hr_choice_describe(&packing->choice, packing->choice_text, sizeof packing->choice_text);
    hr_packing_open_outlet(packing);
}

static void read_piece(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_packing *packing = seat->owner;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK) {
        hr_packing_fail_io(packing, "reading", packing->shown, io);
        return;
    }
    if (io->bytes == 0) {
        hr_packing_fail_changed(packing);
        return;
    }
    packing->choice.sample_len += io->bytes;
    packing->sampled++;
    hr_packing_sample(packing);
}

void hr_packing_sample(hr_packing *packing)
{
    hr_seat *seat = hr_crew_seat(&packing->crew, 0);
    uint64_t size = packing->tail.content_len;
    bool whole = size <= HR_INDEX_CHUNK_MAX;
    if (packing->sampled == (whole ? 1 : SAMPLE_PIECES)) {
        packing->under_way++;
        hr_crew_work(&packing->crew, seat, try_sample, tried_sample);
    } else if (whole) {
        hr_packing_read(packing, seat, 0, 0, (size_t)size, read_piece);
    } else {
        uint64_t offset = hr_round_down(size / SAMPLE_PIECES, HR_DIRECT_ALIGN) * packing->sampled;
        hr_packing_read(packing, seat, packing->choice.sample_len, offset, SAMPLE_PIECE_LEN,
                        read_piece);
    }
}
