/* SPDX-License-Identifier: Apache-2.0 */
/* hr_identity: who we are and whom we believe, ready for TLS 1.3: keys that are shared, or a
 * certificate of ours and the authorities that vouch for others. What is under way keeps what it
 * began with when the identity is released, so that a new one can take its place. */
#ifndef HR_IDENTITY_H
#define HR_IDENTITY_H

#include "headrace.h"
#include "key.h"
#include "message.h"

typedef struct hr_identity hr_identity;

/* make: the user's own key is made where none is yet. Reads files. */
HR_CHECKED hr_status hr_identity_load(const hr_env *env, const hr_trust *trust, hr_side side,
                                      bool make, hr_identity **identity_out, hr_error *error);
/* NULL is accepted. */
void hr_identity_release(hr_identity *identity);

/* Of the TLS files only: an SSL_CTX, and the keys that belong to one. */
void *hr_identity_context(const hr_identity *identity);
const hr_keys *hr_identity_keys_of(const void *context);
/* "cert:NAME" by the first DNS name of an X509, else its first URI, else its common name.
 * HR_DENIED: it has none that can be printed. */
HR_CHECKED hr_status hr_identity_name_certificate(const void *certificate, char *name_out,
                                                  size_t name_max);

#endif
