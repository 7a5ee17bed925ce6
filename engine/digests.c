/* SPDX-License-Identifier: Apache-2.0 */
#include "digests.h"

#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "source.h"

/* One question. */
typedef struct asked_digest {
    hr_digest digest;
    hr_digests *digests;
    uint32_t request;
    char path[]; /* with its export */
} asked_digest;

static void fail(hr_digests *digests, uint32_t request, const char *path, hr_status status)
{
    char quoted[200], text[320];
    hr_quote(quoted, sizeof quoted, path, strlen(path));
    snprintf(text, sizeof text, "reading %s: %s", quoted, hr_status_text(status));
    digests->answer(digests->context, &(hr_message_digested){
                                          .request = request,
                                          .status = status,
                                          .text = hr_bytes_make(text, strlen(text)),
                                      });
}

static void answer(hr_digest *digest)
{
    asked_digest *asked = digest->context;
    hr_digests *digests = asked->digests;
    const hr_env *env = digests->store->env;
    hr_message_digested digested = {
        .request = asked->request,
        .size = digest->info.size,
        .crc32c = digest->crc,
    };
    digests->count--;
    if (digest->status != HR_OK) {
        fail(digests, asked->request, asked->path, digest->status);
    } else {
        hr_source_identify(asked->path, &digest->info, digested.identity);
        digests->answer(digests->context, &digested);
    }
    hr_release(env, asked); /* the last answer may have ended whoever asked */
}

void hr_digests_take(hr_digests *digests, const hr_message_digest *question)
{
    hr_store *store = digests->store;
    const hr_store_export *export;
    const char *path;
    asked_digest *asked = hr_alloc(store->env, sizeof *asked + question->path.len + 1);
    if (asked == NULL) {
        fail(digests, question->request, "", HR_NO_MEMORY);
        return;
    }
    memcpy(asked->path, question->path.at, question->path.len); /* the rest is zero */
    hr_status status = hr_store_resolve(store, asked->path, &export, &path);
    if (status != HR_OK) {
        fail(digests, question->request, asked->path, status);
        hr_release(store->env, asked);
        return;
    }
    asked->digests = digests;
    asked->request = question->request;
    asked->digest.worker = digests->home;
    asked->digest.dir = export->dir;
    asked->digest.offset = question->offset;
    asked->digest.len = question->len;
    asked->digest.done = answer;
    asked->digest.context = asked;
    asked->digest.path = path;
    digests->count++;
    hr_digest_start(&asked->digest);
}

void hr_digests_init(hr_digests *digests, hr_worker *home, hr_store *store,
                     void (*on_answer)(void *context, const hr_message_digested *digested),
                     void *context)
{
    *digests = (hr_digests){.home = home, .store = store, .answer = on_answer, .context = context};
}
