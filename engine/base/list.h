/* SPDX-License-Identifier: Apache-2.0 */
/* hr_list: a doubly linked ring through members of the things it lists. An empty head points at
 * itself; so does a node that is in no list. */
#ifndef HR_LIST_H
#define HR_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hr_list {
    struct hr_list *next, *prev;
} hr_list;

#define HR_CONTAINER(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void hr_list_init(hr_list *node)
{
    node->next = node->prev = node;
}

static inline bool hr_list_is_empty(const hr_list *head)
{
    return head->next == head;
}

static inline void hr_list_append(hr_list *head, hr_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void hr_list_remove(hr_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    hr_list_init(node);
}

static inline hr_list *hr_list_take_first(hr_list *head)
{
    if (hr_list_is_empty(head))
        return NULL;
    hr_list *first = head->next;
    hr_list_remove(first);
    return first;
}

#endif
