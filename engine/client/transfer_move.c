/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer_parts.h"

#define BUSY_PAUSE_NS (10 * HR_NS_PER_MS)

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
                                          .link = landing->link,
                                          .region = landing->place.region,
                                          .offset = landing->place.offset,
                                          .flags = landing->complain ? HR_GRANT_COMPLAIN : 0,
                                      });
}

static void verified(hr_transfer *transfer, const hr_landing *landing)
{
    hr_plan_verified(&transfer->plan, landing->chunk, landing->crc);
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
               hr_transfer_shown(transfer, name, sizeof name), landing->chunk);
        return;
    }
    if (landing->failure == HR_INTEGRITY) {
        hr_transfer_end(transfer, HR_INTEGRITY,
                        "%s: chunk %u (offset %llu) does not match its digest on %s tells more",
                        hr_transfer_shown(transfer, name, sizeof name), landing->chunk,
                        (unsigned long long)landing->chunk * transfer->chunk_len,
                        transfer->client->network ? "the server's own disk; headrace verify there"
                                                  : "the disk; headrace verify");
        return;
    }
    hr_transfer_end(transfer, HR_INTEGRITY,
                    "%s: chunk %u (offset %llu) does not match its digest, twice: the network, "
                    "the memory or the disk between here and the source corrupts data",
                    hr_transfer_shown(transfer, name, sizeof name), landing->chunk,
                    (unsigned long long)landing->chunk * transfer->chunk_len);
}

/* Of what an earlier run left: lost with a crash, or on sectors that cannot be read any more, it is
 * missing, and writing it again may be what mends them. */
static bool is_missing(const hr_transfer *transfer, const hr_landing *landing)
{
    return transfer->state != HR_TRANSFER_REREADING &&
           (landing->status == HR_INTEGRITY || landing->status == HR_IO);
}

static void check_failed(hr_transfer *transfer, const hr_landing *landing)
{
    hr_plan_returned(&transfer->plan, landing->chunk);
    if (is_missing(transfer, landing))
        return;
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
    if (landing->status == HR_AGAIN && landing->from_peer)
        transfer->pause_until_ns = hr_now_ns(transfer->env) + BUSY_PAUSE_NS;
    if (landing->status == HR_PEER_LOST || landing->status == HR_AGAIN ||
        landing->status == HR_CANCELED)
        return;
    const char *advice = "";
    if (landing->status == HR_NO_SPACE)
        advice = "; make room and run the same command again: what has arrived is kept";
    else if (landing->status == HR_CHANGED)
        advice = "; run the same command again";
    else if (landing->status == HR_IO)
        advice = "; is the disk that it lies on well?";
    uint64_t offset = (uint64_t)landing->chunk * transfer->chunk_len;
    if (!landing->from_peer && transfer->target.upload != NULL)
        hr_transfer_end(transfer, landing->status, "%s: chunk %u (offset %llu): %s",
                        hr_transfer_shown(transfer, name, sizeof name), landing->chunk,
                        (unsigned long long)offset, hr_upload_error(transfer->target.upload));
    else if (landing->status == HR_UNSUPPORTED && landing->in_slot)
        hr_transfer_end(transfer, HR_UNSUPPORTED,
                        "unpacking %s: chunk %u (offset %llu) was made by a later version; a newer "
                        "headrace reads it, and with --as-is its bytes come as they are",
                        hr_transfer_shown(transfer, name, sizeof name), landing->chunk,
                        (unsigned long long)offset);
    else if (landing->from_peer)
        hr_transfer_end(transfer, landing->status, "%s: reading chunk %u (offset %llu): %s%s",
                        hr_transfer_shown(transfer, name, sizeof name), landing->chunk,
                        (unsigned long long)offset, hr_status_text(landing->status), advice);
    else if (transfer->target.bundles != NULL)
        hr_transfer_end(transfer, landing->status, "writing small files: %s%s",
                        hr_status_text(landing->status), advice);
    else
        hr_transfer_end(transfer, landing->status, "writing %s at offset %llu: %s%s",
                        transfer->draft.shown, (unsigned long long)offset,
                        hr_status_text(landing->status), advice);
}

/* Where GPUDirect is required: what comes compressed lands on the GPU. */
static bool has_slots_enough(hr_transfer *transfer)
{
    const hr_gpudirect *gpudirect = &transfer->gpudirect;
    if (!transfer->client->requires_gpudirect || transfer->codec == HR_CODEC_STORED ||
        gpudirect->has_slots)
        return true;
    hr_transfer_end(transfer, HR_UNSUPPORTED, "GPUDirect is required: %s",
                    gpudirect->why[0] != '\0' ? gpudirect->why
                                              : "the GPU has no room for landing slots");
    return false;
}

/* What the GPU's kernels refused comes once more, through the host. */
static bool comes_again(hr_transfer *transfer, const hr_landing *landing)
{
    if (transfer->target.upload == NULL)
        return false;
    bool again = hr_gpudirect_learn(&transfer->gpudirect, landing);
    (void)has_slots_enough(transfer);
    return again;
}

static void part_done(void *context, hr_landing *landing)
{
    hr_transfer *transfer = context;
    bool has_rows = transfer->target.bundles != NULL && landing->moved > 0;
    transfer->counters.bytes_moved +=
        has_rows ? content_len(transfer, landing->chunk) : landing->moved;
    if (landing->moved > 0)
        hr_control_note_life(&transfer->client->control);
    /* The rate is that of the wire, and what was taken beforehand was content. */
    if (transfer->rate != NULL && landing->moved > 0 && landing->moved < landing->len)
        hr_rate_give(transfer->rate, landing->len - landing->moved);
    if (landing->moved > 0 && transfer->counters.first_byte_ns == 0)
        transfer->counters.first_byte_ns = hr_now_ns(transfer->env);
    if (comes_again(transfer, landing))
        hr_plan_returned(&transfer->plan, landing->chunk);
    else if (landing->status == HR_OK)
        verified(transfer, landing);
    else if (landing->check)
        check_failed(transfer, landing);
    else if (landing->status == HR_INTEGRITY)
        mismatched(transfer, landing);
    else
        chunk_failed(transfer, landing);
    hr_transfer_feed(transfer);
    hr_transfer_try_to_end(transfer);
}

static const hr_part_events part_events = {
    .armed = part_armed,
    .done = part_done,
    .retired = hr_transfer_part_retired,
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
    if (landing->in_slot && hr_gpudirect_find_room(&transfer->gpudirect) == HR_GPUDIRECT_ROOM)
        landing->gpu_slot = hr_gpudirect_take_slot(&transfer->gpudirect);
    hr_landing_start(landing);
}

static bool is_allowed(hr_transfer *transfer)
{
    const uint64_t now_ns = hr_now_ns(transfer->env);
    uint64_t due_ns = transfer->pause_until_ns;
    if (now_ns >= due_ns && (transfer->rate == NULL || transfer->state == HR_TRANSFER_REREADING ||
                             hr_rate_take(transfer->rate, transfer->chunk_len, now_ns, &due_ns)))
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

/* A link that was built again may go through a NIC that does not reach the GPU, or through none. */
static bool is_direct_enough(hr_transfer *transfer, const hr_part *part)
{
    const hr_gpudirect *gpudirect = &transfer->gpudirect;
    uint32_t region;
    if (!transfer->client->requires_gpudirect || transfer->target.upload == NULL)
        return true;
    if (!has_slots_enough(transfer))
        return false;
    if (part->receiver->uses_regions &&
        hr_direct_region(&gpudirect->direct, part->receiver->rail, &region))
        return true;
    hr_transfer_end(transfer, HR_UNSUPPORTED,
                    "GPUDirect is required, and a link was built again over a path without it");
    return false;
}

static bool feed_one(hr_transfer *transfer)
{
    hr_plan_step step;
    hr_part *part = least_loaded(transfer);
    if (part == NULL || (transfer->has_draft && hr_draft_is_full(&transfer->draft)) ||
        transfer->plan.verified + transfer->plan.outstanding == transfer->plan.total ||
        !is_direct_enough(transfer, part) ||
        hr_gpudirect_find_room(&transfer->gpudirect) == HR_GPUDIRECT_FULL ||
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
        hr_plan_is_complete(&transfer->plan) && hr_transfer_count_busy(transfer) == 0)
        hr_transfer_chunks_complete(transfer);
}

/* What no honest server says of a chunk while chunks move, and with which it would be asked for
 * again for ever. NULL: it may. */
static const char *breach_of(const hr_transfer *transfer, const hr_landing *landing, hr_status said)
{
    if (said == HR_CANCELED)
        return "was canceled, and nobody asked for that";
    if (said == HR_PEER_LOST)
        return "went with its link, and only the link tells that";
    const bool was_asked_for = transfer->target.bundles != NULL && landing->generation > 1;
    if (said == HR_AGAIN && !was_asked_for)
        return "is under way already, and nobody asked for it before";
    return NULL;
}

void hr_transfer_take_failed(hr_transfer *transfer, const hr_message_failed *failed)
{
    for (unsigned i = 0; i < HR_CLIENT_LINKS_MAX; i++) {
        hr_part *part = transfer->parts[i];
        for (unsigned k = 0; part != NULL && k < HR_PART_WINDOW; k++) {
            hr_landing *landing = &part->landings[k];
            if (landing->busy && !landing->check && landing->chunk == failed->chunk &&
                landing->generation == failed->generation) {
                const char *breach = breach_of(transfer, landing, failed->status);
                char name[200];
                hr_landing_failed(landing, failed->status);
                if (breach != NULL && transfer->state == HR_TRANSFER_MOVING)
                    hr_transfer_end(transfer, HR_PROTOCOL, "%s: the server says that chunk %u %s",
                                    hr_transfer_shown(transfer, name, sizeof name), failed->chunk,
                                    breach);
                return;
            }
        }
    }
}

bool hr_transfer_make_parts(hr_transfer *transfer)
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
