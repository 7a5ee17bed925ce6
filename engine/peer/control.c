/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tls.h"

static void send_message(hr_control *control, const hr_message *message)
{
    hr_control_scratch *scratch = control->scratch;
    size_t len;
    hr_status status =
        hr_message_pack(message, &scratch->out, scratch->frame, scratch->frame_max, &len);
    if (status == HR_OK)
        status = control->filter->ops->send(control->filter, scratch->frame, len);
    if (status == HR_OK || control->closing)
        return;
    if (status == HR_AGAIN)
        hr_control_close(control, HR_STALLED, "the peer does not read: %u bytes wait for it",
                         HR_CHANNEL_QUEUE_MAX);
    else if (status != HR_PEER_LOST) /* of that one the channel's down tells */
        hr_control_close(control, status, "packing a %s message: %s",
                         hr_message_name(message->kind), hr_status_text(status));
}

void hr_control_send(hr_control *control, const hr_message *message)
{
    control->messages += message->kind != HR_MESSAGE_PING && message->kind != HR_MESSAGE_PONG;
    if (control->up && !control->closing && !control->down)
        send_message(control, message);
}

void hr_control_close(hr_control *control, hr_status status, const char *format, ...)
{
    if (control->closing || control->down)
        return;
    char text[HR_MESSAGE_TEXT_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (status != HR_OK && control->up) {
        size_t said = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
        control->closing = true; /* so that a failure to say it is not said again */
        send_message(control, &(hr_message){
                                  .kind = HR_MESSAGE_ERROR,
                                  .error = {.status = status, .text = hr_bytes_make(text, said)},
                              });
    }
    control->closing = true;
    hr_error_set(&control->error, status, "%s", text);
    control->transport->ops->channel.close(control->channel);
}

/* ---- the peer's ---- */

static void take_error(hr_control *control, const hr_message_error *error)
{
    hr_error_set(&control->error, error->status, "%.*s", (int)error->text.len,
                 (const char *)error->text.at);
    control->closing = true;
    control->transport->ops->channel.close(control->channel);
}

static void take_body(hr_control *control, const uint8_t *body, size_t len)
{
    hr_side sender = control->side == HR_SIDE_CLIENT ? HR_SIDE_SERVER : HR_SIDE_CLIENT;
    hr_message message;
    hr_status status = hr_message_unpack(body, len, sender, &control->scratch->in, &message);
    if (status != HR_OK) {
        hr_control_close(control, HR_PROTOCOL, "a message of %zu bytes that is none came", len);
        return;
    }
    switch ((int)message.kind) {
    case HR_MESSAGE_PING:
        message.kind = HR_MESSAGE_PONG;
        hr_control_send(control, &message);
        return;
    case HR_MESSAGE_PONG:
    case HR_MESSAGE_HINT:
        return;
    case HR_MESSAGE_ERROR:
        take_error(control, &message.error);
        return;
    default:
        control->messages++;
        control->events->message(control->context, &message);
    }
}

static hr_status take_plain(void *context, const uint8_t *bytes, size_t len)
{
    hr_control *control = context;
    while (!control->closing) {
        const uint8_t *body;
        size_t body_len;
        hr_status status = hr_framing_next(&control->frames, &bytes, &len, &body, &body_len);
        if (status == HR_AGAIN)
            break;
        if (status != HR_OK)
            return status;
        take_body(control, body, body_len);
    }
    return HR_OK;
}

static hr_status give_wire(void *context, const uint8_t *bytes, size_t len)
{
    hr_control *control = context;
    return control->transport->ops->channel.send(control->channel, bytes, len);
}

/* ---- the channel's ---- */

/* A worker that was kept from its loop for long finds the time gone by and what came meanwhile not
 * yet read: so beats count, between each two of which it has looked. */
static void beat(hr_timer *timer)
{
    hr_control *control = HR_CONTAINER(timer, hr_control, heartbeat);
    uint64_t now_ns = hr_loop_now_ns(control->loop);
    control->beats_unheard++;
    if (now_ns - control->heard_ns >= control->silence_ns &&
        control->beats_unheard >= control->silence_ns / HR_NS_PER_S) {
        hr_control_close(control, HR_PEER_LOST, "nothing was heard from %s for %d seconds",
                         control->channel->peer, (int)(control->silence_ns / HR_NS_PER_S));
        return;
    }
    hr_control_send(control,
                    &(hr_message){.kind = HR_MESSAGE_PING, .ping = {.number = ++control->pings}});
    if (!control->closing && hr_loop_timer_set(control->loop, timer, now_ns + HR_NS_PER_S) != HR_OK)
        hr_control_close(control, HR_NO_MEMORY, "setting the heartbeat: out of memory");
}

void hr_control_note_life(hr_control *control)
{
    control->heard_ns = hr_loop_now_ns(control->loop);
    control->beats_unheard = 0;
}

static void filter_ready(void *context)
{
    hr_control *control = context;
    control->up = true;
    hr_control_note_life(control);
    if (hr_loop_timer_set(control->loop, &control->heartbeat, control->heard_ns + HR_NS_PER_S) !=
        HR_OK)
        hr_control_close(control, HR_NO_MEMORY, "setting the heartbeat: out of memory");
    else if (control->events->up != NULL)
        control->events->up(control->context);
}

/* Who did not get past the filter is told no more than the filter itself has said. */
static void filter_failed(hr_control *control, hr_status status)
{
    const hr_error *error = &control->filter->error;
    if (error->status != HR_OK)
        hr_control_close(control, error->status, "%s: %s", control->channel->peer, error->text);
    else
        hr_control_close(control, status == HR_PEER_LOST ? status : HR_PROTOCOL,
                         "what %s sends is no frame of this protocol", control->channel->peer);
}

static void channel_up(void *context)
{
    hr_control *control = context;
    control->reached = true;
    hr_status status = control->filter->ops->start(control->filter);
    if (status != HR_OK)
        filter_failed(control, status);
}

static void channel_bytes(void *context, const uint8_t *bytes, size_t len)
{
    hr_control *control = context;
    hr_control_note_life(control);
    if (control->closing)
        return;
    hr_status status = control->filter->ops->receive(control->filter, bytes, len);
    if (status != HR_OK)
        filter_failed(control, status);
}

static void channel_down(void *context, hr_status status)
{
    hr_control *control = context;
    control->down = true;
    hr_loop_timer_clear(control->loop, &control->heartbeat);
    if (!control->closing)
        hr_error_set(&control->error, status, "the connection to %s ended: %s",
                     control->channel->peer, hr_status_text(status));
    control->events->down(control->context, control->error.status, control->error.text);
}

static const hr_channel_events channel_events = {
    .up = channel_up,
    .bytes = channel_bytes,
    .down = channel_down,
};

/* ---- making one ---- */

hr_status hr_control_scratch_init(hr_control_scratch *scratch, const hr_env *env)
{
    scratch->memory = hr_alloc(env, HR_CONTROL_SCRATCH_LEN);
    if (scratch->memory == NULL)
        return HR_NO_MEMORY;
    scratch->in = hr_arena_make(scratch->memory, HR_MESSAGE_PAGE_ARENA_LEN);
    scratch->out =
        hr_arena_make(scratch->memory + HR_MESSAGE_PAGE_ARENA_LEN, HR_MESSAGE_PAGE_ARENA_LEN);
    scratch->frame = scratch->memory + 2 * (size_t)HR_MESSAGE_PAGE_ARENA_LEN;
    scratch->frame_max = HR_MESSAGE_PAGE_MAX + HR_FRAME_HEADER_LEN;
    return HR_OK;
}

void hr_control_scratch_fini(hr_control_scratch *scratch, const hr_env *env)
{
    hr_release(env, scratch->memory);
    scratch->memory = NULL;
}

/* "[::1]:7431" -> "::1" */
static void host_of(const char *address, char host_out[256])
{
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : strlen(address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    snprintf(host_out, 256, "%.*s", (int)len, address);
}

static hr_status make_filter(hr_control *control, const hr_identity *identity, const char *address)
{
    hr_filter_sink sink = {
        .ready = filter_ready,
        .plain = take_plain,
        .wire = give_wire,
        .context = control,
    };
    char host[256];
    if (identity == NULL)
        return hr_filter_identity_create(control->env, &sink, &control->filter);
    if (address != NULL)
        host_of(address, host);
    return hr_filter_tls_create(control->env, identity, control->side,
                                address != NULL ? host : NULL, &sink, &control->filter);
}

static hr_status init(hr_control *control, const hr_env *env, hr_control_scratch *scratch,
                      hr_transport *transport, hr_side side, const hr_control_events *events,
                      void *context)
{
    /* Pages go from server to client only. */
    size_t body_max = side == HR_SIDE_CLIENT ? HR_MESSAGE_PAGE_MAX : HR_MESSAGE_BODY_MAX;
    *control = (hr_control){
        .env = env,
        .scratch = scratch,
        .loop = transport->loop,
        .transport = transport,
        .side = side,
        .events = events,
        .context = context,
        .heartbeat = {.fire = beat},
        .silence_ns = HR_CONTROL_SILENCE_NS,
    };
    control->collected = hr_alloc(env, HR_FRAME_HEADER_LEN + body_max);
    if (control->collected == NULL)
        return HR_NO_MEMORY;
    hr_framing_init(&control->frames, control->collected, body_max);
    return HR_OK;
}

hr_status hr_control_connect(hr_control *control, const hr_env *env, hr_control_scratch *scratch,
                             hr_transport *transport, const hr_identity *identity,
                             const char *address, const hr_control_events *events, void *context)
{
    hr_status status = init(control, env, scratch, transport, HR_SIDE_CLIENT, events, context);
    if (status == HR_OK)
        status = make_filter(control, identity, address);
    if (status == HR_OK) {
        hr_greeting greeting = {
            .kind = identity != NULL ? HR_GREETING_TLS : HR_GREETING_CHANNEL,
            .major = HR_PROTOCOL_MAJOR,
        };
        status = transport->ops->channel.connect(transport, address, &greeting, &channel_events,
                                                 control, &control->channel);
    }
    if (status != HR_OK)
        hr_control_fini(control);
    return status;
}

hr_status hr_control_adopt(hr_control *control, const hr_env *env, hr_control_scratch *scratch,
                           hr_transport *transport, const hr_identity *identity,
                           hr_incoming *incoming, const hr_control_events *events, void *context)
{
    hr_status status = init(control, env, scratch, transport, HR_SIDE_SERVER, events, context);
    if (status == HR_OK)
        status = make_filter(control, incoming->is_user ? NULL : identity, NULL);
    if (status == HR_OK && incoming->is_user)
        snprintf(control->filter->who, sizeof control->filter->who, "uid:%u",
                 (unsigned)incoming->uid);
    if (status != HR_OK) {
        transport->ops->refuse(transport, incoming);
        hr_control_fini(control);
        return status;
    }
    status = transport->ops->channel.adopt(transport, incoming, &channel_events, control,
                                           &control->channel);
    if (status != HR_OK)
        hr_control_fini(control);
    else
        channel_up(control);
    return status;
}

void hr_control_fini(hr_control *control)
{
    if (control->channel != NULL)
        control->transport->ops->channel.destroy(control->channel);
    if (control->filter != NULL)
        control->filter->ops->destroy(control->filter);
    hr_release(control->env, control->collected);
    control->channel = NULL;
    control->filter = NULL;
    control->collected = NULL;
}
