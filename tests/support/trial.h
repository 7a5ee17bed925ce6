/* SPDX-License-Identifier: Apache-2.0 */
/* hr_trial: plays a scenario in a simulated world and judges what came of it.
 *
 * First the attempts in which things go wrong, then, with nothing wrong any more, the same gets
 * again until they succeed. After each attempt every shard is published and as its source was, or
 * failed with a status and a sentence and nothing half-done under its name; in the end each is
 * there, and the last attempt moved no more than was missing. */
#ifndef HR_TRIAL_H
#define HR_TRIAL_H

#include "scenario.h"

#define HR_TRIAL_STATUSES 32

typedef struct hr_trial_options {
    bool echo; /* tells the story on stderr */
    /* Bugs to plant: see hr_world_side. */
    hr_status (*wrap_client_storage)(hr_storage *inner, hr_storage **storage_out);
    hr_status (*wrap_client_transport)(hr_transport *inner, hr_transport **transport_out);
    hr_status (*wrap_server_storage)(hr_storage *inner, hr_storage **storage_out);
    hr_status (*wrap_server_transport)(hr_transport *inner, hr_transport **transport_out);
    const char *client_drive; /* where it sits in the PCI tree; NULL: that is not known */
    bool boot_id_stays;       /* a crash of the client's machine does not show in its boot id */
} hr_trial_options;

typedef struct hr_trial_result {
    char problem[700]; /* empty: all is well */
    uint64_t hash;     /* of the story */
    uint64_t steps, simulated_ns, allocations;
    unsigned attempts;
    unsigned stopped; /* disks, by events */
    uint64_t bytes_moved, bytes_reused;
    unsigned ended[HR_TRIAL_STATUSES]; /* gets, by -status */
    unsigned over_rdma;                /* gets that ended well and say that RDMA carried them */
    unsigned on_gpu;                   /* gets whose content was verified there */
    char path[200];                    /* of the last get that ended */
} hr_trial_result;

/* options may be NULL. */
void hr_trial_play(const hr_scenario *scenario, const hr_trial_options *options,
                   hr_trial_result *result_out);

#endif
