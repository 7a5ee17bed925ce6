/* SPDX-License-Identifier: Apache-2.0 */
#include "session_parts.h"

#include <string.h>

hr_source *hr_session_find_source(hr_session *session, uint64_t transfer)
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

void hr_session_free_source(hr_source *source)
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
    hr_release(session->engine->env, source->index_name);
    hr_gather_destroy(session->engine->env, source->gather);
    hr_gate_refund(session->gate, session->tenant,
                   sizeof *source + strlen(source->path) + 1 + source->gather_len);
    hr_gate_end(session->tenant);
    hr_release(session->engine->env, source);
    hr_session_end_if_over(session);
}

static void source_closed(hr_io *io)
{
    hr_session_free_source(io->context);
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

void hr_session_close_file(hr_source *source)
{
    detach_next(source);
}

/* ---- the end: is it still what was opened? ---- */

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
    hr_session_close_file(source);
}

/* Of bundles each row has told what its file was like when it was read. */
static void answer_close_of_bundles(hr_source *source)
{
    hr_session *session = source->session;
    source->ended = HR_OK;
    hr_control_send(
        &session->control,
        &(hr_message){
            .kind = HR_MESSAGE_CLOSED,
            .closed = {.transfer = source->transfer, .status = HR_OK, .text = hr_bytes_make("", 0)},
        });
    hr_session_close_file(source);
}

void hr_session_settle_source(hr_source *source)
{
    if (!source->closing || source->outstanding > 0)
        return;
    hr_session *session = source->session;
    source->closing = false; /* once */
    if (!source->wants_answer) {
        hr_session_close_file(source);
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

void hr_session_take_close(hr_session *session, uint64_t transfer)
{
    hr_source *source = hr_session_find_source(session, transfer);
    if (source == NULL || !source->opened || source->wants_answer) {
        hr_control_close(&session->control, HR_PROTOCOL,
                         "close of transfer %llu, which is not open", (unsigned long long)transfer);
        return;
    }
    source->wants_answer = true;
    source->closing = true;
    hr_session_settle_source(source);
}

void hr_session_take_cancel(hr_session *session, uint64_t transfer)
{
    hr_source *source = hr_session_find_source(session, transfer);
    if (source != NULL) /* else it was closed while the cancel was under way */
        __atomic_store_n(&source->canceled, true, __ATOMIC_RELEASE);
}

/* Sources whose open, stat or close is under way end by themselves. */
void hr_session_release_sources(hr_session *session)
{
    hr_list *next;
    for (hr_list *node = session->sources.next; node != &session->sources; node = next) {
        next = node->next;
        hr_source *source = HR_CONTAINER(node, hr_source, node);
        __atomic_store_n(&source->canceled, true, __ATOMIC_RELEASE);
        if (!source->opened || source->closing || source->wants_answer)
            continue;
        source->closing = true;
        hr_session_settle_source(source);
    }
}
