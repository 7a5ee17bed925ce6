/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bundle: a chunk made of many small files. Both sides know the files of a transfer, in order
 * and with their sizes as listed, and lay them out alike: each bundle takes as many as a chunk
 * holds.
 *
 *   rows, one a file: entry u32, status s32, length u32, CRC32C u32
 *   contents, end to end, each as long as its file was listed
 *
 * A file that could not be read, or is not what was listed any more, says so in its row; its length
 * is 0, and its place is zeros. Pure. */
#ifndef HR_BUNDLE_H
#define HR_BUNDLE_H

#include <stdint.h>

#include "chunk.h"
#include "storage.h"

#define HR_BUNDLE_ROW_LEN 16
#define HR_BUNDLE_FILE_MAX                                                                         \
    (HR_CHUNK_LEN / 4) /* bytes of a file; a larger one is a shard of its own */

typedef struct hr_bundle {
    uint32_t first, count; /* of the transfer's files */
    uint32_t len;          /* rows and contents */
} hr_bundle;

/* All of a transfer. Whoever carries a bundle owns its files. */
typedef struct hr_bundles {
    hr_io_file *files; /* info.size: as listed */
    uint32_t file_count;
    hr_bundle *bundles;
    uint32_t count;
} hr_bundles;

/* How many bundles the files make; fills bundles_out unless it is NULL. */
uint32_t hr_bundles_lay(const hr_io_file *files, uint32_t file_count, hr_bundle *bundles_out);
/* Lets files[].data of a bundle point to where the contents lie. */
void hr_bundle_place(const hr_bundles *bundles, uint32_t bundle, void *bytes);
/* Writes the rows of contents that have been placed and read, by the status of each file. */
void hr_bundle_seal(const hr_bundles *bundles, uint32_t bundle, void *bytes);
/* Reads them: sets data and status of each file. HR_PROTOCOL: a row lies. HR_INTEGRITY: a content
 * is not what its row says. */
HR_CHECKED hr_status hr_bundle_open(const hr_bundles *bundles, uint32_t bundle, void *bytes);

/* Bytes of the files whose status is HR_OK. */
uint64_t hr_bundle_good_len(const hr_bundles *bundles, uint32_t bundle);

static inline uint32_t hr_bundle_content_len(const hr_bundle *bundle)
{
    return bundle->len - bundle->count * HR_BUNDLE_ROW_LEN;
}

#endif
