/* SPDX-License-Identifier: Apache-2.0 */
#include "part.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "codec.h"
#include "crc32c.h"
#include "index.h"
#include "probe.h"

/* ---- back home ---- */

static void free_if_over(hr_landing *landing)
{
    if (!landing->done || landing->failed_under_way)
        return;
    hr_part *part = landing->part;
    landing->phase = HR_LANDING_FREE;
    landing->busy = landing->done = false;
    part->busy--;
    hr_list_append(&part->free, &landing->node);
    part->events->done(part->context, landing);
}

static void deliver_done(hr_letter *letter)
{
    hr_landing *landing = HR_CONTAINER(letter, hr_landing, done_letter);
    landing->done = true;
    free_if_over(landing);
}

static void deliver_armed(hr_letter *letter)
{
    hr_landing *landing = HR_CONTAINER(letter, hr_landing, armed_letter);
    landing->part->events->armed(landing->part->context, landing);
}

/* ---- on the worker ---- */

static void go_on(hr_landing *landing, hr_gauge_stage stage)
{
    hr_gauge_move(&landing->part->worker->gauge, landing->stage, stage, landing->len);
    landing->stage = stage;
}

static void finish(hr_landing *landing, hr_status status, bool from_peer)
{
    hr_part *part = landing->part;
    hr_slot *slot = landing->slot, *content_slot = landing->content_slot;
    landing->slot = landing->content_slot = NULL;
    go_on(landing, HR_GAUGE_NONE);
    landing->status = status;
    landing->from_peer = from_peer;
    landing->done_letter.deliver = deliver_done;
    landing->phase = HR_LANDING_DONE;
    hr_loop_post(part->home->loop, &landing->done_letter);
    if (slot != NULL)
        hr_slots_give(&part->worker->slots, slot);
    if (content_slot != NULL)
        hr_slots_give(&part->worker->slots, content_slot);
}

static void was_checked(hr_io *io)
{
    hr_landing *landing = io->context;
    if (io->status != HR_OK || io->bytes < landing->len) {
        finish(landing, io->status != HR_OK ? io->status : HR_INTEGRITY, false);
        return;
    }
    uint32_t crc = hr_crc32c(0, io->data, landing->len);
    finish(landing, crc == landing->crc ? HR_OK : HR_INTEGRITY, false);
}

static void was_written(hr_io *io)
{
    hr_landing *landing = io->context;
    finish(landing, io->status, false);
}

static void submit_io(hr_landing *landing, hr_io_kind kind, void (*done)(hr_io *io))
{
    hr_part *part = landing->part;
    landing->phase = HR_LANDING_WRITING;
    landing->io = (hr_io){
        .kind = kind,
        .flags = part->target.sparse ? HR_IO_SPARSE : 0,
        .file = part->target.file,
        .data = landing->slot->span.addr,
        .len = (size_t)hr_round_up(landing->len, HR_DIRECT_ALIGN),
        .offset = (uint64_t)landing->chunk * part->chunk_len,
        .buffer = landing->slot->buffer,
        .done = done,
        .context = landing,
    };
    hr_storage_submit(part->worker->storage, &landing->io);
}

/* Over RDMA, into the target itself. */
static bool direct_region(const hr_landing *landing, uint32_t *region_out)
{
    const hr_part *part = landing->part;
    return part->receiver->exposure != NULL && part->target.direct != NULL &&
           hr_direct_region(part->target.direct, part->receiver->rail, region_out);
}

static hr_span gpu_span(void *addr, size_t len)
{
    hr_span span = hr_span_host(addr, len);
    span.kind = HR_MEMORY_CUDA;
    return span;
}

static hr_span target_span(const hr_part *part, uint64_t offset, size_t len)
{
    hr_upload *upload = part->target.upload;
    return upload != NULL ? gpu_span(hr_upload_at(upload, offset), len)
                          : hr_span_host(part->target.memory + offset, len);
}

static void arm(hr_landing *landing)
{
    hr_part *part = landing->part;
    hr_receiver *receiver = part->receiver;
    /* A link that was opened anew is not ready as soon as it is up: the server may not know it yet.
     * The slot that was taken goes to whoever waits behind. */
    if (!receiver->end_up || receiver->life != landing->link) {
        finish(landing, HR_PEER_LOST, true);
        return;
    }
    landing->place = (hr_place){
        .transfer = part->transfer,
        .chunk = landing->chunk,
        .generation = landing->generation,
    };
    if (landing->slot != NULL) {
        landing->place.region = hr_receiver_region(receiver, landing->slot);
        landing->place.span = landing->slot->span;
    } else if (landing->gpu_slot >= 0) {
        (void)direct_region(landing, &landing->place.region);
        landing->place.region += 1 + (uint32_t)landing->gpu_slot;
        landing->place.span = gpu_span(
            hr_upload_slot_at(part->target.upload, (unsigned)landing->gpu_slot), HR_SLOT_LEN);
    } else {
        (void)direct_region(landing, &landing->place.region);
        landing->place.offset = (uint64_t)landing->chunk * part->chunk_len;
        landing->place.span = target_span(part, landing->place.offset, landing->len);
    }
    hr_status status = receiver->transport->ops->link.arm(receiver->end, &landing->place);
    if (status != HR_OK) {
        if (status != HR_AGAIN)
            hr_receiver_fall(receiver);
        finish(landing, status == HR_AGAIN ? HR_AGAIN : HR_PEER_LOST, true);
        return;
    }
    landing->phase = HR_LANDING_ARMED;
    go_on(landing, HR_GAUGE_GRANT);
    hr_list_append(&receiver->armed, &landing->armed_node);
    landing->armed_letter.deliver = deliver_armed;
    hr_loop_post(part->home->loop, &landing->armed_letter);
}

/* Host memory is reached without RDMA too, a GPU's only by it. */
static bool needs_slot(const hr_landing *landing)
{
    const hr_part_target *target = &landing->part->target;
    uint32_t region;
    if (landing->check || (landing->in_slot && landing->gpu_slot < 0) ||
        (target->memory == NULL && target->upload == NULL))
        return true;
    return (target->upload != NULL || landing->part->receiver->exposure != NULL) &&
           !direct_region(landing, &region);
}

static void start_waiting(hr_part *part)
{
    while (!hr_list_is_empty(&part->waiting)) {
        hr_landing *landing = HR_CONTAINER(part->waiting.next, hr_landing, node);
        if (needs_slot(landing)) {
            landing->slot = hr_slots_take(&part->worker->slots, part->waiter.reserve);
            if (landing->slot == NULL) {
                part->waiter.since = landing->since;
                hr_slots_wait(&part->worker->slots, &part->waiter);
                return;
            }
        }
        hr_list_remove(&landing->node);
        if (landing->check)
            submit_io(landing, HR_IO_READ, was_checked);
        else
            arm(landing);
    }
}

static void slot_ready(hr_slot_waiter *waiter)
{
    start_waiting(HR_CONTAINER(waiter, hr_part, waiter));
}

static void deliver_start(hr_letter *letter)
{
    hr_landing *landing = HR_CONTAINER(letter, hr_landing, start_letter);
    hr_part *part = landing->part;
    if (!part->attached && part->target.file != NULL) {
        part->attached = true;
        part->worker->storage->ops->attach(part->worker->storage, part->target.file);
    }
    landing->phase = HR_LANDING_WAITING;
    landing->since = ++part->worker->slots.asked;
    hr_list_append(&part->waiting, &landing->node);
    start_waiting(part);
}

/* ---- what came compressed ---- */

static void write_file(hr_landing *landing)
{
    uint8_t *bytes = landing->slot->span.addr;
    memset(bytes + landing->len, 0, hr_round_up(landing->len, HR_DIRECT_ALIGN) - landing->len);
    go_on(landing, HR_GAUGE_WRITE);
    submit_io(landing, HR_IO_WRITE, was_written);
}

static void was_uploaded(hr_arrival *arrival)
{
    hr_landing *landing = HR_CONTAINER(arrival, hr_landing, arrival);
    finish(landing, arrival->status, !arrival->failed);
}

/* What lies in the slot, into the GPU's memory; without one it is there. */
static void start_upload(hr_landing *landing, uint8_t codec, uint32_t stored_len)
{
    hr_part *part = landing->part;
    landing->phase = HR_LANDING_UPLOADING;
    go_on(landing, HR_GAUGE_DEVICE);
    landing->arrival = (hr_arrival){
        .stored = landing->slot != NULL ? landing->slot->span.addr : NULL,
        .there = landing->slot != NULL ? NULL : landing->place.span.addr,
        .stored_len = stored_len,
        .content_len = landing->len,
        .content_crc = landing->crc,
        .codec = codec,
        .offset = (uint64_t)landing->chunk * part->chunk_len,
        .loop = part->worker->loop,
        .done = was_uploaded,
    };
    hr_upload_submit(part->target.upload, &landing->arrival);
}

static void was_decoded(hr_decoding *decoding)
{
    hr_landing *landing = HR_CONTAINER(decoding, hr_landing, decoding);
    hr_part *part = landing->part;
    bool goes_on = part->target.file != NULL || part->target.upload != NULL;
    if (decoding->status != HR_OK || !goes_on) {
        finish(landing, decoding->status, true);
        return;
    }
    hr_slot *stored = landing->slot;
    landing->slot = landing->content_slot;
    landing->content_slot = NULL;
    if (part->target.upload != NULL)
        start_upload(landing, HR_CODEC_STORED, landing->len);
    else
        write_file(landing);
    hr_slots_give(&part->worker->slots, stored);
}

static void start_decoding(hr_part *part)
{
    while (!hr_list_is_empty(&part->landed)) {
        hr_landing *landing = HR_CONTAINER(part->landed.next, hr_landing, node);
        uint8_t *content = part->target.memory;
        if (content != NULL) {
            content += (uint64_t)landing->chunk * part->chunk_len;
        } else {
            landing->content_slot = hr_slots_take(&part->worker->slots, HR_SLOTS_FOR_STAGING);
            if (landing->content_slot == NULL) {
                hr_slots_wait(&part->worker->slots, &part->landed_waiter);
                return;
            }
            content = landing->content_slot->span.addr;
        }
        hr_list_remove(&landing->node);
        landing->decoding.content = hr_span_host(content, landing->len);
        hr_decode(part->target.decoders, &landing->decoding, part->worker->loop);
    }
}

static void landed_slot_ready(hr_slot_waiter *waiter)
{
    start_decoding(HR_CONTAINER(waiter, hr_part, landed_waiter));
}

static void decode(hr_landing *landing, const hr_receipt *receipt)
{
    hr_part *part = landing->part;
    landing->phase = HR_LANDING_DECODING;
    landing->crc = receipt->content_crc;
    landing->decoding = (hr_decoding){
        .codec = receipt->codec,
        .stored = hr_span_host(landing->slot->span.addr, receipt->stored_len),
        .stored_crc = receipt->stored_crc,
        .content_crc = receipt->content_crc,
        .done = was_decoded,
    };
    hr_list_append(&part->landed, &landing->node);
    start_decoding(part);
}

static bool is_to_decode(const hr_landing *landing, const hr_receipt *receipt)
{
    return landing->in_slot && receipt->content_len == landing->len &&
           receipt->codec != HR_CODEC_STORED;
}

/* Where the chunk has landed, before anything in it is looked at. */
static hr_status unseal(hr_landing *landing, hr_receipt *receipt)
{
    const hr_part *part = landing->part;
    if (part->sealer == NULL)
        return receipt->sequence == 0 ? HR_OK : HR_INTEGRITY;
    if (receipt->sequence == 0 || receipt->stored_len > landing->place.span.len)
        return HR_INTEGRITY;
    return hr_seal_open(part->sealer, part->key, receipt, landing->place.span.addr,
                        receipt->stored_len);
}

/* The bytes are where they were to land; are they what was sent, and what was asked for? */
static bool is_right(const hr_landing *landing, const hr_receipt *receipt)
{
    return receipt->codec == HR_CODEC_STORED && receipt->stored_len == landing->len &&
           receipt->content_len == landing->len && receipt->stored_crc == receipt->content_crc &&
           hr_crc32c(0, landing->place.span.addr, landing->len) == receipt->content_crc;
}

/* What landed in a slot on its way to memory is digested once more where it finally lies. */
static bool copy_to_memory(const hr_landing *landing)
{
    const hr_part *part = landing->part;
    if (landing->slot == NULL || part->target.memory == NULL)
        return true;
    uint8_t *to = part->target.memory + (uint64_t)landing->chunk * part->chunk_len;
    memcpy(to, landing->place.span.addr, landing->len);
    return hr_crc32c(0, to, landing->len) == landing->crc;
}

/* What became of each file is told by the file, and the bundle has landed in any case, unless none
 * of them was tried. */
static void were_written(hr_io *io)
{
    for (size_t i = 0; i < io->file_count && io->status != HR_OK; i++)
        io->files[i].status = io->status;
    finish(io->context, io->status, false);
}

/* A bundle brings files as they are. What begins or ends as packed shards do, for either end may be
 * damaged, is asked for once more, by itself: then the server looks for its index. */
static void leave_packed(hr_bundles *bundles, uint32_t number)
{
    const hr_bundle *bundle = &bundles->bundles[number];
    for (uint32_t i = bundle->first; i < bundle->first + bundle->count; i++) {
        hr_io_file *file = &bundles->files[i];
        const size_t len = (size_t)file->info.size;
        if (file->status == HR_OK &&
            (hr_index_begins(file->data, len) || hr_index_ends(file->data, len)))
            file->status = HR_AGAIN;
    }
}

static void land_bundle(hr_landing *landing)
{
    hr_part *part = landing->part;
    hr_bundles *bundles = part->target.bundles;
    hr_status status = hr_bundle_open(bundles, landing->chunk, landing->slot->span.addr);
    if (status == HR_OK && part->target.packed_apart)
        leave_packed(bundles, landing->chunk);
    if (status != HR_OK || part->target.discard) {
        finish(landing, status, true);
        return;
    }
    const hr_bundle *bundle = &bundles->bundles[landing->chunk];
    landing->phase = HR_LANDING_WRITING;
    landing->io = (hr_io){
        .kind = HR_IO_WRITE_FILES,
        .flags = HR_IO_NO_SYMLINKS | HR_IO_CREATE | (part->target.owner ? HR_IO_OWNER : 0),
        .dir = part->target.dir,
        .files = bundles->files + bundle->first,
        .file_count = bundle->count,
        .done = were_written,
        .context = landing,
    };
    hr_storage_submit(part->worker->storage, &landing->io);
}

/* The GPU verifies; here only what the receipt says is looked at. What the kernels do not know is
 * decoded by the CPU first. Of a probe it is known what comes. */
static bool is_of_kernels(const hr_landing *landing, const hr_receipt *receipt)
{
    return landing->slot != NULL
               ? hr_batch_takes(receipt->codec, landing->slot->span.addr, receipt->stored_len)
               : receipt->codec == HR_CODEC_STORED || receipt->codec == HR_CODEC_LZ4 ||
                     receipt->codec == HR_CODEC_PLANES;
}

static void land_on_gpu(hr_landing *landing, const hr_receipt *receipt)
{
    bool as_it_is = receipt->codec == HR_CODEC_STORED;
    bool fits =
        receipt->content_len == landing->len &&
        (as_it_is ? receipt->stored_len == landing->len : landing->in_slot) &&
        (landing->part->transfer != HR_PROBE_TRANSFER || receipt->content_crc == landing->crc);
    landing->crc = receipt->content_crc;
    if (!fits) {
        finish(landing, HR_INTEGRITY, true);
    } else if (is_of_kernels(landing, receipt)) {
        start_upload(landing, receipt->codec, receipt->stored_len);
    } else if (landing->slot == NULL) {
        finish(landing, HR_UNSUPPORTED, true);
    } else {
        hr_upload_note_detour(landing->part->target.upload);
        landing->detour = true;
        go_on(landing, HR_GAUGE_DECODE);
        decode(landing, receipt);
    }
}

void hr_landing_landed(hr_landing *landing, const hr_receipt *landed)
{
    hr_part *part = landing->part;
    hr_receipt opened = *landed;
    const hr_receipt *receipt = &opened;
    hr_list_remove(&landing->armed_node);
    landing->moved = receipt->stored_len;
    if (unseal(landing, &opened) != HR_OK) {
        finish(landing, HR_INTEGRITY, true);
        return;
    }
    if (part->target.upload != NULL) {
        land_on_gpu(landing, receipt);
        return;
    }
    if (is_to_decode(landing, receipt)) {
        go_on(landing, HR_GAUGE_DECODE);
        decode(landing, receipt);
        return;
    }
    go_on(landing, HR_GAUGE_VERIFY);
    if (!is_right(landing, receipt)) {
        finish(landing, HR_INTEGRITY, true);
        return;
    }
    landing->crc = receipt->content_crc;
    if (part->target.bundles != NULL) {
        land_bundle(landing);
        return;
    }
    if (part->target.file == NULL) {
        finish(landing, copy_to_memory(landing) ? HR_OK : HR_INTEGRITY, true);
        return;
    }
    write_file(landing);
}

void hr_landing_lost(hr_landing *landing)
{
    hr_list_remove(&landing->armed_node);
    finish(landing, HR_PEER_LOST, true);
}

static void deliver_failed_home(hr_letter *letter)
{
    hr_landing *landing = HR_CONTAINER(letter, hr_landing, failed_letter);
    landing->failed_under_way = false;
    free_if_over(landing);
}

static void deliver_failed(hr_letter *letter)
{
    hr_landing *landing = HR_CONTAINER(letter, hr_landing, failed_letter);
    hr_receiver *receiver = landing->part->receiver;
    hr_loop *home = landing->part->home->loop;
    /* If it is not armed any more, its link died or the peer lies: then it is done already. If it
     * cannot be disarmed its payload is on its way in, and landed or down will come. */
    if (landing->phase == HR_LANDING_ARMED &&
        receiver->transport->ops->link.disarm(receiver->end, &landing->place)) {
        hr_list_remove(&landing->armed_node);
        finish(landing, landing->failure, true);
    }
    landing->failed_letter.deliver = deliver_failed_home;
    hr_loop_post(home, &landing->failed_letter);
}

static void deliver_retired(hr_letter *letter)
{
    hr_part *part = HR_CONTAINER(letter, hr_part, retire_letter);
    part->events->retired(part->context, part);
}

/* The worker has come to the end of whatever it was doing for this part when it last posted done.
 */
static void deliver_retire(hr_letter *letter)
{
    hr_part *part = HR_CONTAINER(letter, hr_part, retire_letter);
    assert(hr_list_is_empty(&part->waiting) && hr_list_is_empty(&part->landed));
    if (!hr_list_is_empty(&part->waiter.node))
        hr_list_remove(&part->waiter.node);
    if (!hr_list_is_empty(&part->landed_waiter.node))
        hr_list_remove(&part->landed_waiter.node);
    if (part->attached)
        part->worker->storage->ops->detach(part->worker->storage, part->target.file);
    letter->deliver = deliver_retired;
    hr_loop_post(part->home->loop, letter);
}

/* ---- at home ---- */

void hr_part_init(hr_part *part, hr_receiver *receiver, uint64_t transfer, uint32_t chunk_len,
                  const hr_part_target *target, const hr_part_events *events, void *context)
{
    memset(part, 0, sizeof *part);
    part->receiver = receiver;
    part->worker = receiver->worker;
    part->home = receiver->home;
    part->transfer = transfer;
    part->chunk_len = chunk_len;
    part->target = *target;
    part->events = events;
    part->context = context;
    hr_list_init(&part->free);
    hr_list_init(&part->waiting);
    hr_list_init(&part->waiter.node);
    hr_list_init(&part->landed);
    hr_list_init(&part->landed_waiter.node);
    /* One more is left where a second slot is needed to get rid of the first: else all of them
     * could hold what waits for one. */
    bool needs_second = target->decoders != NULL && target->memory == NULL;
    part->waiter.reserve = HR_SLOTS_FOR_STAGING + needs_second;
    part->waiter.ready = slot_ready;
    part->landed_waiter.reserve = HR_SLOTS_FOR_STAGING;
    part->landed_waiter.ready = landed_slot_ready;
    for (unsigned i = 0; i < HR_PART_WINDOW; i++) {
        hr_landing *landing = &part->landings[i];
        landing->part = part;
        landing->stage = HR_GAUGE_NONE;
        hr_list_init(&landing->armed_node);
        hr_list_append(&part->free, &landing->node);
    }
}

hr_landing *hr_part_take(hr_part *part)
{
    hr_list *node = hr_list_take_first(&part->free);
    if (node == NULL)
        return NULL;
    hr_landing *landing = HR_CONTAINER(node, hr_landing, node);
    landing->busy = true;
    landing->gpu_slot = -1;
    part->busy++;
    part->taken++;
    return landing;
}

void hr_landing_start(hr_landing *landing)
{
    landing->link = landing->part->receiver->greeting.link;
    landing->detour = false;
    landing->moved = 0;
    landing->failure = HR_OK;
    landing->start_letter.deliver = deliver_start;
    hr_loop_post(landing->part->worker->loop, &landing->start_letter);
}

void hr_landing_failed(hr_landing *landing, hr_status failure)
{
    assert(landing->busy);
    if (landing->failed_under_way)
        return;
    landing->failed_under_way = true;
    landing->failure = failure;
    landing->failed_letter.deliver = deliver_failed;
    hr_loop_post(landing->part->worker->loop, &landing->failed_letter);
}

void hr_part_retire(hr_part *part)
{
    assert(part->busy == 0);
    part->retire_letter.deliver = deliver_retire;
    hr_loop_post(part->worker->loop, &part->retire_letter);
}
