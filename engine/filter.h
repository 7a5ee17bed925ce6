/* SPDX-License-Identifier: Apache-2.0 */
/* hr_filter: what a channel's bytes pass through: bytes in, bytes out, no sockets. The identity is
 * filter.c; TLS over memory BIOs takes the same place. */
#ifndef HR_FILTER_H
#define HR_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "status.h"

typedef struct hr_filter hr_filter;

/* Where a filter's output goes. A status other than HR_OK stops it and is handed on. */
typedef struct hr_filter_sink {
    hr_status (*plain)(void *context, const uint8_t *bytes, size_t len); /* for the messages */
    hr_status (*wire)(void *context, const uint8_t *bytes, size_t len);  /* for the channel */
    void *context;
} hr_filter_sink;

typedef struct hr_filter_ops {
    const char *name;
    /* Bytes came from the channel. */
    hr_status (*receive)(hr_filter *filter, const uint8_t *bytes, size_t len);
    /* Bytes of a message are to go out. */
    hr_status (*send)(hr_filter *filter, const uint8_t *bytes, size_t len);
    void (*destroy)(hr_filter *filter);
} hr_filter_ops;

struct hr_filter {
    const hr_filter_ops *ops;
    hr_filter_sink sink;
};

HR_CHECKED hr_status hr_filter_identity_create(const hr_env *env, const hr_filter_sink *sink,
                                               hr_filter **filter_out);

#endif
