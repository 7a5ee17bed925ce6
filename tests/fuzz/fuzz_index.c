/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a file that may be a packed shard: pages, then the tail. The digests are mended first,
 * or no input would come past them. Whatever is accepted lies inside of the file, in order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "index.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define FILE_MAX (16u * HR_INDEX_PAGE_LEN + HR_INDEX_TAIL_LEN)

static void require(int holds)
{
    if (!holds)
        abort(); /* in every build, unlike assert */
}

static void mend(uint8_t *file, size_t len)
{
    uint32_t crc = 0;
    uint8_t *tail = file + len - HR_INDEX_TAIL_LEN;
    for (uint8_t *page = file; page + HR_INDEX_PAGE_LEN <= tail; page += HR_INDEX_PAGE_LEN) {
        hr_put_u32(page + 60, hr_crc32c(hr_crc32c(0, page, 60), page + 64, 4032));
        crc = hr_crc32c(crc, page + 60, 4);
    }
    hr_put_u32(tail + 40, crc);
    hr_put_u32(tail + 60, hr_crc32c(0, tail, 60));
}

static void take_rows(const hr_index_tail *tail, const hr_index_row *rows, uint32_t count,
                      uint64_t *end)
{
    uint64_t limit =
        tail->container == HR_CONTAINER_BESIDE ? tail->content_len : tail->index_offset;
    for (uint32_t i = 0; i < count; i++) {
        require(rows[i].stored_offset >= *end && rows[i].stored_offset <= limit);
        require(rows[i].stored_len <= limit - rows[i].stored_offset);
        require(rows[i].stored_len > 0 && rows[i].stored_len <= HR_INDEX_STORED_MAX);
        require(rows[i].content_len > 0 && rows[i].content_len <= HR_INDEX_CHUNK_MAX);
        require(hr_codec_find(rows[i].codec) != NULL);
        *end = rows[i].stored_offset + rows[i].stored_len;
    }
}

/* file is the end of a longer one: chunks would lie before it. */
static void read_file(const uint8_t *file, size_t len, uint64_t before)
{
    hr_index_tail tail;
    hr_index_reader reader;
    hr_index_row rows[HR_INDEX_PAGE_ROWS];
    uint64_t end = 0;
    uint32_t count;
    if (hr_index_tail_unpack(file + len - HR_INDEX_TAIL_LEN, before + len, &tail) != HR_OK ||
        tail.index_offset != before)
        return;
    hr_index_reader_init(&reader, &tail);
    for (uint32_t page = 0; page < hr_index_pages(tail.chunk_count); page++) {
        hr_status status =
            hr_index_page_read(&reader, file + (size_t)page * HR_INDEX_PAGE_LEN, rows, &count);
        require(status == HR_OK || reader.what[0] != '\0');
        if (status != HR_OK)
            return;
        take_rows(&tail, rows, count, &end);
    }
    require(hr_index_reader_finish(&reader) == HR_OK || reader.what[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t file[FILE_MAX];
    if (len < HR_INDEX_TAIL_LEN || len > sizeof file)
        return 0;
    memcpy(file, bytes, len);
    uint64_t claimed = hr_get_u64(file + len - HR_INDEX_TAIL_LEN + 24);
    uint64_t before = claimed < UINT64_MAX - sizeof file ? claimed : 0;
    read_file(file, len, before);
    mend(file, len);
    read_file(file, len, before);
    return 0;
}
