/* SPDX-License-Identifier: Apache-2.0 */
/* Devices, contexts and memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "batch_kernels.h"
#include "fake.h"

#define PAGE_LEN    ((size_t)4096)
#define POISON_LEN  ((size_t)1 << 20) /* of what is taken: all of it would take too long */
#define CONTEXT_MAX 16                /* deep, of one thread */

pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t fake_changed = PTHREAD_COND_INITIALIZER;
int fake_handles;

static bool initialized;
static fake_context contexts[FAKE_DEVICES_MAX];
static hr_list memories = {&memories, &memories};
static int modules;
static struct {
    char call[40];
    unsigned long nth, count;
    hr_cuda_result result;
} failing;

static _Thread_local fake_context *stack[CONTEXT_MAX];
static _Thread_local int depth;

unsigned long fake_setting(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

static int device_count(void)
{
    unsigned long count = fake_setting("FAKE_CUDA_DEVICES", 2);
    return count > FAKE_DEVICES_MAX ? FAKE_DEVICES_MAX : (int)count;
}

/* ---- what every call asks ---- */

/* A line with a number, to the file that the setting names. */
static void tell(const char *name, int number)
{
    const char *path = getenv(name);
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file == NULL)
        return;
    fprintf(file, "%d\n", number);
    fclose(file);
}

/* Of the calls so far, since the setting was last changed. */
hr_cuda_result fake_fail(const char *call)
{
    char name[40] = "";
    unsigned long nth = 0;
    int result = 0;
    const char *text = getenv("FAKE_CUDA_FAIL");
    if (text == NULL || sscanf(text, "%39[^:]:%lu:%d", name, &nth, &result) != 3) {
        failing.call[0] = '\0';
        return 0;
    }
    if (strcmp(failing.call, name) != 0 || failing.nth != nth) {
        snprintf(failing.call, sizeof failing.call, "%s", name);
        failing.nth = nth;
        failing.count = 0;
    }
    if (strcmp(call, name) != 0 || ++failing.count != nth)
        return 0;
    tell("FAKE_CUDA_FAILED", result);
    return result;
}

void fake_lose(fake_context *context, hr_cuda_result result)
{
    if (context->lost == 0)
        context->lost = result;
    pthread_cond_broadcast(&fake_changed);
}

hr_cuda_result fake_current(fake_context **context_out)
{
    if (!initialized)
        return FAKE_NOT_INITIALIZED;
    if (depth == 0 || stack[depth - 1]->retained == 0)
        return FAKE_INVALID_CONTEXT;
    *context_out = stack[depth - 1];
    return (*context_out)->lost;
}

/* ENTER and LEAVE stand around the body of a call that wants a context. */
#define ENTER(call)                                                                                \
    fake_context *context = NULL;                                                                  \
    pthread_mutex_lock(&fake_lock);                                                                \
    hr_cuda_result result = fake_current(&context);                                                \
    if (result == 0) {                                                                             \
        result = fake_fail(call);                                                                  \
        if (result >= FAKE_ILLEGAL_ADDRESS)                                                        \
            fake_lose(context, result);                                                            \
    }
#define LEAVE                                                                                      \
    pthread_mutex_unlock(&fake_lock);                                                              \
    return result

/* ---- the driver and its devices ---- */

hr_cuda_result cuInit(unsigned flags)
{
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = flags != 0 ? FAKE_INVALID_VALUE : fake_fail("cuInit");
    for (int i = 0; i < FAKE_DEVICES_MAX; i++)
        contexts[i].device = i;
    initialized = initialized || result == 0;
    pthread_mutex_unlock(&fake_lock);
    return result;
}

hr_cuda_result cuDriverGetVersion(int *version)
{
    *version = (int)fake_setting("FAKE_CUDA_VERSION", 12080);
    return 0;
}

hr_cuda_result cuDeviceGetCount(int *count)
{
    *count = device_count();
    return initialized ? 0 : FAKE_NOT_INITIALIZED;
}

hr_cuda_result cuDeviceGet(hr_cuda_device *device, int ordinal)
{
    if (ordinal < 0 || ordinal >= device_count())
        return FAKE_INVALID_DEVICE;
    *device = ordinal;
    return 0;
}

hr_cuda_result cuDeviceGetName(char *name, int len, hr_cuda_device device)
{
    snprintf(name, (size_t)len, "fake GPU %d: the host's memory and lanes, no hardware", device);
    return 0;
}

hr_cuda_result cuDeviceGetAttribute(int *value, int attribute, hr_cuda_device device)
{
    (void)device;
    *value = attribute == HR_CUDA_DEVICE_MULTIPROCESSORS ? 4
             : attribute == HR_CUDA_DEVICE_MAJOR         ? 9
             : attribute == HR_CUDA_DEVICE_DMA_BUF       ? (int)fake_setting("FAKE_CUDA_DMABUF", 1)
             : attribute == HR_CUDA_DEVICE_RDMA_ORDERING
                 ? (int)fake_setting("FAKE_CUDA_ORDERING", 0)
             : attribute == HR_CUDA_DEVICE_RDMA_FLUSHES ? (int)fake_setting("FAKE_CUDA_FLUSHES", 1)
                                                        : 0;
    return 0;
}

hr_cuda_result cuDeviceTotalMem_v2(size_t *len, hr_cuda_device device)
{
    (void)device;
    *len = fake_setting("FAKE_CUDA_MEMORY", 1ul << 30);
    return 0;
}

hr_cuda_result cuDeviceGetPCIBusId(char *id, int len, hr_cuda_device device)
{
    snprintf(id, (size_t)len, "fake:%d", device);
    return 0;
}

hr_cuda_result cuGetErrorName(hr_cuda_result result, const char **name)
{
    static const struct {
        hr_cuda_result result;
        const char *name;
    } names[] = {
        {0, "CUDA_SUCCESS"},
        {FAKE_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
        {HR_CUDA_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
        {100, "CUDA_ERROR_NO_DEVICE"},
        {FAKE_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"},
        {FAKE_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
        {HR_CUDA_NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU"},
        {FAKE_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
        {FAKE_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
        {719, "CUDA_ERROR_LAUNCH_FAILED"},
        {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].result == result) {
            *name = names[i].name;
            return 0;
        }
    return FAKE_INVALID_VALUE;
}

/* ---- contexts ---- */

hr_cuda_result cuDevicePrimaryCtxRetain(hr_cuda_context **context, hr_cuda_device device)
{
    if (device < 0 || device >= device_count())
        return FAKE_INVALID_DEVICE;
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = fake_fail("cuDevicePrimaryCtxRetain");
    if (result == 0) {
        if (contexts[device].retained++ == 0)
            fake_begin();
        *context = (hr_cuda_context *)&contexts[device];
    }
    pthread_mutex_unlock(&fake_lock);
    return result;
}

hr_cuda_result cuDevicePrimaryCtxRelease_v2(hr_cuda_device device)
{
    pthread_mutex_lock(&fake_lock);
    hr_cuda_result result = contexts[device].retained > 0 ? 0 : FAKE_INVALID_CONTEXT;
    contexts[device].retained -= result == 0;
    if (contexts[device].retained == 0)
        contexts[device].lost = 0;
    pthread_mutex_unlock(&fake_lock);
    return result;
}

hr_cuda_result cuCtxPushCurrent_v2(hr_cuda_context *context)
{
    fake_context *it = (fake_context *)context;
    pthread_mutex_lock(&fake_lock);
    bool known = it >= contexts && it < contexts + FAKE_DEVICES_MAX && it->retained > 0;
    pthread_mutex_unlock(&fake_lock);
    if (!known || depth == CONTEXT_MAX)
        return FAKE_INVALID_CONTEXT;
    stack[depth++] = it;
    return 0;
}

hr_cuda_result cuCtxPopCurrent_v2(hr_cuda_context **context)
{
    if (depth == 0)
        return FAKE_INVALID_CONTEXT;
    *context = (hr_cuda_context *)stack[--depth];
    return 0;
}

hr_cuda_result cuCtxSetCurrent(hr_cuda_context *context)
{
    depth = context != NULL;
    stack[0] = (fake_context *)context;
    return 0;
}

/* ---- memory ---- */

fake_memory *fake_find(uint64_t address)
{
    for (hr_list *node = memories.next; node != &memories; node = node->next) {
        fake_memory *it = HR_CONTAINER(node, fake_memory, node);
        if (address >= (uint64_t)(uintptr_t)it->address &&
            address - (uint64_t)(uintptr_t)it->address < it->len)
            return it;
    }
    return NULL;
}

void *fake_reach(int device, uint64_t address, size_t len)
{
    fake_memory *it = fake_find(address);
    size_t at = it == NULL ? 0 : (size_t)(address - (uint64_t)(uintptr_t)it->address);
    bool reached =
        it != NULL && len <= it->len - at && (it->kind != FAKE_DEVICE || it->device == device);
    return reached ? it->bytes + at : NULL;
}

static fake_memory *note(fake_kind kind, int device, void *address, void *bytes, size_t len)
{
    fake_memory *it = calloc(1, sizeof *it);
    if (it == NULL)
        abort();
    *it = (fake_memory){
        .kind = kind, .device = device, .address = address, .bytes = bytes, .len = len};
    hr_list_append(&memories, &it->node);
    return it;
}

static void forget(fake_memory *it)
{
    fake_forget_writes(it);
    hr_list_remove(&it->node);
    if (it->kind != FAKE_REGISTERED)
        free(it->bytes);
    if (it->kind == FAKE_DEVICE)
        munmap(it->address, it->len);
    free(it);
}

static void *take_bytes(size_t len)
{
    return aligned_alloc(PAGE_LEN, (len + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN);
}

hr_cuda_result cuMemAlloc_v2(uint64_t *address, size_t len)
{
    ENTER("cuMemAlloc");
    if (result == 0 && (len > fake_setting("FAKE_CUDA_MEMORY", 1ul << 30) ||
                        context->used + len > fake_setting("FAKE_CUDA_MEMORY", 1ul << 30)))
        result = HR_CUDA_OUT_OF_MEMORY;
    if (result == 0) {
        void *bytes = take_bytes(len);
        void *named =
            mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (bytes == NULL || named == MAP_FAILED)
            abort();
        memset(bytes, 0xD5, len < POISON_LEN ? len : POISON_LEN);
        note(FAKE_DEVICE, context->device, named, bytes, len);
        context->used += len;
        *address = (uint64_t)(uintptr_t)named;
    }
    LEAVE;
}

hr_cuda_result cuMemFree_v2(uint64_t address)
{
    ENTER("cuMemFree");
    fake_memory *it = fake_find(address);
    bool right =
        it != NULL && it->kind == FAKE_DEVICE && (uint64_t)(uintptr_t)it->address == address;
    if (context != NULL && right) {
        fake_drain(it->device); /* as the driver does */
        contexts[it->device].used -= it->len;
        forget(it);
    } else if (result == 0) {
        result = FAKE_INVALID_VALUE;
    }
    LEAVE;
}

hr_cuda_result cuMemGetInfo_v2(size_t *free_len, size_t *total_len)
{
    ENTER("cuMemGetInfo");
    if (result == 0) {
        *total_len = fake_setting("FAKE_CUDA_MEMORY", 1ul << 30);
        *free_len = *total_len - context->used;
    }
    LEAVE;
}

hr_cuda_result cuMemHostAlloc(void **address, size_t len, unsigned flags)
{
    (void)flags;
    ENTER("cuMemHostAlloc");
    void *bytes = result == 0 && len <= (1ul << 30) ? take_bytes(len) : NULL;
    if (bytes != NULL) {
        note(FAKE_PINNED, 0, bytes, bytes, len);
        *address = bytes;
    } else if (result == 0) {
        result = HR_CUDA_OUT_OF_MEMORY;
    }
    LEAVE;
}

hr_cuda_result cuMemFreeHost(void *address)
{
    ENTER("cuMemFreeHost");
    fake_memory *it = fake_find((uint64_t)(uintptr_t)address);
    if (context != NULL && it != NULL && it->kind == FAKE_PINNED && it->address == address) {
        fake_drain(context->device);
        forget(it);
    } else if (result == 0) {
        result = FAKE_INVALID_VALUE;
    }
    LEAVE;
}

hr_cuda_result cuMemHostRegister_v2(void *address, size_t len, unsigned flags)
{
    (void)flags;
    ENTER("cuMemHostRegister");
    if (result == 0 && fake_find((uint64_t)(uintptr_t)address) != NULL)
        result = FAKE_ALREADY_REGISTERED;
    if (result == 0)
        note(FAKE_REGISTERED, 0, address, address, len);
    LEAVE;
}

hr_cuda_result cuMemHostUnregister(void *address)
{
    ENTER("cuMemHostUnregister");
    fake_memory *it = fake_find((uint64_t)(uintptr_t)address);
    if (context != NULL && it != NULL && it->kind == FAKE_REGISTERED && it->address == address)
        forget(it);
    else if (result == 0)
        result = FAKE_INVALID_VALUE;
    LEAVE;
}

/* A file that holds where the range begins stands for its dma-buf. The rules are the driver's:
 * whole pages of the host's, all of them of one allocation. */
hr_cuda_result cuMemGetHandleForAddressRange(void *handle, uint64_t address, size_t len, int type,
                                             unsigned long long flags)
{
    ENTER("cuMemGetHandleForAddressRange");
    const fake_memory *it = fake_find(address);
    const bool whole = address % PAGE_LEN == 0 && len % PAGE_LEN == 0 && len > 0;
    if (result == 0 && (!whole || it == NULL || it->kind != FAKE_DEVICE || flags != 0 ||
                        type != HR_CUDA_HANDLE_DMA_BUF_FD ||
                        address + len > (uint64_t)(uintptr_t)it->address +
                                            (it->len + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN))
        result = FAKE_INVALID_VALUE;
    if (result == 0) {
        int fd = memfd_create("stands for a dma-buf", MFD_CLOEXEC);
        if (fd < 0 || pwrite(fd, &address, sizeof address, 0) != sizeof address)
            abort();
        *(int *)handle = fd;
    }
    LEAVE;
}

hr_cuda_result cuPointerGetAttribute(void *value, int attribute, uint64_t pointer)
{
    ENTER("cuPointerGetAttribute");
    const fake_memory *it = fake_find(pointer);
    if (result == 0 && it == NULL)
        result = FAKE_INVALID_VALUE;
    if (result == 0) {
        const uint64_t start = (uint64_t)(uintptr_t)it->address;
        if (attribute == HR_CUDA_POINTER_MEMORY_TYPE)
            *(uint32_t *)value = it->kind == FAKE_DEVICE ? 2 : 1;
        else if (attribute == HR_CUDA_POINTER_DEVICE)
            *(int *)value = it->device;
        else if (attribute == HR_CUDA_POINTER_RANGE_START)
            *(uint64_t *)value = start;
        else if (attribute == HR_CUDA_POINTER_RANGE_LEN)
            *(size_t *)value = it->len;
        else
            result = FAKE_INVALID_VALUE;
    }
    LEAVE;
}

/* ---- modules ---- */

hr_cuda_result cuModuleLoadData(hr_cuda_module **module, const void *image)
{
    ENTER("cuModuleLoadData");
    /* What nvcc packs begins so; without it the kernels are these all the same. */
    if (result == 0 && memcmp(image, "\x50\xED\x55\xBA", 4) != 0 &&
        strcmp(image, HR_BATCH_NO_KERNELS) != 0)
        result = HR_CUDA_NO_BINARY;
    if (result == 0) {
        modules++;
        *module = (hr_cuda_module *)&modules;
    }
    LEAVE;
}

hr_cuda_result cuModuleUnload(hr_cuda_module *module)
{
    ENTER("cuModuleUnload");
    if (module == (hr_cuda_module *)&modules && context != NULL)
        modules--;
    LEAVE;
}

/* A function is its name. */
hr_cuda_result cuModuleGetFunction(hr_cuda_function **function, hr_cuda_module *module,
                                   const char *name)
{
    (void)module;
    ENTER("cuModuleGetFunction");
    char taken[FAKE_ARGUMENTS_LEN];
    if (result == 0 && !fake_take_arguments(name, NULL, taken))
        result = FAKE_NOT_FOUND;
    if (result == 0)
        *function = (hr_cuda_function *)(uintptr_t)name;
    LEAVE;
}

/* ---- for tests ---- */

int fake_cuda_left(void)
{
    pthread_mutex_lock(&fake_lock);
    int left = modules + fake_handles;
    for (int i = 0; i < FAKE_DEVICES_MAX; i++)
        left += contexts[i].retained;
    for (hr_list *node = memories.next; node != &memories; node = node->next)
        left++;
    pthread_mutex_unlock(&fake_lock);
    return left + depth;
}

void *fake_cuda_bytes(uint64_t address)
{
    pthread_mutex_lock(&fake_lock);
    const fake_memory *it = fake_find(address);
    void *bytes = it != NULL ? it->bytes + (address - (uint64_t)(uintptr_t)it->address) : NULL;
    pthread_mutex_unlock(&fake_lock);
    return bytes;
}

/* In a process of its own nobody asks: what is left is told at the end, if somebody wants to know.
 */
__attribute__((destructor)) static void tell_left(void)
{
    tell("FAKE_CUDA_LEFT", fake_cuda_left());
}
