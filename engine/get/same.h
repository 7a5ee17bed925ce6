/* SPDX-License-Identifier: Apache-2.0 */
/* hr_same: do two files hold the same? Each side is a client's (told by its server), or beneath a
 * directory here. Both read their own; what is compared are digests, part after part, up to the
 * first difference. On worker 0. */
#ifndef HR_SAME_H
#define HR_SAME_H

#include "ask.h"
#include "digest.h"

typedef struct hr_same hr_same;

typedef struct hr_same_side {
    hr_client *client; /* NULL: dir */
    hr_dir *dir;
    const char *path; /* the caller's until done */

    hr_same *same;
    hr_question question;
    hr_digest digest;
    hr_status status;
    uint32_t crc;
    uint64_t size;
    uint8_t identity[HR_ID_LEN];
    bool known; /* identity was told for an earlier part */
    char text[HR_MESSAGE_TEXT_MAX + 1];
} hr_same_side;

struct hr_same {
    /* the caller's, before start: the first four members of each side, and */
    hr_worker *home;
    void (*done)(hr_same *same);
    void *context;

    /* results */
    hr_status status; /* of the side that could not be read, with its text */
    const char *text;
    bool equal;
    uint64_t compared; /* bytes so far */

    hr_same_side sides[2];
    unsigned under_way;
    bool stopped;
};

/* done follows. */
void hr_same_start(hr_same *same);
/* Ends it soon, as HR_CANCELED: after the part that is read here, and without an answer from a
 * server. */
void hr_same_stop(hr_same *same);

#endif
