/* SPDX-License-Identifier: Apache-2.0 */
/* hr_gate: what a server lets its peers do, and what each of them holds. A tenant is everybody who
 * shows the same key or certificate: all their sessions count as one. On worker 0. */
#ifndef HR_GATE_H
#define HR_GATE_H

#include "audit.h"
#include "list.h"
#include "permits.h"
#include "slots.h"

typedef struct hr_tenant {
    hr_list node;
    char who[HR_WHO_MAX];
    unsigned sessions, transfers;
    hr_share share; /* of the slots */
} hr_tenant;

typedef struct hr_gate {
    const hr_env *env;
    hr_permits rules;
    hr_audit *audit;
    hr_list tenants;
} hr_gate;

void hr_gate_init(hr_gate *gate, const hr_env *env);
/* Every tenant has left. */
void hr_gate_fini(hr_gate *gate);
/* Reads the rules; what was there before stays if they cannot be read. */
HR_CHECKED hr_status hr_gate_read_rules(hr_gate *gate, const char *path, hr_error *error);

/* A session of who. HR_LIMIT: it has as many as it may. */
HR_CHECKED hr_status hr_gate_enter(hr_gate *gate, const char *who, hr_tenant **tenant_out);
void hr_gate_leave(hr_gate *gate, hr_tenant *tenant);
/* A transfer of the tenant. False: it has as many as it may. */
bool hr_gate_begin(hr_gate *gate, hr_tenant *tenant);
void hr_gate_end(hr_tenant *tenant);

#endif
