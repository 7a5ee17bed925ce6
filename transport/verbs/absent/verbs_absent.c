/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of the verbs transport where it was not built. */
#include "transport.h"

hr_status hr_verbs_create(const hr_env *env, hr_helpers *helpers, const hr_verbs_options *options,
                          hr_verbs **verbs_out, hr_error *error)
{
    (void)env;
    (void)helpers;
    (void)options;
    (void)verbs_out;
    return hr_error_set(error, HR_UNSUPPORTED,
                        "this build has no RDMA (scripts/setup installs libibverbs and librdmacm, "
                        "then build again)");
}

void hr_verbs_destroy(hr_verbs *verbs)
{
    (void)verbs;
}

hr_status hr_transport_verbs_create(hr_loop *loop, hr_verbs *verbs, hr_transport **transport_out)
{
    (void)loop;
    (void)verbs;
    (void)transport_out;
    return HR_UNSUPPORTED;
}
