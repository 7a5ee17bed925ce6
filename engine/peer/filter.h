/* SPDX-License-Identifier: Apache-2.0 */
/* hr_filter: what a channel's bytes pass through: bytes in, bytes out, no sockets. It knows who the
 * peer is. filter.c lets everything through; tls.c is TLS 1.3. */
#ifndef HR_FILTER_H
#define HR_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "status.h"

#define HR_WHO_MAX 264 /* "cert:" and a name of 255 bytes */

typedef struct hr_filter hr_filter;

/* Where a filter's output goes. A status other than HR_OK stops it and is handed on. */
typedef struct hr_filter_sink {
    void (*ready)(void *context); /* once: the peer is known, and messages may be sent */
    hr_status (*plain)(void *context, const uint8_t *bytes, size_t len); /* for the messages */
    hr_status (*wire)(void *context, const uint8_t *bytes, size_t len);  /* for the channel */
    void *context;
} hr_filter_sink;

typedef struct hr_filter_ops {
    const char *name;
    /* The channel is up. */
    hr_status (*start)(hr_filter *filter);
    /* Bytes came from the channel. */
    hr_status (*receive)(hr_filter *filter, const uint8_t *bytes, size_t len);
    /* Bytes of a message are to go out. Not before it is ready. */
    hr_status (*send)(hr_filter *filter, const uint8_t *bytes, size_t len);
    /* A secret that only the two ends of this channel can know. NULL: they share none. */
    hr_status (*derive)(hr_filter *filter, const char *label, const uint8_t *context, size_t len,
                        uint8_t *key_out, size_t key_len);
    void (*destroy)(hr_filter *filter);
} hr_filter_ops;

struct hr_filter {
    const hr_filter_ops *ops;
    hr_filter_sink sink;
    bool ready;
    char who[HR_WHO_MAX]; /* the peer once it is ready: "key:ID", "cert:NAME", "uid:N", "anyone" */
    hr_error error;       /* why a call failed, where there is more to say than its status */
};

HR_CHECKED hr_status hr_filter_identity_create(const hr_env *env, const hr_filter_sink *sink,
                                               hr_filter **filter_out);

#endif
