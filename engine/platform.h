/* SPDX-License-Identifier: Apache-2.0 */
/* hr_platform: where an engine gets its seams. The system's is made by hr_engine_create; the
 * simulator and the fault tests pass their own. */
#ifndef HR_PLATFORM_H
#define HR_PLATFORM_H

#include "headrace.h"
#include "helpers.h"
#include "loop.h"
#include "memory.h"
#include "storage.h"
#include "transport.h"

typedef struct hr_platform hr_platform;
struct hr_platform {
    const hr_env *env;
    hr_memory *memory;
    hr_helpers *helpers; /* for what blocks */
    unsigned processors; /* threads for work that only needs one; 0: nothing has threads */
    uint8_t boot_id[16]; /* of the host: what was written under it is still there */
    hr_status (*loop_create)(hr_platform *platform, hr_loop **loop_out);
    hr_status (*storage_create)(hr_platform *platform, hr_loop *loop, hr_storage **storage_out);
    /* The network's transport, and the one within the process. */
    hr_status (*network_create)(hr_platform *platform, hr_loop *loop, hr_transport **transport_out);
    hr_status (*inproc_create)(hr_platform *platform, hr_loop *loop, hr_transport **transport_out);
    /* NULL where there is no RDMA, and rdma_why says why. */
    hr_status (*rdma_create)(hr_platform *platform, hr_loop *loop, hr_transport **transport_out);
    char rdma_why[200];
    /* Where the drive sits that holds a path (of one that is not there yet, the folder), and where
     * a GPU does. False, or NULL: it is not known. Both block: at the start, or on
     * a helper. The second starts the GPU's driver. */
    bool (*drive_site)(hr_platform *platform, const char *path, hr_site *site_out);
    bool (*gpu_site)(hr_platform *platform, int ordinal, hr_site *site_out);
    void (*destroy)(hr_platform *platform);
};

/* io_uring or threads, TCP, host memory. options is read here and not kept. */
HR_CHECKED hr_status hr_platform_system_create(const hr_engine_options *options,
                                               hr_platform **platform_out, hr_error *error);

/* An engine over a given platform, which it owns from success on. */
HR_CHECKED hr_status hr_engine_create_on(hr_platform *platform, const hr_engine_options *options,
                                         hr_engine **engine_out, hr_error *error);

#endif
