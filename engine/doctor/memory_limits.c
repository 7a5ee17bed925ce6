/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker's pool asks of the system: pages that may be locked, and huge ones. */
#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "doctor.h"
#include "sysfs.h"

#define TOPIC         "memory"
#define HUGE_PAGE_LEN ((size_t)2 << 20)

static void *map(size_t len, int flags)
{
    void *addr =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return addr == MAP_FAILED ? NULL : addr;
}

/* Registers a pool with a ring, as a worker does: 0 or -errno. */
static int register_pool(size_t len)
{
    struct io_uring ring;
    int result = io_uring_queue_init(8, &ring, 0);
    if (result < 0)
        return result;
    struct iovec pool = {.iov_base = map(len, 0), .iov_len = len};
    result = pool.iov_base == NULL ? -errno : io_uring_register_buffers(&ring, &pool, 1);
    io_uring_queue_exit(&ring);
    if (pool.iov_base != NULL)
        munmap(pool.iov_base, len);
    return result;
}

static const char *limit_text(rlim_t limit, char *out, size_t size)
{
    if (limit == RLIM_INFINITY)
        snprintf(out, size, "unlimited");
    else
        snprintf(out, size, "%llu MiB", (unsigned long long)(limit >> 20));
    return out;
}

/* The limit is charged once a registration: each ring registers its worker's pool, and so does each
 * NIC. */
void hr_doctor_locked(hr_doctor *doctor)
{
    struct rlimit limit = {0};
    char text[32], remedy[160];
    unsigned registrations = doctor->workers + doctor->nics;
    uint64_t needed = (uint64_t)doctor->pool_len * registrations;
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    limit_text(limit.rlim_cur, text, sizeof text);
    snprintf(remedy, sizeof remedy, "ulimit -l %llu   (or LimitMEMLOCK=%lluM in its unit file)",
             (unsigned long long)(needed >> 10), (unsigned long long)(needed >> 20));
    int result = register_pool(doctor->pool_len);
    bool refused = result == -ENOMEM || result == -EPERM;
    char formula[200];
    snprintf(formula, sizeof formula,
             "pool %zu MiB x (%u ring%s + %u NIC%s) = %llu MiB; the limit is %s",
             doctor->pool_len >> 20, doctor->workers, doctor->workers == 1 ? "" : "s", doctor->nics,
             doctor->nics == 1 ? "" : "s", (unsigned long long)(needed >> 20), text);
    if (refused || (result < 0 && limit.rlim_cur < needed))
        hr_doctor_lacking(doctor, TOPIC, "locked", remedy, "%s%s", formula,
                          refused ? ": a pool could not be registered"
                                  : "; there is no io_uring to try it with");
    else
        hr_doctor_ok(doctor, TOPIC, "locked", "%s%s", formula,
                     limit.rlim_cur < needed ? ", which this user is not held to" : "");
}

static void note_reserved(const hr_doctor *doctor)
{
    size_t len = (doctor->pool_len + HUGE_PAGE_LEN - 1) / HUGE_PAGE_LEN * HUGE_PAGE_LEN;
    size_t pages = len / HUGE_PAGE_LEN * doctor->workers;
    char remedy[160];
    void *addr = map(len, MAP_HUGETLB);
    int error = addr != NULL ? 0 : errno;
    snprintf(remedy, sizeof remedy, "sudo sysctl -w vm.nr_hugepages=%zu", pages);
    if (addr != NULL)
        munmap(addr, len);
    if (error == 0)
        hr_doctor_ok(doctor, TOPIC, "huge pages", "a pool of %zu MiB can be had in them",
                     doctor->pool_len >> 20);
    else
        hr_doctor_lacking(doctor, TOPIC, "huge pages", remedy,
                          "a pool of %zu MiB cannot be had in reserved ones (%s)",
                          doctor->pool_len >> 20, strerror(error));
}

/* Whether the kernel says that part of this process is in transparent huge pages. */
static bool has_transparent(void)
{
    char text[4096];
    (void)hr_sysfs_read("", "/proc/self/smaps_rollup", text, sizeof text);
    const char *line = strstr(text, "AnonHugePages:");
    return line != NULL && strtoul(line + strlen("AnonHugePages:"), NULL, 10) > 0;
}

static void note_transparent(const hr_doctor *doctor)
{
    size_t len = 4 * HUGE_PAGE_LEN;
    uint8_t *addr = map(len, 0);
    if (addr == NULL)
        return;
    bool asked = madvise(addr, len, MADV_HUGEPAGE) == 0;
    memset(addr, 1, len);
    if (asked && has_transparent())
        hr_doctor_ok(doctor, TOPIC, "transparent huge pages", "given when asked for");
    else
        hr_doctor_lacking(doctor, TOPIC, "transparent huge pages",
                          "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
                          "asked for and not given: TCP receives slower into small pages");
    munmap(addr, len);
}

void hr_doctor_pages(hr_doctor *doctor)
{
    note_reserved(doctor);
    note_transparent(doctor);
}
