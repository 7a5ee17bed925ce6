/* SPDX-License-Identifier: Apache-2.0 */
#include "sender.h"

#include <assert.h>

#include "bytes.h"
#include "crc32c.h"
#include "probe.h"

static void start_queued(hr_sender *sender);

/* ---- on the worker ---- */

static void deliver_home(hr_letter *letter)
{
    hr_shipment *shipment = HR_CONTAINER(letter, hr_shipment, letter);
    hr_sender *sender = shipment->sender;
    shipment->source->outstanding--;
    if (shipment->status == HR_OK) {
        sender->bytes_sent += shipment->extent.len;
        sender->chunks_sent++;
    }
    sender->events->shipped(sender->context, shipment);
}

static void deliver_down(hr_letter *letter)
{
    hr_sender *sender = HR_CONTAINER(letter, hr_sender, down_letter);
    sender->events->down(sender->context, sender, sender->status);
}

/* The last thing this sender does on its worker: after it, home may free it. That home has said
 * close is waited for, since its letter would otherwise find the sender gone. */
static void finish_if_over(hr_sender *sender)
{
    if (sender->over || !sender->down || !sender->told_to_close || sender->under_way > 0 ||
        !hr_list_is_empty(&sender->queue))
        return;
    sender->over = true;
    if (!hr_list_is_empty(&sender->waiter.node))
        hr_list_remove(&sender->waiter.node);
    hr_loop_timer_clear(sender->worker->loop, &sender->pause);
    if (sender->end != NULL)
        sender->transport->ops->link.destroy(sender->end);
    sender->end = NULL;
    sender->down_letter.deliver = deliver_down;
    hr_loop_post(sender->home->loop, &sender->down_letter);
}

static void go_on(hr_shipment *shipment, hr_gauge_stage stage)
{
    hr_gauge_move(&shipment->sender->worker->gauge, shipment->stage, stage, shipment->extent.len);
    shipment->stage = stage;
}

static void return_shipment(hr_shipment *shipment, hr_status status)
{
    hr_sender *sender = shipment->sender;
    go_on(shipment, HR_GAUGE_NONE);
    shipment->status = status;
    shipment->letter.deliver = deliver_home;
    hr_loop_post(sender->home->loop, &shipment->letter);
}

static void end_shipment(hr_shipment *shipment, hr_status status)
{
    hr_sender *sender = shipment->sender;
    hr_slot *slot = shipment->slot;
    shipment->slot = NULL;
    sender->under_way--;
    if (shipment->source->gather != NULL)
        hr_gather_give(shipment->source->gather, shipment->chunk);
    return_shipment(shipment, status);
    if (slot != NULL)
        hr_slots_give(&sender->worker->slots, slot);
    start_queued(sender);
    finish_if_over(sender);
}

static void written(hr_link_write *write)
{
    hr_shipment *shipment = write->context;
    end_shipment(shipment, write->status == HR_OK ? HR_OK : HR_PEER_LOST);
}

static void ship(hr_shipment *shipment);

/* In the slot, once its digests are known. */
static hr_status seal(hr_shipment *shipment)
{
    hr_source *source = shipment->source;
    hr_receipt *receipt = &shipment->write.receipt;
    if (source->key.cipher == HR_CIPHER_NONE)
        return HR_OK;
    receipt->sequence = __atomic_add_fetch(&source->sealed, 1, __ATOMIC_RELAXED);
    if (receipt->sequence == UINT32_MAX) { /* and for ever: no number comes twice */
        __atomic_sub_fetch(&source->sealed, 1, __ATOMIC_RELAXED);
        return HR_LIMIT;
    }
    return hr_seal_close(shipment->sender->sealer, &source->key, receipt,
                         shipment->write.payload.addr, shipment->write.payload.len);
}

/* Computed if there are none; stored ones are believed until somebody complains. False: they are
 * wrong. */
static bool set_digests(hr_shipment *shipment)
{
    hr_extent *extent = &shipment->extent;
    if (extent->has_digests && !shipment->complain)
        return true;
    uint32_t crc = hr_crc32c(0, shipment->span.addr, extent->len);
    if (extent->has_digests)
        return crc == extent->crc;
    extent->crc = extent->content_crc = crc;
    return true;
}

/* True: it goes on. */
static bool take_read(hr_shipment *shipment)
{
    hr_sender *sender = shipment->sender;
    hr_status status = shipment->io.status;
    sender->reading--;
    if (sender->reads_max < HR_SENDER_READS)
        sender->reads_max++;
    if (status == HR_OK && shipment->source->gather == NULL &&
        shipment->io.bytes < shipment->skip + shipment->extent.len)
        status = HR_CHANGED; /* it shrank since it was opened */
    if (sender->down)
        status = HR_PEER_LOST;
    if (status != HR_OK)
        end_shipment(shipment, status);
    return status == HR_OK;
}

static void was_read(hr_io *io)
{
    hr_shipment *shipment = io->context;
    hr_sender *sender = shipment->sender;
    if (!take_read(shipment))
        return;
    start_queued(sender); /* the drive goes on while this one is digested and sent */
    shipment->span.addr = (uint8_t *)shipment->span.addr + shipment->skip;
    if (shipment->source->gather != NULL)
        hr_bundle_seal(&shipment->source->gather->bundles, shipment->chunk, shipment->span.addr);
    ship(shipment);
}

static void ship(hr_shipment *shipment)
{
    hr_sender *sender = shipment->sender;
    const hr_extent *extent = &shipment->extent;
    shipment->span.len = extent->len;
    go_on(shipment, HR_GAUGE_DIGEST);
    if (!set_digests(shipment)) {
        end_shipment(shipment, HR_INTEGRITY);
        return;
    }
    go_on(shipment, HR_GAUGE_WIRE);
    shipment->write = (hr_link_write){
        .payload = shipment->span,
        .receipt =
            {
                .transfer = shipment->source->transfer,
                .chunk = shipment->chunk,
                .generation = shipment->generation,
                .codec = extent->codec,
                .flags = extent->has_digests ? HR_RECEIPT_DIGEST_STORED : 0,
                .stored_len = extent->len,
                .content_len = extent->content_len,
                .stored_crc = extent->crc,
                .content_crc = extent->content_crc,
            },
        .region = shipment->region,
        .offset = shipment->offset,
        .address = shipment->address,
        .key = shipment->key,
        .done = written,
        .context = shipment,
    };
    hr_status status = seal(shipment);
    if (status != HR_OK)
        end_shipment(shipment, status);
    else
        sender->transport->ops->link.write(sender->end, &shipment->write);
}

/* Where both ends share memory the bytes are read where they are wanted, unless the aligned read
 * would go past the end of the place. */
static bool read_into_place(hr_shipment *shipment, size_t read_len)
{
    hr_sender *sender = shipment->sender;
    hr_span place;
    if (sender->transport->ops->link.peek == NULL ||
        shipment->source->key.cipher != HR_CIPHER_NONE ||
        !sender->transport->ops->link.peek(sender->end, shipment->source->transfer, shipment->chunk,
                                           shipment->generation, &place))
        return false;
    if (place.kind != HR_MEMORY_HOST || place.len < read_len ||
        (uintptr_t)place.addr % HR_DIRECT_ALIGN != 0)
        return false;
    shipment->span = place;
    return true;
}

/* Once for each worker that reads of it; the session has it detached before it closes the file. */
static void attach(hr_worker *worker, hr_source *source)
{
    uint64_t bit = UINT64_C(1) << worker->index;
    if ((__atomic_load_n(&source->attached, __ATOMIC_RELAXED) & bit) != 0)
        return;
    __atomic_fetch_or(&source->attached, bit, __ATOMIC_RELAXED);
    worker->storage->ops->attach(worker->storage, source->file);
}

/* False: there is neither a place to read into nor a slot. */
static bool find_room(hr_shipment *shipment, size_t read_len)
{
    if (shipment->skip == 0 && read_into_place(shipment, read_len))
        return true;
    shipment->slot = hr_slots_take_share(&shipment->sender->worker->slots, shipment->sender->share);
    if (shipment->slot != NULL)
        shipment->span = shipment->slot->span;
    return shipment->slot != NULL;
}

static void submit_read(hr_shipment *shipment, size_t read_len)
{
    hr_sender *sender = shipment->sender;
    const hr_source *source = shipment->source;
    shipment->io = (hr_io){
        .kind = HR_IO_READ,
        .file = source->file,
        .data = shipment->span.addr,
        .len = read_len,
        .offset = shipment->extent.offset - shipment->skip,
        .buffer = shipment->slot != NULL ? shipment->slot->buffer : -1,
        .done = was_read,
        .context = shipment,
    };
    if (source->gather != NULL) {
        const hr_bundles *bundles = &source->gather->bundles;
        const hr_bundle *bundle = &bundles->bundles[shipment->chunk];
        hr_bundle_place(bundles, shipment->chunk, shipment->span.addr);
        shipment->io.kind = HR_IO_READ_FILES;
        shipment->io.dir = source->gather->dir;
        shipment->io.files = bundles->files + bundle->first;
        shipment->io.file_count = bundle->count;
    }
    sender->reading++;
    hr_storage_submit(sender->worker->storage, &shipment->io);
}

/* False: the tenant has had its rate, and the timer is set. Without memory for it the next chunk
 * that ends goes on. */
static bool pay(hr_shipment *shipment)
{
    hr_sender *sender = shipment->sender;
    hr_loop *loop = sender->worker->loop;
    uint64_t due_ns;
    if (!shipment->paid && !shipment->source->is_probe)
        shipment->paid =
            hr_common_rate_take(sender->rate, shipment->extent.len, hr_loop_now_ns(loop), &due_ns);
    if (shipment->paid || shipment->source->is_probe)
        return true;
    return hr_loop_timer_set(loop, &sender->pause, due_ns) != HR_OK;
}

/* False: there is no slot. */
static bool start(hr_shipment *shipment)
{
    hr_sender *sender = shipment->sender;
    hr_source *source = shipment->source;
    shipment->skip = (uint32_t)(shipment->extent.offset % HR_DIRECT_ALIGN);
    size_t read_len =
        (size_t)hr_round_up((uint64_t)shipment->skip + shipment->extent.len, HR_DIRECT_ALIGN);
    if (!find_room(shipment, read_len))
        return false;
    sender->under_way++;
    if (source->is_probe) {
        hr_probe_fill(sender->link, shipment->span.addr, shipment->extent.len);
        ship(shipment);
        return true;
    }
    if (source->gather == NULL)
        attach(sender->worker, source);
    go_on(shipment, HR_GAUGE_READ);
    submit_read(shipment, read_len);
    return true;
}

static void start_queued(hr_sender *sender)
{
    while (!hr_list_is_empty(&sender->queue)) {
        hr_shipment *shipment = HR_CONTAINER(sender->queue.next, hr_shipment, node);
        hr_gather *gather = shipment->source->gather;
        shipment->extent = hr_source_extent(shipment->source, shipment->chunk);
        if (sender->down || __atomic_load_n(&shipment->source->canceled, __ATOMIC_ACQUIRE)) {
            hr_list_remove(&shipment->node);
            return_shipment(shipment, sender->down ? HR_PEER_LOST : HR_CANCELED);
        } else if (sender->reading >= sender->reads_max) {
            return; /* the next one that was read goes on here */
        } else if (!pay(shipment)) {
            return; /* the timer goes on here */
        } else if (gather != NULL && !hr_gather_take(gather, shipment->chunk)) {
            hr_list_remove(&shipment->node);
            return_shipment(shipment, HR_AGAIN);
        } else if (start(shipment)) {
            hr_list_remove(&shipment->node);
        } else {
            if (gather != NULL)
                hr_gather_give(gather, shipment->chunk);
            hr_slots_wait(&sender->worker->slots, &sender->waiter);
            return;
        }
    }
}

static void slot_ready(hr_slot_waiter *waiter)
{
    hr_sender *sender = HR_CONTAINER(waiter, hr_sender, waiter);
    hr_slots *slots = &sender->worker->slots;
    unsigned free_count = slots->free_count;
    start_queued(sender);
    if (slots->free_count == free_count) /* what it waited for was canceled meanwhile */
        hr_slots_offer(slots);
    finish_if_over(sender);
}

static void pause_is_over(hr_timer *timer)
{
    hr_sender *sender = HR_CONTAINER(timer, hr_sender, pause);
    start_queued(sender);
    finish_if_over(sender);
}

static void deliver_shipment(hr_letter *letter)
{
    hr_shipment *shipment = HR_CONTAINER(letter, hr_shipment, letter);
    hr_sender *sender = shipment->sender;
    hr_list_append(&sender->queue, &shipment->node);
    go_on(shipment, HR_GAUGE_TURN);
    start_queued(sender);
    finish_if_over(sender);
}

static void deliver_fallen(hr_letter *letter)
{
    hr_sender_close(HR_CONTAINER(letter, hr_sender, fallen_letter));
}

static void link_down(void *context, hr_status status)
{
    hr_sender *sender = context;
    sender->down = true;
    sender->status = status;
    start_queued(sender); /* empties the queue */
    sender->fallen_letter.deliver = deliver_fallen;
    hr_loop_post(sender->home->loop, &sender->fallen_letter);
    finish_if_over(sender);
}

static void link_landed(void *context, hr_place *place, const hr_receipt *receipt)
{
    (void)context, (void)place, (void)receipt;
    assert(false && "a sender arms no place");
}

static const hr_link_events link_events = {.landed = link_landed, .down = link_down};

static void deliver_open(hr_letter *letter)
{
    hr_sender *sender = HR_CONTAINER(letter, hr_sender, open_letter);
    hr_status status = sender->transport->ops->link.adopt(sender->transport, sender->incoming,
                                                          &link_events, sender, &sender->end);
    if (status != HR_OK)
        link_down(sender, status);
}

static void deliver_aim(hr_letter *letter)
{
    hr_sender *sender = HR_CONTAINER(letter, hr_sender, aim_letter);
    if (!sender->down)
        sender->transport->ops->link.aim(sender->end, &sender->ring);
}

static void deliver_close(hr_letter *letter)
{
    hr_sender *sender = HR_CONTAINER(letter, hr_sender, close_letter);
    sender->told_to_close = true;
    if (!sender->down)
        sender->transport->ops->link.close(sender->end);
    finish_if_over(sender);
}

/* ---- at home ---- */

void hr_sender_init(hr_sender *sender, hr_worker *worker, hr_worker *home, hr_transport *transport,
                    hr_incoming *incoming, const hr_sender_events *events, void *context)
{
    sender->worker = worker;
    sender->home = home;
    sender->transport = transport;
    sender->incoming = incoming;
    sender->events = events;
    sender->context = context;
    hr_list_init(&sender->free);
    hr_list_init(&sender->queue);
    hr_list_init(&sender->waiter.node);
    sender->waiter.ready = slot_ready;
    sender->pause.fire = pause_is_over;
    sender->waiter.share = sender->share;
    sender->reads_max = 1;
    hr_transport_caps caps;
    transport->ops->query(transport, &caps);
    sender->uses_regions = caps.regions;
    for (unsigned i = 0; i < HR_LINK_PLACES_MAX; i++) {
        sender->shipments[i].sender = sender;
        sender->shipments[i].stage = HR_GAUGE_NONE;
        hr_list_append(&sender->free, &sender->shipments[i].node);
    }
    sender->open_letter.deliver = deliver_open;
    hr_loop_post(worker->loop, &sender->open_letter);
}

void hr_sender_aim(hr_sender *sender, const hr_link_ring *ring)
{
    assert(sender->uses_regions && !sender->aimed);
    sender->aimed = true;
    sender->ring = *ring;
    sender->aim_letter.deliver = deliver_aim;
    hr_loop_post(sender->worker->loop, &sender->aim_letter);
}

hr_shipment *hr_sender_take(hr_sender *sender)
{
    hr_list *node = hr_list_take_first(&sender->free);
    return node == NULL ? NULL : HR_CONTAINER(node, hr_shipment, node);
}

void hr_sender_give(hr_sender *sender, hr_shipment *shipment)
{
    hr_list_append(&sender->free, &shipment->node);
}

void hr_sender_post(hr_sender *sender, hr_shipment *shipment)
{
    shipment->source->outstanding++;
    shipment->letter.deliver = deliver_shipment;
    hr_loop_post(sender->worker->loop, &shipment->letter);
}

void hr_sender_close(hr_sender *sender)
{
    if (sender->closing)
        return;
    sender->closing = true;
    sender->close_letter.deliver = deliver_close;
    hr_loop_post(sender->worker->loop, &sender->close_letter);
}
