/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "links.h"
#include "transfer.h"

#define CONNECT_TIMEOUT (5 * HR_NS_PER_S)
/* A process that dies closes its descriptors one after the other: meanwhile it still seems to
 * listen. */
#define ASK_AGAIN_NS (200 * HR_NS_PER_MS)

static void connect_control(hr_client *client);

static hr_loop *home_loop(const hr_client *client)
{
    return hr_engine_home(client->engine)->loop;
}

/* ---- being settled ---- */

static void settle(hr_client *client)
{
    hr_list *node;
    while ((node = hr_list_take_first(&client->waiters)) != NULL) {
        hr_client_waiter *waiter = HR_CONTAINER(node, hr_client_waiter, node);
        waiter->settled(waiter);
    }
}

void hr_client_wait(hr_client *client, hr_client_waiter *waiter)
{
    hr_list_init(&waiter->node);
    if (client->status == HR_AGAIN)
        hr_list_append(&client->waiters, &waiter->node);
    else
        waiter->settled(waiter);
}

void hr_client_drop_links(hr_client *client)
{
    for (unsigned i = 0; i < client->link_count; i++)
        hr_receiver_close(&client->receivers[i]);
}

/* One that ends may end others of its request with it, so that no pointer to the next one would be
 * safe: each is moved away before it is told. */
static void fail_transfers(hr_client *client)
{
    hr_list told, *node;
    hr_list_init(&told);
    while ((node = hr_list_take_first(&client->transfers)) != NULL) {
        hr_list_append(&told, node);
        hr_transfer_client_failed(HR_CONTAINER(node, hr_transfer, node));
    }
    while ((node = hr_list_take_first(&told)) != NULL)
        hr_list_append(&client->transfers, node);
}

static void fail_everything(hr_client *client)
{
    fail_transfers(client);
    hr_client_fail_questions(client);
    hr_listing_fail_all(client, client->error.status, client->error.text);
    settle(client);
}

void hr_client_fail(hr_client *client, hr_status status, const char *format, ...)
{
    if (client->status != HR_AGAIN && client->status != HR_OK)
        return;
    char text[sizeof client->error.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    client->status = hr_error_set(&client->error, status, "%s", text);
    hr_loop_timer_clear(home_loop(client), &client->timer);
    hr_loop_timer_clear(home_loop(client), &client->again);
    if (client->control_open)
        hr_control_close(&client->control, HR_OK, "%s", "");
    hr_links_close(client);
    fail_everything(client);
}

/* ---- links ---- */

static void feed_transfers(hr_client *client)
{
    hr_list *next;
    for (hr_list *node = client->transfers.next; node != &client->transfers; node = next) {
        next = node->next;
        hr_transfer_feed(HR_CONTAINER(node, hr_transfer, node));
    }
}

void hr_client_link_up(hr_client *client)
{
    if (client->status == HR_AGAIN) {
        client->status = HR_OK;
        hr_loop_timer_clear(home_loop(client), &client->timer);
        settle(client);
    }
    feed_transfers(client);
}

static void destroy_if_over(hr_client *client);

void hr_client_link_over(hr_client *client)
{
    hr_links_close(client);
    destroy_if_over(client);
}

/* ---- messages ---- */

static hr_transfer *find_transfer(hr_client *client, uint64_t number)
{
    for (hr_list *node = client->transfers.next; node != &client->transfers; node = node->next) {
        hr_transfer *transfer = HR_CONTAINER(node, hr_transfer, node);
        if (transfer->number == number)
            return transfer;
    }
    return NULL;
}

/* Sealed chunks need a secret of the channel. */
static uint64_t offered_features(const hr_client *client)
{
    return HR_FEATURES | (client->identity != NULL ? HR_FEATURE_AEAD : 0);
}

hr_status hr_client_check_path(const hr_client *client, size_t len, hr_error *error)
{
    if (len <= HR_MESSAGE_PATH_PLAIN || (client->features & HR_FEATURE_DEEP) != 0)
        return HR_OK;
    return hr_error_set(error, HR_UNSUPPORTED,
                        "a path of %zu bytes: the server at %s is too old for more than %u", len,
                        client->address, HR_MESSAGE_PATH_PLAIN);
}

static void take_welcome(hr_client *client, const hr_message_welcome *welcome)
{
    if (welcome->major != HR_PROTOCOL_MAJOR) {
        hr_client_fail(client, HR_VERSION,
                       "this client speaks version %d of the protocol, the server at %s version "
                       "%u: use releases that share one",
                       HR_PROTOCOL_MAJOR, client->address, welcome->major);
        return;
    }
    if ((welcome->features & ~offered_features(client)) != 0) {
        hr_client_fail(client, HR_PROTOCOL, "%s uses features that were not offered",
                       client->address);
        return;
    }
    client->welcomed = true;
    client->features = welcome->features;
    client->session = welcome->session;
    if (client->link_count > welcome->links_max)
        client->link_count = welcome->links_max;
    if (client->link_count == 0) {
        hr_client_fail(client, HR_LIMIT, "%s allows no data links", client->address);
        return;
    }
    hr_links_open(client);
}

void hr_client_abandon(hr_client *client, uint64_t transfer, bool is_bundles)
{
    if (client->abandoned_count < HR_ABANDONED_MAX)
        client->abandoned[client->abandoned_count++] = (hr_abandoned){transfer, is_bundles};
}

static void take_opened(hr_client *client, const hr_message_opened *opened)
{
    hr_transfer *transfer = find_transfer(client, opened->transfer);
    if (transfer != NULL) {
        hr_transfer_take_opened(transfer, opened);
        return;
    }
    for (unsigned i = 0; i < client->abandoned_count; i++) {
        hr_abandoned found = client->abandoned[i];
        if (found.transfer != opened->transfer)
            continue;
        client->abandoned[i] = client->abandoned[--client->abandoned_count];
        if (opened->status == HR_OK && (opened->type == HR_NODE_REGULAR || found.is_bundles))
            hr_client_send(client, &(hr_message){.kind = HR_MESSAGE_CLOSE,
                                                 .close = {.transfer = found.transfer}});
        return;
    }
}

/* Transfers that are over may still be spoken of: their last answers cross our close. */
static void take_of_transfer(hr_client *client, const hr_message *message)
{
    hr_transfer *transfer;
    switch ((int)message->kind) {
    case HR_MESSAGE_OPENED:
        take_opened(client, &message->opened);
        break;
    case HR_MESSAGE_FAILED:
        if ((transfer = find_transfer(client, message->failed.transfer)) != NULL)
            hr_transfer_take_failed(transfer, &message->failed);
        break;
    case HR_MESSAGE_CLOSED:
        if ((transfer = find_transfer(client, message->closed.transfer)) != NULL)
            hr_transfer_take_closed(transfer, &message->closed);
        break;
    default:
        hr_client_fail(client, HR_PROTOCOL, "%s said %s out of order", client->address,
                       hr_message_name(message->kind));
    }
}

static void take_message(void *context, const hr_message *message)
{
    hr_client *client = context;
    if (client->welcomed == (message->kind == HR_MESSAGE_WELCOME))
        hr_client_fail(client, HR_PROTOCOL, "%s said %s out of order", client->address,
                       hr_message_name(message->kind));
    else if (message->kind == HR_MESSAGE_WELCOME)
        take_welcome(client, &message->welcome);
    else if (message->kind == HR_MESSAGE_TICKETS)
        hr_links_take_tickets(client, &message->tickets);
    else if (message->kind == HR_MESSAGE_JOINED)
        hr_links_take_joined(client, &message->joined);
    else if (message->kind == HR_MESSAGE_PARTED)
        hr_links_take_parted(client, &message->parted);
    else if (message->kind == HR_MESSAGE_ENTRIES)
        hr_listing_take(client, &message->entries);
    else if (message->kind == HR_MESSAGE_DIGESTED)
        hr_client_take_digested(client, &message->digested);
    else
        take_of_transfer(client, message);
}

void hr_client_send(hr_client *client, const hr_message *message)
{
    if (client->control_open)
        hr_control_send(&client->control, message);
}

static void send_grants(hr_task *task)
{
    hr_client *client = HR_CONTAINER(task, hr_client, grant_task);
    if (client->grant_count == 0)
        return;
    size_t count = client->grant_count;
    client->grant_count = 0;
    hr_client_send(client, &(hr_message){
                               .kind = HR_MESSAGE_GRANT,
                               .grant = {.grants = client->grants, .count = count},
                           });
}

void hr_client_grant(hr_client *client, const hr_grant *grant)
{
    client->grants[client->grant_count++] = *grant;
    if (client->grant_count == HR_MESSAGE_GRANTS_MAX)
        send_grants(&client->grant_task);
    else
        hr_loop_defer(home_loop(client), &client->grant_task);
}

/* ---- the control ---- */

static void control_up(void *context)
{
    hr_client *client = context;
    hr_client_send(client, &(hr_message){
                               .kind = HR_MESSAGE_HELLO,
                               .hello = {.major = HR_PROTOCOL_MAJOR,
                                         .minor = HR_PROTOCOL_MINOR,
                                         .features = offered_features(client),
                                         .name = hr_bytes_make("headrace", 8)},
                           });
}

/* What it says of itself does not. */
static bool names_server(const hr_client *client, const char *text)
{
    return strstr(text, client->address) != NULL ||
           strstr(text, client->control.channel->peer) != NULL;
}

/* One that hangs up without a word may be a server that dies just now, or has no memory or no time
 * left for strangers: asked once more, it does not answer, or it or its successor does. It may be
 * something else altogether too, which nobody can tell from here: to come again may help. */
static void control_down(void *context, hr_status status, const char *text)
{
    hr_client *client = context;
    bool named = !client->network || names_server(client, text);
    hr_control_fini(&client->control);
    client->control_open = false;
    bool hung_up = client->control.reached && !client->welcomed && status == HR_PEER_LOST;
    if (hung_up && !client->asked_again && client->status == HR_AGAIN) {
        client->asked_again = true;
        status = hr_loop_timer_set(home_loop(client), &client->again,
                                   hr_now_ns(client->env) + ASK_AGAIN_NS);
        if (status != HR_OK)
            hr_client_fail(client, status, "connecting to %s: %s", client->address,
                           hr_status_text(status));
        destroy_if_over(client);
        return;
    }
    if (hung_up)
        hr_client_fail(client, HR_UNREACHABLE,
                       "what listens on %s hung up twice without a word: a server that is full or "
                       "ending may do so, then run the same command again; else, is it a headrace "
                       "server, and %s --insecure as we are?",
                       client->address, client->identity != NULL ? "without" : "with");
    else if (!client->control.reached && status == HR_NOT_FOUND &&
             !hr_address_is_file(client->address))
        hr_client_fail(client, HR_UNREACHABLE, "connecting to %s: there is no host of this name",
                       client->address);
    else if (!client->control.reached)
        hr_client_fail(client, status == HR_OK ? HR_PEER_LOST : status,
                       "connecting to %s%s: %s; is a server running there?", client->address,
                       client->asked_again ? " once more, after it hung up instead of welcoming us"
                                           : "",
                       hr_status_text(status));
    else
        hr_client_fail(
            client, status == HR_OK ? HR_PEER_LOST : status, "%s%s%s%s%s",
            named ? "" : "the server at ", named ? "" : client->address, named ? "" : ": ", text,
            status == HR_PEER_LOST ? "; when the server is there again, run the same command again"
                                   : "");
    destroy_if_over(client);
}

static const hr_control_events control_events = {
    .up = control_up,
    .message = take_message,
    .down = control_down,
};

static void connect_control(hr_client *client)
{
    hr_worker *home = hr_engine_home(client->engine);
    hr_status status =
        hr_control_connect(&client->control, client->env, &client->engine->scratch,
                           client->network ? home->network : home->inproc, client->identity,
                           client->address, &control_events, client);
    client->control_open = status == HR_OK;
    if (status != HR_OK)
        hr_client_fail(client, status, "connecting to %s: %s", client->address,
                       status == HR_INVALID ? "it is no host:port" : hr_status_text(status));
}

static void ask_again(hr_timer *timer)
{
    connect_control(HR_CONTAINER(timer, hr_client, again));
}

/* Who accepts a connection and is silent may only be too busy: as long as nothing says that it is
 * something else, to come again may help. */
static void connect_timed_out(hr_timer *timer)
{
    hr_client *client = HR_CONTAINER(timer, hr_client, timer);
    const char *what = !client->control.reached ? "no answer from"
                       : !client->welcomed      ? "no welcome from"
                                                : "no data link from";
    hr_client_fail(client, HR_UNREACHABLE,
                   "%s %s in %llu ms; if it is only busy, run the same command again; else, is it "
                   "a headrace server, and can its port be reached?",
                   what, client->address,
                   (unsigned long long)(client->connect_timeout_ns / HR_NS_PER_MS));
}

/* ---- opening ---- */

static void embedded_ready(void *context)
{
    hr_client *client = context;
    if (client->status != HR_AGAIN)
        return;
    if (hr_server_status(client->embedded) != HR_OK) {
        const hr_error *error = hr_server_error(client->embedded);
        hr_client_fail(client, error->status, "%s", error->text);
        return;
    }
    snprintf(client->address, sizeof client->address, "%s", hr_server_address(client->embedded));
    connect_control(client);
}

static bool requires(const char *require, const char *what)
{
    size_t len = strlen(what);
    while (require != NULL && *require != '\0') {
        size_t word_len = strcspn(require, ",");
        if (word_len == len && memcmp(require, what, len) == 0)
            return true;
        require += word_len + (require[word_len] == ',');
    }
    return false;
}

static bool is_requirement(const char *word, size_t len)
{
    static const char *const known[] = {"tcp", "rdma", "gpu", "gpudirect", "local", "aead"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == len && memcmp(known[i], word, len) == 0)
            return true;
    return false;
}

/* "tcp,local": what is asked for and cannot be is refused here, before anything moves. Whether the
 * server has RDMA too, whether it works, and whether chunks come sealed, is seen later. */
static hr_status check_requirements(const hr_engine *engine, const char *require, bool network,
                                    bool *rdma_out, hr_error *error)
{
    bool tcp = false;
    if (requires(require, "aead") && requires(require, "gpudirect"))
        return hr_error_set(error, HR_UNSUPPORTED,
                            "aead and gpudirect are required: what comes sealed is opened in host "
                            "memory");
    while (require != NULL && *require != '\0') {
        size_t len = strcspn(require, ",");
        bool rdma = network && ((len == 4 && memcmp(require, "rdma", 4) == 0) ||
                                (len == 9 && memcmp(require, "gpudirect", 9) == 0));
        if (rdma && hr_engine_home(engine)->rdma == NULL)
            return hr_error_set(error, HR_UNSUPPORTED,
                                "rdma is required, and this machine has none: %s; headrace doctor "
                                "says more, and without --require tcp is taken",
                                engine->platform->rdma_why);
        *rdma_out = *rdma_out || rdma;
        tcp = tcp || (len == 3 && memcmp(require, "tcp", 3) == 0);
        bool met = rdma || (tcp && network) ||
                   (len == 4 && memcmp(require, "aead", 4) == 0 && network) ||
                   (len == 5 && memcmp(require, "local", 5) == 0 && !network) ||
                   (len == 3 && memcmp(require, "gpu", 3) == 0); /* seen when it is opened */
        if (tcp && *rdma_out)
            return hr_error_set(error, HR_UNSUPPORTED,
                                "tcp and rdma are required: the data takes one of them");
        if (!met && !is_requirement(require, len))
            return hr_error_set(
                error, HR_INVALID,
                "'%.*s' cannot be required: it is one of tcp, rdma, gpu, gpudirect, "
                "local, aead",
                (int)(len < 64 ? len : 64), require);
        if (!met)
            return hr_error_set(error, HR_UNSUPPORTED,
                                "%.*s is required, and this path is %s; without --require the "
                                "best path that is there is taken",
                                (int)len, require, network ? "over the network" : "local");
        require += len + (require[len] == ',');
    }
    return HR_OK;
}

static hr_status load_identity(hr_client *client, const hr_client_options *options, hr_error *error)
{
    if (options->address == NULL || hr_address_is_file(options->address))
        return HR_OK;
    if (!options->trust.insecure)
        return hr_identity_load(client->env, &options->trust, HR_SIDE_CLIENT,
                                hr_address_is_loopback(options->address), &client->identity, error);
    hr_log(client->env, HR_LOG_WARN,
           "--insecure: nobody knows who answers on %s, or who reads along and changes what comes",
           options->address);
    return HR_OK;
}

hr_status hr_client_open(hr_engine *engine, const hr_client_options *options,
                         hr_client **client_out, hr_error *error)
{
    if ((options->address == NULL) == (options->local_path == NULL))
        return hr_error_set(error, HR_INVALID, "a client needs an address or a local path");
    bool rdma = options->address != NULL && engine->transport == HR_TRANSPORT_VERBS;
    hr_status status =
        check_requirements(engine, options->require, options->address != NULL, &rdma, error);
    if (status != HR_OK)
        return status;
    hr_client *client = hr_alloc(engine->env, sizeof *client);
    if (client == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "making the client: out of memory");
    client->engine = engine;
    client->env = engine->env;
    status = load_identity(client, options, error);
    if (status != HR_OK) {
        hr_release(client->env, client);
        return status;
    }
    client->network = options->address != NULL;
    client->rdma_required = rdma;
    if (!client->network || hr_engine_home(engine)->rdma == NULL)
        snprintf(client->no_rdma, sizeof client->no_rdma, "%s",
                 client->network ? engine->platform->rdma_why : "within one process");
    client->requires_aead = requires(options->require, "aead");
    client->requires_gpudirect = requires(options->require, "gpudirect");
    client->requires_gpu = client->requires_gpudirect || requires(options->require, "gpu");
    client->status = HR_AGAIN;
    client->timer.fire = connect_timed_out;
    client->again.fire = ask_again;
    client->grant_task.run = send_grants;
    hr_list_init(&client->waiters);
    hr_list_init(&client->transfers);
    hr_list_init(&client->listing);
    hr_list_init(&client->listings);
    hr_list_init(&client->asked);
    hr_list_init(&client->asking);
    hr_links_init(client, options->links);
    client->connect_timeout_ns =
        options->connect_timeout_ns != 0 ? options->connect_timeout_ns : CONNECT_TIMEOUT;
    status = hr_links_look_out(client, options->target);
    if (status == HR_OK)
        status = hr_loop_timer_set(home_loop(client), &client->timer,
                                   hr_now_ns(client->env) + client->connect_timeout_ns);
    if (status == HR_OK && client->network) {
        snprintf(client->address, sizeof client->address, "%s", options->address);
        connect_control(client);
    } else if (status == HR_OK) {
        hr_export export = {.name = "local", .path = options->local_path};
        status = hr_server_open_inproc(engine, &export, embedded_ready, client, &client->embedded,
                                       error);
    }
    if (status != HR_OK) {
        hr_loop_timer_clear(home_loop(client), &client->timer);
        hr_survey_fini(&client->survey);
        hr_identity_release(client->identity);
        hr_release(client->env, client);
        return hr_error_set(error, status, "making the client: %s", hr_status_text(status));
    }
    *client_out = client;
    return HR_OK;
}

hr_status hr_client_status(const hr_client *client)
{
    return client->status;
}

const hr_error *hr_client_error(const hr_client *client)
{
    return &client->error;
}

/* ---- the end ---- */

static bool is_over(const hr_client *client)
{
    if (client->control_open || !hr_list_is_empty(&client->transfers))
        return false;
    return hr_links_are_over(client);
}

static void embedded_closed(void *context)
{
    hr_client *client = context;
    client->embedded = NULL;
}

static void destroy_if_over(hr_client *client)
{
    if (!client->destroying || !is_over(client) || client->embedded == NULL ||
        client->embedded_closing)
        return;
    client->embedded_closing = true;
    hr_server_close(client->embedded, embedded_closed, client);
}

void hr_client_destroy(hr_client *client)
{
    if (client == NULL)
        return;
    client->destroying = true;
    hr_client_fail(client, HR_CANCELED, "the client was closed");
    destroy_if_over(client);
    while (!is_over(client) || client->embedded != NULL || client->grant_task.queued)
        hr_engine_step(client->engine, HR_NS_PER_S);
    hr_loop_timer_clear(home_loop(client), &client->timer);
    hr_survey_fini(&client->survey);
    hr_identity_release(client->identity);
    hr_release(client->env, client);
}
