/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_cuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hr_cuda cuda;

const char *fake_cuda_folder(void)
{
    return FAKE_CUDA_FOLDER;
}

const hr_cuda *fake_cuda(void)
{
    hr_error error = {.status = HR_OK};
    if (cuda.library == NULL &&
        hr_cuda_open(FAKE_CUDA_FOLDER "/" HR_CUDA_LIBRARY, &cuda, &error) != HR_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    return &cuda;
}

/* ISO C has no way from an object's pointer to a function's. */
static void find(const char *name, void *function_out)
{
    void *symbol = dlsym(fake_cuda()->library, name);
    if (symbol == NULL)
        abort();
    memcpy(function_out, &symbol, sizeof symbol);
}

int fake_cuda_left(void)
{
    int (*left)(void);
    find("fake_cuda_left", &left);
    return left();
}

void fake_cuda_hold(hr_cuda_stream *stream, int held)
{
    void (*hold)(hr_cuda_stream *, int);
    find("fake_cuda_hold", &hold);
    hold(stream, held);
}

unsigned fake_cuda_grid(void)
{
    unsigned (*grid)(void);
    find("fake_cuda_grid", &grid);
    return grid();
}

uint64_t fake_cuda_dmabuf(int fd, uint64_t offset)
{
    uint64_t (*dmabuf)(int, uint64_t);
    find("fake_cuda_dmabuf", &dmabuf);
    return dmabuf(fd, offset);
}

int fake_cuda_has(uint64_t address, size_t len)
{
    int (*has)(uint64_t, size_t);
    find("fake_cuda_has", &has);
    return has(address, len);
}

int fake_cuda_write(uint64_t address, const void *bytes, size_t len)
{
    int (*write)(uint64_t, const void *, size_t);
    find("fake_cuda_write", &write);
    return write(address, bytes, len);
}

unsigned fake_cuda_flushes(void)
{
    unsigned (*flushes)(void);
    find("fake_cuda_flushes", &flushes);
    return flushes();
}

void *fake_cuda_bytes(uint64_t address)
{
    void *(*bytes)(uint64_t);
    find("fake_cuda_bytes", &bytes);
    return bytes(address);
}
