/* SPDX-License-Identifier: Apache-2.0 */
/* hr_control: one end of the control plane: a channel that speaks messages through a filter, and
 * knows whether the peer is alive. Sessions of a server and clients sit on top of it.
 *
 * Heartbeat: each end sends a ping a second; an end that has heard nothing at all for
 * silence_ns, in as many beats of its own, calls the peer dead. */
#ifndef HR_CONTROL_H
#define HR_CONTROL_H

#include "filter.h"
#include "identity.h"
#include "loop.h"
#include "message.h"
#include "transport.h"

/* Design, section 5: with TCP links, and with RDMA links, whose own retries alone take longer. */
#define HR_CONTROL_SILENCE_NS      (10 * HR_NS_PER_S)
#define HR_CONTROL_SILENCE_RDMA_NS (3 * HR_NS_PER_S)

typedef struct hr_control hr_control;

/* Memory for the message that is being unpacked and the one that is being packed: all controls of a
 * loop share it, since neither lasts longer than a call. */
#define HR_CONTROL_SCRATCH_LEN                                                                     \
    (2 * HR_MESSAGE_PAGE_ARENA_LEN + HR_MESSAGE_PAGE_MAX + HR_FRAME_HEADER_LEN)

typedef struct hr_control_scratch {
    hr_arena in, out;
    uint8_t *frame;
    size_t frame_max;
    uint8_t *memory;
} hr_control_scratch;

HR_CHECKED hr_status hr_control_scratch_init(hr_control_scratch *scratch, const hr_env *env);
void hr_control_scratch_fini(hr_control_scratch *scratch, const hr_env *env);

typedef struct hr_control_events {
    void (*up)(void *context); /* the peer is known: messages may be sent. May be NULL */
    /* Never ping, pong, or error. What the message points to is gone after the call. */
    void (*message)(void *context, const hr_message *message);
    /* The end, once. text: the sentence of the peer's error, or ours; the owner may fini in it. */
    void (*down)(void *context, hr_status status, const char *text);
} hr_control_events;

struct hr_control {
    const hr_env *env;
    hr_loop *loop;
    hr_transport *transport;
    hr_channel *channel;
    hr_filter *filter;
    hr_framing frames;
    hr_side side;
    const hr_control_events *events;
    void *context;
    hr_timer heartbeat;
    uint64_t heard_ns;
    unsigned beats_unheard; /* since then */
    uint64_t silence_ns;    /* the owner may shorten it */
    uint64_t pings;
    uint64_t messages; /* said and heard, without pings */
    bool reached;      /* there is a connection */
    bool up, closing, down;
    hr_error error; /* why we close it, or what the peer said */
    hr_control_scratch *scratch;
    uint8_t *collected; /* of the frame that is coming in */
};

/* Client: connects to address. Failures of the connection itself come through down. identity NULL:
 * in clear, here and below. */
HR_CHECKED hr_status hr_control_connect(hr_control *control, const hr_env *env,
                                        hr_control_scratch *scratch, hr_transport *transport,
                                        const hr_identity *identity, const char *address,
                                        const hr_control_events *events, void *context);
/* Server: takes an incoming connection, in every case. */
HR_CHECKED hr_status hr_control_adopt(hr_control *control, const hr_env *env,
                                      hr_control_scratch *scratch, hr_transport *transport,
                                      const hr_identity *identity, hr_incoming *incoming,
                                      const hr_control_events *events, void *context);
/* The peer has shown that it is alive in another way: its data came, or it took ours. A worker that
 * digests has no time for a ping. */
void hr_control_note_life(hr_control *control);
/* A message that does not fit into the channel's queue ends the control: the peer does not read. */
void hr_control_send(hr_control *control, const hr_message *message);
/* Says error to the peer (unless status is HR_OK) and closes; down follows with this status. */
void hr_control_close(hr_control *control, hr_status status, const char *format, ...)
    HR_PRINTF(3, 4);
/* Only after down, or after a connect or adopt that failed. */
void hr_control_fini(hr_control *control);

#endif
