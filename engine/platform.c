/* SPDX-License-Identifier: Apache-2.0 */
#include "platform.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cuda.h"
#include "storage_posix.h"

/* Enough for the opens and renames of a few transfers at once; reads and writes too where io_uring
 * is forbidden, where 8 threads of 1 MiB are the 8 MiB in flight that a drive wants. */
#define HELPER_THREADS 12
#define PROCESSORS_MAX 256

typedef struct system_platform {
    hr_platform base;
    hr_env env;
    hr_inproc_hub *hub;
    hr_verbs *verbs; /* NULL where there is none */
    hr_io_choice io;
    char *congestion;
    void (*log)(void *context, int level, const char *line);
    void *log_context;
} system_platform;

static hr_status loop_create(hr_platform *platform, hr_loop **loop_out)
{
    system_platform *system = (system_platform *)platform;
    switch (system->io) {
    case HR_IO_URING:
        return hr_loop_uring_create(&system->env, loop_out);
    case HR_IO_THREADS:
        return hr_loop_poll_create(&system->env, loop_out);
    case HR_IO_AUTO:
        break;
    }
    return hr_loop_create(&system->env, loop_out);
}

static hr_status storage_create(hr_platform *platform, hr_loop *loop, hr_storage **storage_out)
{
    system_platform *system = (system_platform *)platform;
    switch (system->io) {
    case HR_IO_URING:
        return hr_storage_uring_create(loop, system->base.helpers, storage_out);
    case HR_IO_THREADS:
        return hr_storage_threads_create(loop, system->base.helpers, storage_out);
    case HR_IO_AUTO:
        break;
    }
    return hr_storage_create(loop, system->base.helpers, storage_out);
}

static hr_status network_create(hr_platform *platform, hr_loop *loop, hr_transport **transport_out)
{
    system_platform *system = (system_platform *)platform;
    hr_tcp_options options = {.congestion = system->congestion};
    return hr_transport_tcp_create(loop, &options, transport_out);
}

static hr_status inproc_create(hr_platform *platform, hr_loop *loop, hr_transport **transport_out)
{
    system_platform *system = (system_platform *)platform;
    return hr_transport_inproc_create(loop, system->hub, true, transport_out);
}

static hr_status rdma_create(hr_platform *platform, hr_loop *loop, hr_transport **transport_out)
{
    system_platform *system = (system_platform *)platform;
    return hr_transport_verbs_create(loop, system->verbs, transport_out);
}

/* Cuts the last name off. False: there is nothing above. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
        return false;
    if (slash == NULL)
        snprintf(path, 2, ".");
    else
        slash[slash == path ? 1 : 0] = '\0';
    return true;
}

static bool drive_site(hr_platform *platform, const char *path, hr_site *site_out)
{
    struct stat about;
    char *above = strdup(path);
    (void)platform;
    bool found = above != NULL && above[0] != '\0' && stat(above, &about) == 0;
    while (!found && above != NULL && above[0] != '\0' && errno == ENOENT && go_up(above))
        found = stat(above, &about) == 0;
    free(above);
    return found && hr_site_of_block("", major(about.st_dev), minor(about.st_dev), site_out);
}

/* By its number on the bus, which sysfs writes with small letters. */
static bool gpu_site(hr_platform *platform, int ordinal, hr_site *site_out)
{
    hr_cuda cuda;
    hr_cuda_device device;
    hr_error error;
    char id[32], path[64];
    (void)platform;
    if (hr_cuda_open(HR_CUDA_LIBRARY, &cuda, &error) != HR_OK)
        return false;
    bool found = cuda.device_get(&device, ordinal) == HR_CUDA_SUCCESS &&
                 cuda.device_get_bus_id(id, sizeof id, device) == HR_CUDA_SUCCESS;
    hr_cuda_close(&cuda);
    if (!found)
        return false;
    for (char *at = id; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s", id);
    return hr_site_find("", path, site_out);
}

static void destroy(hr_platform *platform)
{
    system_platform *system = (system_platform *)platform;
    hr_verbs_destroy(system->verbs);
    hr_helpers_destroy(system->base.helpers);
    hr_inproc_hub_destroy(system->hub);
    hr_memory_destroy(platform->memory);
    free(system->congestion);
    free(system);
}

static void forward_log(void *context, hr_log_level level, const char *line)
{
    system_platform *system = context;
    int public_level = level <= HR_LOG_WARN ? 0 : (int)level - HR_LOG_WARN;
    system->log(system->log_context, public_level, line);
}

/* The kernel's own name for this boot: 36 characters of a uuid. Where it cannot be read the id is
 * random, so that a journal is simply not believed without a flush. */
static void read_boot_id(const hr_env *env, uint8_t boot_id_out[16])
{
    char text[37] = "";
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t len = file < 0 ? -1 : read(file, text, 36);
    if (file >= 0)
        close(file);
    unsigned digits = 0;
    for (ssize_t i = 0; i < len && digits < 32; i++) {
        const char *hex = "0123456789abcdef";
        const char *at = text[i] != '\0' ? strchr(hex, text[i]) : NULL;
        if (at == NULL)
            continue;
        unsigned shift = digits % 2 == 0 ? 4 : 0;
        boot_id_out[digits / 2] = (uint8_t)(boot_id_out[digits / 2] | (at - hex) << shift);
        digits++;
    }
    if (digits != 32)
        env->random(env->context, boot_id_out, 16);
}

/* Where there is no RDMA, why is kept for those who ask for it; only who insists on it fails. */
static hr_status open_verbs(system_platform *system, hr_transport_choice choice,
                            const hr_rdma_options *rdma, hr_error *error)
{
    hr_platform *platform = &system->base;
    hr_error why = {0};
    hr_verbs_options options = {
        .message_len = rdma->message_len,
        .send_queue = rdma->send_queue,
        .ack_timeout = (uint8_t)rdma->ack_timeout,
        .retry = (uint8_t)rdma->retries,
        .devices = rdma->devices,
    };
    if (rdma->ack_timeout > 31 || rdma->retries > 7)
        return hr_error_set(error, HR_INVALID,
                            "RDMA's ACK timeout is at most 31 and its retries are at most 7; %u "
                            "and %u were asked for",
                            rdma->ack_timeout, rdma->retries);
    if (choice != HR_TRANSPORT_TCP && hr_verbs_create(&system->env, system->base.helpers, &options,
                                                      &system->verbs, &why) == HR_OK) {
        platform->rdma_create = rdma_create;
        return HR_OK;
    }
    if (choice == HR_TRANSPORT_TCP)
        hr_error_set(&why, HR_UNSUPPORTED, "--transport tcp");
    if (why.status == HR_INVALID)
        return hr_error_set(error, HR_INVALID, "%s", why.text);
    snprintf(platform->rdma_why, sizeof platform->rdma_why, "%.199s", why.text);
    if (choice != HR_TRANSPORT_VERBS)
        return HR_OK;
    return hr_error_set(error, HR_UNSUPPORTED,
                        "RDMA was asked for (--transport verbs): %s; headrace doctor says more",
                        why.text);
}

static unsigned count_processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > PROCESSORS_MAX ? PROCESSORS_MAX : (unsigned)count;
}

hr_status hr_platform_system_create(const hr_engine_options *options, hr_platform **platform_out,
                                    hr_error *error)
{
    system_platform *system = calloc(1, sizeof *system);
    if (system == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "making the engine: out of memory");
    system->env = *hr_env_system();
    system->env.log_level = (hr_log_level)(HR_LOG_WARN + options->log_level);
    if (options->log != NULL) {
        system->log = options->log;
        system->log_context = options->log_context;
        system->env.context = system;
        system->env.log = forward_log;
    }
    system->io = options->io;
    system->base = (hr_platform){
        .env = &system->env,
        .processors = count_processors(),
        .loop_create = loop_create,
        .storage_create = storage_create,
        .network_create = network_create,
        .inproc_create = inproc_create,
        .drive_site = drive_site,
        .gpu_site = gpu_site,
        .destroy = destroy,
    };
    read_boot_id(&system->env, system->base.boot_id);
    hr_status status = HR_OK;
    if (options->congestion != NULL && (system->congestion = strdup(options->congestion)) == NULL)
        status = HR_NO_MEMORY;
    if (status == HR_OK)
        status = hr_memory_host_create(&system->env, &system->base.memory);
    if (status == HR_OK)
        status = hr_inproc_hub_create(&system->env, &system->hub);
    if (status == HR_OK)
        status = hr_helpers_create(&system->env, HELPER_THREADS, &system->base.helpers);
    if (status != HR_OK)
        hr_error_set(error, status, "making the engine: %s", hr_status_text(status));
    else
        status = open_verbs(system, options->transport, &options->rdma, error);
    if (status != HR_OK) {
        destroy(&system->base);
        return status;
    }
    *platform_out = &system->base;
    return HR_OK;
}
