/* SPDX-License-Identifier: Apache-2.0 */
/* hr_world: a server and a client, each with an engine and a disk of its own, and a network between
 * them, all in one thread and decided by one seed. */
#ifndef HR_WORLD_H
#define HR_WORLD_H

#include "headrace.h"
#include "platform.h"
#include "sim_env.h"
#include "storage_memory.h"
#include "transport.h"

typedef struct hr_world_side {
    unsigned workers;
    unsigned rails; /* of imitated RDMA; 0: none */
    hr_storage_faults storage;
    hr_transport_faults transport;
    uint64_t memory_fail_nth; /* 0: none */
    uint8_t boot_id[16];
    /* A test's own wrappers around all the others, to plant a bug. They own inner. May be NULL. */
    hr_status (*wrap_storage)(hr_storage *inner, hr_storage **storage_out);
    hr_status (*wrap_transport)(hr_transport *inner, hr_transport **transport_out);
    const char *drive;         /* where it sits in the PCI tree; NULL: that is not known */
    uint64_t storage_requests; /* counted */
} hr_world_side;

typedef struct hr_world {
    hr_sim sim;
    hr_inproc_hub *hub;
    hr_disk *server_disk, *client_disk;
    hr_world_side server_side, client_side; /* take effect when an engine is made */
    bool shared;                            /* links offer peek */
} hr_world;

HR_CHECKED hr_status hr_world_init(hr_world *world, uint64_t seed);
void hr_world_fini(hr_world *world);

/* An engine over one side's disk and faults. */
HR_CHECKED hr_status hr_world_engine(hr_world *world, bool server, hr_engine **engine_out,
                                     hr_error *error);

#endif
