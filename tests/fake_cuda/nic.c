/* SPDX-License-Identifier: Apache-2.0 */
/* What a NIC writes into a device's memory. Where the platform does not order such writes they are
 * kept back until they are flushed, so that a flush which was forgotten is missed. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"

typedef struct pending {
    hr_list node;
    const fake_memory *memory;
    void *to;
    size_t len;
    uint8_t bytes[];
} pending;

static hr_list writes = {&writes, &writes};
static unsigned flushes;

static fake_memory *find_device(uint64_t address, size_t len)
{
    fake_memory *it = fake_find(address);
    return it != NULL && it->kind == FAKE_DEVICE && fake_reach(it->device, address, len) != NULL
               ? it
               : NULL;
}

void fake_forget_writes(const fake_memory *memory)
{
    for (hr_list *node = writes.next, *next; node != &writes; node = next) {
        pending *it = HR_CONTAINER(node, pending, node);
        next = node->next;
        if (it->memory != memory)
            continue;
        hr_list_remove(node);
        free(it);
    }
}

hr_cuda_result cuFlushGPUDirectRDMAWrites(int target, int scope)
{
    fake_context *context = NULL;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = fake_current(&context);
    if (result == 0)
        result = fake_fail("cuFlushGPUDirectRDMAWrites");
    if (result == 0 && (target != HR_CUDA_RDMA_TARGET_CURRENT || scope != HR_CUDA_RDMA_OWNER ||
                        (fake_setting("FAKE_CUDA_FLUSHES", 1) & HR_CUDA_RDMA_FLUSHES_HOST) == 0))
        result = FAKE_INVALID_VALUE;
    for (hr_list *node = writes.next, *next; result == 0 && node != &writes; node = next) {
        pending *it = HR_CONTAINER(node, pending, node);
        next = node->next;
        if (it->memory->device != context->device)
            continue;
        memcpy(it->to, it->bytes, it->len);
        hr_list_remove(node);
        free(it);
    }
    flushes += result == 0;
    pthread_mutex_unlock(&fake_lock);
    return result;
}

/* ---- for tests ---- */

uint64_t fake_cuda_dmabuf(int fd, uint64_t offset)
{
    uint64_t first = 0;
    return pread(fd, &first, sizeof first, 0) == sizeof first ? first + offset : 0;
}

int fake_cuda_has(uint64_t address, size_t len)
{
    pthread_mutex_lock(&fake_lock);
    bool has = find_device(address, len) != NULL;
    pthread_mutex_unlock(&fake_lock);
    return has;
}

int fake_cuda_write(uint64_t address, const void *bytes, size_t len)
{
    pthread_mutex_lock(&fake_lock);
    const fake_memory *memory = find_device(address, len);
    void *to = memory != NULL ? fake_reach(memory->device, address, len) : NULL;
    if (to != NULL && fake_setting("FAKE_CUDA_ORDERING", 0) >= HR_CUDA_RDMA_OWNER) {
        memcpy(to, bytes, len);
    } else if (to != NULL) {
        pending *it = malloc(sizeof *it + len);
        if (it == NULL)
            abort();
        *it = (pending){.memory = memory, .to = to, .len = len};
        memcpy(it->bytes, bytes, len);
        hr_list_append(&writes, &it->node);
    }
    pthread_mutex_unlock(&fake_lock);
    return to != NULL;
}

unsigned fake_cuda_flushes(void)
{
    pthread_mutex_lock(&fake_lock);
    unsigned count = flushes;
    flushes = 0;
    pthread_mutex_unlock(&fake_lock);
    return count;
}
