/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "session.h"

#ifndef HEADRACE_VERSION
#error "HEADRACE_VERSION comes from CMakeLists.txt"
#endif

/* Of tcp_listener.c and server.c. */
#define STRANGERS        64
#define FIRST_RECORD_LEN (16u << 10)

#define WORKER_POOL_DEFAULT (16 * (size_t)HR_SLOT_LEN)

const char *hr_version(void)
{
    return HEADRACE_VERSION;
}

static unsigned workers_default(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned half = cores < 2 ? 1 : (unsigned)cores / 2;
    return half > 8 ? 8 : half;
}

static const char *pages_name(hr_page_kind pages)
{
    switch (pages) {
    case HR_PAGES_HUGE:
        return "huge pages";
    case HR_PAGES_TRANSPARENT_HUGE:
        return "transparent huge pages";
    case HR_PAGES_DEVICE:
        return "device memory";
    case HR_PAGES_PLAIN:
        break;
    }
    return "plain pages";
}

static void describe(hr_engine *engine)
{
    hr_worker *worker = hr_engine_home(engine);
    hr_storage_caps caps;
    worker->storage->ops->query(worker->storage, &caps);
    bool has_slots = worker->slots.untouched_count < worker->slots.count;
    snprintf(engine->description, sizeof engine->description, "%s%s%s%s%s%s%s",
             worker->storage->ops->name, caps.fixed_buffers ? " with registered buffers" : "",
             has_slots ? ", " : "", has_slots ? pages_name(worker->slots.pages) : "",
             caps.why[0] != '\0' ? " (" : "", caps.why, caps.why[0] != '\0' ? ")" : "");
}

hr_status hr_engine_create_on(hr_platform *platform, const hr_engine_options *options,
                              hr_engine **engine_out, hr_error *error)
{
    unsigned count = options->workers != 0 ? options->workers : workers_default();
    if (count > HR_WORKERS_MAX)
        return hr_error_set(error, HR_INVALID, "%u workers were asked for; at most %d can be had",
                            count, HR_WORKERS_MAX);
    hr_engine *engine = hr_alloc(platform->env, sizeof *engine);
    hr_worker *workers = hr_alloc(platform->env, count * sizeof *workers);
    if (engine == NULL || workers == NULL) {
        hr_release(platform->env, engine);
        hr_release(platform->env, workers);
        return hr_error_set(error, HR_NO_MEMORY, "making the engine: out of memory");
    }
    engine->env = platform->env;
    engine->workers = workers;
    engine->transport = options->transport;
    engine->pool_on_demand = options->pool_on_demand;
    hr_gpus_init(&engine->gpus);
    engine->pool_len =
        options->worker_pool_len != 0 ? options->worker_pool_len : WORKER_POOL_DEFAULT;
    if (hr_control_scratch_init(&engine->scratch, engine->env) != HR_OK) {
        hr_engine_destroy(engine);
        return hr_error_set(error, HR_NO_MEMORY, "making the engine: out of memory");
    }
    while (engine->worker_count < count) {
        hr_status status = hr_worker_init(&workers[engine->worker_count], engine, platform,
                                          engine->worker_count, engine->pool_len, error);
        if (status != HR_OK) {
            hr_engine_destroy(engine);
            return status;
        }
        engine->worker_count++;
    }
    engine->platform = platform;
    *engine_out = engine;
    return HR_OK;
}

hr_status hr_engine_create(const hr_engine_options *options, hr_engine **engine_out,
                           hr_error *error)
{
    hr_platform *platform;
    hr_status status = hr_platform_system_create(options, &platform, error);
    if (status != HR_OK)
        return status;
    status = hr_engine_create_on(platform, options, engine_out, error);
    if (status != HR_OK)
        platform->destroy(platform);
    return status;
}

hr_status hr_engine_start(hr_engine *engine, hr_error *error)
{
    for (unsigned i = 1; i < engine->worker_count; i++) {
        hr_status status = hr_worker_start(&engine->workers[i], error);
        if (status != HR_OK) {
            while (i-- > 1)
                hr_worker_stop(&engine->workers[i]);
            return status;
        }
    }
    engine->started = true;
    return HR_OK;
}

/* Without threads of their own the other workers are stepped here, in turn; so that none of them
 * waits for another's wait, the wait is short. */
static void step_all(hr_engine *engine, uint64_t deadline_ns)
{
    unsigned did = 0;
    for (unsigned i = 0; i < engine->worker_count; i++)
        did += hr_loop_step(engine->workers[i].loop, 0);
    uint64_t soon = hr_now_ns(engine->env) + HR_NS_PER_MS;
    if (did == 0 && deadline_ns > 0)
        hr_loop_step(hr_engine_home(engine)->loop, deadline_ns < soon ? deadline_ns : soon);
}

void hr_engine_step(hr_engine *engine, uint64_t timeout_ns)
{
    uint64_t deadline_ns = timeout_ns;
    if (timeout_ns != 0 && timeout_ns != HR_WAIT_FOREVER)
        deadline_ns = hr_now_ns(engine->env) + timeout_ns;
    if (engine->started || engine->worker_count == 1)
        hr_loop_step(hr_engine_home(engine)->loop, deadline_ns);
    else
        step_all(engine, deadline_ns);
}

void hr_engine_wake(hr_engine *engine)
{
    hr_loop_wake(hr_engine_home(engine)->loop);
}

int hr_engine_fd(const hr_engine *engine)
{
    return hr_loop_fd(hr_engine_home(engine)->loop);
}

uint64_t hr_engine_due_ns(const hr_engine *engine)
{
    uint64_t due_ns = hr_loop_next_due_ns(hr_engine_home(engine)->loop);
    uint64_t now_ns = hr_now_ns(engine->env);
    if (due_ns == HR_NEVER)
        return HR_WAIT_FOREVER;
    return due_ns > now_ns ? due_ns - now_ns : 0;
}

void hr_engine_destroy(hr_engine *engine)
{
    if (engine == NULL)
        return;
    const hr_env *env = engine->env;
    for (unsigned i = 0; i < engine->worker_count; i++) {
        if (engine->workers[i].threaded)
            hr_worker_stop(&engine->workers[i]);
        else
            hr_worker_settle(&engine->workers[i]);
    }
    hr_gpus_fini(&engine->gpus, engine);
    for (unsigned i = engine->worker_count; i-- > 0;)
        hr_worker_fini(&engine->workers[i]);
    hr_decoders_destroy(engine->decoders);
    hr_platform *platform = engine->platform;
    hr_control_scratch_fini(&engine->scratch, env);
    hr_release(env, engine->workers);
    hr_release(env, engine);
    if (platform != NULL)
        platform->destroy(platform); /* last: env is its own */
}

size_t hr_engine_footprint(const hr_engine *engine, hr_footprint_row *rows, size_t rows_max)
{
    const hr_slots *slots = &hr_engine_home(engine)->slots;
    const hr_footprint_row table[] = {
        {"slots", (uint64_t)engine->worker_count * slots->pool.len, ""},
        {"messages", HR_CONTROL_SCRATCH_LEN, "what is being packed and unpacked, for all sessions"},
        {"peers", HR_GATE_MEMORY_MAX, ""},
        {"indexes", HR_INDEX_TABLES_MAX,
         "of a server: of all packed shards that are open, at most"},
        {"strangers", STRANGERS * (FIRST_RECORD_LEN + HR_SESSION_HELD_LEN),
         "of a server: 64 first records and 64 handshakes at once"},
        {"a send queue", HR_CHANNEL_QUEUE_MAX,
         "of a server: of each session whose peer does not read what it asked for"},
    };
    size_t count = sizeof table / sizeof table[0];
    count = count < rows_max ? count : rows_max;
    memcpy(rows, table, count * sizeof *rows);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].what, "peers") == 0)
            snprintf(
                rows[i].why, sizeof rows[i].why,
                "of a server, at most: sessions of %zu bytes, links of %zu, open shards of %zu",
                HR_SESSION_HELD_LEN, sizeof(hr_sender), sizeof(hr_source));
    if (count > 0)
        snprintf(rows[0].why, sizeof rows[0].why,
                 "%u workers x %u slots of %u bytes (a chunk and its frame), taken %s",
                 engine->worker_count, slots->count, HR_SLOT_LEN,
                 engine->pool_on_demand ? "on demand" : "at the start");
    return count;
}

const char *hr_engine_describe(hr_engine *engine)
{
    describe(engine); /* slots may have been taken since */
    return engine->description;
}

hr_worker *hr_engine_worker_for(const hr_engine *engine, unsigned rail, unsigned turn)
{
    const hr_transport *rdma = hr_engine_home(engine)->rdma;
    hr_rail_info info = {.site.node = -1};
    assert(engine->worker_count > 0);
    if (rail != HR_RAIL_ANY)
        rdma->ops->rail(rdma, rail, &info);
    for (unsigned i = 0; info.site.node >= 0 && i < engine->worker_count; i++) {
        hr_worker *worker = &engine->workers[(turn + i) % engine->worker_count];
        if (worker->node == info.site.node)
            return worker;
    }
    return &engine->workers[turn % engine->worker_count];
}

hr_status hr_engine_decoders(hr_engine *engine, hr_decoders **decoders_out)
{
    hr_platform *platform = engine->platform;
    hr_status status = HR_OK;
    if (engine->decoders == NULL)
        status = hr_decoders_create(engine->env, platform->memory, platform->processors,
                                    &engine->decoders);
    *decoders_out = engine->decoders;
    return status;
}

hr_status hr_engine_copy_text(const hr_env *env, const char *text, char **copy_out)
{
    char *copy = NULL;
    if (text != NULL) {
        size_t len = strlen(text) + 1;
        copy = hr_alloc(env, len);
        if (copy == NULL)
            return HR_NO_MEMORY;
        memcpy(copy, text, len);
    }
    *copy_out = copy;
    return HR_OK;
}
