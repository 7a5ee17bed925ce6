/* SPDX-License-Identifier: Apache-2.0 */
/* hr_digests: what a client asks a session about the content of files. On worker 0. */
#ifndef HR_DIGESTS_H
#define HR_DIGESTS_H

#include "message.h"
#include "store.h"
#include "worker.h"

typedef struct hr_digests {
    hr_worker *home;
    hr_store *store;
    unsigned count; /* that are not answered yet */
    void (*answer)(void *context, const hr_message_digested *digested);
    void *context;
} hr_digests;

void hr_digests_init(hr_digests *digests, hr_worker *home, hr_store *store,
                     void (*answer)(void *context, const hr_message_digested *digested),
                     void *context);
/* answer follows, perhaps within the call. */
void hr_digests_take(hr_digests *digests, const hr_message_digest *asked);

#endif
