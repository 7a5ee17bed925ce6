/* SPDX-License-Identifier: Apache-2.0 */
/* hr_transfer: one shard on its way from a server into its target. On worker 0.
 *
 *   opening    open was sent. opened -> begun by the owner, or over
 *   preparing  the draft reads what an earlier run left; memory is exposed. ready -> moving
 *   moving     parts carry chunks; what is doubtful is read again. plan complete -> closing
 *   closing    the server looks whether the source is still what was opened. closed -> finishing
 *   finishing  the draft syncs; with read_back every chunk is read again (rereading); publishes
 *   draining   it has failed or was canceled: grants come back, places are fenced. -> ending
 *   ending     parts retire, the draft closes. -> over
 *   over       status says how
 *
 * Whatever happens, no place is given back to anybody before its landing is free, and a landing is
 * free only when its receipt came, its grant was taken back, or its link is down. */
#ifndef HR_TRANSFER_H
#define HR_TRANSFER_H

#include "client.h"
#include "draft.h"
#include "gpudirect.h"
#include "part.h"
#include "plan.h"
#include "rate.h"

typedef enum hr_transfer_state {
    HR_TRANSFER_IDLE,
    HR_TRANSFER_OPENING,
    HR_TRANSFER_OPENED,
    HR_TRANSFER_PREPARING,
    HR_TRANSFER_MOVING,
    HR_TRANSFER_CLOSING,
    HR_TRANSFER_FINISHING,
    HR_TRANSFER_REREADING,
    HR_TRANSFER_DRAINING,
    HR_TRANSFER_ENDING,
    HR_TRANSFER_OVER,
} hr_transfer_state;

typedef struct hr_transfer_events {
    /* The source is known. The owner calls hr_transfer_begin_..., or hr_transfer_end, from the
     * call or later. */
    void (*opened)(void *context, hr_transfer *transfer);
    /* transfer->error says how. The owner may free it. */
    void (*over)(void *context, hr_transfer *transfer);
} hr_transfer_events;

typedef struct hr_transfer_counters {
    uint64_t bytes_verified, bytes_moved, bytes_reused;
    uint64_t first_byte_ns; /* when the first chunk had landed; 0: none */
} hr_transfer_counters;

struct hr_transfer {
    hr_client *client;
    const hr_env *env;
    const hr_transfer_events *events;
    void *context;
    hr_list node; /* the client's */
    hr_transfer_state state;
    hr_error error; /* HR_OK until it fails */
    uint64_t number;
    char path[HR_MESSAGE_PATH_MAX + 1];
    bool content; /* of a packed shard is wanted; set before open */
    bool listed;  /* as a file of a tree; set before open */

    /* of the source, from opened on */
    bool is_directory;
    uint64_t size;
    int64_t mtime_ns;
    uint32_t mode, uid, gid;
    bool sparse;
    uint32_t chunk_len;
    uint32_t codec; /* stored: of no packed shard */
    uint64_t stored_len;
    uint8_t *uncompressed; /* opened.direct; NULL: not told */
    uint8_t identity[HR_IDENTITY_LEN];
    hr_seal_key key;
    bool unanswered;  /* the server was asked to open it */
    bool server_open; /* the server holds it open: a close is due */

    hr_part_target target; /* of bundles: from open on */
    hr_direct direct;      /* of a target in memory */
    bool has_direct;
    hr_gpudirect gpudirect; /* of one in a GPU's memory */
    hr_draft draft;
    bool has_draft, read_back, dry_run;
    bool draft_stepping; /* one of ready, synced, published, failed will come */
    bool kept;           /* the target was there, of the same size and time */
    bool draft_closing, draft_closed, publishing;
    bool gauged; /* in the gauge's stage of publishing */
    hr_chunk *chunks;
    uint32_t chunk_count;
    hr_plan plan;
    hr_part *parts[HR_CLIENT_LINKS_MAX];
    unsigned part_count; /* not retired */
    hr_timer timer;      /* of rate and pause while moving, of the peer's patience while draining */
    uint64_t pause_until_ns; /* a bundle is still being read for another link */
    hr_rate *rate;           /* shared by the transfers of one request; may be NULL */
    hr_transfer_counters counters;
};

/* Sends open. */
void hr_transfer_open(hr_transfer *transfer, hr_client *client, const char *path,
                      const hr_transfer_events *events, void *context);
/* Sends open_bundles: path and files of it are given, and bundles are what they make. */
void hr_transfer_open_bundles(hr_transfer *transfer, hr_client *client,
                              const hr_message_open_bundles *open, hr_bundles *bundles,
                              const hr_transfer_events *events, void *context);
/* After opened: into files beneath dir, with owner and group of each, or with NULL into nothing but
 * the verification. Each file says what became of it, HR_AGAIN if nothing did. */
void hr_transfer_begin_bundles(hr_transfer *transfer, hr_dir *dir, bool owner);
/* After opened: into a file named beneath dir, ... */
void hr_transfer_begin_file(hr_transfer *transfer, const hr_draft_options *options, bool read_back);
/* ... into memory of at least size bytes, or into nothing but the verification. */
void hr_transfer_begin_memory(hr_transfer *transfer, void *memory);
/* ... into a GPU's memory; the upload is open, and stays so until over. */
void hr_transfer_begin_upload(hr_transfer *transfer, hr_upload *upload);
/* After opened: why RDMA does not write into a GPU's memory for it; NULL: it may. */
const char *hr_transfer_no_gpudirect(const hr_transfer *transfer);
/* After opened: nothing more is wanted of it (a directory): over follows, without an error. */
void hr_transfer_forget(hr_transfer *transfer);
/* Ends it with this status unless it is ending already; over follows. */
void hr_transfer_end(hr_transfer *transfer, hr_status status, const char *format, ...)
    HR_PRINTF(3, 4);
/* Starts chunks where links and the rate allow. */
void hr_transfer_feed(hr_transfer *transfer);

/* From the client. */
void hr_transfer_take_opened(hr_transfer *transfer, const hr_message_opened *opened);
void hr_transfer_take_failed(hr_transfer *transfer, const hr_message_failed *failed);
void hr_transfer_take_closed(hr_transfer *transfer, const hr_message_closed *closed);
void hr_transfer_client_failed(hr_transfer *transfer);

#endif
