/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of hr_engine, for the files of this folder. */
#ifndef HR_ENGINE_H
#define HR_ENGINE_H

#include "control.h"
#include "decode.h"
#include "gpus.h"
#include "headrace.h"
#include "platform.h"
#include "worker.h"

struct hr_engine {
    hr_platform *platform;
    const hr_env *env;
    hr_worker *workers;
    unsigned worker_count;
    size_t pool_len; /* of one worker */
    bool started;
    hr_transport_choice transport;
    bool pool_on_demand;
    hr_control_scratch scratch; /* of the controls, all on worker 0 */
    hr_decoders *decoders;      /* made for the first packed shard */
    hr_gpus gpus;               /* opened by requests */
    char description[200];
};

/* Worker 0: where channels, sessions and transfers live. */
static inline hr_worker *hr_engine_home(const hr_engine *engine)
{
    return &engine->workers[0];
}

/* For a link over this rail of RDMA, or over HR_RAIL_ANY: in turns, and if there are some that sit
 * where the rail's NIC does, among those. */
hr_worker *hr_engine_worker_for(const hr_engine *engine, unsigned rail, unsigned turn);

/* Worker 0: the engine's decoders, made by the first call. */
HR_CHECKED hr_status hr_engine_decoders(hr_engine *engine, hr_decoders **decoders_out);

/* Copies a string of the caller's; NULL stays NULL. HR_NO_MEMORY if it cannot. */
HR_CHECKED hr_status hr_engine_copy_text(const hr_env *env, const char *text, char **copy_out);

#endif
