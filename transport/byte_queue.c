/* SPDX-License-Identifier: Apache-2.0 */
#include "byte_queue.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"

hr_status hr_byte_queue_init(hr_byte_queue *queue, const hr_env *env, size_t capacity)
{
    uint8_t *bytes = hr_alloc(env, capacity);
    if (bytes == NULL)
        return HR_NO_MEMORY;
    *queue = (hr_byte_queue){.bytes = bytes, .capacity = capacity};
    return HR_OK;
}

void hr_byte_queue_fini(hr_byte_queue *queue, const hr_env *env)
{
    hr_release(env, queue->bytes);
    *queue = (hr_byte_queue){0};
}

bool hr_byte_queue_put(hr_byte_queue *queue, const void *bytes, size_t len)
{
    if (len > queue->capacity - queue->count)
        return false;
    size_t end = (queue->first + queue->count) % queue->capacity;
    size_t piece = hr_min_u64(len, queue->capacity - end);
    memcpy(queue->bytes + end, bytes, piece);
    memcpy(queue->bytes, (const uint8_t *)bytes + piece, len - piece);
    queue->count += len;
    return true;
}

size_t hr_byte_queue_front(const hr_byte_queue *queue, uint8_t **bytes_out)
{
    *bytes_out = queue->bytes + queue->first;
    return hr_min_u64(queue->count, queue->capacity - queue->first);
}

void hr_byte_queue_drop(hr_byte_queue *queue, size_t len)
{
    assert(len <= queue->count);
    queue->count -= len;
    queue->first = queue->count == 0 ? 0 : (queue->first + len) % queue->capacity;
}

size_t hr_byte_queue_take(hr_byte_queue *queue, void *bytes_out, size_t len)
{
    size_t taken = 0;
    uint8_t *front;
    for (size_t piece; (piece = hr_byte_queue_front(queue, &front)) > 0 && taken < len;) {
        piece = hr_min_u64(piece, len - taken);
        memcpy((uint8_t *)bytes_out + taken, front, piece);
        hr_byte_queue_drop(queue, piece);
        taken += piece;
    }
    return taken;
}
