/* SPDX-License-Identifier: Apache-2.0 */
/* hr_byte_queue: bytes in order, in a ring of fixed size. An empty one starts again at its
 * beginning, so that a queue that is hardly used touches hardly any memory. */
#ifndef HR_BYTE_QUEUE_H
#define HR_BYTE_QUEUE_H

#include <stdbool.h>

#include "env.h"

typedef struct hr_byte_queue {
    uint8_t *bytes;
    size_t capacity, first, count;
} hr_byte_queue;

HR_CHECKED hr_status hr_byte_queue_init(hr_byte_queue *queue, const hr_env *env, size_t capacity);
void hr_byte_queue_fini(hr_byte_queue *queue, const hr_env *env);
/* All or nothing; false: no room. */
bool hr_byte_queue_put(hr_byte_queue *queue, const void *bytes, size_t len);
/* The oldest bytes that lie in one piece. Returns how many. */
size_t hr_byte_queue_front(const hr_byte_queue *queue, uint8_t **bytes_out);
void hr_byte_queue_drop(hr_byte_queue *queue, size_t len);
/* Copies and drops up to len bytes. Returns how many. */
size_t hr_byte_queue_take(hr_byte_queue *queue, void *bytes_out, size_t len);

#endif
