/* SPDX-License-Identifier: Apache-2.0 */
/* A journal as it may be found on a disk. The CRCs are mended first, or no input would come past
 * them; then the reader must settle every chunk and stay where good records end. The corpus is made
 * by tests/unit/journal.cc. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define CHUNK_LEN   (4u << 20)
#define CHUNK_COUNT 10u
#define FILE_MAX    (64u << 10)

static void require(int holds)
{
    if (!holds)
        abort(); /* in every build, unlike assert */
}

static void mend(uint8_t *file, size_t len)
{
    uint32_t seed = hr_crc32c(0, file, HR_JOURNAL_HEADER_LEN - 4);
    hr_put_u32(file + HR_JOURNAL_HEADER_LEN - 4, seed);
    uint32_t sequence = 0;
    for (size_t at = HR_JOURNAL_HEADER_LEN; at + HR_JOURNAL_RECORD_LEN <= len;
         at += HR_JOURNAL_RECORD_LEN) {
        /* A few keep what the input says, so that journals end early too. */
        if (file[at + 7] != 0xff) {
            hr_put_u32(file + at + 4, sequence++);
            hr_put_u32(file + at + 28, hr_crc32c(seed, file + at, 28));
        }
    }
}

static void read_file(const uint8_t *file, size_t len, const hr_journal_header *now)
{
    hr_chunk chunks[CHUNK_COUNT] = {{0}};
    hr_journal_reader reader;
    hr_status status = hr_journal_open(&reader, file, now, chunks, CHUNK_COUNT);
    require(status == HR_OK || status == HR_INTEGRITY || status == HR_CHANGED);
    if (status != HR_OK)
        return;
    hr_journal_read(&reader, file + HR_JOURNAL_HEADER_LEN, len - HR_JOURNAL_HEADER_LEN);
    hr_journal writer;
    hr_journal_finish(&reader, &writer);
    require(hr_journal_offset(&writer) <= len);
    for (unsigned i = 0; i < CHUNK_COUNT; i++)
        require(chunks[i].state == HR_CHUNK_MISSING || chunks[i].state == HR_CHUNK_DOUBTFUL ||
                chunks[i].state == HR_CHUNK_VERIFIED);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t file[FILE_MAX];
    if (len < HR_JOURNAL_HEADER_LEN || len > sizeof file)
        return 0;
    /* The shard and target that the corpus is of. */
    hr_journal_header now = {
        .content_len = 9 * (uint64_t)CHUNK_LEN + 1234,
        .chunk_len = CHUNK_LEN,
        .target = 0x7a46e7,
    };
    memset(now.identity, 0x1d, sizeof now.identity);
    memset(now.boot, 1, sizeof now.boot);
    read_file(bytes, len, &now);
    memcpy(file, bytes, len);
    mend(file, len);
    read_file(file, len, &now);
    return 0;
}
