/* SPDX-License-Identifier: Apache-2.0 */
/* hr_question: asks a server for the digest of a part of a file. As many as a session may have are
 * under way at once; others wait for their turn. On worker 0. */
#ifndef HR_ASK_H
#define HR_ASK_H

#include "list.h"
#include "loop.h"
#include "message.h"

typedef struct hr_client hr_client;

typedef struct hr_question hr_question;
struct hr_question {
    const char *path; /* "export/path"; the caller's, until answered */
    uint64_t offset, len;
    void (*answered)(hr_question *question, const hr_message_digested *digested);
    hr_list node;
    uint32_t request; /* 0: not sent yet */
    bool waits;       /* for its turn, or for the answer */
    hr_task given_up;
};

/* The client is ready. Answered once, perhaps within the call if the client has failed; a server
 * that cannot tell digests is HR_UNSUPPORTED. */
void hr_client_ask(hr_client *client, hr_question *question);
/* Nobody waits for the server any more: if it has not been answered, it soon is, as HR_CANCELED. */
void hr_client_give_up(hr_client *client, hr_question *question);

/* Of the client. */
void hr_client_take_digested(hr_client *client, const hr_message_digested *digested);
void hr_client_fail_questions(hr_client *client);

#endif
