/* SPDX-License-Identifier: Apache-2.0 */
#include "packed_maker.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

static void *take(size_t len)
{
    void *memory = aligned_alloc(4096, (size_t)hr_round_up(len, 4096));
    if (memory == NULL)
        abort();
    memset(memory, 0, (size_t)hr_round_up(len, 4096));
    return memory;
}

uint8_t *packed_make(hr_container container, const uint8_t *content, size_t len, size_t *len_out)
{
    hr_index_tail tail = {
        .container = container,
        .content_len = len,
        .chunk_len = HR_INDEX_CHUNK_MAX,
        .chunk_count = (uint32_t)((len + HR_INDEX_CHUNK_MAX - 1) / HR_INDEX_CHUNK_MAX),
    };
    bool beside = container == HR_CONTAINER_BESIDE;
    size_t pages_len = (size_t)hr_index_pages(tail.chunk_count) * HR_INDEX_PAGE_LEN;
    uint8_t *shard = take((tail.chunk_count + 1) * (size_t)HR_PACKED_ROOM + pages_len);
    uint8_t *pages = take(pages_len);
    size_t scratch_len = hr_packed_scratch_len(container), at = 0;
    const hr_packed_recipe recipe = {.container = container};
    hr_span scratch = hr_span_host(take(scratch_len + 1), scratch_len);
    for (uint32_t i = 0; i < tail.chunk_count; i++) {
        size_t from = (size_t)i * HR_INDEX_CHUNK_MAX;
        /* It is only read. */
        hr_span chunk = hr_span_host((uint8_t *)(uintptr_t)content + from,
                                     (size_t)hr_min_u64(len - from, HR_INDEX_CHUNK_MAX));
        hr_span stored = hr_span_host(shard + at, HR_PACKED_ROOM);
        hr_index_row row;
        if (hr_packed_encode(&recipe, &chunk, &stored, &scratch, &row) != HR_OK)
            abort();
        row.stored_offset = beside ? from : at;
        hr_index_row_pack(&row, i, pages + i / HR_INDEX_PAGE_ROWS * (size_t)HR_INDEX_PAGE_LEN);
        at += beside ? 0 : row.stored_len + hr_index_gap_len(row.stored_len);
    }
    tail.index_offset = at;
    for (uint32_t i = 0; i < hr_index_pages(tail.chunk_count); i++)
        hr_index_page_seal(&tail, i, pages + i * (size_t)HR_INDEX_PAGE_LEN);
    memcpy(shard + at, pages, pages_len);
    hr_index_tail_pack(&tail, shard + at + pages_len);
    free(pages);
    free(scratch.addr);
    *len_out = at + pages_len + HR_INDEX_TAIL_LEN;
    return shard;
}
