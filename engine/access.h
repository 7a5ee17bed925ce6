/* SPDX-License-Identifier: Apache-2.0 */
/* hr_access: what a server reads from files about who is let in: its identity, the rules, where the
 * audit goes. They can be read again while it runs. */
#ifndef HR_ACCESS_H
#define HR_ACCESS_H

#include "gate.h"
#include "identity.h"

typedef struct hr_access {
    const hr_env *env;
    hr_trust trust; /* of texts */
    char *texts[4];
    const char *rules_path;
    hr_identity *identity; /* NULL: in clear */
    hr_gate gate;
} hr_access;

/* options NULL: of a server within the process, which lets its own process in. */
HR_CHECKED hr_status hr_access_create(const hr_env *env, const hr_server_options *options,
                                      hr_access **access_out, hr_error *error);
/* Key, certificates and rules, all or nothing; and the audit goes to a new file if the old one was
 * renamed. What is under way goes on as it began. */
HR_CHECKED hr_status hr_access_reload(hr_access *access, hr_error *error);
/* NULL is accepted. Every session is gone. */
void hr_access_destroy(hr_access *access);

#endif
