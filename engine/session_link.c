/* SPDX-License-Identifier: Apache-2.0 */
#include "session_parts.h"

#include <string.h>

#include "chunk.h"
#include "probe.h"

/* From the answer to the greeting of the link: a ticket is used at once or not at all. */
#define TICKET_NS (10 * HR_NS_PER_S)

/* ---- grants ---- */

static hr_session_link *find_link(hr_session *session, uint32_t link)
{
    for (unsigned i = 0; i < HR_SESSION_LINKS_MAX; i++)
        if (session->links[i].sender != NULL && session->links[i].link == link)
            return &session->links[i];
    return NULL;
}

static void send_failed(hr_session *session, uint64_t transfer, uint32_t chunk, uint32_t generation,
                        hr_status status)
{
    const char *text = status == HR_INTEGRITY
                           ? "what lies on the disk of the source does not match its stored digest"
                           : hr_status_text(status);
    hr_control_send(&session->control, &(hr_message){
                                           .kind = HR_MESSAGE_FAILED,
                                           .failed = {.transfer = transfer,
                                                      .chunk = chunk,
                                                      .generation = generation,
                                                      .status = status,
                                                      .text = hr_bytes_make(text, strlen(text))},
                                       });
}

static uint64_t count_chunks(const hr_source *source)
{
    return source->gather != NULL ? source->gather->bundles.count
                                  : hr_chunk_count(source->size, source->chunk_len);
}

/* Over RDMA nobody but us keeps a write inside the place that was granted. */
static bool find_place(hr_session *session, const hr_session_link *link, const hr_source *source,
                       const hr_grant *grant, uint64_t *address_out, uint32_t *key_out)
{
    uint32_t len = hr_source_extent(source, grant->chunk).len;
    hr_status status =
        hr_keyring_find(&session->keyring, grant->region, grant->offset, len, address_out, key_out);
    if (status != HR_OK || !link->sender->aimed)
        hr_control_close(&session->control, HR_PROTOCOL,
                         "grant for chunk %u of transfer %llu over link %u: %s", grant->chunk,
                         (unsigned long long)grant->transfer, grant->link,
                         !link->sender->aimed     ? "the link has no ring"
                         : status == HR_NOT_FOUND ? "its region was not told"
                                                  : "its place is shorter than the chunk");
    return status == HR_OK && link->sender->aimed;
}

static hr_source *find_granted(hr_session *session, const hr_grant *grant)
{
    return grant->transfer == HR_PROBE_TRANSFER ? &session->probe
                                                : hr_session_find_source(session, grant->transfer);
}

void hr_session_take_grant(hr_session *session, const hr_grant *grant)
{
    hr_source *source = find_granted(session, grant);
    if (source == NULL || !source->opened || source->wants_answer ||
        grant->chunk >= count_chunks(source)) {
        hr_control_close(&session->control, HR_PROTOCOL,
                         "grant for chunk %u of transfer %llu, which is not there", grant->chunk,
                         (unsigned long long)grant->transfer);
        return;
    }
    hr_session_link *link = find_link(session, grant->link);
    if (link == NULL || link->sender->closing)
        return; /* that link is dead, which takes the grant back */
    uint64_t address = 0;
    uint32_t key = 0;
    if (link->sender->uses_regions && !find_place(session, link, source, grant, &address, &key))
        return;
    if (__atomic_load_n(&source->canceled, __ATOMIC_RELAXED)) {
        send_failed(session, grant->transfer, grant->chunk, grant->generation, HR_CANCELED);
        return;
    }
    hr_shipment *shipment = hr_sender_take(link->sender);
    if (shipment == NULL) {
        hr_control_close(&session->control, HR_PROTOCOL, "more than %d grants on link %u",
                         HR_LINK_PLACES_MAX, grant->link);
        return;
    }
    shipment->source = source;
    shipment->chunk = grant->chunk;
    shipment->generation = grant->generation;
    shipment->region = grant->region;
    shipment->offset = grant->offset;
    shipment->address = address;
    shipment->key = key;
    shipment->paid = false;
    shipment->complain = (grant->flags & HR_GRANT_COMPLAIN) != 0;
    hr_sender_post(link->sender, shipment);
}

static void shipped(void *context, hr_shipment *shipment)
{
    hr_session *session = context;
    hr_source *source = shipment->source;
    if (source->is_probe) {
        hr_sender_give(shipment->sender, shipment);
        return;
    }
    if (shipment->status == HR_OK) {
        if (shipment->sender->uses_regions) /* its NIC has confirmed it */
            hr_control_note_life(&session->control);
        session->counters->chunks_sent++;
        session->counters->bytes_sent += shipment->extent.len;
        source->bytes_sent += shipment->extent.len;
    } else if (shipment->status != HR_PEER_LOST) {
        send_failed(session, source->transfer, shipment->chunk, shipment->generation,
                    shipment->status);
    }
    hr_sender_give(shipment->sender, shipment);
    hr_session_settle_source(source);
}

/* Death of a queue pair is not seen at its other end when the fabric is what died. */
static void part_link(hr_session *session, uint32_t link)
{
    if (!session->ending && !session->control.closing)
        hr_control_send(&session->control,
                        &(hr_message){.kind = HR_MESSAGE_PARTED, .parted = {.link = link}});
}

void hr_session_take_parted(hr_session *session, uint32_t number)
{
    hr_session_link *link = find_link(session, number);
    if (link != NULL)
        hr_sender_close(link->sender);
    for (unsigned i = 0; link == NULL && i < HR_SESSION_LINKS_MAX; i++)
        if (session->links[i].ticketed && session->links[i].link == number)
            session->links[i].ticketed = false;
}

static void sender_down(void *context, hr_sender *sender, hr_status status)
{
    hr_session *session = context;
    if (sender->uses_regions)
        part_link(session, sender->link);
    hr_log(session->engine->env, HR_LOG_DEBUG, "session %llu: link %u is down: %s",
           (unsigned long long)session->number, sender->link, hr_status_text(status));
    for (unsigned i = 0; i < HR_SESSION_LINKS_MAX; i++)
        if (session->links[i].sender == sender)
            session->links[i].sender = NULL;
    hr_sealer_destroy(sender->sealer);
    hr_release(session->engine->env, sender);
    hr_gate_refund(session->gate, session->tenant, sizeof *sender);
    hr_session_end_if_over(session);
}

static const hr_sender_events sender_events = {.shipped = shipped, .down = sender_down};
/* ---- links ---- */

/* A place for a link of this number. NULL: all are taken, or the number is in use. */
static hr_session_link *free_link(hr_session *session, uint32_t number)
{
    hr_session_link *found = NULL;
    for (unsigned i = 0; i < HR_SESSION_LINKS_MAX; i++) {
        hr_session_link *link = &session->links[i];
        bool used = link->sender != NULL || link->ticketed;
        if (used && link->link == number)
            return NULL;
        if (!used && found == NULL)
            found = link;
    }
    return found;
}

/* Rings of links that have died meanwhile are of no more use. */
static bool take_regions(hr_session *session, const hr_message_keys *keys)
{
    for (size_t i = 0; i < keys->region_count; i++) {
        hr_status status =
            hr_keyring_add(&session->keyring, session->engine->env, &keys->regions[i]);
        if (status != HR_OK) {
            hr_control_close(&session->control, status, "region %u: %s; a session has at most %d",
                             keys->regions[i].index, hr_status_text(status), HR_KEYRING_MAX);
            return false;
        }
    }
    for (size_t i = 0; i < keys->ring_count; i++) {
        const hr_ring_key *ring = &keys->rings[i];
        hr_session_link *link = find_link(session, ring->link);
        if (link == NULL || link->sender->closing)
            continue;
        if (!link->sender->uses_regions || link->sender->aimed) {
            hr_control_close(&session->control, HR_PROTOCOL,
                             "the ring of link %u was told twice, or it needs none", ring->link);
            return false;
        }
        hr_sender_aim(link->sender, &(hr_link_ring){.address = ring->address, .key = ring->rkey});
    }
    return true;
}

/* The rails of RDMA first, and last the one that the channel came by. */
static size_t list_rails(const hr_session *session, hr_rail rails[HR_RAILS_MAX + 1])
{
    size_t count = 0;
    const hr_transport *rdma = hr_engine_home(session->engine)->rdma;
    for (size_t i = 0; i < session->rails->count; i++) {
        const char *address = session->rails->addresses[i];
        rails[count++] = (hr_rail){
            .family = hr_bytes_make(rdma->ops->name, strlen(rdma->ops->name)),
            .address = hr_bytes_make(address, strlen(address)),
        };
    }
    const char *family = session->control.transport->ops->name;
    rails[count++] =
        (hr_rail){.family = hr_bytes_make(family, strlen(family)), .address = hr_bytes_make("", 0)};
    return count;
}

void hr_session_take_keys(hr_session *session, const hr_message_keys *keys)
{
    if (!take_regions(session, keys) || keys->links == 0)
        return;
    hr_ticket tickets[HR_MESSAGE_LINKS_MAX];
    size_t count = 0;
    for (; count < keys->links; count++) {
        uint32_t number = keys->first_link + (uint32_t)count;
        hr_session_link *link = free_link(session, number);
        if (link == NULL) {
            hr_control_close(&session->control, HR_LIMIT,
                             "link %u is one too many, or in use: a session has at most %d", number,
                             HR_SESSION_LINKS_MAX);
            return;
        }
        link->link = number;
        const hr_env *env = session->engine->env;
        link->ticketed = true;
        link->ticketed_ns = hr_now_ns(env);
        env->random(env->context, link->ticket, HR_TICKET_LEN);
        tickets[count].link = link->link;
        memcpy(tickets[count].ticket, link->ticket, HR_TICKET_LEN);
    }
    hr_rail rails[HR_RAILS_MAX + 1];
    size_t rail_count = list_rails(session, rails);
    hr_control_send(&session->control, &(hr_message){
                                           .kind = HR_MESSAGE_TICKETS,
                                           .tickets = {.status = HR_OK,
                                                       .text = hr_bytes_make("", 0),
                                                       .tickets = tickets,
                                                       .ticket_count = count,
                                                       .rails = rails,
                                                       .rail_count = rail_count},
                                       });
}

/* Takes as long for a wrong ticket as for a right one. */
static bool is_same_ticket(const uint8_t a[HR_TICKET_LEN], const uint8_t b[HR_TICKET_LEN])
{
    uint8_t differs = 0;
    for (unsigned i = 0; i < HR_TICKET_LEN; i++)
        differs = (uint8_t)(differs | (a[i] ^ b[i]));
    return differs == 0;
}

/* Of the printed addresses, without their ports. */
static bool is_same_host(const char *a, const char *b)
{
    const char *a_end = strrchr(a, ':'), *b_end = strrchr(b, ':');
    size_t a_len = a_end != NULL ? (size_t)(a_end - a) : strlen(a);
    size_t b_len = b_end != NULL ? (size_t)(b_end - b) : strlen(b);
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* NULL: there is no memory, or the tenant has had its part of it. */
static hr_sender *make_sender(hr_session *session)
{
    const hr_env *env = session->engine->env;
    if (!hr_gate_charge(session->gate, session->tenant, sizeof(hr_sender)))
        return NULL;
    hr_sender *sender = hr_alloc(env, sizeof *sender);
    if (sender != NULL && session->features & HR_FEATURE_AEAD &&
        hr_sealer_create(env, &sender->sealer) != HR_OK) {
        hr_release(env, sender);
        sender = NULL;
    }
    if (sender == NULL) {
        hr_gate_refund(session->gate, session->tenant, sizeof *sender);
        return NULL;
    }
    sender->share = &session->tenant->share;
    sender->rate = &session->tenant->rate;
    return sender;
}

hr_status hr_session_admit(hr_session *session, hr_family family, hr_incoming *incoming)
{
    hr_session_link *link = NULL;
    for (unsigned i = 0; i < HR_SESSION_LINKS_MAX; i++)
        if (session->links[i].ticketed && session->links[i].link == incoming->greeting.link)
            link = &session->links[i];
    if (session->ending || link == NULL || !is_same_ticket(link->ticket, incoming->greeting.ticket))
        return HR_POLICY;
    if (hr_now_ns(session->engine->env) - link->ticketed_ns > TICKET_NS ||
        (family != HR_FAMILY_RDMA &&
         !is_same_host(incoming->peer, session->control.channel->peer))) {
        link->ticketed = false;
        return HR_POLICY;
    }
    hr_sender *sender = make_sender(session);
    link->ticketed = false;
    if (sender == NULL) {
        part_link(session, link->link);
        return HR_NO_MEMORY;
    }
    link->sender = sender;
    hr_engine *engine = session->engine;
    hr_worker *worker = hr_engine_worker_for(
        engine, family == HR_FAMILY_RDMA ? incoming->rail : HR_RAIL_ANY, session->next_worker++);
    sender->link = link->link;
    hr_sender_init(sender, worker, hr_engine_home(engine), hr_worker_transport(worker, family),
                   incoming, &sender_events, session);
    if (family == HR_FAMILY_RDMA)
        session->control.silence_ns = HR_CONTROL_SILENCE_RDMA_NS;
    hr_control_send(&session->control,
                    &(hr_message){.kind = HR_MESSAGE_JOINED, .joined = {.link = link->link}});
    return HR_OK;
}
