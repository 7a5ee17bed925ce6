/* SPDX-License-Identifier: Apache-2.0 */
#include "slots.h"

#include <assert.h>

#include "bytes.h"

/* io_uring takes registered buffers of at most 1 GiB (io_uring/rsrc.c), so a pool is one entry for
 * each whole number of slots that fits. */
#define SLOTS_PER_BUFFER ((1u << 30) / HR_SLOT_LEN)
#define BUFFERS_MAX      64

static void register_pool(hr_slots *slots)
{
    hr_storage *storage = slots->storage;
    struct iovec iov[BUFFERS_MAX];
    unsigned count = 0;
    for (unsigned from = 0; from < slots->count && count < BUFFERS_MAX; from += SLOTS_PER_BUFFER) {
        unsigned slots_here = (unsigned)hr_min_u64(SLOTS_PER_BUFFER, slots->count - from);
        iov[count].iov_base = slots->slots[from].span.addr;
        iov[count].iov_len = (size_t)slots_here * HR_SLOT_LEN;
        count++;
    }
    if (storage->ops->register_buffers(storage, iov, count) != HR_OK)
        return;
    for (unsigned i = 0; i < slots->count && i / SLOTS_PER_BUFFER < count; i++)
        slots->slots[i].buffer = (int)(i / SLOTS_PER_BUFFER);
}

static void put(hr_slots *slots, hr_slot *slot)
{
    slot->next = slots->first_free;
    slots->first_free = slot;
    slots->free_count++;
}

static void make_slots(hr_slots *slots, bool touched)
{
    for (unsigned i = slots->count; i-- > 0;) {
        hr_slot *slot = &slots->slots[i];
        slot->span = hr_span_host((char *)slots->pool.addr + (size_t)i * HR_SLOT_LEN, HR_SLOT_LEN);
        slot->buffer = -1;
        if (touched) {
            put(slots, slot);
            continue;
        }
        slot->next = slots->untouched;
        slots->untouched = slot;
        slots->untouched_count++;
    }
}

hr_status hr_slots_init(hr_slots *slots, const hr_env *env, hr_memory *memory, hr_storage *storage,
                        size_t pool_len, hr_helpers *helpers)
{
    unsigned count = (unsigned)((pool_len + HR_SLOT_LEN - 1) / HR_SLOT_LEN);
    bool on_demand = helpers != NULL && memory->ops->reserve != NULL;
    if (count < 4)
        count = 4;
    *slots = (hr_slots){
        .memory = memory,
        .storage = storage,
        .loop = storage->loop,
        .helpers = helpers,
        .env = env,
        .count = count,
    };
    hr_list_init(&slots->waiters);
    slots->slots = hr_alloc(env, count * sizeof *slots->slots);
    if (slots->slots == NULL)
        return HR_NO_MEMORY;
    size_t len = (size_t)count * HR_SLOT_LEN;
    hr_status status = on_demand ? memory->ops->reserve(memory, len, &slots->pool, &slots->pages)
                                 : memory->ops->alloc(memory, len, &slots->pool, &slots->pages);
    if (status != HR_OK) {
        hr_release(env, slots->slots);
        slots->slots = NULL;
        return status;
    }
    make_slots(slots, !on_demand);
    if (!on_demand)
        register_pool(slots);
    return HR_OK;
}

void hr_slots_fini(hr_slots *slots)
{
    if (slots->slots == NULL)
        return;
    while (slots->touching != NULL)
        hr_loop_step(slots->loop, HR_NEVER);
    assert(slots->free_count + slots->untouched_count == slots->count && "a slot is still in use");
    slots->memory->ops->release(slots->memory, &slots->pool);
    hr_release(slots->env, slots->slots);
    slots->slots = NULL;
}

/* ---- on demand ---- */

static void touch_next(hr_slots *slots);

/* If there is no memory for it, that shows when it is written to, as with all memory. */
static void touch(hr_job *job)
{
    hr_slots *slots = HR_CONTAINER(job, hr_slots, touch_job);
    if (slots->memory->ops->touch(slots->memory, &slots->touching->span) != HR_OK)
        hr_log(slots->env, HR_LOG_WARN, "there may be no memory for a slot of %u bytes",
               HR_SLOT_LEN);
}

static void was_touched(hr_job *job)
{
    hr_slots *slots = HR_CONTAINER(job, hr_slots, touch_job);
    hr_slot *slot = slots->touching;
    slots->touching = NULL;
    if (--slots->untouched_count == 0)
        register_pool(slots);
    put(slots, slot);
    hr_slots_offer(slots);
    if (!hr_list_is_empty(&slots->waiters))
        touch_next(slots);
}

static void touch_next(hr_slots *slots)
{
    if (slots->touching != NULL || slots->untouched == NULL)
        return;
    slots->touching = slots->untouched;
    slots->untouched = slots->touching->next;
    slots->touch_job = (hr_job){.run = touch, .done = was_touched, .loop = slots->loop};
    hr_helpers_submit(slots->helpers, &slots->touch_job);
}

/* ---- taking and giving ---- */

/* Slots are left for staging whether their memory is there yet or not. */
static bool can_take(const hr_slots *slots, unsigned reserve)
{
    return slots->free_count > 0 && slots->free_count + slots->untouched_count > reserve;
}

hr_slot *hr_slots_take(hr_slots *slots, unsigned reserve)
{
    if (!can_take(slots, reserve)) {
        if (slots->free_count == 0)
            touch_next(slots);
        return NULL;
    }
    hr_slot *slot = slots->first_free;
    slots->first_free = slot->next;
    slots->free_count--;
    return slot;
}

void hr_slots_expect(hr_slots *slots)
{
    if (slots->free_count == 0)
        touch_next(slots);
}

static bool is_full(const hr_slots *slots, const hr_share *share)
{
    unsigned percent = __atomic_load_n(&share->percent, __ATOMIC_RELAXED);
    unsigned most = slots->count * (percent != 0 ? percent : HR_SHARE_PERCENT) / 100;
    return share->held[slots->index] >= (most > 0 ? most : 1);
}

/* Start-time fair queueing: a tenant that was away comes in at the present, without arrears. */
static uint64_t turn_of(const hr_slots *slots, const hr_share *share)
{
    if (share == NULL || share->turn[slots->index] < slots->clock)
        return slots->clock;
    return share->turn[slots->index];
}

hr_slot *hr_slots_take_share(hr_slots *slots, hr_share *share)
{
    hr_slot *slot = is_full(slots, share) ? NULL : hr_slots_take(slots, 0);
    if (slot == NULL)
        return NULL;
    slot->share = share;
    slots->clock = turn_of(slots, share);
    share->turn[slots->index] = slots->clock + 1;
    share->held[slots->index]++;
    return slot;
}

/* Files whose chunks asked first come to their end first: so one is published while the next moves,
 * and not all of them at once. */
static bool goes_first(const hr_slots *slots, const hr_slot_waiter *one,
                       const hr_slot_waiter *other)
{
    uint64_t turn = turn_of(slots, one->share), other_turn = turn_of(slots, other->share);
    bool alike = one->share == NULL && other->share == NULL;
    return turn < other_turn || (turn == other_turn && alike && one->since < other->since);
}

static hr_slot_waiter *next_waiter(const hr_slots *slots)
{
    hr_slot_waiter *best = NULL;
    for (hr_list *node = slots->waiters.next; node != &slots->waiters; node = node->next) {
        hr_slot_waiter *waiter = HR_CONTAINER(node, hr_slot_waiter, node);
        bool may_take = can_take(slots, waiter->reserve) &&
                        (waiter->share == NULL || !is_full(slots, waiter->share));
        if (may_take && (best == NULL || goes_first(slots, waiter, best)))
            best = waiter;
    }
    return best;
}

void hr_slots_give(hr_slots *slots, hr_slot *slot)
{
    if (slot->share != NULL)
        slot->share->held[slots->index]--;
    slot->share = NULL;
    put(slots, slot);
    hr_slots_offer(slots);
}

void hr_slots_offer(hr_slots *slots)
{
    hr_slot_waiter *waiter = next_waiter(slots);
    if (waiter == NULL)
        return;
    hr_list_remove(&waiter->node);
    waiter->ready(waiter);
}

void hr_slots_wait(hr_slots *slots, hr_slot_waiter *waiter)
{
    if (hr_list_is_empty(&waiter->node))
        hr_list_append(&slots->waiters, &waiter->node);
}
