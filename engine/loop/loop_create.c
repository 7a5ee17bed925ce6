/* SPDX-License-Identifier: Apache-2.0 */
/* Which loop this machine gets. */
#include "loop.h"

hr_status hr_loop_create(const hr_env *env, hr_loop **loop_out)
{
    static bool said; /* through __atomic: once per process, whatever the number of workers */
    hr_status status = hr_loop_uring_create(env, loop_out);
    if (status != HR_UNSUPPORTED)
        return status;
    if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
        hr_log(
            env, HR_LOG_WARN,
            "io_uring cannot be had here (see 'headrace doctor'), going on with poll and threads: "
            "slower");
    return hr_loop_poll_create(env, loop_out);
}
