/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "chunk.h"
#include "probe.h"

/* After the greeting: a stranger takes up a session no longer than that. */
#define HELLO_TIMEOUT_NS (5 * HR_NS_PER_S)

/* From the answer to the greeting of the link: a ticket is used at once or not at all. */
#define TICKET_NS (10 * HR_NS_PER_S)

static void end_if_over(hr_session *session);

/* ---- sources ---- */

static hr_source *find_source(hr_session *session, uint64_t transfer)
{
    for (hr_list *node = session->sources.next; node != &session->sources; node = node->next) {
        hr_source *source = HR_CONTAINER(node, hr_source, node);
        if (source->transfer == transfer)
            return source;
    }
    return NULL;
}

static void audit_source(const hr_source *source)
{
    const hr_session *session = source->session;
    hr_audit_note(session->gate->audit,
                  &(hr_audit_event){
                      .what = "transfer",
                      .session = session->number,
                      .who = session->tenant->who,
                      .peer = session->control.channel->peer,
                      .path = source->path,
                      .size = source->size,
                      .sent = source->bytes_sent,
                      .duration_ns = hr_now_ns(session->engine->env) - source->since_ns,
                      .status = source->ended,
                  });
}

static void free_source(hr_source *source)
{
    hr_session *session = source->session;
    audit_source(source);
    hr_list_remove(&source->node);
    explicit_bzero(&source->key, sizeof source->key);
    session->source_count--;
    session->gather_count -= source->gather != NULL;
    session->counters->transfers_open--;
    hr_index_table_release(&source->table, session->engine->env, &session->store->tables_len);
    hr_release(session->engine->env, source->direct);
    hr_gather_destroy(session->engine->env, source->gather);
    hr_gate_end(session->tenant);
    hr_release(session->engine->env, source);
    end_if_over(session);
}

static void send_opened(hr_source *source, hr_status status, const hr_file_info *info,
                        const char *text)
{
    hr_session *session = source->session;
    hr_message message = {
        .kind = HR_MESSAGE_OPENED,
        .opened = {.transfer = source->transfer,
                   .status = status,
                   .text = hr_bytes_make(text, strlen(text))},
    };
    if (status == HR_OK) {
        hr_message_opened *opened = &message.opened;
        memcpy(opened->identity, source->identity, HR_IDENTITY_LEN);
        opened->type = info->type == HR_FILE_DIRECTORY ? HR_NODE_DIRECTORY : HR_NODE_REGULAR;
        opened->mode = info->mode & 07777;
        opened->size = info->type == HR_FILE_DIRECTORY ? 0 : source->size;
        opened->mtime_ns = info->mtime_ns;
        opened->chunk_len = info->type == HR_FILE_DIRECTORY ? HR_CHUNK_LEN : source->chunk_len;
        if (hr_source_is_packed(source))
            hr_source_describe(source, opened);
        opened->sparse = info->type == HR_FILE_REGULAR && info->allocated_len < info->size;
        opened->uid = info->uid;
        opened->gid = info->gid;
        opened->cipher = source->key.cipher;
        memcpy(opened->salt, source->salt, sizeof opened->salt);
    }
    hr_control_send(&session->control, &message);
}

static void fail_open_with(hr_source *source, hr_status status, const char *text)
{
    char quoted[200], sentence[HR_MESSAGE_TEXT_MAX + 1];
    hr_quote(quoted, sizeof quoted, source->path, strlen(source->path));
    snprintf(sentence, sizeof sentence, "opening %s: %.280s", quoted, text);
    source->ended = status;
    send_opened(source, status, NULL, sentence);
    free_source(source);
}

static void fail_open(hr_source *source, hr_status status)
{
    char quoted[200], text[320];
    hr_quote(quoted, sizeof quoted, source->path, strlen(source->path));
    const char *advice = "";
    if (status == HR_NOT_FOUND)
        advice = "; headrace ls tells what is there";
    else if (status == HR_DENIED)
        advice = "; the server may not read it";
    if (status == HR_POLICY)
        snprintf(text, sizeof text,
                 "opening %s: the path leaves its export; only what lies beneath that is served",
                 quoted);
    else if (status == HR_UNSUPPORTED)
        snprintf(text, sizeof text, "opening %s: it is neither a file nor a directory", quoted);
    else
        snprintf(text, sizeof text, "opening %s: %s%s", quoted, hr_status_text(status), advice);
    source->ended = status;
    send_opened(source, status, NULL, text);
    free_source(source);
}

static void source_closed(hr_io *io)
{
    free_source(io->context);
}

static void detach_next(hr_source *source);

static void deliver_detached(hr_letter *letter)
{
    detach_next(HR_CONTAINER(letter, hr_source, detach_letter));
}

/* On the worker that attached it. */
static void deliver_detach(hr_letter *letter)
{
    hr_source *source = HR_CONTAINER(letter, hr_source, detach_letter);
    hr_session *session = source->session;
    hr_worker *worker = &session->engine->workers[source->detaching];
    worker->storage->ops->detach(worker->storage, source->file);
    letter->deliver = deliver_detached;
    hr_loop_post(hr_engine_home(session->engine)->loop, letter);
}

static void submit_close(hr_source *source)
{
    bool is_gather = source->gather != NULL;
    source->io = (hr_io){
        .kind = is_gather ? HR_IO_CLOSE_DIR : HR_IO_CLOSE,
        .file = source->file,
        .dir = is_gather ? source->gather->dir : NULL,
        .done = source_closed,
        .context = source,
    };
    hr_session *session = source->session;
    hr_storage_submit(session->store->storage, &source->io);
}

/* No shipment of it is under way, so nobody attaches it any more. */
static void detach_next(hr_source *source)
{
    if (source->attached == 0) {
        submit_close(source);
        return;
    }
    source->detaching = (unsigned)__builtin_ctzll(source->attached);
    source->attached &= source->attached - 1;
    source->detach_letter.deliver = deliver_detach;
    hr_session *session = source->session;
    hr_loop_post(session->engine->workers[source->detaching].loop, &source->detach_letter);
}

static void close_file(hr_source *source)
{
    detach_next(source);
}

static void source_indexed(hr_source *source, hr_status status)
{
    hr_session *session = source->session;
    char quoted[200], text[420];
    if (source->note[0] != '\0')
        hr_log(session->engine->env, HR_LOG_INFO, "%s: %s",
               hr_quote(quoted, sizeof quoted, source->path, strlen(source->path)), source->note);
    if (status == HR_OK && hr_source_is_packed(source) &&
        hr_source_make_direct(source, session->engine->env) != HR_OK)
        status = HR_NO_MEMORY;
    if (status == HR_OK && !session->ending) {
        source->opened = true;
        send_opened(source, HR_OK, &source->info, source->content ? source->note : "");
        return;
    }
    snprintf(text, sizeof text, "unpacking %s: %s%s%s; --as-is brings its bytes",
             hr_quote(quoted, sizeof quoted, source->path, strlen(source->path)),
             hr_status_text(status), source->note[0] != '\0' ? ", " : "", source->note);
    if (!session->ending)
        send_opened(source, status, NULL, text);
    close_file(source);
}

static void source_opened(hr_io *io)
{
    hr_source *source = io->context;
    hr_session *session = source->session;
    if (io->status != HR_OK) {
        fail_open(source, io->status);
        return;
    }
    source->file = io->file_out;
    source->size = io->info.size;
    source->chunk_len = HR_CHUNK_LEN;
    if (io->info.type != HR_FILE_REGULAR || session->ending ||
        hr_chunk_count(source->size, HR_CHUNK_LEN) > HR_CHUNKS_MAX) {
        hr_status status = io->info.type == HR_FILE_DIRECTORY ? HR_OK : HR_UNSUPPORTED;
        source->ended = status;
        if (!session->ending)
            send_opened(source, status, &io->info, status == HR_OK ? "" : "it is no file");
        close_file(source);
        return;
    }
    source->info = io->info;
    hr_source_identify(source->path, &io->info, source->identity);
    source->indexed = source_indexed;
    hr_source_find_index(source, session->engine->env, session->store->storage,
                         &session->store->tables_len);
}

/* Looked at before it is opened, so that no fifo is ever opened and a directory needs no handle. */
static void source_looked_up(hr_io *io)
{
    hr_source *source = io->context;
    hr_session *session = source->session;
    if (io->status != HR_OK) {
        fail_open(source, io->status);
        return;
    }
    if (io->info.type == HR_FILE_SPECIAL) {
        fail_open(source, HR_UNSUPPORTED);
        return;
    }
    if (io->info.type == HR_FILE_DIRECTORY) {
        source->ended = HR_OK;
        send_opened(source, HR_OK, &io->info, "");
        free_source(source);
        return;
    }
    io->kind = HR_IO_OPEN;
    io->flags = HR_IO_READABLE | HR_IO_DIRECT;
    io->done = source_opened;
    hr_storage_submit(session->store->storage, io);
}

/* The server decides, and a client that cannot gets nothing in clear. False: it has failed. */
static bool make_key(hr_source *source)
{
    const hr_session *session = source->session;
    const hr_env *env = session->engine->env;
    if ((session->features & HR_FEATURE_AEAD) == 0) {
        fail_open_with(source, HR_UNSUPPORTED,
                       "this export is only served encrypted, which the client cannot");
        return false;
    }
    env->random(env->context, source->salt, sizeof source->salt);
    hr_status status = hr_seal_derive(session->control.filter, hr_seal_choose(), source->transfer,
                                      source->salt, &source->key);
    if (status != HR_OK)
        fail_open(source, status);
    return status == HR_OK;
}

/* Whether the peer may; if not, in the same words for what is there and what is not. */
static bool check_rules(hr_source *source)
{
    const hr_session *session = source->session;
    const char *who = session->tenant->who;
    char name[HR_NAME_MAX + 1], refusal[HR_WHO_MAX + 64];
    hr_store_name(source->path, name);
    if (hr_permits_allow(&session->gate->rules, who, name, HR_PERMIT_READ))
        return true;
    snprintf(refusal, sizeof refusal, "no rule of the server lets %s read it", who);
    fail_open_with(source, HR_POLICY, refusal);
    return false;
}

/* The export of the source's path, if the peer may read it as it can. NULL: the source has failed.
 */
static const hr_store_export *enter_export(hr_source *source, const char **path_out)
{
    const hr_session *session = source->session;
    const hr_store_export *export;
    if (!check_rules(source))
        return NULL;
    hr_status status = hr_store_resolve(session->store, source->path, &export, path_out);
    if (status != HR_OK) {
        fail_open(source, status);
        return NULL;
    }
    return export->sealed && !make_key(source) ? NULL : export;
}

/* NULL: the channel was told why, and is closing. */
static hr_source *make_source(hr_session *session, uint64_t transfer, hr_bytes path)
{
    if (find_source(session, transfer) != NULL) {
        hr_control_close(&session->control, HR_PROTOCOL, "transfer %llu was opened twice",
                         (unsigned long long)transfer);
        return NULL;
    }
    if (!hr_gate_begin(session->gate, session->tenant)) {
        hr_control_close(&session->control, HR_LIMIT,
                         "%s has as many shards open as a rule of the server allows",
                         session->tenant->who);
        return NULL;
    }
    hr_source *source = session->source_count < HR_SESSION_SOURCES_MAX
                            ? hr_alloc(session->engine->env, sizeof *source)
                            : NULL;
    if (source == NULL) {
        hr_gate_end(session->tenant);
        hr_control_close(&session->control, HR_LIMIT, "more than %d shards are open in one session",
                         HR_SESSION_SOURCES_MAX);
        return NULL;
    }
    source->session = session;
    source->transfer = transfer;
    memcpy(source->path, path.at, path.len);
    source->since_ns = hr_now_ns(session->engine->env);
    source->ended = HR_PEER_LOST; /* unless it ends in another way */
    hr_list_append(&session->sources, &source->node);
    session->source_count++;
    session->counters->transfers++;
    session->counters->transfers_open++;
    return source;
}

static void take_open(hr_session *session, const hr_message_open *open)
{
    hr_source *source = make_source(session, open->transfer, open->path);
    if (source == NULL)
        return;
    source->content = open->content && (session->features & HR_FEATURE_PACKED) != 0;

    const char *path;
    const hr_store_export *export = enter_export(source, &path);
    if (export == NULL)
        return;
    source->dir = export->dir;
    source->name = path;
    source->io = (hr_io){
        .kind = HR_IO_LOOKUP,
        .dir = export->dir,
        .path = path,
        .done = source_looked_up,
        .context = source,
    };
    hr_storage_submit(session->store->storage, &source->io);
}

/* ---- bundles ---- */

static void gather_opened(hr_io *io)
{
    hr_source *source = io->context;
    hr_session *session = source->session;
    if (io->status != HR_OK) {
        fail_open(source, io->status);
        return;
    }
    source->gather->dir = io->dir_out;
    if (session->ending) {
        close_file(source);
        return;
    }
    source->opened = true;
    send_opened(source, HR_OK, &(hr_file_info){.type = HR_FILE_DIRECTORY}, "");
}

static void take_open_bundles(hr_session *session, const hr_message_open_bundles *open)
{
    if (!(session->features & HR_FEATURE_BUNDLES)) {
        hr_control_close(&session->control, HR_PROTOCOL, "open_bundles was not agreed on");
        return;
    }
    if (session->gather_count == HR_SESSION_GATHERS_MAX) {
        hr_control_close(&session->control, HR_LIMIT,
                         "more than %d transfers of bundles are open in one session",
                         HR_SESSION_GATHERS_MAX);
        return;
    }
    hr_source *source = make_source(session, open->transfer, open->path);
    if (source == NULL)
        return;
    const char *path;
    const hr_store_export *export = enter_export(source, &path);
    if (export == NULL)
        return;
    hr_status status = hr_gather_create(session->engine->env, open, &source->gather);
    if (status != HR_OK) {
        fail_open(source, status);
        return;
    }
    session->gather_count++;
    source->io = (hr_io){
        .kind = HR_IO_OPEN_DIR,
        .dir = export->dir,
        .path = path,
        .done = gather_opened,
        .context = source,
    };
    hr_storage_submit(session->store->storage, &source->io);
}

/* ---- closing a source: is it still what was opened? ---- */

static void source_looked_at(hr_io *io)
{
    hr_source *source = io->context;
    hr_session *session = source->session;
    hr_status status = io->status;
    const char *text = status == HR_OK ? "" : hr_status_text(status);
    const char *difference =
        status == HR_OK ? hr_source_difference(&source->info, &io->info) : NULL;
    if (difference != NULL) {
        status = HR_CHANGED;
        text = difference;
    }
    source->ended = status;
    hr_control_send(&session->control, &(hr_message){
                                           .kind = HR_MESSAGE_CLOSED,
                                           .closed = {.transfer = source->transfer,
                                                      .status = status,
                                                      .text = hr_bytes_make(text, strlen(text))},
                                       });
    close_file(source);
}

/* Of bundles each row has told what its file was like when it was read. */
static void answer_close_of_bundles(hr_source *source)
{
    hr_session *session = source->session;
    hr_control_send(
        &session->control,
        &(hr_message){
            .kind = HR_MESSAGE_CLOSED,
            .closed = {.transfer = source->transfer, .status = HR_OK, .text = hr_bytes_make("", 0)},
        });
    close_file(source);
}

static void close_if_over(hr_source *source)
{
    if (!source->closing || source->outstanding > 0)
        return;
    hr_session *session = source->session;
    source->closing = false; /* once */
    if (!source->wants_answer) {
        close_file(source);
        return;
    }
    if (source->gather != NULL) {
        answer_close_of_bundles(source);
        return;
    }
    source->io = (hr_io){
        .kind = HR_IO_STAT,
        .file = source->file,
        .done = source_looked_at,
        .context = source,
    };
    hr_storage_submit(session->store->storage, &source->io);
}

static void take_close(hr_session *session, uint64_t transfer)
{
    hr_source *source = find_source(session, transfer);
    if (source == NULL || !source->opened || source->wants_answer) {
        hr_control_close(&session->control, HR_PROTOCOL,
                         "close of transfer %llu, which is not open", (unsigned long long)transfer);
        return;
    }
    source->wants_answer = true;
    source->closing = true;
    close_if_over(source);
}

static void take_cancel(hr_session *session, uint64_t transfer)
{
    hr_source *source = find_source(session, transfer);
    if (source != NULL) /* else it was closed while the cancel was under way */
        __atomic_store_n(&source->canceled, true, __ATOMIC_RELEASE);
}

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
                           ? "what lies on the server's disk does not match its stored digest"
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
                                                : find_source(session, grant->transfer);
}

static void take_grant(hr_session *session, const hr_grant *grant)
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
        session->counters->chunks_sent++;
        session->counters->bytes_sent += shipment->extent.len;
        source->bytes_sent += shipment->extent.len;
    } else if (shipment->status != HR_PEER_LOST) {
        send_failed(session, source->transfer, shipment->chunk, shipment->generation,
                    shipment->status);
    }
    hr_sender_give(shipment->sender, shipment);
    close_if_over(source);
}

/* Death of a queue pair is not seen at its other end when the fabric is what died. */
static void part_link(hr_session *session, uint32_t link)
{
    if (!session->ending && !session->control.closing)
        hr_control_send(&session->control,
                        &(hr_message){.kind = HR_MESSAGE_PARTED, .parted = {.link = link}});
}

static void take_parted(hr_session *session, uint32_t number)
{
    hr_session_link *link = find_link(session, number);
    if (link != NULL)
        hr_sender_close(link->sender);
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
    end_if_over(session);
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

static void take_keys(hr_session *session, const hr_message_keys *keys)
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
    hr_sender *sender = hr_alloc(session->engine->env, sizeof *sender);
    if (sender == NULL)
        return HR_NO_MEMORY;
    if (session->features & HR_FEATURE_AEAD &&
        hr_sealer_create(session->engine->env, &sender->sealer) != HR_OK) {
        hr_release(session->engine->env, sender);
        return HR_NO_MEMORY;
    }
    link->ticketed = false;
    link->sender = sender;
    sender->share = &session->tenant->share;
    hr_engine *engine = session->engine;
    hr_worker *worker = &engine->workers[session->next_worker++ % engine->worker_count];
    sender->link = link->link;
    hr_sender_init(sender, worker, hr_engine_home(engine), hr_worker_transport(worker, family),
                   incoming, &sender_events, session);
    if (family == HR_FAMILY_RDMA)
        session->control.silence_ns = HR_CONTROL_SILENCE_RDMA_NS;
    hr_control_send(&session->control,
                    &(hr_message){.kind = HR_MESSAGE_JOINED, .joined = {.link = link->link}});
    return HR_OK;
}

/* ---- the control plane ---- */

static void take_hello(hr_session *session, const hr_message_hello *hello)
{
    if (hello->major != HR_PROTOCOL_MAJOR) {
        hr_control_close(&session->control, HR_VERSION,
                         "this server speaks version %d of the protocol, the client version %u: "
                         "use releases that share one",
                         HR_PROTOCOL_MAJOR, hello->major);
        return;
    }
    session->greeted = true;
    bool can_seal = session->control.filter->ops->derive != NULL;
    session->features = hello->features & (HR_FEATURES | (can_seal ? HR_FEATURE_AEAD : 0));
    hr_loop_timer_clear(session->control.loop, &session->hello_timer);
    hr_message message = {
        .kind = HR_MESSAGE_WELCOME,
        .welcome = {.major = HR_PROTOCOL_MAJOR,
                    .minor = HR_PROTOCOL_MINOR,
                    .features = session->features,
                    .session = session->number,
                    .links_max = HR_SESSION_LINKS_MAX,
                    .heartbeat_ms = HR_MESSAGE_HEARTBEAT_MS},
    };
    memcpy(message.welcome.boot, session->boot_id, HR_ID_LEN);
    hr_control_send(&session->control, &message);
}

static void send_page(void *context, const hr_message_entries *page)
{
    hr_session *session = context;
    hr_control_send(&session->control, &(hr_message){.kind = HR_MESSAGE_ENTRIES, .entries = *page});
    end_if_over(session);
}

static bool sees_export(void *context, const char *export)
{
    const hr_session *session = context;
    return hr_permits_allow(&session->gate->rules, session->tenant->who, export, HR_PERMIT_LIST);
}

static void take_list(hr_session *session, const hr_message_list *list)
{
    if (session->listing.busy) {
        hr_control_close(&session->control, HR_PROTOCOL,
                         "a second list came before the first was answered");
        return;
    }
    session->listing.sees = sees_export;
    hr_store_list(session->store, &session->listing, list, send_page, session);
}

static void send_digest(void *context, const hr_message_digested *digested)
{
    hr_session *session = context;
    hr_control_send(&session->control,
                    &(hr_message){.kind = HR_MESSAGE_DIGESTED, .digested = *digested});
    end_if_over(session);
}

/* A digest of a piece tells what it holds to somebody who can guess it. */
static bool may_digest(hr_session *session, const hr_message_digest *digest)
{
    static const char refusal[] = "no rule of the server lets you read it";
    char path[HR_MESSAGE_PATH_MAX + 1], name[HR_NAME_MAX + 1];
    snprintf(path, sizeof path, "%.*s", (int)digest->path.len, (const char *)digest->path.at);
    hr_store_name(path, name);
    if (hr_permits_allow(&session->gate->rules, session->tenant->who, name, HR_PERMIT_READ))
        return true;
    hr_message_digested refused = {
        .request = digest->request,
        .status = HR_POLICY,
        .text = hr_bytes_make(refusal, sizeof refusal - 1),
    };
    hr_control_send(&session->control,
                    &(hr_message){.kind = HR_MESSAGE_DIGESTED, .digested = refused});
    return false;
}

static void take_digest(hr_session *session, const hr_message_digest *digest)
{
    if ((session->features & HR_FEATURE_DIGESTS) == 0)
        hr_control_close(&session->control, HR_PROTOCOL, "digest was not agreed on");
    else if (session->digests.count == HR_MESSAGE_DIGESTS_MAX)
        hr_control_close(&session->control, HR_LIMIT, "more than %u digests were asked for at once",
                         HR_MESSAGE_DIGESTS_MAX);
    else if (may_digest(session, digest))
        hr_digests_take(&session->digests, digest);
}

static void take_message(void *context, const hr_message *message)
{
    hr_session *session = context;
    if (session->tenant == NULL) /* it is being shown out */
        return;
    if (session->greeted == (message->kind == HR_MESSAGE_HELLO)) {
        hr_control_close(&session->control, HR_PROTOCOL, "%s came out of order",
                         hr_message_name(message->kind));
        return;
    }
    switch ((int)message->kind) {
    case HR_MESSAGE_HELLO:
        take_hello(session, &message->hello);
        break;
    case HR_MESSAGE_LIST:
        take_list(session, &message->list);
        break;
    case HR_MESSAGE_DIGEST:
        take_digest(session, &message->digest);
        break;
    case HR_MESSAGE_OPEN:
        take_open(session, &message->open);
        break;
    case HR_MESSAGE_OPEN_BUNDLES:
        take_open_bundles(session, &message->open_bundles);
        break;
    case HR_MESSAGE_KEYS:
        take_keys(session, &message->keys);
        break;
    case HR_MESSAGE_PARTED:
        take_parted(session, message->parted.link);
        break;
    case HR_MESSAGE_GRANT:
        for (size_t i = 0; i < message->grant.count && !session->control.closing; i++)
            take_grant(session, &message->grant.grants[i]);
        break;
    case HR_MESSAGE_CANCEL:
        take_cancel(session, message->cancel.transfer);
        break;
    case HR_MESSAGE_CLOSE:
        take_close(session, message->close.transfer);
        break;
    default:
        hr_control_close(&session->control, HR_PROTOCOL, "%s is not a client's to say",
                         hr_message_name(message->kind));
    }
}

/* ---- the end ---- */

/* Sources whose open, stat or close is under way end by themselves. */
static void release_sources(hr_session *session)
{
    hr_list *next;
    for (hr_list *node = session->sources.next; node != &session->sources; node = next) {
        next = node->next;
        hr_source *source = HR_CONTAINER(node, hr_source, node);
        __atomic_store_n(&source->canceled, true, __ATOMIC_RELEASE);
        if (!source->opened || source->closing || source->wants_answer)
            continue;
        source->closing = true;
        close_if_over(source);
    }
}

static void audit_session(const hr_session *session, hr_status status, const char *text)
{
    bool known = session->tenant != NULL;
    /* A client that has closed what it opened just hangs up. */
    bool in_order = known && status == HR_PEER_LOST && session->source_count == 0;
    hr_audit_note(session->gate->audit,
                  &(hr_audit_event){
                      .what = known ? "session" : "refused",
                      .session = session->number,
                      .who = known ? session->tenant->who : "",
                      .peer = session->control.channel->peer,
                      .reason = in_order ? NULL : text,
                      .duration_ns = hr_now_ns(session->engine->env) - session->since_ns,
                      .status = in_order ? HR_OK : status,
                  });
}

static void control_down(void *context, hr_status status, const char *text)
{
    hr_session *session = context;
    audit_session(session, status, text);
    if (status != HR_OK && status != HR_PEER_LOST) {
        session->counters->refused++;
        hr_log(session->engine->env, HR_LOG_INFO, "session %llu of %s: %s",
               (unsigned long long)session->number, session->control.channel->peer, text);
    }
    hr_loop_timer_clear(session->control.loop, &session->hello_timer);
    session->control_down = true;
    session->ending = true;
    for (unsigned i = 0; i < HR_SESSION_LINKS_MAX; i++) {
        session->links[i].ticketed = false;
        if (session->links[i].sender != NULL)
            hr_sender_close(session->links[i].sender);
    }
    release_sources(session);
    end_if_over(session);
}

static void end_if_over(hr_session *session)
{
    if (session->gone || !session->control_down || session->source_count > 0 ||
        session->listing.busy || session->digests.count > 0)
        return;
    for (unsigned i = 0; i < HR_SESSION_LINKS_MAX; i++)
        if (session->links[i].sender != NULL)
            return;
    session->gone = true;
    hr_keyring_fini(&session->keyring, session->engine->env);
    hr_control_fini(&session->control);
    if (session->tenant != NULL)
        hr_gate_leave(session->gate, session->tenant);
    session->events->gone(session->context, session);
}

/* The peer is known. */
static void control_up(void *context)
{
    hr_session *session = context;
    hr_status status = hr_gate_enter(session->gate, session->control.filter->who, &session->tenant);
    if (status != HR_OK)
        hr_control_close(&session->control, status,
                         "%s has as many sessions open as a rule of the server allows",
                         session->control.filter->who);
}

static const hr_control_events control_events = {
    .up = control_up,
    .message = take_message,
    .down = control_down,
};

void hr_session_end(hr_session *session, hr_status status, const char *why)
{
    hr_control_close(&session->control, status, "%s", why);
}

static void hello_is_late(hr_timer *timer)
{
    hr_session_end(HR_CONTAINER(timer, hr_session, hello_timer), HR_DEADLINE,
                   "no hello came in time");
}

hr_status hr_session_init(hr_session *session, hr_engine *engine, hr_store *store,
                          hr_transport *transport, const hr_identity *identity,
                          hr_incoming *incoming, const hr_session_events *events, void *context)
{
    session->engine = engine;
    session->store = store;
    session->events = events;
    session->context = context;
    session->since_ns = hr_now_ns(engine->env);
    hr_list_init(&session->sources);
    session->probe = (hr_source){
        .transfer = HR_PROBE_TRANSFER,
        .size = HR_PROBE_LEN,
        .is_probe = true,
        .chunk_len = HR_CHUNK_LEN,
        .opened = true,
        .session = session,
    };
    hr_digests_init(&session->digests, hr_engine_home(engine), store, send_digest, session);
    transport->ops->query(transport, &session->caps);
    session->hello_timer.fire = hello_is_late;
    hr_status status = hr_control_adopt(&session->control, engine->env, &engine->scratch, transport,
                                        identity, incoming, &control_events, session);
    if (status != HR_OK)
        return status;
    hr_loop *loop = transport->loop;
    if (hr_loop_timer_set(loop, &session->hello_timer, hr_loop_now_ns(loop) + HELLO_TIMEOUT_NS) !=
        HR_OK)
        hr_session_end(session, HR_NO_MEMORY, "setting a timer: out of memory");
    return HR_OK;
}
