/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bytes.h"
#include "packing.h"

void hr_packing_say_elements(hr_packing *packing)
{
    const char *header = packing->elements.header;
    size_t used = strlen(packing->choice_text);
    if (packing->container != HR_CONTAINER_HEADRACE)
        return;
    snprintf(packing->choice_text + used, sizeof packing->choice_text - used,
             header != NULL ? "; what lies where is by its %s header"
                            : "; it has no %s header: each chunk is tried as bf16 and as fp32",
             header != NULL ? header : "safetensors or .npy");
}

static void go_on(hr_packing *packing)
{
    if (packing->options.codec == HR_PACK_AUTO) {
        hr_packing_sample(packing);
        return;
    }
    snprintf(packing->choice_text, sizeof packing->choice_text, "%s",
             hr_container_name(packing->container));
    hr_packing_say_elements(packing);
    hr_packing_open_outlet(packing);
}

/* On a thread of the crew. */
static void read_elements(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_packing *packing = seat->owner;
    seat->status = hr_elements_read(&packing->elements, packing->env, seat->content.addr,
                                    seat->io.bytes, packing->info.size);
}

static void took_elements(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_packing *packing = seat->owner;
    seat->state = HR_SEAT_FREE;
    if (!hr_packing_landed(packing))
        return;
    if (seat->status != HR_OK)
        hr_packing_fail(packing, seat->status, "reading the header of %s: %s", packing->shown,
                        hr_status_text(seat->status));
    else
        go_on(packing);
}

static void got_head(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_packing *packing = seat->owner;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK) {
        hr_packing_fail_io(packing, "reading", packing->shown, io);
        return;
    }
    packing->under_way++;
    hr_crew_work(&packing->crew, seat, read_elements, took_elements);
}

void hr_packing_read_header(hr_packing *packing)
{
    size_t len = (size_t)hr_min_u64(packing->info.size, HR_ELEMENTS_HEAD_MAX);
    hr_packing_read(packing, hr_crew_seat(&packing->crew, 0), 0, 0, len, got_head);
}
