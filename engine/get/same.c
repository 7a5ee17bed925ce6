/* SPDX-License-Identifier: Apache-2.0 */
#include "same.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "source.h"

static void compare_next(hr_same *same);

static void end(hr_same *same, hr_status status, const char *text, bool equal)
{
    same->status = status;
    same->text = text;
    same->equal = equal;
    same->done(same);
}

static void compare(hr_same *same)
{
    const hr_same_side *one = &same->sides[0], *other = &same->sides[1];
    if (same->stopped)
        end(same, HR_CANCELED, "canceled", false);
    else if (one->status != HR_OK || other->status != HR_OK)
        end(same, one->status != HR_OK ? one->status : other->status,
            one->status != HR_OK ? one->text : other->text, false);
    else if (one->size != other->size || one->crc != other->crc)
        end(same, HR_OK, "", false);
    else
        compare_next(same);
}

/* Between two parts of it the file must not have become another one. */
static void side_told(hr_same_side *side, hr_status status, const char *text, size_t text_len)
{
    hr_same *same = side->same;
    side->status = status;
    snprintf(side->text, sizeof side->text, "%.*s", (int)text_len, text);
    if (--same->under_way == 0)
        compare(same);
}

static void take_identity(hr_same_side *side, const uint8_t *identity, hr_status *status)
{
    if (*status == HR_OK && side->known && memcmp(side->identity, identity, HR_ID_LEN) != 0)
        *status = HR_CHANGED;
    memcpy(side->identity, identity, HR_ID_LEN);
    side->known = true;
}

static void answered(hr_question *question, const hr_message_digested *digested)
{
    hr_same_side *side = HR_CONTAINER(question, hr_same_side, question);
    hr_status status = digested->status;
    side->size = digested->size;
    side->crc = digested->crc32c;
    if (status == HR_OK)
        take_identity(side, digested->identity, &status);
    side_told(side, status, (const char *)digested->text.at, digested->text.len);
}

static void digested(hr_digest *digest)
{
    hr_same_side *side = digest->context;
    hr_status status = digest->status;
    uint8_t identity[HR_ID_LEN];
    side->size = digest->info.size;
    side->crc = digest->crc;
    if (status == HR_OK) {
        hr_source_identify(side->path, &digest->info, identity);
        take_identity(side, identity, &status);
    }
    const char *text = hr_status_text(status);
    side_told(side, status, text, strlen(text));
}

static void ask(hr_same_side *side, uint64_t offset)
{
    if (side->client != NULL) {
        side->question = (hr_question){
            .path = side->path,
            .offset = offset,
            .len = HR_MESSAGE_DIGEST_MAX,
            .answered = answered,
        };
        hr_client_ask(side->client, &side->question);
        return;
    }
    side->digest.worker = side->same->home;
    side->digest.dir = side->dir;
    side->digest.flags = HR_IO_NO_SYMLINKS;
    side->digest.offset = offset;
    side->digest.len = HR_MESSAGE_DIGEST_MAX;
    side->digest.done = digested;
    side->digest.context = side;
    side->digest.path = side->path;
    hr_digest_start(&side->digest);
}

static void compare_next(hr_same *same)
{
    uint64_t size = same->sides[0].size, offset = same->compared;
    if (same->sides[0].known && offset + HR_MESSAGE_DIGEST_MAX >= size) {
        same->compared = size;
        end(same, HR_OK, "", true);
        return;
    }
    if (same->sides[0].known)
        same->compared = offset += HR_MESSAGE_DIGEST_MAX;
    same->under_way = 2;
    ask(&same->sides[0], offset);
    ask(&same->sides[1], offset);
}

void hr_same_start(hr_same *same)
{
    same->compared = 0;
    same->stopped = false;
    for (unsigned i = 0; i < 2; i++) {
        same->sides[i].same = same;
        same->sides[i].known = false;
        same->sides[i].question.waits = false;
        same->sides[i].size = 0;
    }
    compare_next(same);
}

void hr_same_stop(hr_same *same)
{
    same->stopped = true;
    for (unsigned i = 0; i < 2; i++)
        if (same->sides[i].client != NULL)
            hr_client_give_up(same->sides[i].client, &same->sides[i].question);
}
