/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include "packing.h"

/* A sample is pieces from all over the file: a model begins with a header, a log with its start. */
#define SAMPLE_PIECES    8u
#define SAMPLE_PIECE_LEN (HR_INDEX_CHUNK_MAX / SAMPLE_PIECES)

/* What is no longer than a sample is its only piece. */
static bool is_whole(const hr_packing *packing)
{
    return packing->tail.content_len <= HR_INDEX_CHUNK_MAX;
}

static size_t piece_len(const hr_packing *packing)
{
    return is_whole(packing) ? (size_t)packing->tail.content_len : SAMPLE_PIECE_LEN;
}

static uint64_t piece_offset(const hr_packing *packing, unsigned piece)
{
    return hr_round_down(packing->tail.content_len / SAMPLE_PIECES, HR_DIRECT_ALIGN) * piece;
}

static hr_status try_piece(hr_packing *packing, hr_seat *seat, unsigned piece)
{
    size_t len = piece_len(packing);
    hr_span content = hr_span_host((uint8_t *)seat->content.addr + piece * len, len);
    hr_packed_recipe recipe = {
        .level = packing->options.level,
        .element = hr_elements_at(&packing->elements, piece_offset(packing, piece), len),
    };
    for (unsigned i = HR_CONTAINER_LZ4; i < HR_CHOICE_CONTAINERS; i++) {
        recipe.container = (hr_container)i;
        hr_status status =
            hr_packed_encode(&recipe, &content, &seat->stored, &seat->scratch, &seat->row);
        if (status != HR_OK)
            return status;
        packing->choice.stored_len[i] += seat->row.stored_len;
    }
    packing->choice.sample_len += len;
    return HR_OK;
}

/* On a thread of the crew. */
static void try_sample(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_packing *packing = seat->owner;
    seat->status = HR_OK;
    for (unsigned piece = 0; piece < packing->sampled && seat->status == HR_OK; piece++)
        seat->status = try_piece(packing, seat, piece);
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
    hr_packing_say_elements(packing);
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
    } else if (io->bytes < piece_len(packing)) {
        hr_packing_fail_changed(packing);
    } else {
        packing->sampled++;
        hr_packing_sample(packing);
    }
}

void hr_packing_sample(hr_packing *packing)
{
    hr_seat *seat = hr_crew_seat(&packing->crew, 0);
    if (packing->sampled == (is_whole(packing) ? 1 : SAMPLE_PIECES)) {
        packing->under_way++;
        hr_crew_work(&packing->crew, seat, try_sample, tried_sample);
        return;
    }
    size_t len = piece_len(packing);
    hr_packing_read(packing, seat, packing->sampled * len, piece_offset(packing, packing->sampled),
                    len, read_piece);
}
