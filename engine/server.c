/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "address.h"
#include "farewell.h"
#include "nearness.h"

#define SESSIONS_DEFAULT 256
#define HANDSHAKES_MAX   64 /* sessions that have not said hello */
#define DRIVES_MAX       8  /* that NICs are chosen by */

/* The kernel takes a killed process's rings apart after it is gone, and what they still look at, a
 * listener too, lives until then. */
#define LISTEN_RETRY_NS (50 * HR_NS_PER_MS)
#define LISTEN_WAIT_NS  (2 * HR_NS_PER_S)

struct hr_server {
    hr_engine *engine;
    const hr_env *env;
    bool network;
    hr_access *access;
    hr_transport *transport;
    hr_listener *listener;
    hr_listener *rdma_listener; /* NULL: links come over the network only */
    hr_session_rails rails;
    hr_store store;
    bool store_open, store_closing;
    hr_list sessions;
    unsigned sessions_max;
    hr_farewells farewells;
    uint64_t next_session;
    uint8_t boot_id[HR_ID_LEN];
    char wanted[256], address[128];
    hr_timer listen_again;
    uint64_t listen_until_ns;
    hr_server_counters counters;
    hr_status status;
    hr_error error;
    void (*settled)(void *context);
    void *settled_context;
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
};

static void finish_closing(hr_server *server);

/* ---- sessions ---- */

static void session_gone(void *context, hr_session *session)
{
    hr_server *server = context;
    hr_list_remove(&session->node);
    server->counters.sessions_open--;
    hr_release(server->env, session);
    finish_closing(server);
}

static const hr_session_events session_events = {.gone = session_gone};

static hr_family family_of(const hr_server *server)
{
    return server->network ? HR_FAMILY_NETWORK : HR_FAMILY_INPROC;
}

static void refuse(hr_server *server, hr_family family, hr_incoming *incoming)
{
    hr_transport *transport = hr_worker_transport(hr_engine_home(server->engine), family);
    server->counters.refused++;
    transport->ops->refuse(transport, incoming);
}

/* A channel, and it is told why. */
static void turn_away(hr_server *server, hr_incoming *incoming, hr_status status, const char *text)
{
    server->counters.refused++;
    hr_farewell_say(&server->farewells, server->transport, incoming, status, text);
}

static void farewells_are_over(void *context)
{
    finish_closing(context);
}

static bool has_room(const hr_server *server)
{
    unsigned unknown = 0;
    for (hr_list *node = server->sessions.next; node != &server->sessions; node = node->next)
        unknown += !HR_CONTAINER(node, hr_session, node)->greeted;
    return server->counters.sessions_open < server->sessions_max && unknown < HANDSHAKES_MAX;
}

static void take_channel(hr_server *server, hr_incoming *incoming)
{
    hr_session *session = has_room(server) ? hr_alloc(server->env, sizeof *session) : NULL;
    if (session == NULL) {
        hr_log(
            server->env, HR_LOG_WARN,
            "refused %s: %llu sessions are open, of at most %u, or %d have not said who they are",
            incoming->peer, (unsigned long long)server->counters.sessions_open,
            server->sessions_max, HANDSHAKES_MAX);
        turn_away(server, incoming, HR_LIMIT,
                  "the server is full: it has as many sessions as it may, or too many that have "
                  "not said who they are; run the same command again");
        return;
    }
    session->number = server->next_session;
    server->next_session += 1 + hr_random_u64(server->env) % 1000; /* nobody guesses the next */
    session->boot_id = server->boot_id;
    session->rails = &server->rails;
    session->counters = &server->counters;
    session->gate = &server->access->gate;
    hr_status status = hr_session_init(session, server->engine, &server->store, server->transport,
                                       server->access->identity, incoming, &session_events, server);
    if (status != HR_OK) {
        hr_release(server->env, session);
        hr_log(server->env, HR_LOG_WARN, "no session: %s", hr_status_text(status));
        return;
    }
    hr_list_append(&server->sessions, &session->node);
    server->counters.sessions++;
    server->counters.sessions_open++;
}

static void take_link(hr_server *server, hr_family family, hr_incoming *incoming)
{
    for (hr_list *node = server->sessions.next; node != &server->sessions; node = node->next) {
        hr_session *session = HR_CONTAINER(node, hr_session, node);
        if (session->number == incoming->greeting.session) {
            if (hr_session_admit(session, family, incoming) != HR_OK)
                refuse(server, family, incoming);
            return;
        }
    }
    refuse(server, family, incoming);
}

static void incoming(void *context, hr_incoming *connection)
{
    hr_server *server = context;
    bool in_clear = connection->greeting.kind == HR_GREETING_CHANNEL;
    bool in_tls = connection->greeting.kind == HR_GREETING_TLS;
    if (!in_clear && !in_tls) {
        take_link(server, family_of(server), connection);
    } else if (in_tls == (server->access->identity != NULL)) {
        take_channel(server, connection);
    } else if (hr_address_is_file(server->wanted)) {
        hr_log(server->env, HR_LOG_INFO, "refused %s: it speaks TLS, and here its user is asked",
               connection->peer);
        turn_away(server, connection, HR_UNSUPPORTED, "");
    } else {
        hr_log(server->env, HR_LOG_INFO, "refused %s: it speaks %s", connection->peer,
               in_tls ? "TLS, and this server has no key (--insecure)" : "in clear");
        turn_away(server, connection, HR_UNSUPPORTED,
                  "this server speaks TLS to everybody: leave --insecure out");
    }
}

static void incoming_rdma(void *context, hr_incoming *connection)
{
    hr_server *server = context;
    if (connection->greeting.kind == HR_GREETING_LINK)
        take_link(server, HR_FAMILY_RDMA, connection);
    else
        refuse(server, HR_FAMILY_RDMA, connection);
}

static void trouble(void *context, hr_status status)
{
    hr_server *server = context;
    hr_log(server->env, HR_LOG_WARN, "accepting on %s: %s; going on", server->address,
           hr_status_text(status));
}

static const hr_listener_events listener_events = {.incoming = incoming, .trouble = trouble};
static const hr_listener_events rdma_events = {.incoming = incoming_rdma, .trouble = trouble};

/* ---- opening ---- */

/* Where it cannot be had the server goes on without it, unless it was asked for. */
static void rdma_refused(hr_server *server, hr_status status, const char *what)
{
    char text[400];
    snprintf(text, sizeof text, "%s: %s%s", what, hr_status_text(status),
             status == HR_LIMIT ? "; the NICs read from the slots, which need that much locked "
                                  "memory: see ulimit -l, --pool and headrace doctor"
                                : "");
    if (server->engine->transport == HR_TRANSPORT_VERBS)
        server->status = hr_error_set(&server->error, HR_UNSUPPORTED, "%s", text);
    else
        hr_log(server->env, HR_LOG_WARN, "serving over TCP only: %s", text);
}

/* Of the exports' drives, those that are known. */
static size_t find_drives(const hr_server *server, hr_site drives[DRIVES_MAX])
{
    hr_platform *platform = server->engine->platform;
    const hr_store *store = &server->store;
    size_t count = 0;
    for (size_t i = 0; i < store->count && count < DRIVES_MAX && platform->drive_site != NULL; i++)
        count += platform->drive_site(platform, store->exports[i].path, &drives[count]) ? 1 : 0;
    return count;
}

/* Those that clients are told of, the one first that a client with a single link takes. */
static void list_rails(hr_server *server, const hr_transport *rdma)
{
    hr_rail_address addresses[HR_RAILS_MAX];
    hr_rail_info rails[HR_RAILS_MAX];
    hr_site drives[DRIVES_MAX];
    hr_transport_caps caps;
    size_t drive_count = find_drives(server, drives);
    rdma->ops->query(rdma, &caps);
    for (unsigned i = 0; i < caps.rails; i++)
        rdma->ops->rail(rdma, i, &rails[i]);
    size_t count = rdma->ops->addresses(server->rdma_listener, addresses, HR_RAILS_MAX);
    hr_nearness_sort(addresses, count, rails, drives, drive_count);
    for (size_t i = 0; i < count; i++) {
        const hr_rail_info *rail = &rails[addresses[i].rail];
        memcpy(server->rails.addresses[i], addresses[i].address, sizeof addresses[i].address);
        hr_log(server->env, HR_LOG_INFO,
               "RDMA links come in at %s (%s, %.0f Gb/s; from the nearest drive: %s)",
               addresses[i].address, rail->device, (double)rail->bits_per_s / 1e9,
               hr_distance_text(hr_nearness(rail, drives, drive_count)));
    }
    server->rails.count = count;
}

/* Data links over RDMA, at the port of the channels. */
static void start_rdma(hr_server *server)
{
    hr_engine *engine = server->engine;
    hr_transport *rdma = hr_engine_home(engine)->rdma;
    if (rdma == NULL)
        return;
    hr_status status = HR_OK;
    for (unsigned i = 0; i < engine->worker_count && status == HR_OK; i++)
        status = hr_worker_lend(&engine->workers[i]);
    if (status != HR_OK) {
        rdma_refused(server, status, "registering the slots with the NICs");
        return;
    }
    if (hr_engine_home(engine)->slots.pages == HR_PAGES_PLAIN)
        hr_log(
            server->env, HR_LOG_INFO,
            "the NICs know the slots page by page, 4 KiB each: huge pages make that less (sysctl "
            "vm.nr_hugepages, /sys/kernel/mm/transparent_hugepage/enabled, headrace doctor)");
    char bound[64];
    status = rdma->ops->listen(rdma, server->address, &rdma_events, server, &server->rdma_listener,
                               bound);
    if (status != HR_OK) {
        char what[160];
        snprintf(what, sizeof what, "listening for RDMA on %s", server->address);
        rdma_refused(server, status, what);
        return;
    }
    list_rails(server, rdma);
}

static void start_listening(hr_server *server)
{
    hr_status status =
        server->transport->ops->listen(server->transport, server->wanted, &listener_events, server,
                                       &server->listener, server->address);
    uint64_t again_ns = hr_now_ns(server->env) + LISTEN_RETRY_NS;
    if (status == HR_BUSY && again_ns < server->listen_until_ns &&
        hr_loop_timer_set(hr_engine_home(server->engine)->loop, &server->listen_again, again_ns) ==
            HR_OK)
        return;
    if (hr_address_is_file(server->wanted))
        snprintf(server->address, sizeof server->address, "%.127s", server->wanted);
    server->status = status;
    if (status == HR_INVALID && hr_address_is_file(server->wanted))
        hr_error_set(&server->error, status,
                     "listening on %s: the path of a socket begins with / and has at most 107 "
                     "bytes",
                     server->wanted);
    else if (status == HR_BUSY)
        hr_error_set(&server->error, status,
                     "listening on %s: the port is taken; choose another with --listen",
                     server->wanted);
    else if (status == HR_UNREACHABLE)
        hr_error_set(&server->error, status,
                     "listening on %s: this is no address of this machine; ip address shows them",
                     server->wanted);
    else if (status == HR_DENIED && !hr_address_is_file(server->wanted))
        hr_error_set(
            &server->error, status,
            "listening on %s: permission denied; ports below 1024 take root, others do not",
            server->wanted);
    else if (status == HR_INVALID)
        hr_error_set(&server->error, status,
                     "listening on %s: it is no ADDR:PORT, such as 0.0.0.0:7431 or [::]:7431",
                     server->wanted);
    else if (status != HR_OK)
        hr_error_set(&server->error, status, "listening on %s: %s", server->wanted,
                     hr_status_text(status));
    else if (server->network && !hr_address_is_file(server->wanted))
        start_rdma(server);
    if (server->settled != NULL)
        server->settled(server->settled_context);
}

static void listen_again(hr_timer *timer)
{
    start_listening(HR_CONTAINER(timer, hr_server, listen_again));
}

static void store_ready(void *context, hr_status status, const char *text)
{
    hr_server *server = context;
    server->store_open = true;
    if (server->closing) {
        finish_closing(server);
        return;
    }
    if (status == HR_OK) {
        server->listen_until_ns = hr_now_ns(server->env) + LISTEN_WAIT_NS;
        start_listening(server);
        return;
    }
    server->status = hr_error_set(&server->error, status, "%s", text);
    if (server->settled != NULL)
        server->settled(server->settled_context);
}

static hr_status copy_exports(const hr_export *exports, size_t count, hr_store_export *copies,
                              hr_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const char *path = exports[i].path;
        size_t end = strlen(path);
        while (end > 1 && path[end - 1] == '/')
            end--;
        const char *name = exports[i].name;
        size_t name_len = name == NULL ? 0 : strlen(name);
        if (name == NULL) {
            size_t from = end;
            while (from > 0 && path[from - 1] != '/')
                from--;
            name = path + from;
            name_len = end - from;
        }
        if (name_len == 0 || name_len > HR_NAME_MAX || memchr(name, '/', name_len) != NULL ||
            (name[0] == '.' && (name_len == 1 || (name_len == 2 && name[1] == '.'))))
            return hr_error_set(error, HR_INVALID,
                                "%.200s has no name to be exported under: give one, as in "
                                "--export NAME=%.200s",
                                path, path);
        if (strlen(path) >= HR_PATH_MAX)
            return hr_error_set(error, HR_INVALID, "the path of an export is longer than %d bytes",
                                HR_PATH_MAX - 1);
        copies[i].sealed = exports[i].aead;
        memcpy(copies[i].name, name, name_len);
        memcpy(copies[i].path, path, strlen(path) + 1);
        for (size_t k = 0; k < i; k++)
            if (strcmp(copies[k].name, copies[i].name) == 0)
                return hr_error_set(error, HR_INVALID, "two exports are named %s", copies[i].name);
    }
    return HR_OK;
}

/* Owns access in every case. */
static hr_status server_create(hr_engine *engine, hr_access *access, bool network,
                               const char *address, const hr_export *exports, size_t count,
                               hr_server **server_out, hr_error *error)
{
    const hr_env *env = engine->env;
    hr_server *server = hr_alloc(env, sizeof *server);
    hr_store_export *copies = hr_alloc(env, count * sizeof *copies);
    hr_status status = HR_NO_MEMORY;
    if (server == NULL || copies == NULL) {
        hr_error_set(error, status, "making the server: out of memory");
        goto release;
    }
    status = copy_exports(exports, count, copies, error);
    if (status != HR_OK)
        goto release;
    hr_worker *home = hr_engine_home(engine);
    server->engine = engine;
    server->env = env;
    server->network = network;
    server->access = access;
    server->transport = network ? home->network : home->inproc;
    server->status = HR_AGAIN;
    server->listen_again.fire = listen_again;
    server->farewells = (hr_farewells){.env = env,
                                       .scratch = &engine->scratch,
                                       .none_left = farewells_are_over,
                                       .context = server};
    server->next_session = hr_random_u64(env) >> 16;
    env->random(env->context, server->boot_id, sizeof server->boot_id);
    hr_list_init(&server->sessions);
    snprintf(server->wanted, sizeof server->wanted, "%s", address);
    status = hr_store_open(&server->store, env, home->storage, copies, count, store_ready, server);
    if (status != HR_OK)
        hr_error_set(error, status, "opening the exports: %s", hr_status_text(status));
release:
    hr_release(env, copies);
    if (status != HR_OK) {
        hr_access_destroy(access);
        hr_release(env, server);
    } else {
        *server_out = server;
    }
    return status;
}

hr_status hr_server_open(hr_engine *engine, const hr_server_options *options,
                         hr_server **server_out, hr_error *error)
{
    const char *address = options->listen != NULL ? options->listen : "127.0.0.1:7431";
    if (options->export_count == 0)
        return hr_error_set(error, HR_INVALID, "nothing to serve: name a directory");
    if (strrchr(address, ':') == NULL)
        return hr_error_set(error, HR_INVALID,
                            "listening on %s: it is no ADDR:PORT, such as 0.0.0.0:7431", address);
    for (size_t i = 0; i < options->export_count; i++)
        if (options->exports[i].aead && (options->trust.insecure || hr_address_is_file(address)))
            return hr_error_set(error, HR_POLICY,
                                "an export is to be encrypted, and %s has no keys for it: leave "
                                "one of them out",
                                options->trust.insecure ? "--insecure" : "a socket");
    if (options->trust.insecure && !hr_address_is_file(address))
        hr_log(engine->env, HR_LOG_WARN,
               "--insecure: peers are not authenticated, and everybody who reaches %s may read the "
               "exports",
               address);
    hr_access *access;
    hr_status status = hr_access_create(engine->env, options, &access, error);
    if (status == HR_OK)
        status = server_create(engine, access, true, address, options->exports,
                               options->export_count, server_out, error);
    if (status == HR_OK)
        (*server_out)->sessions_max =
            options->sessions_max != 0 ? options->sessions_max : SESSIONS_DEFAULT;
    return status;
}

hr_status hr_server_reload(hr_server *server, hr_error *error)
{
    return hr_access_reload(server->access, error);
}

hr_status hr_server_open_inproc(hr_engine *engine, const hr_export *export,
                                void (*settled)(void *context), void *context,
                                hr_server **server_out, hr_error *error)
{
    char name[32];
    snprintf(name, sizeof name, "local-%016llx", (unsigned long long)hr_random_u64(engine->env));
    hr_access *access;
    hr_status status = hr_access_create(engine->env, NULL, &access, error);
    if (status == HR_OK)
        status = server_create(engine, access, false, name, export, 1, server_out, error);
    if (status == HR_OK) {
        (*server_out)->sessions_max = 1;
        (*server_out)->settled = settled;
        (*server_out)->settled_context = context;
    }
    return status;
}

/* ---- closing ---- */

static void store_is_closed(void *context)
{
    hr_server *server = context;
    void (*closed)(void *) = server->closed;
    void *closed_context = server->closed_context;
    hr_access_destroy(server->access);
    hr_release(server->env, server);
    closed(closed_context);
}

static void finish_closing(hr_server *server)
{
    if (!server->closing || server->store_closing || !server->store_open ||
        !hr_list_is_empty(&server->sessions) || server->farewells.count > 0)
        return;
    server->store_closing = true;
    hr_store_close(&server->store, store_is_closed, server);
}

void hr_server_close(hr_server *server, void (*closed)(void *context), void *context)
{
    assert(!server->closing);
    server->closing = true;
    server->closed = closed;
    server->closed_context = context;
    hr_loop_timer_clear(hr_engine_home(server->engine)->loop, &server->listen_again);
    if (server->listener != NULL)
        server->transport->ops->unlisten(server->listener);
    if (server->rdma_listener != NULL) {
        hr_transport *rdma = hr_engine_home(server->engine)->rdma;
        rdma->ops->unlisten(server->rdma_listener);
    }
    server->listener = server->rdma_listener = NULL;
    for (hr_list *node = server->sessions.next; node != &server->sessions; node = node->next)
        hr_session_end(HR_CONTAINER(node, hr_session, node), HR_PEER_LOST,
                       "the server is stopping; the next run continues where this one ended");
    finish_closing(server);
}

static void note_closed(void *context)
{
    *(bool *)context = true;
}

void hr_server_destroy(hr_server *server)
{
    if (server == NULL)
        return;
    hr_engine *engine = server->engine;
    bool closed = false;
    hr_server_close(server, note_closed, &closed);
    while (!closed)
        hr_engine_step(engine, HR_NS_PER_S);
}

/* ---- what it is ---- */

hr_status hr_server_status(const hr_server *server)
{
    return server->status;
}

const hr_error *hr_server_error(const hr_server *server)
{
    return &server->error;
}

const char *hr_server_address(const hr_server *server)
{
    return server->address;
}

hr_server_counters hr_server_count(const hr_server *server)
{
    return server->counters;
}
