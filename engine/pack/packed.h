/* SPDX-License-Identifier: Apache-2.0 */
/* hr_packed: one chunk of a packed shard, made and checked. Work for a processor only: bytes in
 * given memory, no input and output, no allocation. */
#ifndef HR_PACKED_H
#define HR_PACKED_H

#include "codec.h"
#include "index.h"

/* Room for the stored bytes of any chunk and the gap after it; a multiple of HR_INDEX_ALIGN. */
#define HR_PACKED_ROOM (HR_INDEX_STORED_MAX + 2 * HR_INDEX_ALIGN)

/* Scratch that making and checking chunks of this container takes. */
size_t hr_packed_scratch_len(hr_container container);

/* How a chunk is to be packed. */
typedef struct hr_packed_recipe {
    hr_container container;
    int level;          /* 0: the codec's own */
    hr_element element; /* what the chunk holds most of */
} hr_packed_recipe;

/* Makes the stored bytes of a chunk and everything of its row but where it lies. What compression
 * does not make 3 per cent shorter is stored. stored has HR_PACKED_ROOM bytes; beside a plain file
 * nothing is written into it. */
HR_CHECKED hr_status hr_packed_encode(const hr_packed_recipe *recipe, const hr_span *content,
                                      const hr_span *stored, const hr_span *scratch,
                                      hr_index_row *row_out);

/* Checks the stored bytes, decodes them into content (of HR_INDEX_CHUNK_MAX bytes) and checks that.
 * HR_INTEGRITY, HR_UNSUPPORTED: *what_out says which of it is wrong. */
HR_CHECKED hr_status hr_packed_check(const hr_index_row *row, const hr_span *stored,
                                     const hr_span *content, const hr_span *scratch,
                                     const char **what_out);

#endif
