/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include <stdio.h>

typedef struct identity_filter {
    hr_filter base;
    const hr_env *env;
} identity_filter;

static hr_status start(hr_filter *filter)
{
    filter->ready = true;
    filter->sink.ready(filter->sink.context);
    return HR_OK;
}

static hr_status receive(hr_filter *filter, const uint8_t *bytes, size_t len)
{
    return filter->sink.plain(filter->sink.context, bytes, len);
}

static hr_status send(hr_filter *filter, const uint8_t *bytes, size_t len)
{
    return filter->sink.wire(filter->sink.context, bytes, len);
}

static void destroy(hr_filter *filter)
{
    identity_filter *identity = (identity_filter *)filter;
    hr_release(identity->env, identity);
}

static const hr_filter_ops identity_ops = {
    .name = "identity",
    .start = start,
    .receive = receive,
    .send = send,
    .destroy = destroy,
};

hr_status hr_filter_identity_create(const hr_env *env, const hr_filter_sink *sink,
                                    hr_filter **filter_out)
{
    identity_filter *identity = hr_alloc(env, sizeof *identity);
    if (identity == NULL)
        return HR_NO_MEMORY;
    identity->base.ops = &identity_ops;
    identity->base.sink = *sink;
    identity->env = env;
    snprintf(identity->base.who, sizeof identity->base.who, "anyone");
    *filter_out = &identity->base;
    return HR_OK;
}
