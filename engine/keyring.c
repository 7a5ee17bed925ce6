/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

hr_status hr_keyring_add(hr_keyring *keyring, const hr_env *env, const hr_region_key *key)
{
    if (key->index >= HR_KEYRING_MAX)
        return HR_LIMIT;
    if (keyring->keys == NULL)
        keyring->keys = hr_alloc(env, HR_KEYRING_MAX * sizeof *keyring->keys);
    if (keyring->keys == NULL)
        return HR_NO_MEMORY;
    keyring->keys[key->index] = *key;
    return HR_OK;
}

hr_status hr_keyring_find(const hr_keyring *keyring, uint32_t index, uint64_t offset, uint64_t len,
                          uint64_t *address_out, uint32_t *rkey_out)
{
    if (keyring->keys == NULL || index >= HR_KEYRING_MAX || keyring->keys[index].len == 0)
        return HR_NOT_FOUND;
    const hr_region_key *key = &keyring->keys[index];
    if (offset > key->len || len > key->len - offset)
        return HR_INVALID;
    *address_out = key->address + offset;
    *rkey_out = key->rkey;
    return HR_OK;
}

void hr_keyring_fini(hr_keyring *keyring, const hr_env *env)
{
    hr_release(env, keyring->keys);
    keyring->keys = NULL;
}
