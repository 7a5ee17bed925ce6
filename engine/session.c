/* SPDX-License-Identifier: Apache-2.0 */
#include "session_parts.h"

#include <stdio.h>
#include <string.h>

#include "probe.h"

/* After the greeting: a stranger takes up a session no longer than that. */
#define HELLO_TIMEOUT_NS (5 * HR_NS_PER_S)

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
    hr_session_end_if_over(session);
}

static bool sees_export(void *context, const char *export)
{
    const hr_session *session = context;
    return hr_permits_allow(&session->gate->rules, session->tenant->who, export, HR_PERMIT_LIST);
}

static void take_list(hr_session *session, const hr_message_list *list)
{
    unsigned most = (session->features & HR_FEATURE_LISTS) != 0 ? HR_MESSAGE_LISTS_MAX : 1, at = 0;
    while (at < most && session->listings[at].busy)
        at++;
    if (at == most) {
        hr_control_close(&session->control, HR_PROTOCOL,
                         "%u lists are unanswered, and one more came", most);
        return;
    }
    if (list->folder_count > 0 && (session->features & HR_FEATURE_FOLDERS) == 0) {
        hr_control_close(&session->control, HR_PROTOCOL, "list of folders was not agreed on");
        return;
    }
    session->listings[at].sees = sees_export;
    hr_store_list(session->store, &session->listings[at], list, send_page, session);
}

static bool is_listing(const hr_session *session)
{
    for (unsigned i = 0; i < HR_MESSAGE_LISTS_MAX; i++)
        if (session->listings[i].busy)
            return true;
    return false;
}

static void send_digest(void *context, const hr_message_digested *digested)
{
    hr_session *session = context;
    hr_control_send(&session->control,
                    &(hr_message){.kind = HR_MESSAGE_DIGESTED, .digested = *digested});
    hr_session_end_if_over(session);
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
        hr_session_take_open(session, &message->open);
        break;
    case HR_MESSAGE_OPEN_BUNDLES:
        hr_session_take_open_bundles(session, &message->open_bundles);
        break;
    case HR_MESSAGE_KEYS:
        hr_session_take_keys(session, &message->keys);
        break;
    case HR_MESSAGE_PARTED:
        hr_session_take_parted(session, message->parted.link);
        break;
    case HR_MESSAGE_GRANT:
        for (size_t i = 0; i < message->grant.count && !session->control.closing; i++)
            hr_session_take_grant(session, &message->grant.grants[i]);
        break;
    case HR_MESSAGE_CANCEL:
        hr_session_take_cancel(session, message->cancel.transfer);
        break;
    case HR_MESSAGE_CLOSE:
        hr_session_take_close(session, message->close.transfer);
        break;
    default:
        hr_control_close(&session->control, HR_PROTOCOL, "%s is not a client's to say",
                         hr_message_name(message->kind));
    }
}

/* ---- the end ---- */

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
    hr_session_release_sources(session);
    hr_session_end_if_over(session);
}

void hr_session_end_if_over(hr_session *session)
{
    if (session->gone || !session->control_down || session->source_count > 0 ||
        is_listing(session) || session->digests.count > 0)
        return;
    for (unsigned i = 0; i < HR_SESSION_LINKS_MAX; i++)
        if (session->links[i].sender != NULL)
            return;
    session->gone = true;
    hr_keyring_fini(&session->keyring, session->engine->env);
    hr_control_fini(&session->control);
    if (session->tenant != NULL)
        hr_gate_leave(session->gate, session->tenant, HR_SESSION_HELD_LEN);
    session->events->gone(session->context, session);
}

/* The peer is known. */
static void control_up(void *context)
{
    hr_session *session = context;
    hr_control *control = &session->control;
    const char *who = control->filter->who;
    const hr_permits *rules = &session->gate->rules;
    hr_status status = hr_gate_enter(session->gate, who, HR_SESSION_HELD_LEN, &session->tenant);
    control->frames.body_max =
        (size_t)hr_permits_most(rules, who, HR_PERMIT_MESSAGE, control->frames.body_max);
    if (status == HR_POLICY)
        hr_control_close(control, status,
                         "%s is another user, and no rule of the server is about it", who);
    else if (status != HR_OK)
        hr_control_close(
            control, status,
            "%s has as many sessions open as a rule of the server or its memory allows", who);
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
    hr_session_end(HR_CONTAINER(timer, hr_session, hello_timer), HR_PEER_LOST,
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
