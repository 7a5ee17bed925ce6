/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer_parts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "keep.h"
#include "probe.h"

/* How long a peer may take to give back what was granted before its links are closed instead. */
#define DRAIN_NS (2 * HR_NS_PER_S)

/* ---- the end ---- */

/* What the next run can use is kept: some of it is verified, by this run or by the one before it,
 * and it is still what the source is. */
/* A small file of a tree comes in a bundle the next time, which looks for nothing that is left. */
static bool is_worth_keeping(const hr_transfer *transfer)
{
    return (transfer->counters.bytes_verified > 0 || transfer->draft.found) &&
           !(transfer->listed && transfer->size <= HR_BUNDLE_FILE_MAX) &&
           transfer->error.status != HR_CHANGED && transfer->error.status != HR_OK;
}

/* From the sync on until it is closed, but while it is read again. */
static void gauge_publishing(hr_transfer *transfer, bool publishes)
{
    hr_gauge *gauge = &hr_engine_home(transfer->client->engine)->gauge;
    if (publishes && !transfer->gauged)
        hr_gauge_move(gauge, HR_GAUGE_NONE, HR_GAUGE_PUBLISH, transfer->size);
    else if (!publishes && transfer->gauged)
        hr_gauge_move(gauge, HR_GAUGE_PUBLISH, HR_GAUGE_NONE, transfer->size);
    transfer->gauged = publishes;
}

/* The draft is closed after the last part has retired: workers know its file until then. */
static void finish_if_over(hr_transfer *transfer)
{
    if (transfer->state != HR_TRANSFER_ENDING || transfer->part_count > 0)
        return;
    if (transfer->has_draft && !transfer->draft_closing) {
        transfer->draft_closing = true;
        hr_draft_close(&transfer->draft, transfer->dry_run || is_worth_keeping(transfer));
        return;
    }
    if (transfer->has_draft && !transfer->draft_closed)
        return;
    if (transfer->has_direct && !hr_direct_is_closed(&transfer->direct)) {
        hr_direct_close(&transfer->direct);
        return;
    }
    hr_gpudirect_close(&transfer->gpudirect);
    if (transfer->gpudirect.state != HR_GPUDIRECT_CLOSED)
        return;
    transfer->state = HR_TRANSFER_OVER;
    hr_loop_timer_clear(hr_engine_home(transfer->client->engine)->loop, &transfer->timer);
    hr_list_remove(&transfer->node);
    hr_release(transfer->env, transfer->chunks);
    hr_release(transfer->env, transfer->uncompressed);
    transfer->chunks = NULL;
    transfer->uncompressed = NULL;
    transfer->events->over(transfer->context, transfer);
}

void hr_transfer_part_retired(void *context, hr_part *part)
{
    hr_transfer *transfer = context;
    for (unsigned i = 0; i < HR_CLIENT_LINKS_MAX; i++)
        if (transfer->parts[i] == part)
            transfer->parts[i] = NULL;
    hr_sealer_destroy(part->sealer);
    hr_release(transfer->env, part);
    transfer->part_count--;
    finish_if_over(transfer);
}

unsigned hr_transfer_count_busy(const hr_transfer *transfer)
{
    unsigned busy = 0;
    for (unsigned i = 0; i < HR_CLIENT_LINKS_MAX; i++)
        if (transfer->parts[i] != NULL)
            busy += transfer->parts[i]->busy;
    return busy;
}

static void start_ending(hr_transfer *transfer)
{
    transfer->state = HR_TRANSFER_ENDING;
    if (transfer->server_open)
        hr_client_send(transfer->client, &(hr_message){.kind = HR_MESSAGE_CLOSE,
                                                       .close = {.transfer = transfer->number}});
    transfer->server_open = false;
    if (transfer->unanswered)
        hr_client_abandon(transfer->client, transfer->number, transfer->target.bundles != NULL);
    for (unsigned i = 0; i < HR_CLIENT_LINKS_MAX; i++)
        if (transfer->parts[i] != NULL)
            hr_part_retire(transfer->parts[i]);
    finish_if_over(transfer);
}

void hr_transfer_try_to_end(hr_transfer *transfer)
{
    if (transfer->state == HR_TRANSFER_DRAINING && hr_transfer_count_busy(transfer) == 0 &&
        !transfer->draft_stepping &&
        (!transfer->has_direct || hr_direct_is_settled(&transfer->direct)))
        start_ending(transfer);
}

static void start_draining(hr_transfer *transfer)
{
    transfer->state = HR_TRANSFER_DRAINING;
    if (transfer->server_open)
        hr_client_send(transfer->client, &(hr_message){.kind = HR_MESSAGE_CANCEL,
                                                       .cancel = {.transfer = transfer->number}});
    hr_loop *loop = hr_engine_home(transfer->client->engine)->loop;
    if (hr_loop_timer_set(loop, &transfer->timer, hr_loop_now_ns(loop) + DRAIN_NS) != HR_OK)
        hr_client_drop_links(transfer->client);
    hr_transfer_try_to_end(transfer);
}

void hr_transfer_end(hr_transfer *transfer, hr_status status, const char *format, ...)
{
    /* Once the rename is on its way it is too late to end it in any other way. */
    if (transfer->state >= HR_TRANSFER_DRAINING || transfer->publishing)
        return;
    char text[sizeof transfer->error.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hr_error_set(&transfer->error, status, "%s", text);
    start_draining(transfer);
}

void hr_transfer_forget(hr_transfer *transfer)
{
    assert(transfer->state == HR_TRANSFER_OPENED);
    start_ending(transfer);
}

void hr_transfer_client_failed(hr_transfer *transfer)
{
    transfer->server_open = false;
    hr_transfer_end(transfer, transfer->client->error.status, "%s", transfer->client->error.text);
}

void hr_transfer_fire(hr_timer *timer)
{
    hr_transfer *transfer = HR_CONTAINER(timer, hr_transfer, timer);
    if (transfer->state == HR_TRANSFER_DRAINING)
        hr_client_drop_links(transfer->client);
    else
        hr_transfer_feed(transfer);
}

/* ---- the stages ---- */

static void start_moving(hr_transfer *transfer)
{
    transfer->state = HR_TRANSFER_MOVING;
    for (uint32_t i = 0; i < transfer->chunk_count; i++)
        if (transfer->chunks[i].state == HR_CHUNK_VERIFIED) {
            uint32_t len = hr_chunk_content_len(transfer->size, transfer->chunk_len, i);
            transfer->counters.bytes_verified += len;
            transfer->counters.bytes_reused += len;
        }
    hr_plan_init(&transfer->plan, transfer->chunks, transfer->chunk_count);
    if (transfer->dry_run) {
        transfer->error.status = HR_OK;
        start_draining(transfer);
    } else if (!hr_transfer_make_parts(transfer)) {
        hr_transfer_end(transfer, HR_NO_MEMORY, "starting the transfer: out of memory");
    } else {
        hr_transfer_feed(transfer);
    }
}

static bool make_chunks(hr_transfer *transfer)
{
    if (transfer->target.bundles != NULL)
        transfer->chunk_count = transfer->target.bundles->count;
    else
        transfer->chunk_count = (uint32_t)hr_chunk_count(transfer->size, transfer->chunk_len);
    transfer->chunks =
        hr_alloc(transfer->env, (transfer->chunk_count + 1) * sizeof *transfer->chunks);
    if (transfer->chunks != NULL)
        return true;
    hr_transfer_end(transfer, HR_NO_MEMORY, "a table of %u chunks: out of memory",
                    transfer->chunk_count);
    return false;
}

static void draft_ready(void *context)
{
    hr_transfer *transfer = context;
    transfer->draft_stepping = false;
    transfer->target.file = transfer->draft.file;
    transfer->target.sparse = transfer->sparse;
    if (transfer->state == HR_TRANSFER_PREPARING)
        start_moving(transfer);
    else
        hr_transfer_try_to_end(transfer);
}

static void draft_synced(void *context)
{
    hr_transfer *transfer = context;
    transfer->draft_stepping = false;
    if (transfer->state != HR_TRANSFER_FINISHING) {
        hr_transfer_try_to_end(transfer);
        return;
    }
    if (transfer->read_back) {
        transfer->state = HR_TRANSFER_REREADING;
        gauge_publishing(transfer, false);
        for (uint32_t i = 0; i < transfer->chunk_count; i++)
            transfer->chunks[i].state = HR_CHUNK_DOUBTFUL;
        hr_plan_init(&transfer->plan, transfer->chunks, transfer->chunk_count);
        hr_transfer_feed(transfer);
        return;
    }
    transfer->publishing = transfer->draft_stepping = true;
    hr_draft_publish(&transfer->draft);
}

static void draft_published(void *context)
{
    hr_transfer *transfer = context;
    transfer->draft_stepping = false;
    transfer->counters.bytes_verified = transfer->size;
    start_ending(transfer);
}

static void draft_failed(void *context, hr_status status, const char *text)
{
    hr_transfer *transfer = context;
    /* A record that failed tells nothing of the step that may still be under way. */
    transfer->draft_stepping = transfer->draft.stepping;
    transfer->publishing = false;
    if (transfer->state == HR_TRANSFER_DRAINING)
        hr_transfer_try_to_end(transfer);
    else
        hr_transfer_end(transfer, status, "%s", text); /* it may be gone after this */
}

static void draft_same(void *context)
{
    hr_transfer *transfer = context;
    transfer->draft_stepping = false;
    transfer->kept = transfer->state == HR_TRANSFER_PREPARING;
    if (transfer->kept)
        start_ending(transfer);
    else
        hr_transfer_try_to_end(transfer);
}

static void draft_closed(void *context)
{
    hr_transfer *transfer = context;
    transfer->draft_closed = true;
    gauge_publishing(transfer, false);
    finish_if_over(transfer);
}

static const hr_draft_events draft_events = {
    .ready = draft_ready,
    .synced = draft_synced,
    .published = draft_published,
    .failed = draft_failed,
    .same = draft_same,
    .closed = draft_closed,
};

void hr_transfer_begin_file(hr_transfer *transfer, const hr_draft_options *options, bool read_back)
{
    if (transfer->state != HR_TRANSFER_OPENED || !make_chunks(transfer))
        return;
    hr_draft_options complete = *options;
    memcpy(complete.identity, transfer->identity, HR_IDENTITY_LEN);
    complete.size = transfer->size;
    complete.mtime_ns = transfer->mtime_ns;
    complete.mode = hr_kept_mode(transfer->mode, options->owner);
    complete.uid = transfer->uid;
    complete.gid = transfer->gid;
    complete.sparse = transfer->sparse;
    complete.chunk_len = transfer->chunk_len;
    transfer->dry_run = options->look;
    transfer->read_back = read_back;
    transfer->state = HR_TRANSFER_PREPARING;
    hr_worker *home = hr_engine_home(transfer->client->engine);
    hr_status status = hr_draft_open(&transfer->draft, transfer->env, home->storage, &complete,
                                     transfer->chunks, &draft_events, transfer);
    transfer->has_draft = transfer->draft_stepping = status == HR_OK;
    if (status != HR_OK)
        hr_transfer_end(transfer, status, "starting the file: %s",
                        status == HR_INVALID ? "its path is too long" : hr_status_text(status));
}

static void direct_changed(void *context)
{
    hr_transfer *transfer = context;
    if (transfer->state == HR_TRANSFER_PREPARING)
        start_moving(transfer);
    else if (transfer->state == HR_TRANSFER_DRAINING)
        hr_transfer_try_to_end(transfer);
    else
        finish_if_over(transfer);
}

void hr_transfer_begin_bundles(hr_transfer *transfer, hr_dir *dir, bool owner)
{
    if (transfer->state != HR_TRANSFER_OPENED || !make_chunks(transfer))
        return;
    transfer->target.dir = dir;
    transfer->target.owner = owner;
    transfer->target.discard = dir == NULL;
    transfer->target.packed_apart = transfer->content;
    start_moving(transfer);
}

void hr_transfer_begin_memory(hr_transfer *transfer, void *memory)
{
    if (transfer->state != HR_TRANSFER_OPENED || !make_chunks(transfer))
        return;
    transfer->target.memory = memory;
    transfer->target.discard = memory == NULL;
    if (memory == NULL) {
        start_moving(transfer);
        return;
    }
    transfer->state = HR_TRANSFER_PREPARING;
    transfer->has_direct = true;
    transfer->target.direct = &transfer->direct;
    const hr_span span = hr_span_host(memory, transfer->size);
    hr_direct_open(&transfer->direct, transfer->client, &span, 1, direct_changed, transfer);
    if (hr_direct_is_settled(&transfer->direct))
        start_moving(transfer);
}

const char *hr_transfer_no_gpudirect(const hr_transfer *transfer)
{
    const hr_client *client = transfer->client;
    if (!client->network || client->no_rdma[0] != '\0')
        return "RDMA is not used";
    if (transfer->key.cipher != HR_CIPHER_NONE)
        return "what comes sealed is opened in host memory";
    if (transfer->size < HR_PROBE_LEN)
        return "the target is shorter than the probe";
    if (client->requires_gpudirect && transfer->codec == HR_CODEC_ZSTD)
        return "zstd is decoded by the CPU, in host memory";
    return NULL;
}

static void start_uploading(hr_transfer *transfer)
{
    const hr_gpudirect *gpudirect = &transfer->gpudirect;
    char name[200];
    if (gpudirect->state == HR_GPUDIRECT_OPEN) {
        transfer->target.direct = &gpudirect->direct;
        hr_upload_note_way(transfer->target.upload, hr_gpudirect_way(gpudirect), gpudirect->why);
    } else if (transfer->client->requires_gpudirect) {
        hr_transfer_end(transfer, HR_UNSUPPORTED, "%s: GPUDirect is required: %s",
                        hr_transfer_shown(transfer, name, sizeof name), gpudirect->why);
        return;
    } else {
        hr_upload_note_way(transfer->target.upload, NULL, gpudirect->why);
    }
    start_moving(transfer);
}

static void gpudirect_changed(void *context)
{
    hr_transfer *transfer = context;
    if (transfer->state == HR_TRANSFER_PREPARING)
        start_uploading(transfer);
    else
        finish_if_over(transfer);
}

void hr_transfer_begin_upload(hr_transfer *transfer, hr_upload *upload)
{
    hr_gpudirect *gpudirect = &transfer->gpudirect;
    const char *why = hr_transfer_no_gpudirect(transfer);
    if (transfer->state != HR_TRANSFER_OPENED || !make_chunks(transfer))
        return;
    transfer->target.upload = upload;
    transfer->state = HR_TRANSFER_PREPARING;
    if (why == NULL)
        hr_gpudirect_open(gpudirect, transfer->client, upload, gpudirect_changed, transfer);
    else
        snprintf(gpudirect->why, sizeof gpudirect->why, "%s", why);
    if (gpudirect->state == HR_GPUDIRECT_CLOSED)
        start_uploading(transfer);
}

/* The source is asked for before anything gets a name: it may have changed after the last read. */
void hr_transfer_chunks_complete(hr_transfer *transfer)
{
    if (transfer->state == HR_TRANSFER_REREADING) {
        transfer->state = HR_TRANSFER_FINISHING;
        transfer->publishing = transfer->draft_stepping = true;
        gauge_publishing(transfer, true);
        hr_draft_publish(&transfer->draft);
        return;
    }
    transfer->state = HR_TRANSFER_CLOSING;
    transfer->server_open = false; /* whatever comes of it here meanwhile */
    hr_client_send(transfer->client, &(hr_message){.kind = HR_MESSAGE_CLOSE,
                                                   .close = {.transfer = transfer->number}});
}

void hr_transfer_take_closed(hr_transfer *transfer, const hr_message_closed *closed)
{
    char name[200];
    if (transfer->state != HR_TRANSFER_CLOSING)
        return;
    if (closed->status != HR_OK) {
        hr_transfer_end(transfer, closed->status, "%s: %s (%.*s); run the same command again",
                        hr_transfer_shown(transfer, name, sizeof name),
                        hr_status_text(closed->status), (int)closed->text.len,
                        (const char *)closed->text.at);
    } else if (transfer->has_draft) {
        transfer->state = HR_TRANSFER_FINISHING;
        transfer->draft_stepping = true;
        gauge_publishing(transfer, true);
        hr_draft_finish(&transfer->draft);
    } else {
        start_ending(transfer);
    }
}
