/* SPDX-License-Identifier: Apache-2.0 */
#include "direct.h"

#include <assert.h>

static void forget(hr_direct *direct, hr_exposure *exposure)
{
    direct->exposures[exposure->rail] = NULL;
    direct->count--;
    hr_region_numbers_give(&direct->client->numbers, exposure->first, exposure->count);
    hr_release(direct->client->env, exposure);
}

static void tell_keys(hr_direct *direct, const hr_exposure *exposure)
{
    hr_region_key keys[HR_DIRECT_SPANS_MAX];
    for (unsigned i = 0; i < exposure->count; i++)
        keys[i] = (hr_region_key){
            .index = exposure->first + i,
            .address = exposure->regions[i].address,
            .len = exposure->regions[i].span.len,
            .rkey = exposure->regions[i].key,
        };
    hr_client_send(direct->client, &(hr_message){
                                       .kind = HR_MESSAGE_KEYS,
                                       .keys = {.regions = keys, .region_count = exposure->count},
                                   });
}

static void close_exposures(hr_direct *direct)
{
    for (unsigned i = 0; i < HR_RAILS_MAX; i++)
        if (direct->exposures[i] != NULL && direct->exposures[i]->state == HR_EXPOSURE_OPEN)
            hr_exposure_close(direct->exposures[i]);
}

static void opened(void *context, hr_exposure *exposure, hr_status status)
{
    hr_direct *direct = context;
    if (status == HR_OK) {
        tell_keys(direct, exposure);
    } else {
        const hr_span *span = &exposure->regions[0].span;
        hr_log(
            direct->client->env, span->kind == HR_MEMORY_HOST ? HR_LOG_WARN : HR_LOG_INFO,
            "%zu bytes of the target cannot be registered with a NIC: %s; chunks are copied there",
            span->len, hr_status_text(status));
        direct->failure = status;
        forget(direct, exposure);
    }
    if (direct->closing)
        close_exposures(direct);
    if (direct->closing ? hr_direct_is_closed(direct) : hr_direct_is_settled(direct))
        direct->changed(direct->context);
}

static void closed(void *context, hr_exposure *exposure)
{
    hr_direct *direct = context;
    forget(direct, exposure);
    if (hr_direct_is_closed(direct))
        direct->changed(direct->context);
}

static const hr_exposure_events exposure_events = {.opened = opened, .closed = closed};

static void expose(hr_direct *direct, unsigned rail, const hr_span *spans, unsigned count)
{
    hr_client *client = direct->client;
    hr_worker *home = hr_engine_home(client->engine);
    uint32_t number;
    if (!hr_region_numbers_take(&client->numbers, count, &number))
        return;
    hr_exposure *exposure =
        hr_exposure_create(home, home, rail, number, count, &exposure_events, direct);
    if (exposure == NULL) {
        hr_region_numbers_give(&client->numbers, number, count);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        exposure->regions[i].span = spans[i];
    direct->exposures[rail] = exposure;
    direct->count++;
    hr_exposure_open(exposure);
}

void hr_direct_open(hr_direct *direct, hr_client *client, const hr_span *spans, unsigned count,
                    void (*changed)(void *context), void *context)
{
    assert(count <= HR_DIRECT_SPANS_MAX);
    *direct = (hr_direct){.client = client, .changed = changed, .context = context};
    for (unsigned i = 0; spans[0].len > 0 && i < client->link_count; i++) {
        const hr_receiver *receiver = &client->receivers[i];
        if (receiver->state == HR_RECEIVER_UP && receiver->uses_regions &&
            direct->exposures[receiver->rail] == NULL)
            expose(direct, receiver->rail, spans, count);
    }
}

bool hr_direct_is_settled(const hr_direct *direct)
{
    for (unsigned i = 0; i < HR_RAILS_MAX; i++)
        if (direct->exposures[i] != NULL && direct->exposures[i]->state == HR_EXPOSURE_OPENING)
            return false;
    return true;
}

bool hr_direct_region(const hr_direct *direct, unsigned rail, uint32_t *region_out)
{
    if (direct->exposures[rail] == NULL)
        return false;
    *region_out = direct->exposures[rail]->first;
    return true;
}

void hr_direct_close(hr_direct *direct)
{
    if (direct->closing)
        return;
    direct->closing = true;
    close_exposures(direct);
}

bool hr_direct_is_closed(const hr_direct *direct)
{
    return direct->count == 0;
}
