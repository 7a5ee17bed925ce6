/* SPDX-License-Identifier: Apache-2.0 */
#include "gpudirect.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crc32c.h"
#include "probe.h"

/* For a probe: a NIC that cannot reach the GPU may lose what it writes without a word. */
#define PROBE_NS (4 * HR_NS_PER_S)

/* So often may a chunk be refused in a slot on the GPU that is right in one of the host's. */
#define DOUBTS_MAX 3

static const char *const names[] = {"a dma-buf", "peer memory"};
#define WAYS (sizeof names / sizeof names[0])

static hr_loop *home_loop(const hr_gpudirect *it)
{
    return hr_engine_home(it->client->engine)->loop;
}

static HR_PRINTF(2, 3) void note(hr_gpudirect *it, const char *format, ...)
{
    char text[200];
    size_t len = strlen(it->why);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(it->why + len, sizeof it->why - len, "%s%s: %s", len > 0 ? "; " : "", names[it->way],
             text);
}

/* The target, and behind it the slots. */
static unsigned list_spans(const hr_gpudirect *it, hr_span spans[1 + HR_UPLOAD_SLOTS])
{
    const hr_upload_offer *offer = hr_upload_offered(it->upload);
    const hr_span *slots = it->way == 0 ? &offer->slots_dmabuf : &offer->slots_memory;
    unsigned count = 1;
    spans[0] = it->way == 0 ? offer->dmabuf : offer->memory;
    for (size_t at = 0; at < slots->len; at += HR_SLOT_LEN) {
        spans[count] = *slots;
        spans[count].addr = (uint8_t *)slots->addr + at;
        spans[count++].len = HR_SLOT_LEN;
    }
    return count;
}

static void direct_changed(void *context);

static void try_ways(hr_gpudirect *it)
{
    const hr_upload_offer *offer = hr_upload_offered(it->upload);
    it->state = HR_GPUDIRECT_CLOSED;
    for (; it->way < WAYS && !it->closing; it->way++) {
        hr_span spans[1 + HR_UPLOAD_SLOTS];
        unsigned count = list_spans(it, spans);
        if (spans[0].len == 0) {
            note(it, "%s", offer->no_dmabuf);
            continue;
        }
        hr_direct_open(&it->direct, it->client, spans, count, direct_changed, it);
        if (hr_direct_is_closed(&it->direct)) {
            note(it, "no link over RDMA is up");
            continue;
        }
        it->state = HR_GPUDIRECT_EXPOSING;
        return;
    }
}

static void withdrawn(hr_gpudirect *it)
{
    it->way++;
    try_ways(it);
    if (it->state == HR_GPUDIRECT_CLOSED)
        it->changed(it->context);
}

static void withdraw(hr_gpudirect *it)
{
    it->state = HR_GPUDIRECT_WITHDRAWING;
    hr_direct_close(&it->direct);
    if (hr_direct_is_closed(&it->direct))
        withdrawn(it);
}

/* ---- the probes ---- */

static void probes_over(hr_gpudirect *it)
{
    if (it->status != HR_OK)
        note(it, "the probe: %s",
             it->status == HR_PEER_LOST ? "its link died, or it never came"
                                        : hr_status_text(it->status));
    if (it->status != HR_OK || it->closing) {
        withdraw(it);
        return;
    }
    it->state = HR_GPUDIRECT_OPEN;
    it->has_slots = hr_upload_offered(it->upload)->slots_memory.len > 0;
    it->slots = it->has_slots ? (UINT32_C(1) << HR_UPLOAD_SLOTS) - 1 : 0;
    it->changed(it->context);
}

static void probe_failed(hr_gpudirect *it, hr_status status)
{
    if (it->status == HR_OK)
        it->status = status;
}

static void probe_armed(void *context, hr_landing *landing)
{
    const hr_gpudirect *it = context;
    hr_receiver *receiver = landing->part->receiver;
    if (it->closing || receiver->state != HR_RECEIVER_UP) {
        hr_landing_failed(landing, HR_CANCELED); /* its grant never left */
        return;
    }
    hr_client_grant(it->client, &(hr_grant){
                                    .transfer = HR_PROBE_TRANSFER,
                                    .generation = landing->generation,
                                    .link = landing->link,
                                    .region = landing->place.region,
                                    .offset = landing->place.offset,
                                });
}

static void probe_done(void *context, hr_landing *landing)
{
    if (landing->status != HR_OK)
        probe_failed(context, landing->status);
    hr_part_retire(landing->part);
}

static void probe_next(hr_gpudirect *it);

static void probe_retired(void *context, hr_part *part)
{
    hr_gpudirect *it = context;
    it->probe = NULL;
    it->rail++;
    hr_loop_timer_clear(home_loop(it), &it->timer);
    hr_release(it->client->env, part);
    probe_next(it);
}

static const hr_part_events probe_events = {
    .armed = probe_armed,
    .done = probe_done,
    .retired = probe_retired,
};

/* The fence: what was granted comes back, or its link ends. */
static void timed_out(hr_timer *timer)
{
    const hr_gpudirect *it = HR_CONTAINER(timer, hr_gpudirect, timer);
    if (it->probe != NULL)
        hr_receiver_close(it->probe->receiver);
}

static hr_receiver *find_receiver(hr_client *client, unsigned rail)
{
    for (unsigned i = 0; i < client->link_count; i++) {
        hr_receiver *receiver = &client->receivers[i];
        if (receiver->state == HR_RECEIVER_UP && receiver->uses_regions && receiver->rail == rail)
            return receiver;
    }
    return NULL;
}

/* What must come is known here, and its digest is not taken from the receipt. */
static hr_status digest_probe(const hr_env *env, uint32_t link, uint32_t *crc_out)
{
    void *bytes = hr_alloc(env, HR_PROBE_LEN);
    if (bytes == NULL)
        return HR_NO_MEMORY;
    hr_probe_fill(link, bytes, HR_PROBE_LEN);
    *crc_out = hr_crc32c(0, bytes, HR_PROBE_LEN);
    hr_release(env, bytes);
    return HR_OK;
}

static hr_status start_probe(hr_gpudirect *it)
{
    const hr_env *env = it->client->env;
    hr_loop *loop = home_loop(it);
    hr_receiver *receiver = find_receiver(it->client, it->rail);
    uint32_t crc = 0;
    if (receiver == NULL)
        return HR_PEER_LOST;
    hr_part *part = hr_alloc(env, sizeof *part);
    hr_status status =
        part == NULL ? HR_NO_MEMORY : digest_probe(env, receiver->greeting.link, &crc);
    if (status == HR_OK)
        status = hr_loop_timer_set(loop, &it->timer, hr_loop_now_ns(loop) + PROBE_NS);
    if (status != HR_OK) {
        hr_release(env, part);
        return status;
    }
    const hr_part_target target = {.upload = it->upload, .direct = &it->direct};
    hr_part_init(part, receiver, HR_PROBE_TRANSFER, HR_PROBE_LEN, &target, &probe_events, it);
    it->probe = part;
    hr_landing *landing = hr_part_take(part);
    landing->generation = receiver->greeting.link;
    landing->len = HR_PROBE_LEN;
    landing->crc = crc;
    hr_landing_start(landing);
    return HR_OK;
}

/* One rail after the other, as all of them write to the same place. */
static void probe_next(hr_gpudirect *it)
{
    while (it->rail < HR_RAILS_MAX && it->direct.exposures[it->rail] == NULL)
        it->rail++;
    if (it->status == HR_OK && !it->closing && it->rail < HR_RAILS_MAX)
        it->status = start_probe(it);
    if (it->probe == NULL)
        probes_over(it);
}

static void start_probes(hr_gpudirect *it)
{
    it->state = HR_GPUDIRECT_PROBING;
    it->status = HR_OK;
    it->rail = 0;
    probe_next(it);
}

static void direct_changed(void *context)
{
    hr_gpudirect *it = context;
    if (it->state == HR_GPUDIRECT_WITHDRAWING) {
        withdrawn(it);
    } else if (it->direct.failure != HR_OK) {
        note(it, "the NIC cannot register it (%s)",
             it->direct.failure == HR_INVALID ? "it does not reach this memory"
                                              : hr_status_text(it->direct.failure));
        withdraw(it);
    } else {
        start_probes(it);
    }
}

/* ---- slots ---- */

hr_gpudirect_room hr_gpudirect_find_room(const hr_gpudirect *it)
{
    if (it->state != HR_GPUDIRECT_OPEN || !it->has_slots || it->doubted)
        return HR_GPUDIRECT_ELSEWHERE;
    return it->slots != 0 ? HR_GPUDIRECT_ROOM : HR_GPUDIRECT_FULL;
}

int hr_gpudirect_take_slot(hr_gpudirect *it)
{
    int slot = __builtin_ctz(it->slots);
    it->slots &= it->slots - 1;
    return slot;
}

static void give_slots_up(hr_gpudirect *it, const char *why)
{
    size_t len = strlen(it->why);
    it->has_slots = false;
    snprintf(it->why + len, sizeof it->why - len, "%swhat comes compressed: %s",
             len > 0 ? "; " : "", why);
    hr_upload_note_way(it->upload, NULL, it->why);
}

bool hr_gpudirect_learn(hr_gpudirect *it, const hr_landing *landing)
{
    bool refused = landing->gpu_slot >= 0 && landing->moved > 0 && !landing->arrival.failed &&
                   (landing->status == HR_INTEGRITY || landing->status == HR_UNSUPPORTED);
    if (landing->gpu_slot >= 0)
        it->slots |= UINT32_C(1) << landing->gpu_slot;
    else if (landing->in_slot && landing->status == HR_OK && it->doubted && it->has_slots) {
        it->doubted = false;
        if (landing->detour)
            give_slots_up(it, "the GPU's kernels do not read it");
        else if (it->doubts >= DOUBTS_MAX)
            give_slots_up(it, "it arrives damaged in slots on the GPU, and whole in the host's");
    }
    if (refused) {
        it->doubts += !it->doubted;
        it->doubted = true;
    }
    return refused;
}

/* ---- from outside ---- */

void hr_gpudirect_open(hr_gpudirect *it, hr_client *client, hr_upload *upload,
                       void (*changed)(void *context), void *context)
{
    *it = (hr_gpudirect){
        .client = client,
        .upload = upload,
        .changed = changed,
        .context = context,
        .timer.fire = timed_out,
    };
    const hr_upload_offer *offer = hr_upload_offered(upload);
    if (offer->memory.len > 0)
        try_ways(it);
    else
        snprintf(it->why, sizeof it->why, "%s", offer->no_memory);
}

const char *hr_gpudirect_way(const hr_gpudirect *it)
{
    assert(it->state == HR_GPUDIRECT_OPEN);
    return it->way == 0 ? "GPUDirect by a dma-buf" : "GPUDirect by peer memory";
}

/* A probe that is under way is waited for: its place is the NIC's until then. */
void hr_gpudirect_close(hr_gpudirect *it)
{
    if (it->closing)
        return;
    it->closing = true;
    if (it->state == HR_GPUDIRECT_EXPOSING || it->state == HR_GPUDIRECT_OPEN)
        withdraw(it);
}
