/* SPDX-License-Identifier: Apache-2.0 */
#include "farewell.h"

#include <string.h>

#include "tls.h"

typedef struct farewell {
    hr_farewells *all;
    hr_channel *channel;
} farewell;

static void unheard(void *context, const uint8_t *bytes, size_t len)
{
    (void)context, (void)bytes, (void)len;
}

static void down(void *context, hr_status status)
{
    farewell *word = context;
    hr_farewells *all = word->all;
    (void)status;
    word->channel->transport->ops->channel.destroy(word->channel);
    hr_release(all->env, word);
    if (--all->count == 0)
        all->none_left(all->context);
}

static const hr_channel_events channel_events = {.bytes = unheard, .down = down};

static void say(hr_farewells *all, hr_channel *channel, hr_status status, const char *text)
{
    hr_control_scratch *scratch = all->scratch;
    hr_message message = {
        .kind = HR_MESSAGE_ERROR,
        .error = {.status = status, .text = hr_bytes_make(text, strlen(text))},
    };
    size_t len;
    if (hr_message_pack(&message, &scratch->out, scratch->frame, scratch->frame_max, &len) == HR_OK)
        (void)channel->transport->ops->channel.send(channel, scratch->frame, len);
}

void hr_farewell_say(hr_farewells *all, hr_transport *transport, hr_incoming *incoming,
                     hr_status status, const char *text)
{
    bool in_tls = incoming->greeting.kind == HR_GREETING_TLS;
    farewell *word = all->count < HR_FAREWELLS_MAX ? hr_alloc(all->env, sizeof *word) : NULL;
    if (word == NULL) {
        transport->ops->refuse(transport, incoming);
        return;
    }
    word->all = all;
    if (transport->ops->channel.adopt(transport, incoming, &channel_events, word, &word->channel) !=
        HR_OK) {
        hr_release(all->env, word);
        return;
    }
    all->count++;
    if (in_tls) {
        uint8_t alert[HR_TLS_ALERT_LEN];
        hr_tls_alert(status, alert);
        (void)transport->ops->channel.send(word->channel, alert, sizeof alert);
    } else {
        say(all, word->channel, status, text);
    }
    transport->ops->channel.close(word->channel);
}
