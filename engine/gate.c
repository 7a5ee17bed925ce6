/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

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

hr_status hr_gate_enter(hr_gate *gate, const char *who, hr_tenant **tenant_out)
{
    hr_tenant *tenant = find(gate, who);
    if (tenant != NULL &&
        tenant->sessions >= hr_permits_most(&gate->rules, who, HR_PERMIT_SESSIONS, UINT_MAX))
        return HR_LIMIT;
    if (tenant == NULL) {
        tenant = hr_alloc(gate->env, sizeof *tenant);
        if (tenant == NULL)
            return HR_NO_MEMORY;
        snprintf(tenant->who, sizeof tenant->who, "%s", who);
        hr_list_append(&gate->tenants, &tenant->node);
    }
    tenant->sessions++;
    *tenant_out = tenant;
    return HR_OK;
}

void hr_gate_leave(hr_gate *gate, hr_tenant *tenant)
{
    if (--tenant->sessions > 0)
        return;
    assert(tenant->transfers == 0);
    hr_list_remove(&tenant->node);
    hr_release(gate->env, tenant);
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
