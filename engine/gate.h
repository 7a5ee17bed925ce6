/* SPDX-License-Identifier: Apache-2.0 */
/* hr_gate: what a server lets its peers do, and what each of them holds. A tenant is everybody who
 * shows the same key or certificate: all their sessions count as one. On worker 0. */
#ifndef HR_GATE_H
#define HR_GATE_H

#include "audit.h"
#include "list.h"
#include "permits.h"
#include "rate.h"
#include "slots.h"

/* What all peers together can make a server hold beside its pool: sessions, links, open shards. */
#define HR_GATE_MEMORY_MAX (128u << 20)
/* Of a session: what TLS holds of it, measured. */
#define HR_GATE_TLS_LEN (64u << 10)

typedef struct hr_tenant {
    hr_list node;
    char who[HR_WHO_MAX];
    unsigned sessions, transfers;
    uint64_t held;       /* bytes */
    hr_share share;      /* of the slots */
    hr_common_rate rate; /* of what is sent */
} hr_tenant;

typedef struct hr_gate {
    const hr_env *env;
    hr_permits rules;
    hr_audit *audit;
    hr_list tenants;
    uint64_t held; /* bytes, by all of them */
} hr_gate;

void hr_gate_init(hr_gate *gate, const hr_env *env);
/* Every tenant has left. */
void hr_gate_fini(hr_gate *gate);
/* Reads the rules; what was there before stays if they cannot be read. */
HR_CHECKED hr_status hr_gate_read_rules(hr_gate *gate, const char *path, hr_error *error);

/* A session of who, that holds so many bytes. HR_LIMIT: it has as many as it may. HR_POLICY: it is
 * let in by a socket, and no rule says so. */
HR_CHECKED hr_status hr_gate_enter(hr_gate *gate, const char *who, uint64_t bytes,
                                   hr_tenant **tenant_out);
/* Memory for the tenant. False: one of the limits would be passed. */
bool hr_gate_charge(hr_gate *gate, hr_tenant *tenant, uint64_t bytes);
void hr_gate_refund(hr_gate *gate, hr_tenant *tenant, uint64_t bytes);
void hr_gate_leave(hr_gate *gate, hr_tenant *tenant, uint64_t bytes);
/* A transfer of the tenant. False: it has as many as it may. */
bool hr_gate_begin(hr_gate *gate, hr_tenant *tenant);
void hr_gate_end(hr_tenant *tenant);

#endif
