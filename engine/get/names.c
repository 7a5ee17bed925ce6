/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <string.h>

#define KEPT_MAX 8192

void hr_names_init(hr_names *names, const hr_env *env)
{
    *names = (hr_names){.env = env};
    env->random(env->context, &names->key, sizeof names->key);
}

void hr_names_release(hr_names *names)
{
    hr_release(names->env, names->hashes);
    names->hashes = NULL;
    names->count = names->capacity = 0;
}

void hr_names_clear(hr_names *names)
{
    if (names->capacity > KEPT_MAX)
        hr_names_release(names); /* one great directory must not make all others slow */
    else if (names->count > 0)
        memset(names->hashes, 0, names->capacity * sizeof *names->hashes);
    names->count = 0;
}

/* FNV-1a with a key, finished as splitmix64 does; never 0. */
static uint64_t hash_of(const hr_names *names, const char *path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ names->key;
    for (; *path != '\0'; path++)
        hash = (hash ^ (uint8_t)*path) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94D049BB133111EB);
    hash ^= hash >> 31;
    return hash != 0 ? hash : 1;
}

/* Where it is, or the free place for it; there always is one. */
static size_t place_of(const uint64_t *hashes, size_t capacity, uint64_t hash)
{
    size_t at = (size_t)hash & (capacity - 1); /* a power of two */
    while (hashes[at] != 0 && hashes[at] != hash)
        at = (at + 1) & (capacity - 1);
    return at;
}

static hr_status grow(hr_names *names)
{
    size_t capacity = names->capacity == 0 ? 256 : 2 * names->capacity;
    uint64_t *hashes = hr_alloc(names->env, capacity * sizeof *hashes);
    if (hashes == NULL)
        return HR_NO_MEMORY;
    for (size_t i = 0; i < names->capacity; i++)
        if (names->hashes[i] != 0)
            hashes[place_of(hashes, capacity, names->hashes[i])] = names->hashes[i];
    hr_release(names->env, names->hashes);
    names->hashes = hashes;
    names->capacity = capacity;
    return HR_OK;
}

hr_status hr_names_add(hr_names *names, const char *path, bool *added_out)
{
    hr_status status = 2 * names->count >= names->capacity ? grow(names) : HR_OK;
    if (status != HR_OK)
        return status;
    uint64_t hash = hash_of(names, path);
    size_t at = place_of(names->hashes, names->capacity, hash);
    *added_out = names->hashes[at] == 0;
    names->count += *added_out;
    names->hashes[at] = hash;
    return HR_OK;
}

bool hr_names_has(const hr_names *names, const char *path)
{
    if (names->count == 0)
        return false;
    uint64_t hash = hash_of(names, path);
    return names->hashes[place_of(names->hashes, names->capacity, hash)] == hash;
}
