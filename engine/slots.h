/* SPDX-License-Identifier: Apache-2.0 */
/* hr_slots: a worker's pool of slots, each of HR_SLOT_LEN bytes: staging slots of a server, landing
 * slots of a client. All memory is taken by init, or, if it is taken on demand, by a helper, a
 * slot at a time, for as long as somebody waits; taking and giving are a few instructions. One
 * thread. */
#ifndef HR_SLOTS_H
#define HR_SLOTS_H

#include "helpers.h"
#include "list.h"
#include "memory.h"
#include "storage.h"
#include "transport.h"

#define HR_SLOTS_POOLS_MAX 64 /* workers */

/* Nobody gets more than that of a pool, so that one who does not read what is sent never holds all
 * of it. */
#define HR_SHARE_PERCENT 75

/* What one tenant of a server has of each worker's pool: each worker sees its own entry only. */
typedef struct hr_share {
    unsigned held[HR_SLOTS_POOLS_MAX];
    uint64_t turn[HR_SLOTS_POOLS_MAX]; /* in the pool's own time */
    unsigned percent; /* through __atomic: of each pool, at most; 0: HR_SHARE_PERCENT */
} hr_share;

typedef struct hr_slot hr_slot;
struct hr_slot {
    hr_span span; /* HR_SLOT_LEN bytes, aligned to HR_DIRECT_ALIGN */
    int buffer;   /* the storage's registered buffer that it lies in, or -1 */
    hr_slot *next;
    hr_share *share; /* whose it is; NULL: nobody's in particular */
};

/* Somebody who found the pool empty. */
typedef struct hr_slot_waiter hr_slot_waiter;
struct hr_slot_waiter {
    hr_list node; /* hr_list_init before first use */
    unsigned reserve;
    hr_share *share;                       /* may be NULL */
    uint64_t since;                        /* of two without a share the lower one is first */
    void (*ready)(hr_slot_waiter *waiter); /* a slot can be taken; no longer waiting */
};

typedef struct hr_slots {
    hr_memory *memory;
    hr_span pool;
    hr_page_kind pages;
    hr_slot *slots, *first_free;
    unsigned count, free_count;
    hr_storage *storage;
    hr_loop *loop;
    hr_helpers *helpers;
    hr_slot *untouched, *touching; /* of those that are not there yet */
    unsigned untouched_count;
    hr_job touch_job;
    uint64_t asked; /* tickets for hr_slot_waiter.since */
    unsigned index; /* of the worker */
    uint64_t clock; /* the turn of who was served last */
    hr_list waiters;
    const hr_env *env;
} hr_slots;

/* At least pool_len bytes, at least four slots; registered with storage where that is allowed, once
 * all of their memory is there. helpers: they take it on demand; NULL: it is taken here. */
HR_CHECKED hr_status hr_slots_init(hr_slots *slots, const hr_env *env, hr_memory *memory,
                                   hr_storage *storage, size_t pool_len, hr_helpers *helpers);
void hr_slots_fini(hr_slots *slots);

/* Slots that landing must leave for staging: client and server of one process share a pool, and a
 * client that holds all of it would wait for a server that waits for a slot. */
#define HR_SLOTS_FOR_STAGING 2

/* NULL if not more than reserve are left, or none has its memory yet. */
hr_slot *hr_slots_take(hr_slots *slots, unsigned reserve);
/* Somebody will take one soon: it has its memory by then, if that is taken on demand. */
void hr_slots_expect(hr_slots *slots);
/* As one tenant of several. */
hr_slot *hr_slots_take_share(hr_slots *slots, hr_share *share);
/* The waiter whose tenant had the fewest turns (then who asked first), of those whose reserve is
 * met, is called before this returns. */
void hr_slots_give(hr_slots *slots, hr_slot *slot);
/* Calls that waiter if a slot is free: for one who was called and needs none any more. */
void hr_slots_offer(hr_slots *slots);
/* Waiting twice is waiting once. */
void hr_slots_wait(hr_slots *slots, hr_slot_waiter *waiter);

#endif
