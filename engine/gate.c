/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "secret.h"

void hr_gate_init(hr_gate *gate, const hr_env *env)
{
    *gate = (hr_gate){.env = env};
    hr_list_init(&gate->tenants);
}

void hr_gate_fini(hr_gate *gate)
{
    assert(hr_list_is_empty(&gate->tenants));
    hr_audit_destroy(gate->audit);
    hr_release(gate->env, gate->rules.list);
    gate->audit = NULL;
    gate->rules = (hr_permits){.list = NULL};
}

/* Those that workers look at. */
static void set_limits(const hr_gate *gate, hr_tenant *tenant)
{
    const hr_permits *rules = &gate->rules;
    uint64_t percent = hr_permits_most(rules, tenant->who, HR_PERMIT_SHARE, HR_SHARE_PERCENT);
    uint64_t rate = hr_permits_most(rules, tenant->who, HR_PERMIT_RATE, UINT64_MAX);
    __atomic_store_n(&tenant->share.percent, (unsigned)percent, __ATOMIC_RELAXED);
    hr_common_rate_set(&tenant->rate, rate == UINT64_MAX ? 0 : rate, hr_now_ns(gate->env));
}

hr_status hr_gate_read_rules(hr_gate *gate, const char *path, hr_error *error)
{
    char *text;
    hr_error why = {.status = HR_OK};
    hr_permits rules = {.count = 0};
    hr_status status = hr_secret_read(gate->env, path, false, &text, error);
    if (status != HR_OK)
        return status;
    rules.list = hr_alloc(gate->env, HR_PERMITS_MAX * sizeof *rules.list);
    if (rules.list == NULL)
        status = hr_error_set(&why, HR_NO_MEMORY, "out of memory");
    else
        status = hr_permits_parse(text, rules.list, &rules.count, &why);
    hr_secret_release(gate->env, text);
    if (status != HR_OK) {
        hr_release(gate->env, rules.list);
        return hr_error_set(error, status, "the rules in %.300s: %s", path, why.text);
    }
    hr_release(gate->env, gate->rules.list);
    gate->rules = rules;
    for (hr_list *node = gate->tenants.next; node != &gate->tenants; node = node->next)
        set_limits(gate, HR_CONTAINER(node, hr_tenant, node));
    return HR_OK;
}

static hr_tenant *find(hr_gate *gate, const char *who)
{
    for (hr_list *node = gate->tenants.next; node != &gate->tenants; node = node->next) {
        hr_tenant *tenant = HR_CONTAINER(node, hr_tenant, node);
        if (strcmp(tenant->who, who) == 0)
            return tenant;
    }
    return NULL;
}

static hr_tenant *make(hr_gate *gate, const char *who)
{
    hr_tenant *tenant = hr_alloc(gate->env, sizeof *tenant);
    if (tenant == NULL)
        return NULL;
    snprintf(tenant->who, sizeof tenant->who, "%s", who);
    hr_common_rate_init(&tenant->rate);
    set_limits(gate, tenant);
    hr_list_append(&gate->tenants, &tenant->node);
    return tenant;
}

static void remove_if_unused(hr_gate *gate, hr_tenant *tenant)
{
    if (tenant->sessions > 0)
        return;
    assert(tenant->transfers == 0 && tenant->held == 0);
    hr_list_remove(&tenant->node);
    hr_common_rate_fini(&tenant->rate);
    hr_release(gate->env, tenant);
}

/* Without rules whoever has a key may read, and a socket asks for none. */
static bool is_foreign_user(const hr_gate *gate, const char *who)
{
    char own[32];
    if (gate->rules.list != NULL || strncmp(who, "uid:", 4) != 0)
        return false;
    snprintf(own, sizeof own, "uid:%u", (unsigned)geteuid());
    return strcmp(who, "uid:0") != 0 && strcmp(who, own) != 0;
}

hr_status hr_gate_enter(hr_gate *gate, const char *who, uint64_t bytes, hr_tenant **tenant_out)
{
    hr_tenant *tenant = find(gate, who);
    if (is_foreign_user(gate, who))
        return HR_POLICY;
    if (tenant != NULL &&
        tenant->sessions >= hr_permits_most(&gate->rules, who, HR_PERMIT_SESSIONS, UINT_MAX))
        return HR_LIMIT;
    if (tenant == NULL)
        tenant = make(gate, who);
    if (tenant == NULL)
        return HR_NO_MEMORY;
    if (!hr_gate_charge(gate, tenant, bytes)) {
        remove_if_unused(gate, tenant);
        return HR_LIMIT;
    }
    tenant->sessions++;
    *tenant_out = tenant;
    return HR_OK;
}

void hr_gate_leave(hr_gate *gate, hr_tenant *tenant, uint64_t bytes)
{
    tenant->sessions--;
    hr_gate_refund(gate, tenant, bytes);
    remove_if_unused(gate, tenant);
}

bool hr_gate_charge(hr_gate *gate, hr_tenant *tenant, uint64_t bytes)
{
    uint64_t most = hr_permits_most(&gate->rules, tenant->who, HR_PERMIT_MEMORY, UINT64_MAX);
    if (gate->held + bytes > HR_GATE_MEMORY_MAX || tenant->held + bytes > most)
        return false;
    gate->held += bytes;
    tenant->held += bytes;
    return true;
}

void hr_gate_refund(hr_gate *gate, hr_tenant *tenant, uint64_t bytes)
{
    assert(tenant->held >= bytes);
    gate->held -= bytes;
    tenant->held -= bytes;
}

bool hr_gate_begin(hr_gate *gate, hr_tenant *tenant)
{
    if (tenant->transfers >=
        hr_permits_most(&gate->rules, tenant->who, HR_PERMIT_TRANSFERS, UINT_MAX))
        return false;
    tenant->transfers++;
    return true;
}

void hr_gate_end(hr_tenant *tenant)
{
    tenant->transfers--;
}
