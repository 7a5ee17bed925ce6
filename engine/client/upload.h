/* SPDX-License-Identifier: Apache-2.0 */
/* hr_upload: chunks on their way from host slots into the memory of a GPU, still as they are
 * stored; there they are decoded and verified. A thread of its own speaks to the driver, so that no
 * worker waits for it: it takes what has come since it last looked, copies it, and puts the kernels
 * behind, each batch in a stream of its own. While one batch is copied another is decoded.
 *
 *   opening -opened(HR_OK)-> open -close-> closing -closed-> the owner destroys it
 *      `-----opened(failure)-> failed -close---^
 *
 * A chunk that is stored as it is goes straight to where it belongs and is verified there; any
 * other goes through a ring in the GPU's memory. What a NIC has written there already (gpudirect.h)
 * is not copied. */
#ifndef HR_UPLOAD_H
#define HR_UPLOAD_H

#include "engine.h"
#include "gpu.h"

typedef struct hr_upload hr_upload;
typedef struct hr_arrival hr_arrival;

/* One chunk. The caller's before hr_upload_submit and again from the call of done on. */
struct hr_arrival {
    const void *stored; /* in host memory */
    const void *there;  /* a NIC has put it there, on the GPU; NULL: it is in host memory */
    uint32_t stored_len, content_len, content_crc;
    uint8_t codec;   /* of those that hr_batch_takes */
    uint64_t offset; /* of its content in the target */
    hr_loop *loop;
    void (*done)(hr_arrival *arrival); /* in a step of the loop */
    /* HR_OK: decoded, and verified where it lies. HR_INTEGRITY: not what its digest says;
     * HR_UNSUPPORTED: of a version that the kernels do not know. */
    hr_status status;
    bool failed; /* not the chunk but the GPU: hr_upload_error */

    /* the upload's */
    hr_arrival *next;
    hr_letter letter;
};

typedef struct hr_upload_events {
    void (*opened)(void *context, hr_status status); /* hr_upload_error says why not */
    void (*closed)(void *context);
} hr_upload_events;

typedef struct hr_upload_options {
    unsigned device;
    uint64_t len; /* of the content */
    hr_span span; /* of the caller's, on the device; addr NULL: memory is taken for it */
    void *stream; /* what is in it now runs before anything is written; NULL: nothing does */
    void *event;  /* recorded when everything is over; NULL: none */
    unsigned max_sms;
    bool ring;  /* chunks come that are decoded there; others go straight to their places */
    bool offer; /* a NIC may write into the target: see hr_upload_offered; */
    bool slots; /* and into slots, what the kernels decode */
} hr_upload_options;

/* Landing slots on the GPU: as many as three batches take, as the ring has. */
#define HR_UPLOAD_SLOTS 24

/* The target for a NIC, and with options.slots those behind each other, in two ways. Without
 * memory there is no dmabuf either. */
typedef struct hr_upload_offer {
    hr_span dmabuf, memory; /* len 0: it is not offered, */
    char no_dmabuf[120];    /* and why */
    char no_memory[200];
    hr_span slots_dmabuf, slots_memory; /* len 0: there are none */
} hr_upload_offer;

/* All three on home; both events come there, opened first. */
HR_CHECKED hr_status hr_upload_create(hr_engine *engine, const hr_upload_options *options,
                                      const hr_upload_events *events, void *context,
                                      hr_upload **upload_out);
/* Nothing is under way, or will be. */
void hr_upload_close(hr_upload *upload);
void hr_upload_destroy(hr_upload *upload);

/* Any worker. */
void hr_upload_submit(hr_upload *upload, hr_arrival *arrival);
/* A chunk came that the kernels do not read, and the CPU decodes it first. */
void hr_upload_note_detour(hr_upload *upload);

/* After opened: the sentence; and which way chunks take, "cuda:0 (NVIDIA H200), copied from pinned
 * slots". Of a failure that came later: after an arrival's done. */
const char *hr_upload_error(const hr_upload *upload);
const char *hr_upload_describe(const hr_upload *upload);
/* Home, after opened: what a NIC writes there by what was offered, which is good until
 * hr_upload_close, is seen by the kernels that are started after its arrival was submitted. */
const hr_upload_offer *hr_upload_offered(const hr_upload *upload);
/* Home: chunks come this way instead, "GPUDirect by a dma-buf"; NULL: they are copied. why: no
 * better one. */
void hr_upload_note_way(hr_upload *upload, const char *way, const char *why);
const char *hr_upload_why(const hr_upload *upload);
/* After closed: chunks that were copied there. */
uint64_t hr_upload_copied(const hr_upload *upload);
/* Where the content has this offset, and a slot: for the NIC's places, not for the host to touch.
 */
void *hr_upload_at(const hr_upload *upload, uint64_t offset);
void *hr_upload_slot_at(const hr_upload *upload, unsigned slot);
bool hr_upload_had_detour(const hr_upload *upload);

#endif
