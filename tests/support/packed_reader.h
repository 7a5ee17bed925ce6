/* SPDX-License-Identifier: Apache-2.0 */
/* A second reader of packed shards, written from docs/FORMAT.md and in its order, and sharing no
 * code with the first. It is for whole files in memory and for reading, not for speed. */
#ifndef PACKED_READER_H
#define PACKED_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything of the format that a reader must refuse is refused. chunks: the file that holds them;
 * the shard itself unless it lies beside a plain file. content has room for content_len bytes,
 * which packed_reader_content_len tells. */
bool packed_reader_content_len(const uint8_t *shard, size_t len, uint64_t *content_len_out);
bool packed_reader_read(const uint8_t *shard, size_t len, const uint8_t *chunks, size_t chunks_len,
                        uint8_t *content);

/* The content of a chunk of planes, which has exactly content_len bytes. */
bool packed_reader_planes(const uint8_t *stored, size_t len, uint8_t *content, size_t content_len);

#endif
