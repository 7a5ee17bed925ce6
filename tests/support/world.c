/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop_sim.h"

#define DISK_CAPACITY (UINT64_C(1) << 30)

typedef struct world_platform {
    hr_platform base;
    hr_world *world;
    hr_world_side *side;
    hr_disk *disk;
} world_platform;

/* ---- memory that costs nothing to take: a run uses little of its pools ---- */

static void memory_destroy(hr_memory *memory)
{
    hr_release(memory->env, memory);
}

static hr_status memory_alloc(hr_memory *memory, size_t len, hr_span *span_out,
                              hr_page_kind *pages_out)
{
    (void)memory;
    void *addr = aligned_alloc(HR_DIRECT_ALIGN, (len + HR_DIRECT_ALIGN - 1) & ~(size_t)4095);
    if (addr == NULL)
        return HR_NO_MEMORY;
    *span_out = hr_span_host(addr, len);
    *pages_out = HR_PAGES_PLAIN;
    return HR_OK;
}

static void memory_release(hr_memory *memory, hr_span *span)
{
    (void)memory;
    free(span->addr);
}

static hr_status memory_copy(hr_memory *memory, const hr_span *target, const hr_span *source)
{
    (void)memory;
    memcpy(target->addr, source->addr, source->len);
    return HR_OK;
}

static const hr_memory_ops memory_ops = {
    .name = "sim",
    .kind = HR_MEMORY_HOST,
    .destroy = memory_destroy,
    .alloc = memory_alloc,
    .release = memory_release,
    .copy = memory_copy,
};

/* ---- the platform ---- */

static hr_status loop_create(hr_platform *platform, hr_loop **loop_out)
{
    return hr_loop_sim_create(&((world_platform *)platform)->world->sim, loop_out);
}

static hr_status storage_create(hr_platform *base, hr_loop *loop, hr_storage **storage_out)
{
    world_platform *platform = (world_platform *)base;
    hr_storage *inner;
    hr_status status = hr_storage_memory_create(loop, platform->disk, &inner);
    if (status != HR_OK)
        return status;
    hr_storage_faults faults = platform->side->storage;
    faults.seed ^= hr_sim_random(&platform->world->sim);
    hr_storage *outer = inner;
    status = hr_storage_fault_create(inner, &faults, &platform->side->storage_requests, &outer);
    if (status == HR_OK && platform->side->wrap_storage != NULL)
        status = platform->side->wrap_storage(outer, &outer);
    if (status != HR_OK)
        outer->ops->destroy(outer);
    else
        *storage_out = outer;
    return status;
}

/* Owns inner, in every case. */
static hr_status wrap_transport(world_platform *platform, hr_transport *inner,
                                hr_transport **transport_out)
{
    hr_transport_faults faults = platform->side->transport;
    faults.seed ^= hr_sim_random(&platform->world->sim);
    hr_transport *outer = inner;
    hr_status status = hr_transport_fault_create(inner, &faults, &outer);
    if (status == HR_OK && platform->side->wrap_transport != NULL)
        status = platform->side->wrap_transport(outer, &outer);
    if (status != HR_OK)
        outer->ops->destroy(outer);
    else
        *transport_out = outer;
    return status;
}

static hr_status transport_create(world_platform *platform, hr_loop *loop, bool shared,
                                  hr_transport **transport_out)
{
    hr_transport *inner;
    hr_status status = hr_transport_inproc_create(loop, platform->world->hub, shared, &inner);
    return status != HR_OK ? status : wrap_transport(platform, inner, transport_out);
}

static hr_status rdma_create(hr_platform *base, hr_loop *loop, hr_transport **transport_out)
{
    world_platform *platform = (world_platform *)base;
    hr_transport *inner;
    hr_status status =
        hr_transport_inproc_rdma_create(loop, platform->world->hub, platform->side->rails, &inner);
    return status != HR_OK ? status : wrap_transport(platform, inner, transport_out);
}

static bool drive_site(hr_platform *base, const char *path, hr_site *site_out)
{
    const char *drive = ((world_platform *)base)->side->drive;
    (void)path;
    if (drive == NULL)
        return false;
    *site_out = (hr_site){.node = -1};
    snprintf(site_out->path, sizeof site_out->path, "%s", drive);
    return true;
}

static hr_status network_create(hr_platform *base, hr_loop *loop, hr_transport **transport_out)
{
    world_platform *platform = (world_platform *)base;
    return transport_create(platform, loop, platform->world->shared, transport_out);
}

static hr_status inproc_create(hr_platform *base, hr_loop *loop, hr_transport **transport_out)
{
    return transport_create((world_platform *)base, loop, true, transport_out);
}

static void destroy(hr_platform *base)
{
    hr_memory_destroy(base->memory);
    hr_helpers_destroy(base->helpers);
    hr_release(base->env, base);
}

static hr_status memory_create(const hr_env *env, uint64_t fail_nth, hr_memory **memory_out)
{
    hr_memory *memory = hr_alloc(env, sizeof *memory);
    if (memory == NULL)
        return HR_NO_MEMORY;
    *memory = (hr_memory){.ops = &memory_ops, .env = env};
    hr_status status = HR_OK;
    if (fail_nth != 0)
        status = hr_memory_fault_create(memory, fail_nth, memory_out);
    else
        *memory_out = memory;
    if (status != HR_OK)
        hr_memory_destroy(memory);
    return status;
}

hr_status hr_world_engine(hr_world *world, bool server, hr_engine **engine_out, hr_error *error)
{
    const hr_env *env = &world->sim.env;
    world_platform *platform = hr_alloc(env, sizeof *platform);
    if (platform == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "making the world: out of memory");
    platform->world = world;
    platform->side = server ? &world->server_side : &world->client_side;
    platform->disk = server ? world->server_disk : world->client_disk;
    platform->base = (hr_platform){
        .env = env,
        .loop_create = loop_create,
        .storage_create = storage_create,
        .network_create = network_create,
        .inproc_create = inproc_create,
        .rdma_create = platform->side->rails > 0 ? rdma_create : NULL,
        .rdma_why = "this side has no rails",
        .drive_site = drive_site,
        .destroy = destroy,
    };
    hr_status status = memory_create(env, platform->side->memory_fail_nth, &platform->base.memory);
    if (status == HR_OK)
        status = hr_helpers_create(env, 0, &platform->base.helpers);
    if (status != HR_OK) {
        hr_memory_destroy(platform->base.memory);
        hr_release(env, platform);
        return hr_error_set(error, status, "making the world: out of memory");
    }
    memcpy(platform->base.boot_id, platform->side->boot_id, 16);
    hr_engine_options options = {
        .workers = platform->side->workers != 0 ? platform->side->workers : 1,
        .worker_pool_len = 4 * (size_t)HR_SLOT_LEN,
    };
    status = hr_engine_create_on(&platform->base, &options, engine_out, error);
    if (status != HR_OK)
        destroy(&platform->base);
    return status;
}

hr_status hr_world_init(hr_world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    hr_sim_init(&world->sim, seed);
    const hr_env *env = &world->sim.env;
    hr_status status = hr_inproc_hub_create(env, &world->hub);
    if (status == HR_OK)
        status = hr_disk_create(env, DISK_CAPACITY, &world->server_disk);
    if (status == HR_OK)
        status = hr_disk_create(env, DISK_CAPACITY, &world->client_disk);
    if (status != HR_OK)
        hr_world_fini(world);
    return status;
}

void hr_world_fini(hr_world *world)
{
    hr_disk_destroy(world->client_disk);
    hr_disk_destroy(world->server_disk);
    hr_inproc_hub_destroy(world->hub);
}
