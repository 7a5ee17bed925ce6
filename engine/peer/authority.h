/* SPDX-License-Identifier: Apache-2.0 */
/* A small certificate authority in a directory, enough for a cluster: ca.pem, which everybody may
 * read, ca.key, and for each machine NAME.pem, which is what its --key takes. */
#ifndef HR_AUTHORITY_H
#define HR_AUTHORITY_H

#include <stdbool.h>

#include "env.h"
#include "status.h"

/* Makes the authority too where there is none yet. HR_EXISTS: the name has a certificate. */
HR_CHECKED hr_status hr_authority_issue(const hr_env *env, const char *directory, const char *name,
                                        bool overwrite, hr_error *error);
/* One line for a certificate in PEM: whose it is, who signed it, until when. */
HR_CHECKED hr_status hr_authority_describe(const char *text, char *line_out, size_t line_max);

#endif
