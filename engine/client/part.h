/* SPDX-License-Identifier: Apache-2.0 */
/* hr_part: the share of a transfer that goes over one link. It has a window of landings: each is
 * one chunk on its way.
 *
 *   home                       worker of the link
 *   free -start->              slot, arm       -armed->    (home sends the grant)
 *        -failed->             disarm          -failed->   (the letter comes back)
 *                              landed: digest, write
 *   free <-done-               (or lost, failed, a mismatch)
 *
 * A landing is home's when it is free; the worker's between start and done. It is free again when
 * done has come and no failed letter is under way, so that no letter is ever posted twice. */
#ifndef HR_PART_H
#define HR_PART_H

#include "bundle.h"
#include "decode.h"
#include "direct.h"
#include "receiver.h"
#include "seal.h"
#include "storage.h"
#include "transport.h"
#include "upload.h"

#define HR_PART_WINDOW 16 /* chunks: 64 MiB, past the knee of drive and wire together */

typedef struct hr_part hr_part;
typedef struct hr_landing hr_landing;

typedef enum hr_landing_phase {
    HR_LANDING_FREE,
    HR_LANDING_WAITING, /* for a slot */
    HR_LANDING_ARMED,
    HR_LANDING_UPLOADING,
    HR_LANDING_DECODING, /* or waiting for the slot that it decodes into */
    HR_LANDING_WRITING,  /* into the file; or being read, when it is a check */
    HR_LANDING_DONE,
} hr_landing_phase;

struct hr_landing {
    hr_part *part;
    uint64_t since;     /* the worker's: its turn for a slot */
    hr_list node;       /* home: free list; worker: waiting for a slot, or for the second one */
    hr_list armed_node; /* worker: in receiver->armed */
    hr_letter start_letter, armed_letter, done_letter, failed_letter;

    /* set by home before start */
    uint32_t link; /* that it is to come over: what was handed out for one that died is lost, also
                      if the receiver is another link by then */
    uint32_t chunk, generation, len;
    uint32_t crc; /* of a check or a probe: what must be there; after done: what is there */
    bool check, complain;
    bool in_slot;      /* it may come compressed: not straight into the target's memory */
    int gpu_slot;      /* in one on the GPU, where RDMA reaches it; -1: in none */
    hr_status failure; /* of a failed letter; HR_OK: there was none */
    bool busy, done, failed_under_way; /* home's */

    /* the worker's, home's after done */
    hr_landing_phase phase;
    hr_gauge_stage stage;
    hr_status status; /* HR_OK: verified. HR_INTEGRITY: the digest is wrong. HR_PEER_LOST: the
                         link died. Anything else: see from_peer */
    bool from_peer;   /* status came from the server, else from the target's storage */
    bool detour;      /* the GPU's kernels do not read it: the CPU has decoded it */
    uint32_t moved;   /* bytes that landed, whatever became of them */
    hr_place place;
    hr_slot *slot;
    hr_slot *content_slot; /* what is decoded for a file */
    hr_decoding decoding;
    hr_arrival arrival; /* on its way to a GPU */
    hr_io io;
};

typedef struct hr_part_events {
    /* On home. The place is armed: the grant may go out. */
    void (*armed)(void *context, hr_landing *landing);
    /* On home. The landing is free again. */
    void (*done)(void *context, hr_landing *landing);
    /* On home. Its worker knows nothing of the part any more: it may be freed. */
    void (*retired)(void *context, hr_part *part);
} hr_part_events;

/* Where the chunks of a transfer end: one of the four; of bundles, the files or discard. */
typedef struct hr_part_target {
    hr_file *file;           /* written from slots, O_DIRECT, at the chunk's offset */
    uint8_t *memory;         /* host memory: chunks land where they belong */
    const hr_direct *direct; /* of memory, or of a GPU's: where RDMA reaches it */
    bool sparse;             /* the file: zeros become holes */
    hr_upload *upload;       /* into a GPU's memory, from slots or by RDMA */
    bool discard;            /* verified in a slot, and then no longer needed: a measurement */
    bool packed_apart;       /* of bundles: what may be packed is left out, to come by itself */
    bool owner;              /* of bundles: each file gets the owner and group that it is to have */
    hr_decoders *decoders;   /* of what comes compressed; NULL: nothing does */
    hr_bundles *bundles;     /* the chunks are bundles: each file is written anew, beneath dir */
    hr_dir *dir;
} hr_part_target;

struct hr_part {
    hr_receiver *receiver;
    hr_worker *worker, *home;
    const hr_part_events *events;
    void *context;
    uint64_t transfer;
    uint32_t chunk_len;
    hr_part_target target;
    const hr_seal_key *key; /* the transfer's */
    hr_sealer *sealer;      /* NULL: chunks come in clear; the owner's to destroy */
    hr_landing landings[HR_PART_WINDOW];
    hr_list free;    /* home's */
    unsigned busy;   /* home's: landings that are not free */
    uint64_t taken;  /* home's: landings, ever */
    hr_list waiting; /* the worker's */
    bool attached;   /* the worker's: its storage knows the file */
    hr_slot_waiter waiter;
    hr_list landed; /* the worker's: landings that wait for the slot that they decode into */
    hr_slot_waiter landed_waiter;
    hr_letter retire_letter;
};

void hr_part_init(hr_part *part, hr_receiver *receiver, uint64_t transfer, uint32_t chunk_len,
                  const hr_part_target *target, const hr_part_events *events, void *context);
/* Home: a free landing, or NULL. */
hr_landing *hr_part_take(hr_part *part);
/* Home: fill in chunk, generation, len, crc, check, complain first. */
void hr_landing_start(hr_landing *landing);
/* Home: the server took the grant back. */
void hr_landing_failed(hr_landing *landing, hr_status failure);
/* Home: no landing is busy, and none will be; retired follows. */
void hr_part_retire(hr_part *part);

/* Worker: from the receiver. */
void hr_landing_landed(hr_landing *landing, const hr_receipt *receipt);
void hr_landing_lost(hr_landing *landing);

#endif
