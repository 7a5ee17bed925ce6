/* SPDX-License-Identifier: Apache-2.0 */
/* hr_chunk: what is known of each chunk of a shard. A transfer has one array of them; the journal
 * fills it, the plan decides by it. Pure. */
#ifndef HR_CHUNK_H
#define HR_CHUNK_H

#include <stdint.h>

/* 128 TiB in chunks of 4 MiB. Whoever says how many there are makes the other side take 12 bytes
 * for each: 384 MiB. The last number stands for "none" in lists. */
#define HR_CHUNKS_MAX (UINT32_C(1) << 25)
#define HR_CHUNK_NONE UINT32_MAX
/* Chunks of a packed shard may be shorter than others, but are so many whole pages. */
#define HR_CHUNK_LEN_UNIT 4096u

typedef enum hr_chunk_state {
    HR_CHUNK_MISSING,  /* must come from the source */
    HR_CHUNK_DOUBTFUL, /* written once, perhaps lost with a crash: crc says what must be there */
    HR_CHUNK_GRANTED,  /* under way */
    HR_CHUNK_CHECKING, /* doubtful, being read and digested again */
    HR_CHUNK_VERIFIED, /* there, and crc is its digest */
    HR_CHUNK_PENDING,  /* only inside the journal: what it is depends on the records that follow */
} hr_chunk_state;

/* All zero: missing. */
typedef struct hr_chunk {
    uint32_t crc;  /* CRC32C of the content; of doubtful and verified chunks */
    uint32_t next; /* in a list of the journal or the plan */
    uint32_t generation : 24;
    uint32_t state : 4;      /* hr_chunk_state */
    uint32_t mismatched : 1; /* its digest was wrong once */
} hr_chunk;

/* Chunks of a shard, the last one shorter; an empty shard has none. More than HR_CHUNKS_MAX is for
 * the caller to refuse. */
static inline uint64_t hr_chunk_count(uint64_t content_len, uint32_t chunk_len)
{
    return content_len / chunk_len + (content_len % chunk_len != 0);
}

static inline uint64_t hr_chunk_offset(uint32_t chunk, uint32_t chunk_len)
{
    return (uint64_t)chunk * chunk_len;
}

/* Content bytes of one chunk, which must be one of the shard's. */
static inline uint32_t hr_chunk_content_len(uint64_t content_len, uint32_t chunk_len,
                                            uint32_t chunk)
{
    uint64_t rest = content_len - hr_chunk_offset(chunk, chunk_len);
    return rest < chunk_len ? (uint32_t)rest : chunk_len;
}

#endif
