/* SPDX-License-Identifier: Apache-2.0 */
/* hr_keyring: the regions that a client has told its session of, by their numbers: where chunks may
 * be written over RDMA. Told numbers may be told again, when nothing granted names them any more:
 * that is the client's to know, since its own memory is at stake. */
#ifndef HR_KEYRING_H
#define HR_KEYRING_H

#include "env.h"
#include "message.h"

#define HR_KEYRING_MAX 4096 /* regions of a session: numbers below it */

/* All zero: empty. */
typedef struct hr_keyring {
    hr_region_key *keys; /* HR_KEYRING_MAX of them, from the first one told on */
} hr_keyring;

/* HR_LIMIT: the number is too high. HR_NO_MEMORY. */
HR_CHECKED hr_status hr_keyring_add(hr_keyring *keyring, const hr_env *env,
                                    const hr_region_key *key);
/* Where len bytes at offset of a region lie. HR_NOT_FOUND: it was not told. HR_INVALID: they do not
 * lie in it. */
HR_CHECKED hr_status hr_keyring_find(const hr_keyring *keyring, uint32_t index, uint64_t offset,
                                     uint64_t len, uint64_t *address_out, uint32_t *rkey_out);
void hr_keyring_fini(hr_keyring *keyring, const hr_env *env);

#endif
