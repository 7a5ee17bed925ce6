/* SPDX-License-Identifier: Apache-2.0 */
/* Which path a get writes to, by the rules that people know from cp, with one difference. */
#ifndef HR_CLI_CHOOSE_H
#define HR_CLI_CHOOSE_H

#include "headrace.h"
#include "location.h"

/* A target that ends with a slash is a directory that the source comes into under its own name. So
 * is an existing directory, for a source that is a file. A tree is different: TARGET is the copy
 * itself whether it exists or not, since otherwise the same command given again after an
 * interruption would not go on with the copy but begin another one within it. A single file that is
 * unpacked gets the name there that it had before it was packed. */
HR_CHECKED hr_status hr_cli_choose_target(hr_engine *engine, hr_client *client,
                                          const hr_cli_source *source, hr_cli_target *target,
                                          bool unpack, hr_error *error);

#endif
