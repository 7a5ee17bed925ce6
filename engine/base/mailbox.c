/* SPDX-License-Identifier: Apache-2.0 */
#include "mailbox.h"

#include <stddef.h>

bool hr_mailbox_post(hr_mailbox *mailbox, hr_letter *letter)
{
    hr_letter *newest = __atomic_load_n(&mailbox->newest, __ATOMIC_RELAXED);
    do
        letter->next = newest;
    /* Release: the reader must see what the sender wrote into the letter. */
    while (!__atomic_compare_exchange_n(&mailbox->newest, &newest, letter, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
    return newest == NULL;
}

unsigned hr_mailbox_deliver(hr_mailbox *mailbox)
{
    hr_letter *newest = __atomic_exchange_n(&mailbox->newest, NULL, __ATOMIC_ACQUIRE);
    hr_letter *oldest = NULL;
    while (newest != NULL) {
        hr_letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    unsigned count = 0;
    while (oldest != NULL) {
        hr_letter *letter = oldest;
        oldest = letter->next; /* deliver gives the letter back to its sender */
        letter->deliver(letter);
        count++;
    }
    return count;
}

bool hr_mailbox_is_empty(hr_mailbox *mailbox)
{
    return __atomic_load_n(&mailbox->newest, __ATOMIC_ACQUIRE) == NULL;
}
