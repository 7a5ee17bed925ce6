/* SPDX-License-Identifier: Apache-2.0 */
/* hr_decoders: threads that turn stored bytes into content, so that a worker goes on with its links
 * meanwhile. Each has scratch of its own; all of it is taken at the start. */
#ifndef HR_DECODE_H
#define HR_DECODE_H

#include "helpers.h"
#include "memory.h"

typedef struct hr_decoders hr_decoders;
typedef struct hr_decoding hr_decoding;

/* One chunk. The caller's before hr_decode and again from the call of done on. */
struct hr_decoding {
    uint8_t codec;
    hr_span stored, content; /* exactly as long as they are to be */
    uint32_t stored_crc, content_crc;
    void (*done)(hr_decoding *decoding); /* in a step of the loop that asked */
    /* HR_INTEGRITY: the stored bytes or what they became are not what their digests say. */
    hr_status status;

    /* the decoders' */
    hr_decoders *decoders;
    hr_job job;
};

/* threads 0: there are none, and hr_decode does the work itself. */
HR_CHECKED hr_status hr_decoders_create(const hr_env *env, hr_memory *memory, unsigned threads,
                                        hr_decoders **decoders_out);
/* Nothing is being decoded. NULL is accepted. */
void hr_decoders_destroy(hr_decoders *decoders);
unsigned hr_decoders_threads(const hr_decoders *decoders);

/* Checks the stored bytes, decodes them, and checks the content where it lies. Any thread. */
void hr_decode(hr_decoders *decoders, hr_decoding *decoding, hr_loop *loop);

#endif
