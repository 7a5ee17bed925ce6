/* SPDX-License-Identifier: Apache-2.0 */
/* hr_mailbox: letters from any thread to one reader. The sender owns a letter until it posts it and
 * again once deliver is called. Posting is one compare-and-swap and never fails. */
#ifndef HR_MAILBOX_H
#define HR_MAILBOX_H

#include <stdbool.h>

typedef struct hr_letter hr_letter;
struct hr_letter {
    void (*deliver)(hr_letter *letter); /* called on the reader's thread */
    hr_letter *next;                    /* the mailbox's */
};

typedef struct hr_mailbox {
    hr_letter *newest; /* only through __atomic: the tests are C++ and have no _Atomic */
} hr_mailbox;

/* True if the mailbox was empty before: the reader may be asleep and must be woken. */
bool hr_mailbox_post(hr_mailbox *mailbox, hr_letter *letter);
/* Delivers what is there, oldest first. Returns how many. Only the reader. */
unsigned hr_mailbox_deliver(hr_mailbox *mailbox);
bool hr_mailbox_is_empty(hr_mailbox *mailbox);

#endif
