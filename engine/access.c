/* SPDX-License-Identifier: Apache-2.0 */
#include "access.h"

#include "address.h"
#include "engine.h"

static hr_status copy_texts(hr_access *access, const hr_server_options *options)
{
    const char *const texts[] = {options->trust.key_path, options->trust.ca_path,
                                 options->trust.crl_path, options->rules_path};
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        hr_status status = hr_engine_copy_text(access->env, texts[i], &access->texts[i]);
        if (status != HR_OK)
            return status;
    }
    access->trust = (hr_trust){
        /* Who comes by a socket of this machine is known by his user. */
        .insecure = options->trust.insecure ||
                    (options->listen != NULL && hr_address_is_file(options->listen)),
        .key_path = access->texts[0],
        .ca_path = access->texts[1],
        .crl_path = access->texts[2],
    };
    access->rules_path = access->texts[3];
    return HR_OK;
}

hr_status hr_access_reload(hr_access *access, hr_error *error)
{
    hr_identity *identity = NULL;
    hr_status status = HR_OK;
    hr_audit_reopen(access->gate.audit);
    if (!access->trust.insecure)
        status =
            hr_identity_load(access->env, &access->trust, HR_SIDE_SERVER, true, &identity, error);
    if (status == HR_OK && access->rules_path != NULL)
        status = hr_gate_read_rules(&access->gate, access->rules_path, error);
    if (status != HR_OK) {
        hr_identity_release(identity);
        return status;
    }
    hr_identity_release(access->identity);
    access->identity = identity;
    return HR_OK;
}

hr_status hr_access_create(const hr_env *env, const hr_server_options *options,
                           hr_access **access_out, hr_error *error)
{
    hr_access *access = hr_alloc(env, sizeof *access);
    if (access == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "making the server: out of memory");
    access->env = env;
    access->trust.insecure = true;
    hr_gate_init(&access->gate, env);
    hr_status status = HR_OK;
    if (options != NULL && copy_texts(access, options) != HR_OK)
        status = hr_error_set(error, HR_NO_MEMORY, "making the server: out of memory");
    if (status == HR_OK && options != NULL)
        status = hr_access_reload(access, error);
    if (status == HR_OK && options != NULL && options->audit_path != NULL)
        status = hr_audit_create(env, options->audit_path, &access->gate.audit, error);
    if (status != HR_OK)
        hr_access_destroy(access);
    else
        *access_out = access;
    return status;
}

void hr_access_destroy(hr_access *access)
{
    if (access == NULL)
        return;
    hr_gate_fini(&access->gate);
    hr_identity_release(access->identity);
    for (unsigned i = 0; i < sizeof access->texts / sizeof access->texts[0]; i++)
        hr_release(access->env, access->texts[i]);
    hr_release(access->env, access);
}
