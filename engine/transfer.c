/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "keep.h"
#include "rate.h"

/* How long a peer may take to give back what was granted before its links are closed instead. */
#define DRAIN_NS (2 * HR_NS_PER_S)

static void try_to_end(hr_transfer *transfer);
static void chunks_complete(hr_transfer *transfer);

/* ---- the end ---- */

/* What the next run can use is kept: some of it is verified, by this run or by the one before it,
 * and it is still what the source is. */
static bool is_worth_keeping(const hr_transfer *transfer)
{
    return (transfer->counters.bytes_verified > 0 || transfer->draft.found) &&
           transfer->error.status != HR_CHANGED && transfer->error.status != HR_OK;
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
    transfer->state = HR_TRANSFER_OVER;
    hr_loop_timer_clear(hr_engine_home(transfer->client->engine)->loop, &transfer->timer);
    hr_list_remove(&transfer->node);
    hr_release(transfer->env, transfer->chunks);
    hr_release(transfer->env, transfer->uncompressed);
    transfer->chunks = NULL;
    transfer->uncompressed = NULL;
    transfer->events->over(transfer->context, transfer);
}

static void part_retired(void *context, hr_part *part)
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

static unsigned count_busy(const hr_transfer *transfer)
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
    for (unsigned i = 0; i < HR_CLIENT_LINKS_MAX; i++)
        if (transfer->parts[i] != NULL)
            hr_part_retire(transfer->parts[i]);
    finish_if_over(transfer);
}

static void try_to_end(hr_transfer *transfer)
{
    if (transfer->state == HR_TRANSFER_DRAINING && count_busy(transfer) == 0 &&
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
    try_to_end(transfer);
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

/* The shard's name for a sentence. */
static const char *shown(const hr_transfer *transfer, char *buffer, size_t len)
{
    return hr_quote(buffer, len, transfer->path, strlen(transfer->path));
}

/* ---- opening ---- */

static void fire(hr_timer *timer);

static void start_opening(hr_transfer *transfer, hr_client *client,
                          const hr_transfer_events *events, void *context)
{
    transfer->client = client;
    transfer->env = client->env;
    transfer->events = events;
    transfer->context = context;
    transfer->number = ++client->next_transfer;
    transfer->timer.fire = fire;
    transfer->state = HR_TRANSFER_OPENING;
    hr_list_append(&client->transfers, &transfer->node);
}

void hr_transfer_open_bundles(hr_transfer *transfer, hr_client *client,
                              const hr_message_open_bundles *open, hr_bundles *bundles,
                              const hr_transfer_events *events, void *context)
{
    start_opening(transfer, client, events, context);
    snprintf(transfer->path, sizeof transfer->path, "%.*s", (int)open->path.len,
             (const char *)open->path.at);
    transfer->target.bundles = bundles;
    hr_message message = {.kind = HR_MESSAGE_OPEN_BUNDLES, .open_bundles = *open};
    message.open_bundles.transfer = transfer->number;
    hr_client_send(client, &message);
}

void hr_transfer_open(hr_transfer *transfer, hr_client *client, const char *path,
                      const hr_transfer_events *events, void *context)
{
    start_opening(transfer, client, events, context);
    snprintf(transfer->path, sizeof transfer->path, "%s", path);
    hr_client_send(client,
                   &(hr_message){
                       .kind = HR_MESSAGE_OPEN,
                       .open = {.transfer = transfer->number,
                                .path = hr_bytes_make(transfer->path, strlen(transfer->path)),
                                .content = transfer->content},
                   });
}

/* What is to be known of a packed shard. */
static bool take_packing(hr_transfer *transfer, const hr_message_opened *opened)
{
    transfer->codec = opened->codec;
    transfer->stored_len = opened->stored_len;
    if (opened->codec == HR_CODEC_STORED)
        return true;
    hr_status status = hr_engine_decoders(transfer->client->engine, &transfer->target.decoders);
    if (status == HR_OK && opened->direct.len > 0) {
        transfer->uncompressed = hr_alloc(transfer->env, opened->direct.len);
        status = transfer->uncompressed == NULL ? HR_NO_MEMORY : HR_OK;
    }
    if (status != HR_OK) {
        hr_transfer_end(transfer, status, "getting ready to decode: %s", hr_status_text(status));
        return false;
    }
    if (opened->direct.len > 0)
        memcpy(transfer->uncompressed, opened->direct.at, opened->direct.len);
    return true;
}

/* The server decides how an export is protected. False: it cannot be fetched so. */
static bool take_key(hr_transfer *transfer, const hr_message_opened *opened)
{
    char name[200];
    hr_client *client = transfer->client;
    if (opened->cipher == HR_CIPHER_NONE && client->requires_aead) {
        hr_transfer_end(transfer, HR_UNSUPPORTED,
                        "%s is served in clear, and aead is required: the server protects an "
                        "export with --protect NAME=aead",
                        shown(transfer, name, sizeof name));
        return false;
    }
    if (opened->cipher == HR_CIPHER_NONE)
        return true;
    hr_status status = hr_seal_derive(client->control.filter, opened->cipher, transfer->number,
                                      opened->salt, &transfer->key);
    if (status != HR_OK)
        hr_transfer_end(transfer, status, "%s comes in cipher %u, which this build cannot read",
                        shown(transfer, name, sizeof name), opened->cipher);
    return status == HR_OK;
}

void hr_transfer_take_opened(hr_transfer *transfer, const hr_message_opened *opened)
{
    bool is_bundles = transfer->target.bundles != NULL;
    if (opened->status == HR_OK && (opened->type == HR_NODE_REGULAR || is_bundles))
        transfer->server_open = true;
    if (transfer->state != HR_TRANSFER_OPENING)
        return;
    if (opened->status != HR_OK) {
        hr_transfer_end(transfer, opened->status, "%.*s", (int)opened->text.len,
                        (const char *)opened->text.at);
        return;
    }
    if (is_bundles && opened->type != HR_NODE_DIRECTORY) {
        hr_transfer_end(transfer, HR_PROTOCOL, "the server opened a file where bundles were meant");
        return;
    }
    char name[200];
    if (hr_codec_find(opened->codec) == NULL ||
        (opened->codec != HR_CODEC_STORED && !transfer->content)) {
        hr_transfer_end(transfer, HR_UNSUPPORTED,
                        "%s comes in codec %u, which this build cannot read, or was not asked for",
                        shown(transfer, name, sizeof name), opened->codec);
        return;
    }
    if (opened->text.len > 0)
        hr_log(transfer->env, HR_LOG_WARN, "%s comes as it is: %.*s",
               shown(transfer, name, sizeof name), (int)opened->text.len,
               (const char *)opened->text.at);
    if (!take_packing(transfer, opened) ||
        ((opened->type == HR_NODE_REGULAR || is_bundles) && !take_key(transfer, opened)))
        return;
    transfer->state = HR_TRANSFER_OPENED;
    transfer->is_directory = opened->type == HR_NODE_DIRECTORY;
    transfer->size = opened->size;
    transfer->mtime_ns = opened->mtime_ns;
    transfer->mode = opened->mode;
    transfer->uid = opened->uid;
    transfer->gid = opened->gid;
    transfer->sparse = opened->sparse;
    transfer->chunk_len = opened->chunk_len;
    memcpy(transfer->identity, opened->identity, HR_IDENTITY_LEN);
    transfer->events->opened(transfer->context, transfer);
}

/* ---- moving ---- */

/* Of a chunk: what the source has of it, without the rows of a bundle. */
static uint32_t content_len(const hr_transfer *transfer, uint32_t chunk)
{
    const hr_bundles *bundles = transfer->target.bundles;
    return bundles != NULL ? hr_bundle_content_len(&bundles->bundles[chunk])
                           : hr_chunk_content_len(transfer->size, transfer->chunk_len, chunk);
}

/* Of it what is there now: the rows of a bundle say of each file whether it is. */
static uint64_t verified_len(const hr_transfer *transfer, uint32_t chunk)
{
    const hr_bundles *bundles = transfer->target.bundles;
    return bundles != NULL ? hr_bundle_good_len(bundles, chunk) : content_len(transfer, chunk);
}

static void part_armed(void *context, hr_landing *landing)
{
    hr_transfer *transfer = context;
    if (transfer->state != HR_TRANSFER_MOVING) {
        /* Its grant never left, so nobody will answer it but us. */
        hr_landing_failed(landing, HR_CANCELED);
        return;
    }
    hr_client_grant(transfer->client, &(hr_grant){
                                          .transfer = transfer->number,
                                          .chunk = landing->chunk,
                                          .generation = landing->generation,
                                          .link = landing->part->receiver->greeting.link,
                                          .region = landing->place.region,
                                          .offset = landing->place.offset,
                                          .flags = landing->complain ? HR_GRANT_COMPLAIN : 0,
                                      });
}

static void verified(hr_transfer *transfer, const hr_landing *landing)
{
    hr_plan_verified(&transfer->plan, landing->chunk, landing->crc);
    transfer->counters.progress_ns = hr_now_ns(transfer->env);
    if (transfer->state == HR_TRANSFER_REREADING)
        return;
    transfer->counters.bytes_verified += verified_len(transfer, landing->chunk);
    if (landing->check)
        transfer->counters.bytes_reused += landing->len;
    if (transfer->has_draft)
        hr_draft_note(&transfer->draft, landing->chunk, landing->len, landing->crc);
}

static void mismatched(hr_transfer *transfer, const hr_landing *landing)
{
    char name[200];
    if (hr_plan_mismatched(&transfer->plan, landing->chunk) == HR_OK) {
        hr_log(transfer->env, HR_LOG_WARN,
               "%s: chunk %u does not match its digest; asking for it again",
               shown(transfer, name, sizeof name), landing->chunk);
        return;
    }
    if (landing->failure == HR_INTEGRITY) {
        hr_transfer_end(transfer, HR_INTEGRITY,
                        "%s: chunk %u (offset %llu) does not match its digest on the server's own "
                        "disk; headrace verify there tells more",
                        shown(transfer, name, sizeof name), landing->chunk,
                        (unsigned long long)landing->chunk * transfer->chunk_len);
        return;
    }
    hr_transfer_end(transfer, HR_INTEGRITY,
                    "%s: chunk %u (offset %llu) does not match its digest, twice: the network, "
                    "the memory or the disk between here and the source corrupts data",
                    shown(transfer, name, sizeof name), landing->chunk,
                    (unsigned long long)landing->chunk * transfer->chunk_len);
}

static void check_failed(hr_transfer *transfer, const hr_landing *landing)
{
    hr_plan_returned(&transfer->plan, landing->chunk);
    if (landing->status == HR_INTEGRITY && transfer->state != HR_TRANSFER_REREADING)
        return; /* lost with the crash: it is simply missing */
    if (landing->status == HR_INTEGRITY)
        hr_draft_distrust(&transfer->draft);
    hr_transfer_end(transfer, landing->status, "reading %s again, chunk %u: %s",
                    transfer->draft.shown, landing->chunk, hr_status_text(landing->status));
}

static void chunk_failed(hr_transfer *transfer, const hr_landing *landing)
{
    char name[200];
    hr_plan_returned(&transfer->plan, landing->chunk);
    /* The link died, it had no room, or we took it back ourselves: another will carry it. */
    if (landing->status == HR_PEER_LOST || landing->status == HR_AGAIN ||
        landing->status == HR_CANCELED)
        return;
    const char *advice = "";
    if (landing->status == HR_NO_SPACE)
        advice = "; make room and run the same command again, it continues";
    else if (landing->status == HR_CHANGED)
        advice = "; run the same command again";
    else if (landing->status == HR_IO)
        advice = "; is the disk that it lies on well?";
    uint64_t offset = (uint64_t)landing->chunk * transfer->chunk_len;
    if (landing->from_peer)
        hr_transfer_end(transfer, landing->status, "%s: reading chunk %u (offset %llu): %s%s",
                        shown(transfer, name, sizeof name), landing->chunk,
                        (unsigned long long)offset, hr_status_text(landing->status), advice);
    else if (transfer->target.bundles != NULL)
        hr_transfer_end(transfer, landing->status, "writing small files: %s%s",
                        hr_status_text(landing->status), advice);
    else
        hr_transfer_end(transfer, landing->status, "writing %s at offset %llu: %s%s",
                        transfer->draft.shown, (unsigned long long)offset,
                        hr_status_text(landing->status), advice);
}

static void part_done(void *context, hr_landing *landing)
{
    hr_transfer *transfer = context;
    bool has_rows = transfer->target.bundles != NULL && landing->moved > 0;
    transfer->counters.bytes_moved +=
        has_rows ? content_len(transfer, landing->chunk) : landing->moved;
    /* The rate is that of the wire, and what was taken beforehand was content. */
    if (transfer->rate != NULL && landing->moved > 0 && landing->moved < landing->len)
        hr_rate_give(transfer->rate, landing->len - landing->moved);
    if (landing->moved > 0 && transfer->counters.first_byte_ns == 0)
        transfer->counters.first_byte_ns = hr_now_ns(transfer->env);
    if (landing->status == HR_OK)
        verified(transfer, landing);
    else if (landing->check)
        check_failed(transfer, landing);
    else if (landing->status == HR_INTEGRITY)
        mismatched(transfer, landing);
    else
        chunk_failed(transfer, landing);
    hr_transfer_feed(transfer);
    try_to_end(transfer);
}

static const hr_part_events part_events = {
    .armed = part_armed,
    .done = part_done,
    .retired = part_retired,
};

/* Known to be stored as it is. */
static bool is_uncompressed(const hr_transfer *transfer, uint32_t chunk)
{
    return transfer->uncompressed != NULL &&
           (transfer->uncompressed[chunk / 8] >> chunk % 8 & 1) != 0;
}

static void start_chunk(hr_transfer *transfer, hr_part *part, const hr_plan_step *step)
{
    hr_landing *landing = hr_part_take(part);
    landing->chunk = step->chunk;
    landing->generation = step->generation;
    landing->check = step->check;
    landing->complain = step->complain;
    const hr_bundles *bundles = transfer->target.bundles;
    landing->len =
        bundles != NULL ? bundles->bundles[step->chunk].len : content_len(transfer, step->chunk);
    landing->crc = transfer->chunks[step->chunk].crc;
    landing->in_slot =
        transfer->codec != HR_CODEC_STORED && !is_uncompressed(transfer, step->chunk);
    hr_landing_start(landing);
}

static bool is_allowed(hr_transfer *transfer)
{
    uint64_t due_ns;
    if (transfer->rate == NULL || transfer->state == HR_TRANSFER_REREADING)
        return true;
    if (hr_rate_take(transfer->rate, transfer->chunk_len, hr_now_ns(transfer->env), &due_ns))
        return true;
    hr_loop *loop = hr_engine_home(transfer->client->engine)->loop;
    if (hr_loop_timer_set(loop, &transfer->timer, due_ns) != HR_OK)
        hr_transfer_end(transfer, HR_NO_MEMORY, "setting a timer: out of memory");
    return false;
}

/* Chunks under way on a rail, over all its links; on the network, over all of those. */
static unsigned rail_load(const hr_transfer *transfer, uint32_t rail)
{
    unsigned load = 0;
    for (unsigned i = 0; i < transfer->client->link_count; i++)
        if (transfer->parts[i] != NULL && transfer->parts[i]->receiver->server_rail == rail)
            load += transfer->parts[i]->busy;
    return load;
}

/* The next chunk goes to the rail with the least under way, and of equals to the link that had the
 * fewest: a slow one gets no more than it can carry. NULL: all windows are full. */
static hr_part *least_loaded(const hr_transfer *transfer)
{
    hr_part *best = NULL;
    unsigned best_load = 0;
    for (unsigned i = 0; i < transfer->client->link_count; i++) {
        hr_part *part = transfer->parts[i];
        if (part == NULL || part->receiver->state != HR_RECEIVER_UP ||
            hr_list_is_empty(&part->free))
            continue;
        unsigned load = rail_load(transfer, part->receiver->server_rail);
        if (best == NULL || load < best_load || (load == best_load && part->taken < best->taken)) {
            best = part;
            best_load = load;
        }
    }
    return best;
}

static bool feed_one(hr_transfer *transfer)
{
    hr_plan_step step;
    hr_part *part = least_loaded(transfer);
    if (part == NULL || (transfer->has_draft && hr_draft_is_full(&transfer->draft)) ||
        transfer->plan.verified + transfer->plan.outstanding == transfer->plan.total ||
        !is_allowed(transfer) || !hr_plan_next(&transfer->plan, &step))
        return false;
    start_chunk(transfer, part, &step);
    return true;
}

void hr_transfer_feed(hr_transfer *transfer)
{
    while ((transfer->state == HR_TRANSFER_MOVING || transfer->state == HR_TRANSFER_REREADING) &&
           feed_one(transfer))
        ;
    if ((transfer->state == HR_TRANSFER_MOVING || transfer->state == HR_TRANSFER_REREADING) &&
        hr_plan_is_complete(&transfer->plan) && count_busy(transfer) == 0)
        chunks_complete(transfer);
}

static void fire(hr_timer *timer)
{
    hr_transfer *transfer = HR_CONTAINER(timer, hr_transfer, timer);
    if (transfer->state == HR_TRANSFER_DRAINING)
        hr_client_drop_links(transfer->client);
    else
        hr_transfer_feed(transfer);
}

void hr_transfer_take_failed(hr_transfer *transfer, const hr_message_failed *failed)
{
    for (unsigned i = 0; i < HR_CLIENT_LINKS_MAX; i++) {
        hr_part *part = transfer->parts[i];
        for (unsigned k = 0; part != NULL && k < HR_PART_WINDOW; k++) {
            hr_landing *landing = &part->landings[k];
            if (landing->busy && !landing->check && landing->chunk == failed->chunk &&
                landing->generation == failed->generation) {
                hr_landing_failed(landing, failed->status);
                return;
            }
        }
    }
}

/* ---- the stages ---- */

static bool make_parts(hr_transfer *transfer)
{
    for (unsigned i = 0; i < transfer->client->link_count; i++) {
        hr_part *part = hr_alloc(transfer->env, sizeof *part);
        hr_sealer *sealer = NULL;
        if (part == NULL)
            return false;
        if (transfer->key.cipher != HR_CIPHER_NONE &&
            hr_sealer_create(transfer->env, &sealer) != HR_OK) {
            hr_release(transfer->env, part);
            return false;
        }
        hr_part_init(part, &transfer->client->receivers[i], transfer->number, transfer->chunk_len,
                     &transfer->target, &part_events, transfer);
        part->key = &transfer->key;
        part->sealer = sealer;
        transfer->parts[i] = part;
        transfer->part_count++;
    }
    return true;
}

static void start_moving(hr_transfer *transfer)
{
    transfer->state = HR_TRANSFER_MOVING;
    for (uint32_t i = 0; i < transfer->chunk_count; i++)
        if (transfer->chunks[i].state == HR_CHUNK_VERIFIED) {
            uint32_t len = hr_chunk_content_len(transfer->size, transfer->chunk_len, i);
            transfer->counters.bytes_verified += len;
            transfer->counters.bytes_reused += len;
        }
    transfer->counters.progress_ns = hr_now_ns(transfer->env);
    hr_plan_init(&transfer->plan, transfer->chunks, 0, transfer->chunk_count);
    if (transfer->dry_run) {
        transfer->error.status = HR_OK;
        start_draining(transfer);
    } else if (!make_parts(transfer)) {
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
        try_to_end(transfer);
}

static void draft_synced(void *context)
{
    hr_transfer *transfer = context;
    transfer->draft_stepping = false;
    if (transfer->state != HR_TRANSFER_FINISHING) {
        try_to_end(transfer);
        return;
    }
    if (transfer->read_back) {
        transfer->state = HR_TRANSFER_REREADING;
        for (uint32_t i = 0; i < transfer->chunk_count; i++)
            transfer->chunks[i].state = HR_CHUNK_DOUBTFUL;
        hr_plan_init(&transfer->plan, transfer->chunks, 0, transfer->chunk_count);
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
        try_to_end(transfer);
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
        try_to_end(transfer);
}

static void draft_closed(void *context)
{
    hr_transfer *transfer = context;
    transfer->draft_closed = true;
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
        try_to_end(transfer);
    else
        finish_if_over(transfer);
}

void hr_transfer_begin_bundles(hr_transfer *transfer, hr_dir *dir)
{
    if (transfer->state != HR_TRANSFER_OPENED || !make_chunks(transfer))
        return;
    transfer->target.dir = dir;
    transfer->target.discard = dir == NULL;
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
    hr_direct_open(&transfer->direct, transfer->client, hr_span_host(memory, transfer->size),
                   direct_changed, transfer);
    if (hr_direct_is_settled(&transfer->direct))
        start_moving(transfer);
}

/* The source is asked for before anything gets a name: it may have changed after the last read. */
static void chunks_complete(hr_transfer *transfer)
{
    if (transfer->state == HR_TRANSFER_REREADING) {
        transfer->state = HR_TRANSFER_FINISHING;
        transfer->publishing = transfer->draft_stepping = true;
        hr_draft_publish(&transfer->draft);
        return;
    }
    transfer->state = HR_TRANSFER_CLOSING;
    hr_client_send(transfer->client, &(hr_message){.kind = HR_MESSAGE_CLOSE,
                                                   .close = {.transfer = transfer->number}});
}

void hr_transfer_take_closed(hr_transfer *transfer, const hr_message_closed *closed)
{
    char name[200];
    transfer->server_open = false;
    if (transfer->state != HR_TRANSFER_CLOSING)
        return;
    if (closed->status != HR_OK) {
        hr_transfer_end(transfer, closed->status, "%s: %s (%.*s); run the same command again",
                        shown(transfer, name, sizeof name), hr_status_text(closed->status),
                        (int)closed->text.len, (const char *)closed->text.at);
    } else if (transfer->has_draft) {
        transfer->state = HR_TRANSFER_FINISHING;
        transfer->draft_stepping = true;
        hr_draft_finish(&transfer->draft);
    } else {
        start_ending(transfer);
    }
}
