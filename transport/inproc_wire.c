/* SPDX-License-Identifier: Apache-2.0 */
#include "inproc.h"

static void release_memory(hr_wire *wire)
{
    for (unsigned side = 0; side < 2; side++)
        hr_byte_queue_fini(&wire->ends[side].inbox, wire->env);
    pthread_mutex_destroy(&wire->lock);
    hr_release(wire->env, wire);
}

void hr_wire_release(hr_wire *wire)
{
    pthread_mutex_lock(&wire->lock);
    unsigned left = --wire->references;
    pthread_mutex_unlock(&wire->lock);
    if (left == 0)
        release_memory(wire);
}

static void deliver(hr_letter *letter)
{
    hr_wire_end *end = HR_CONTAINER(letter, hr_wire_end, letter);
    hr_wire *wire = end->wire;
    pthread_mutex_lock(&wire->lock);
    end->posted = false;
    /* Only this thread detaches this end, so the owner stays until attend returns. */
    void *owner = end->owner;
    pthread_mutex_unlock(&wire->lock);
    if (owner != NULL)
        end->attend(owner);
    hr_wire_release(wire);
}

hr_status hr_wire_create(const hr_env *env, hr_greeting_kind kind, hr_wire **wire_out)
{
    hr_wire *wire = hr_alloc(env, sizeof *wire);
    if (wire == NULL)
        return HR_NO_MEMORY;
    wire->env = env;
    wire->references = 2;
    pthread_mutex_init(&wire->lock, NULL);
    for (unsigned side = 0; side < 2; side++) {
        hr_wire_end *end = &wire->ends[side];
        end->wire = wire;
        end->letter.deliver = deliver;
        if (kind == HR_GREETING_CHANNEL &&
            hr_byte_queue_init(&end->inbox, env, HR_CHANNEL_QUEUE_MAX) != HR_OK) {
            release_memory(wire);
            return HR_NO_MEMORY;
        }
    }
    *wire_out = wire;
    return HR_OK;
}

void hr_wire_notify(hr_wire *wire, unsigned side)
{
    hr_wire_end *end = &wire->ends[side];
    if (end->loop == NULL || end->posted)
        return;
    end->posted = true;
    wire->references++;
    hr_loop_post(end->loop, &end->letter);
}

void hr_wire_attach(hr_wire *wire, unsigned side, hr_loop *loop, void *owner,
                    void (*attend)(void *owner))
{
    pthread_mutex_lock(&wire->lock);
    hr_wire_end *end = &wire->ends[side];
    end->loop = loop;
    end->owner = owner;
    end->attend = attend;
    hr_wire_notify(wire, 0);
    hr_wire_notify(wire, 1);
    pthread_mutex_unlock(&wire->lock);
}

void hr_wire_detach(hr_wire *wire, unsigned side)
{
    pthread_mutex_lock(&wire->lock);
    wire->ends[side].loop = NULL;
    wire->ends[side].owner = NULL;
    hr_wire_notify(wire, 1 - side);
    pthread_mutex_unlock(&wire->lock);
    hr_wire_release(wire);
}

void hr_wire_end_both(hr_wire *wire, hr_status reason)
{
    if (!wire->ended) {
        wire->ended = true;
        wire->reason = reason;
    }
    hr_wire_notify(wire, 0);
    hr_wire_notify(wire, 1);
}
