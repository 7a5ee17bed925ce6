/* SPDX-License-Identifier: Apache-2.0 */
/* An LZ4 block by a group of lanes, under the rules of liblz4's safe decoder; an offset of zero is
 * refused too, as the format says and liblz4 does not always.
 *
 * A window of the stored bytes is taken; every byte of it is read as if it were a token, so that a
 * chase through the table of steps finds the sequences (literals, then a match) that really begin
 * there. Up to 32 of them are executed at once, a lane each: literals first, then the matches whose
 * source is written already, in rounds. A lane copies byte by byte and in order, so a match that
 * overlaps itself needs nothing special. A sequence with a long length goes the other way: all
 * lanes copy it together.
 *
 * The stored bytes may change while they are read. No value is read again after it was checked;
 * every turn takes at least one byte, so that it ends. */
#ifndef HR_LZ4_LANES_H
#define HR_LZ4_LANES_H

#include "lane.h"

#define HR_LZ4_WINDOW 128u /* bytes at which a sequence may begin */
#define HR_LZ4_STAGED (HR_LZ4_WINDOW + 32u)
#define HR_LZ4_WIDE   64u /* bytes from which 16 at once are worth their set-up */

/* The ends of a block, as the format has them. */
#define HR_LZ4_END_LITERALS 5u
#define HR_LZ4_END_MATCH    12u
#define HR_LZ4_END_STORED   8u

/* Shared by the lanes. */
typedef struct hr_lz4_window {
    uint8_t bytes[HR_LZ4_STAGED];
    uint8_t steps[HR_LZ4_WINDOW]; /* to the next token; 0: not a short sequence */
    uint8_t starts[HR_LANES];     /* of the sequences that were found */
} hr_lz4_window;

typedef struct hr_lz4_state {
    const uint8_t *stored;
    uint8_t *content;
    uint32_t stored_len, content_len;
    uint32_t in, out; /* taken, written */
} hr_lz4_state;

/* What a lane executes. */
typedef struct hr_lz4_sequence {
    uint32_t literals_at, literals; /* in the window */
    uint32_t out, offset, match;    /* out: of the match */
} hr_lz4_sequence;

/* Returns how many bytes of the window there are. */
HR_LANE_FN uint32_t hr_lz4_stage(hr_lanes *lanes, const hr_lz4_state *state, hr_lz4_window *window)
{
    uint32_t left = state->stored_len - state->in;
    uint32_t staged = left < HR_LZ4_STAGED ? left : HR_LZ4_STAGED;
    HR_FOR_LANES(lanes, lane)
    for (uint32_t at = lane; at < staged; at += HR_LANES)
        window->bytes[at] = state->stored[state->in + at];
    HR_FOR_LANES(lanes, lane)
    for (uint32_t at = lane; at < HR_LZ4_WINDOW; at += HR_LANES) {
        uint32_t token = at < staged ? window->bytes[at] : 0xFF;
        uint32_t step = 3 + (token >> 4);
        bool is_short = token >> 4 != 15 && (token & 15) != 15 && at + step <= staged;
        window->steps[at] = (uint8_t)(is_short ? step : 0);
    }
    return staged;
}

/* The starts of up to 32 short sequences in a row. Returns how many; their end in *next. */
HR_LANE_FN uint32_t hr_lz4_chase(hr_lanes *lanes, hr_lz4_window *window, uint32_t *next)
{
    uint32_t count = 0, at = 0;
    while (count < HR_LANES && at < HR_LZ4_WINDOW && window->steps[at] != 0) {
        /* Every lane writes the same. */
        window->starts[count++] = (uint8_t)at;
        at += window->steps[at];
    }
    HR_FOR_LANES(lanes, lane)
    (void)lane;
    *next = at;
    return count;
}

/* Takes sequences apart and finds where each writes. False: one of them is not right. */
HR_LANE_FN bool hr_lz4_split(hr_lanes *lanes, const hr_lz4_state *state,
                             const hr_lz4_window *window, uint32_t count,
                             hr_lz4_sequence sequences[HR_HELD], uint32_t ends[HR_HELD])
{
    uint32_t wrong[HR_HELD];
    HR_FOR_LANES(lanes, lane)
    {
        hr_lz4_sequence *it = &sequences[HR_AT(lane)];
        uint32_t at = lane < count ? window->starts[lane] : 0, token = window->bytes[at];
        it->literals_at = at + 1;
        it->literals = lane < count ? token >> 4 : 0;
        it->match = lane < count ? (token & 15) + 4 : 0;
        at += 1 + it->literals;
        it->offset = window->bytes[at] | (uint32_t)window->bytes[at + 1] << 8;
        ends[HR_AT(lane)] = it->literals + it->match;
    }
    hr_lanes_scan(lanes, ends);
    HR_FOR_LANES(lanes, lane)
    {
        hr_lz4_sequence *it = &sequences[HR_AT(lane)];
        ends[HR_AT(lane)] += state->out;
        it->out = ends[HR_AT(lane)] - it->match;
        wrong[HR_AT(lane)] =
            lane < count &&
            (it->offset == 0 || it->offset > it->out ||
             it->out + HR_LZ4_END_MATCH > state->content_len ||
             ends[HR_AT(lane)] + HR_LZ4_END_LITERALS > state->content_len ||
             state->in + it->literals_at + it->literals + HR_LZ4_END_STORED > state->stored_len);
    }
    return hr_lanes_ballot(wrong) == 0;
}

/* One lane copies a short match. Four bytes are loaded before the first of them is stored, where
 * that cannot matter: a store would else hold back the next load for hundreds of cycles. */
HR_LANE_FN void hr_lz4_copy_short(uint8_t *to, uint32_t offset, uint32_t len)
{
    const uint8_t *from = to - offset;
    uint32_t i = 0;
    for (; offset >= 4 && i + 4 <= len; i += 4) {
        const uint8_t bytes[4] = {from[i], from[i + 1], from[i + 2], from[i + 3]};
        HR_UNROLL
        for (uint32_t k = 0; k < 4; k++)
            to[i + k] = bytes[k];
    }
    for (; i < len; i++)
        to[i] = from[i];
}

/* Rounds: what lies below the first match that is not done is written. That match itself can be
 * done in every round, so there are at most 32. */
HR_LANE_FN void hr_lz4_execute_matches(hr_lanes *lanes, const hr_lz4_state *state, uint32_t count,
                                       const hr_lz4_sequence sequences[HR_HELD])
{
    uint32_t outs[HR_HELD], waits[HR_HELD], left;
    HR_FOR_LANES(lanes, lane)
    {
        outs[HR_AT(lane)] = sequences[HR_AT(lane)].out;
        waits[HR_AT(lane)] = lane < count;
    }
    while ((left = hr_lanes_ballot(waits)) != 0) {
        uint32_t written = hr_lanes_get(outs, hr_lowest_bit(left));
        HR_FOR_LANES(lanes, lane)
        {
            const hr_lz4_sequence *it = &sequences[HR_AT(lane)];
            uint32_t from = it->out - it->offset;
            uint32_t needed = it->offset < it->match ? it->out : from + it->match;
            if (waits[HR_AT(lane)] && needed <= written) {
                hr_lz4_copy_short(state->content + it->out, it->offset, it->match);
                waits[HR_AT(lane)] = 0;
            }
        }
    }
}

HR_LANE_FN bool hr_lz4_execute(hr_lanes *lanes, hr_lz4_state *state, const hr_lz4_window *window,
                               uint32_t count)
{
    hr_lz4_sequence sequences[HR_HELD];
    uint32_t ends[HR_HELD];
    if (!hr_lz4_split(lanes, state, window, count, sequences, ends))
        return false;
    HR_FOR_LANES(lanes, lane)
    {
        const hr_lz4_sequence *it = &sequences[HR_AT(lane)];
        for (uint32_t i = 0; i < it->literals; i++)
            state->content[it->out - it->literals + i] = window->bytes[it->literals_at + i];
    }
    hr_lz4_execute_matches(lanes, state, count, sequences);
    state->out = hr_lanes_get(ends, count - 1);
    return true;
}

/* ---- long sequences ---- */

/* All lanes copy len bytes that do not overlap. */
HR_LANE_FN void hr_lanes_copy(hr_lanes *lanes, const uint8_t *from, uint8_t *to, uint32_t len)
{
    uint32_t head = len < HR_LZ4_WIDE ? len : (uint32_t)(0 - (uintptr_t)to) & 15;
    uint32_t wide = (len - head) / 16;
    HR_FOR_LANES(lanes, lane)
    {
        for (uint32_t at = lane; at < head; at += HR_LANES)
            to[at] = from[at];
        for (uint32_t i = lane; i < wide; i += HR_LANES) {
            uint32_t words[4], at = head + 16 * i;
            HR_UNROLL
            for (uint32_t k = 0; k < 4; k++)
                words[k] = hr_lane_load_u32(from, at + 4 * k, len);
            hr_lane_store_u128(to + at, words);
        }
        for (uint32_t at = head + 16 * wide + lane; at < len; at += HR_LANES)
            to[at] = from[at];
    }
}

/* What repeats is copied in pieces that double: behind k periods there are k + 1 to copy from. */
HR_LANE_FN void hr_lz4_copy_match(hr_lanes *lanes, uint8_t *to, uint32_t offset, uint32_t len)
{
    const uint8_t *from = to - offset;
    for (uint32_t done = 0; done < len;) {
        uint32_t piece = offset + done < len - done ? offset + done : len - done;
        hr_lanes_copy(lanes, from, to + done, piece);
        done += piece;
    }
}

/* Adds the bytes that lengthen a length: 255 means that one more follows. False: the stored bytes
 * end, or the length is more than most. */
HR_LANE_FN bool hr_lz4_lengthen(hr_lanes *lanes, hr_lz4_state *state, uint32_t most,
                                uint32_t *length)
{
    for (;;) {
        uint32_t bytes[HR_HELD], ends[HR_HELD], last;
        HR_FOR_LANES(lanes, lane)
        {
            uint32_t at = state->in + lane;
            bytes[HR_AT(lane)] = at < state->stored_len ? state->stored[at] : 0;
            ends[HR_AT(lane)] = bytes[HR_AT(lane)] != 255;
        }
        uint32_t mask = hr_lanes_ballot(ends);
        last = mask != 0 ? hr_lowest_bit(mask) : HR_LANES;
        if (last == HR_LANES) {
            *length += 255 * HR_LANES;
            state->in += HR_LANES;
        } else {
            *length += 255 * last + hr_lanes_get(bytes, last);
            state->in += last + 1;
        }
        if (state->in > state->stored_len || *length > most)
            return false;
        if (last < HR_LANES)
            return true;
    }
}

/* One sequence of any length, whose token is first in the window. *ended: it was the last one,
 * which has no match. */
HR_LANE_FN bool hr_lz4_long(hr_lanes *lanes, hr_lz4_state *state, const hr_lz4_window *window,
                            bool *ended)
{
    uint32_t token = window->bytes[0], literals = token >> 4, match = token & 15;
    state->in++;
    if (literals == 15 &&
        !hr_lz4_lengthen(lanes, state, state->content_len - state->out, &literals))
        return false;
    if (literals > state->stored_len - state->in || literals > state->content_len - state->out)
        return false;
    hr_lanes_copy(lanes, state->stored + state->in, state->content + state->out, literals);
    state->in += literals;
    state->out += literals;
    *ended = state->in == state->stored_len;
    if (*ended)
        return true;
    if (state->in + HR_LZ4_END_STORED > state->stored_len ||
        state->out + HR_LZ4_END_MATCH > state->content_len)
        return false;
    uint32_t offset =
        hr_lanes_agree(state->stored[state->in] | (uint32_t)state->stored[state->in + 1] << 8);
    state->in += 2;
    if (match == 15 && !hr_lz4_lengthen(lanes, state, state->content_len - state->out, &match))
        return false;
    match += 4;
    if (offset == 0 || offset > state->out ||
        match + HR_LZ4_END_LITERALS > state->content_len - state->out)
        return false;
    hr_lz4_copy_match(lanes, state->content + state->out, offset, match);
    state->out += match;
    return true;
}

/* Exactly content_len bytes of content, both lengths below 2^31. False: the block is not right;
 * content may then hold some of it. */
HR_LANE_FN bool hr_lz4_lanes(hr_lanes *lanes, hr_lz4_window *window, const uint8_t *stored,
                             uint32_t stored_len, uint8_t *content, uint32_t content_len)
{
    hr_lz4_state state = {stored, content, stored_len, content_len, 0, 0};
    bool ended = false;
    while (!ended) {
        uint32_t next = 0;
        if (state.in >= stored_len)
            return false;
        hr_lz4_stage(lanes, &state, window);
        uint32_t count = hr_lz4_chase(lanes, window, &next);
        if (count > 0) {
            if (!hr_lz4_execute(lanes, &state, window, count))
                return false;
            state.in += next;
        } else if (!hr_lz4_long(lanes, &state, window, &ended)) {
            return false;
        }
    }
    return state.out == content_len;
}

#endif
