/* SPDX-License-Identifier: Apache-2.0 */
/* The codec seam: what bytes become. Calls work on the caller's memory and never allocate: bound
 * and scratch are asked beforehand. Safe on hostile input: nothing is read or written outside the
 * spans, and every input ends. */
#ifndef HR_CODEC_H
#define HR_CODEC_H

#include <stdbool.h>

#include "span.h"
#include "status.h"

/* On the wire and on disk; never reused. */
typedef enum hr_codec_id {
    HR_CODEC_STORED = 0,
    HR_CODEC_LZ4 = 1,
    HR_CODEC_ZSTD = 2,
    HR_CODEC_PLANES = 3,
} hr_codec_id;

/* What content is made of. On disk, in chunks of planes; never reused. */
typedef enum hr_element {
    HR_ELEMENT_UNKNOWN = 0, /* nobody has said; never on disk */
    HR_ELEMENT_BF16 = 1,
    HR_ELEMENT_FP32 = 2,
    HR_ELEMENT_OTHER = 255, /* nothing that a codec makes use of; never on disk */
} hr_element;

/* Zero means default. */
typedef struct hr_codec_job {
    hr_span source;
    hr_span target;
    hr_span scratch;
    int level; /* ENCODE: as people know it from lz4 and zstd; out of range is the nearest; 0:
                  the codec's own */
    hr_element element; /* ENCODE: most of the content is of these */
    bool store;         /* ENCODE: only frames the content, for what does not shrink */
    size_t len_out;     /* bytes written to target */
} hr_codec_job;

typedef struct hr_codec {
    const char *name;
    hr_codec_id id;
    size_t (*bound)(size_t source_len);
    /* For encode at any level, and for decode; aligned to 8. */
    size_t (*scratch_len)(size_t source_len);
    /* For decode alone, whatever the source. */
    size_t (*decode_scratch_len)(void);
    /* HR_NO_SPACE: target is shorter than what comes out; never if it has bound bytes. */
    hr_status (*encode)(hr_codec_job *job);
    /* HR_INTEGRITY: source is not what encode makes, or its content is longer than target. Target
     * may then hold some of it. HR_UNSUPPORTED: a later version has made it. */
    hr_status (*decode)(hr_codec_job *job);
} hr_codec;

/* One a folder. */
extern const hr_codec hr_codec_stored;
extern const hr_codec hr_codec_lz4;
extern const hr_codec hr_codec_zstd;
extern const hr_codec hr_codec_planes;

/* NULL for an id that this build does not know. */
const hr_codec *hr_codec_find(unsigned id);

#endif
