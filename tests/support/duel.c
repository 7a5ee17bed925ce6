/* SPDX-License-Identifier: Apache-2.0 */
#include "duel.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "engine.h"
#include "liar.h"
#include "loop_sim.h"
#include "packed_maker.h"
#include "scenario.h"
#include "world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
#include <sanitizer/asan_interface.h>
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(at, len)   ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

#define ADDRESS    "127.0.0.1:7431"
#define FILES      3
#define STEPS_MAX  20000
#define GUARD      4096
#define POISON     0xA5
#define GET_NS     (600 * HR_NS_PER_S)
#define SETTLE_NS  (60 * HR_NS_PER_S)
#define CONTAINERS 3

/* What serves all duels of a kind: how links are made is decided when an engine is. */
typedef struct duel_arena {
    hr_world world;
    hr_engine *server_engine, *client_engine;
    hr_server *server;
    uint64_t at_rest; /* allocations that stay */
    uint64_t inodes;  /* of the client's disk when it is empty */
    bool made;
} duel_arena;

static const char *const paths[FILES] = {"t/f0", "t/a/f1", "t/a/b/f2"};
static const hr_sample samples[FILES] = {{100, HR_CHUNK_LEN + 1}, {200, 4097}, {300, 0}};
/* An export each: plain, and one a container. */
static const char *const exports[1 + CONTAINERS] = {"plain", "beside", "lz4", "zstd"};
static uint8_t span[HR_CHUNK_LEN + 1 + GUARD];

static void must(hr_status status, const char *what)
{
    if (status == HR_OK)
        return;
    fprintf(stderr, "the duel: %s: %s\n", what, hr_status_name(status));
    abort();
}

HR_PRINTF(2, 3) static void object(hr_duel_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (result->problem[0] == '\0')
        vsnprintf(result->problem, sizeof result->problem, format, arguments);
    va_end(arguments);
}

/* ---- large blocks are kept from duel to duel: a sanitizer maps each of them anew ---- */

#define LARGE    (48u << 10)
#define KEPT_MAX 64

static void *(*plain_alloc)(void *context, size_t len);
static void (*plain_release)(void *context, void *memory);
static struct {
    void *at;
    size_t len;
} kept[KEPT_MAX];

static void *alloc_kept(void *context, size_t len)
{
    hr_sim *sim = context;
    for (unsigned i = 0; i < KEPT_MAX && len >= LARGE; i++) {
        void *at = kept[i].at;
        if (at == NULL || kept[i].len < len || kept[i].len > len + 64)
            continue;
        ASAN_UNPOISON_MEMORY_REGION(at, kept[i].len);
        kept[i].at = NULL;
        sim->allocations++;
        sim->allocated++;
        return memset(at, 0, len);
    }
    return plain_alloc(context, len);
}

static void release_kept(void *context, void *memory)
{
    hr_sim *sim = context;
    size_t len = memory != NULL ? malloc_usable_size(memory) : 0;
    for (unsigned i = 0; i < KEPT_MAX && len >= LARGE; i++) {
        if (kept[i].at != NULL)
            continue;
        kept[i].at = memory;
        kept[i].len = len;
        ASAN_POISON_MEMORY_REGION(memory, len);
        sim->allocated--;
        return;
    }
    plain_release(context, memory);
}

static void keep_large_blocks(hr_env *env)
{
    plain_alloc = env->alloc;
    plain_release = env->release;
    env->alloc = alloc_kept;
    env->release = release_kept;
}

/* ---- the arena ---- */

static void put_packed(hr_disk *disk, hr_container container, const char *path,
                       const hr_sample *sample)
{
    size_t len;
    uint8_t *shard = packed_make(container, hr_sample_bytes(sample), sample->len, &len);
    must(hr_disk_put(disk, path, shard, len), "putting a packed shard");
    free(shard);
}

static void put_sources(hr_disk *disk)
{
    for (unsigned i = 0; i < FILES; i++) {
        const uint8_t *bytes = hr_sample_bytes(&samples[i]);
        char path[64];
        snprintf(path, sizeof path, "/plain/%s", paths[i]);
        must(hr_disk_put(disk, path, bytes, samples[i].len), "putting a file");
        snprintf(path, sizeof path, "/beside/%s", paths[i]);
        must(hr_disk_put(disk, path, bytes, samples[i].len), "putting a file");
        snprintf(path, sizeof path, "/beside/%s.hrindex", paths[i]);
        put_packed(disk, HR_CONTAINER_BESIDE, path, &samples[i]);
        snprintf(path, sizeof path, "/lz4/%s", paths[i]);
        put_packed(disk, HR_CONTAINER_LZ4, path, &samples[i]);
        snprintf(path, sizeof path, "/zstd/%s", paths[i]);
        put_packed(disk, HR_CONTAINER_ZSTD, path, &samples[i]);
    }
}

static void open_server(duel_arena *arena)
{
    hr_error error = {.status = HR_OK};
    char folders[1 + CONTAINERS][16];
    hr_export offered[1 + CONTAINERS] = {{0}};
    for (unsigned i = 0; i < 1 + CONTAINERS; i++) {
        snprintf(folders[i], sizeof folders[i], "/%s", exports[i]);
        offered[i].name = exports[i];
        offered[i].path = folders[i];
    }
    hr_server_options options = {
        .listen = ADDRESS, .exports = offered, .export_count = 1 + CONTAINERS};
    options.trust.insecure = true;
    must(hr_server_open(arena->server_engine, &options, &arena->server, &error), "the server");
    while (hr_server_status(arena->server) == HR_AGAIN)
        if (!hr_sim_step(&arena->world.sim, HR_NEVER))
            abort();
    must(hr_server_status(arena->server), "listening");
}

static void make(duel_arena *arena, const hr_duel *duel)
{
    hr_error error = {.status = HR_OK};
    hr_world *world = &arena->world;
    must(hr_world_init(world, 1), "the world");
    keep_large_blocks(&world->sim.env);
    world->sim.echo = getenv("HEADRACE_DUEL_ECHO") != NULL;
    if (!world->sim.echo) /* lines cost more than what they tell of */
        world->sim.env.log_level = HR_LOG_ERROR;
    world->shared = duel->shared;
    world->client_side.rails = world->server_side.rails = duel->rdma;
    world->client_side.wrap_transport = hr_liar_client;
    world->server_side.wrap_transport = hr_liar_server;
    put_sources(world->server_disk);
    must(hr_disk_put(world->client_disk, "/out/other", "", 0), "making the target's directory");
    must(hr_world_engine(world, true, &arena->server_engine, &error), "the server's engine");
    must(hr_world_engine(world, false, &arena->client_engine, &error), "the client's engine");
    open_server(arena);
    arena->made = true;
}

/* ---- a duel ---- */

static bool go_on(duel_arena *arena, uint64_t until_ns, unsigned *steps, hr_duel_result *result)
{
    hr_sim *sim = &arena->world.sim;
    if (++*steps > STEPS_MAX)
        object(result, "still going on after %d steps", STEPS_MAX);
    else if (!hr_sim_step(sim, until_ns))
        object(result, "it hangs: nothing is due in ten minutes");
    else if (sim->now_ns >= until_ns)
        object(result, "still going on after ten minutes");
    return result->problem[0] == '\0';
}

static void list(duel_arena *arena, const hr_duel *duel, hr_client *client, hr_duel_result *result)
{
    hr_error error = {.status = HR_OK};
    hr_listing *listing;
    hr_entry entry;
    unsigned steps = 0;
    uint64_t until_ns = arena->world.sim.now_ns + GET_NS;
    if (hr_listing_open(client, duel->tree ? "plain/t" : "", &listing, &error) != HR_OK)
        return;
    do
        while (hr_listing_next(listing, &entry))
            ;
    while (hr_listing_status(listing) == HR_AGAIN && go_on(arena, until_ns, &steps, result));
    if (result->problem[0] == '\0')
        hr_listing_destroy(listing);
}

/* Whose size is a lie may not fit into memory of the caller's. */
static void judge(const hr_duel *duel, const hr_error *error, hr_duel_result *result)
{
    bool is_ours = error->status == HR_INTERNAL || (error->status == HR_INVALID && !duel->to_span);
    result->status = error->status;
    if (error->status != HR_OK && (is_ours || error->text[0] == '\0'))
        object(result, "ends as %s: \"%s\"", hr_status_name(error->status), error->text);
}

static void get(duel_arena *arena, const hr_duel *duel, hr_client *client, bool again,
                hr_duel_result *result)
{
    hr_error error = {.status = HR_OK};
    char source[64];
    unsigned steps = 0;
    uint64_t until_ns = arena->world.sim.now_ns + GET_NS;
    snprintf(source, sizeof source, "%s/%s", exports[duel->packed ? 1 + duel->container : 0],
             duel->tree ? "t" : paths[0]);
    hr_get_options options = {
        .path = source,
        .target_path = duel->to_span ? NULL
                       : duel->tree  ? "/out/tree"
                                     : "/out/file",
        .unpack = duel->packed && duel->container != HR_CONTAINER_BESIDE,
        .overwrite = again,
        .checksum = again && duel->tree,
    };
    if (duel->to_span)
        options.target_span = hr_span_host(span, sizeof span - GUARD);
    hr_get *get;
    if (hr_get_start(client, &options, &get, &error) != HR_OK) {
        judge(duel, &error, result);
        return;
    }
    while (hr_get_status(get) == HR_AGAIN && go_on(arena, until_ns, &steps, result))
        ;
    if (result->problem[0] != '\0')
        return; /* what does not end is not waited for */
    judge(duel, hr_get_status(get) == HR_OK ? &error : hr_get_error(get), result);
    hr_get_destroy(get);
}

static bool is_there(duel_arena *arena, const hr_duel *duel)
{
    if (duel->to_span)
        return memcmp(span, hr_sample_bytes(&samples[0]), samples[0].len) == 0;
    for (unsigned i = 0; i < (duel->tree ? FILES : 1); i++) {
        char path[64];
        const void *bytes;
        size_t len;
        snprintf(path, sizeof path, "/out/%s%s", duel->tree ? "tree" : "file",
                 duel->tree ? paths[i] + 1 : "");
        if (hr_disk_get(arena->world.client_disk, path, &bytes, &len) != HR_OK ||
            len != samples[i].len ||
            (len > 0 && memcmp(bytes, hr_sample_bytes(&samples[i]), len) != 0))
            return false;
    }
    return true;
}

static bool is_poison(const uint8_t *bytes, size_t len)
{
    return bytes[0] == POISON && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* ---- its end ---- */

static bool is_at_rest(const duel_arena *arena)
{
    const hr_slots *here = &hr_engine_home(arena->client_engine)->slots;
    const hr_slots *there = &hr_engine_home(arena->server_engine)->slots;
    return hr_server_count(arena->server).sessions_open == 0 && here->free_count == here->count &&
           there->free_count == there->count &&
           (arena->at_rest == 0 || arena->world.sim.allocated == arena->at_rest);
}

static void empty(hr_disk *disk, hr_disk_node *folder)
{
    while (folder->names.count > 0) {
        hr_disk_entry *entry = &folder->names.entries[folder->names.count - 1];
        char name[HR_NAME_MAX + 1];
        if (entry->node->info.type == HR_FILE_DIRECTORY)
            empty(disk, entry->node);
        snprintf(name, sizeof name, "%s", entry->name);
        must(hr_disk_remove(disk, folder, name), "emptying the target's disk");
    }
    must(hr_disk_sync_names(disk, folder), "emptying the target's disk");
}

static void clear(duel_arena *arena)
{
    hr_disk *disk = arena->world.client_disk;
    hr_disk_node *out;
    must(hr_disk_find(disk->root, "/out", &out), "finding the target's directory");
    empty(disk, out);
    if (arena->inodes == 0)
        arena->inodes = disk->last_inode;
    disk->last_inode = arena->inodes;
}

static void settle(duel_arena *arena, hr_duel_result *result)
{
    hr_sim *sim = &arena->world.sim;
    uint64_t until_ns = sim->now_ns + SETTLE_NS;
    clear(arena);
    while (!is_at_rest(arena) && hr_sim_step(sim, until_ns) && sim->now_ns < until_ns)
        ;
    if (!is_at_rest(arena))
        object(result, "%lld allocations, %llu sessions or slots were never released",
               (long long)(sim->allocated - arena->at_rest),
               (unsigned long long)hr_server_count(arena->server).sessions_open);
}

static void fight(duel_arena *arena, const hr_duel *duel, hr_duel_result *result)
{
    hr_error error = {.status = HR_OK};
    hr_client *client;
    hr_client_options options = {.address = ADDRESS, .links = 2, .target = "/"};
    *result = (hr_duel_result){.status = HR_OK};
    options.trust.insecure = true;
    hr_liar_script(duel->liar, duel->script, duel->script_len);
    arena->world.sim.random_state = 1;
    memset(span, POISON, sizeof span);
    must(hr_client_open(arena->client_engine, &options, &client, &error), "the client");
    if (duel->listed)
        list(arena, duel, client, result);
    for (unsigned i = 0; i < 1u + duel->again && result->problem[0] == '\0'; i++)
        get(arena, duel, client, i > 0, result);
    result->right = result->status == HR_OK && is_there(arena, duel);
    if (result->problem[0] != '\0')
        return; /* what still goes on is not taken apart */
    if (!is_poison(span + sizeof span - GUARD, GUARD))
        object(result, "written behind the end of the target");
    memset(span, POISON, sizeof span);
    hr_client_destroy(client);
    settle(arena, result);
    if (!is_poison(span, sizeof span))
        object(result, "the target was written after it was over");
}

/* What is taken once and kept is there after some that nobody lies in. */
static void warm(duel_arena *arena, const hr_duel *duel, hr_duel_result *result)
{
    const hr_duel first[] = {
        {.tree = true, .again = true, .listed = true},
        {.packed = true, .again = true, .container = HR_CONTAINER_LZ4},
        {.packed = true, .tree = true, .container = HR_CONTAINER_ZSTD},
    };
    make(arena, duel);
    for (unsigned i = 0; i < sizeof first / sizeof *first; i++) {
        fight(arena, &first[i], result);
        if (!result->right) {
            fprintf(stderr, "the duel: nobody lied: %s\n", result->problem);
            abort();
        }
    }
    arena->at_rest = arena->world.sim.allocated;
}

void hr_duel_fight(const hr_duel *duel, hr_duel_result *result_out)
{
    static duel_arena arenas[2][2];
    duel_arena *arena = &arenas[duel->shared][duel->rdma];
    if (!arena->made)
        warm(arena, duel, result_out);
    fight(arena, duel, result_out);
}
