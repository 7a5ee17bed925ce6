/* SPDX-License-Identifier: Apache-2.0 */
#include "session_parts.h"

#include <stdio.h>
#include <string.h>

#include "chunk.h"
#include "probe.h"

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
    hr_session_free_source(source);
}

static void fail_open(hr_source *source, hr_status status)
{
    char quoted[200], text[320];
    hr_quote(quoted, sizeof quoted, source->path, strlen(source->path));
    const char *advice = "";
    if (status == HR_NOT_FOUND)
        advice = "; headrace ls tells what is there";
    else if (status == HR_DENIED)
        advice = "; whoever runs that side may not read it";
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
    hr_session_free_source(source);
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
    hr_session_close_file(source);
}

/* HR_AGAIN: it is to be served. HR_OK: it is a directory, of which that is all to be told. */
static hr_status judge_opened(const hr_source *source, const hr_file_info *info,
                              const char **refusal_out)
{
    if (info->type == HR_FILE_DIRECTORY)
        return HR_OK;
    if (source->listed && info->inode != source->info.inode) {
        *refusal_out = "it was replaced just now";
        return HR_CHANGED;
    }
    if (info->type != HR_FILE_REGULAR) {
        *refusal_out = "it is no file";
        return HR_UNSUPPORTED;
    }
    if (hr_chunk_count(info->size, HR_CHUNK_LEN) > HR_CHUNKS_MAX) {
        *refusal_out = "it has more than 128 TiB, which is the most that a file may have";
        return HR_UNSUPPORTED;
    }
    return HR_AGAIN;
}

static void end_opened(hr_source *source, hr_status status, const char *refusal)
{
    const hr_session *session = source->session;
    char quoted[200], text[320] = "";
    if (refusal != NULL)
        snprintf(text, sizeof text, "opening %s: %s",
                 hr_quote(quoted, sizeof quoted, source->path, strlen(source->path)), refusal);
    if (status != HR_AGAIN)
        source->ended = status;
    if (!session->ending)
        send_opened(source, status, &source->io.info, text);
    hr_session_close_file(source);
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
    const char *refusal = NULL;
    hr_status status = judge_opened(source, &io->info, &refusal);
    if (status != HR_AGAIN || session->ending) {
        end_opened(source, status, refusal);
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
        hr_session_free_source(source);
        return;
    }
    if (source->listed && io->info.type == HR_FILE_SYMLINK) {
        fail_open(source, HR_CHANGED);
        return;
    }
    source->info = io->info;
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
    if (transfer == HR_PROBE_TRANSFER) {
        hr_control_close(&session->control, HR_PROTOCOL,
                         "transfer 0 is the probe's, not to be opened");
        return NULL;
    }
    if (hr_session_find_source(session, transfer) != NULL) {
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
    const size_t len = sizeof(hr_source) + path.len + 1;
    bool charged = hr_gate_charge(session->gate, session->tenant, len);
    hr_source *source = charged && session->source_count < HR_SESSION_SOURCES_MAX
                            ? hr_alloc(session->engine->env, len)
                            : NULL;
    if (source == NULL) {
        if (charged)
            hr_gate_refund(session->gate, session->tenant, len);
        hr_gate_end(session->tenant);
        hr_control_close(&session->control, HR_LIMIT,
                         charged
                             ? "more than %d shards are open in one session"
                             : "the server has no memory left for one of %d shards in a session",
                         HR_SESSION_SOURCES_MAX);
        return NULL;
    }
    source->session = session;
    source->transfer = transfer;
    source->path = (char *)(source + 1);
    memcpy(source->path, path.at, path.len); /* the rest is zero */
    source->since_ns = hr_now_ns(session->engine->env);
    source->ended = HR_PEER_LOST; /* unless it ends in another way */
    hr_list_append(&session->sources, &source->node);
    session->source_count++;
    session->counters->transfers++;
    session->counters->transfers_open++;
    return source;
}

void hr_session_take_open(hr_session *session, const hr_message_open *open)
{
    hr_source *source = make_source(session, open->transfer, open->path);
    if (source == NULL)
        return;
    source->content = open->content && (session->features & HR_FEATURE_PACKED) != 0;
    source->listed = open->listed;

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
        hr_session_close_file(source);
        return;
    }
    source->opened = true;
    send_opened(source, HR_OK, &(hr_file_info){.type = HR_FILE_DIRECTORY}, "");
}

void hr_session_take_open_bundles(hr_session *session, const hr_message_open_bundles *open)
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
    session->gather_count += status == HR_OK;
    if (status == HR_OK) {
        source->gather_len = source->gather->len;
        if (!hr_gate_charge(session->gate, session->tenant, source->gather_len)) {
            source->gather_len = 0;
            status = HR_LIMIT;
        }
    }
    if (status != HR_OK) {
        fail_open(source, status);
        return;
    }
    source->io = (hr_io){
        .kind = HR_IO_OPEN_DIR,
        .dir = export->dir,
        .path = path,
        .done = gather_opened,
        .context = source,
    };
    hr_storage_submit(session->store->storage, &source->io);
}
