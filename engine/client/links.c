/* SPDX-License-Identifier: Apache-2.0 */
#include "links.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "transfer.h"

/* A link that dies more often than this has a cause that opening it again does not mend. */
#define REBUILDS_MAX      6
#define REBUILD_WINDOW_NS (10 * HR_NS_PER_S)
/* What a server has no room for is asked for again after 1 s, 2 s, 4 s, ... and then each minute:
 * others may have left. Without any link that is done for a minute. */
#define REFUSED_WAIT_NS     HR_NS_PER_S
#define REFUSED_WAIT_MAX_NS (60 * HR_NS_PER_S)
#define REFUSALS_ALONE_MAX  6

static hr_worker *home_of(const hr_client *client)
{
    return hr_engine_home(client->engine);
}

static void judge_deaths(hr_client *client);

static void say_parted(hr_client *client, uint32_t link)
{
    hr_client_send(client, &(hr_message){.kind = HR_MESSAGE_PARTED, .parted = {.link = link}});
}

unsigned hr_links_count(const hr_client *client)
{
    unsigned count = 0;
    for (unsigned i = 0; i < client->link_count; i++)
        count += !client->receivers[i].refused;
    return count;
}

/* ---- tickets ---- */

static bool wants_ticket(const hr_receiver *receiver)
{
    return receiver->state == HR_RECEIVER_IDLE && (!receiver->refused || receiver->retried);
}

void hr_links_open(hr_client *client)
{
    unsigned idle = 0;
    for (unsigned i = 0; i < client->link_count; i++)
        idle += wants_ticket(&client->receivers[i]);
    if (idle == 0 || client->asked_count > 0)
        return;
    client->asked_first = client->next_link;
    client->asked_count = idle;
    client->next_link += idle;
    hr_client_send(client, &(hr_message){
                               .kind = HR_MESSAGE_KEYS,
                               .keys = {.first_link = client->asked_first, .links = idle},
                           });
}

/* What of the server's rails we have a transport for. */
static void note_rails(hr_client *client, const hr_message_tickets *tickets)
{
    hr_survey *survey = &client->survey;
    survey->count = 0;
    for (size_t i = 0; i < tickets->rail_count && survey->count < HR_RAILS_MAX; i++) {
        const hr_rail *rail = &tickets->rails[i];
        const char *family = survey->rdma->ops->name;
        if (rail->family.len != strlen(family) ||
            memcmp(rail->family.at, family, rail->family.len) != 0 ||
            rail->address.len >= sizeof survey->found[0].address)
            continue;
        hr_route *route = &survey->found[survey->count++];
        snprintf(route->address, sizeof route->address, "%.*s", (int)rail->address.len,
                 (const char *)rail->address.at);
    }
}

static void learn_rails(hr_client *client)
{
    hr_survey *survey = &client->survey;
    if (survey->has_site) {
        client->routes.target = survey->site;
        client->routes.has_target = true;
    }
    hr_routes_sort(&client->routes, survey->found, survey->count);
    for (size_t i = 0; i < survey->count; i++)
        hr_rails_add(&client->rails, survey->found[i].address, survey->found[i].nics);
    if (client->no_rdma[0] == '\0' && client->rails.count == 0)
        snprintf(client->no_rdma, sizeof client->no_rdma, "the server offers no RDMA");
}

/* The NIC of ours by which a link goes out to one of the server's rails. */
static unsigned choose_nic(const hr_client *client, uint32_t server_rail, unsigned number)
{
    return hr_routes_choose(&client->routes, client->rails.rails[server_rail].nics,
                            number / client->rails.count);
}

/* Each link has its worker for good before the first one is up, for parts are made with it: one
 * that sits where the link's NIC does. */
static void place_links(hr_client *client)
{
    if (client->placed)
        return;
    client->placed = true;
    for (unsigned i = 0; i < client->link_count; i++) {
        uint32_t rail =
            client->no_rdma[0] != '\0' ? HR_RAIL_NONE : hr_rails_prefer(&client->rails, i);
        client->receivers[i].worker = hr_engine_worker_for(
            client->engine, rail == HR_RAIL_NONE ? HR_RAIL_ANY : choose_nic(client, rail, i), i);
    }
}

static void open_link(hr_client *client, unsigned number, const hr_greeting *greeting)
{
    hr_receiver *receiver = &client->receivers[number];
    hr_worker *worker = receiver->worker;
    receiver->retried = false;
    receiver->server_rail = client->no_rdma[0] != '\0'
                                ? HR_RAIL_NONE
                                : hr_rails_choose(&client->rails, number, hr_now_ns(client->env));
    if (receiver->server_rail == HR_RAIL_NONE) {
        hr_receiver_open(receiver, client->network ? worker->network : worker->inproc,
                         client->address, HR_RAIL_ANY, greeting);
        return;
    }
    const hr_rail_health *rail = &client->rails.rails[receiver->server_rail];
    hr_receiver_open(receiver, worker->rdma, rail->address,
                     choose_nic(client, receiver->server_rail, number), greeting);
}

/* The tickets, once it is known where the server's rails lead to. */
static void use_tickets(hr_client *client)
{
    unsigned count = client->asked_count, used = 0;
    client->asked_count = 0;
    learn_rails(client);
    judge_deaths(client);
    if (client->status != HR_AGAIN && client->status != HR_OK)
        return;
    if (client->rdma_required && client->no_rdma[0] != '\0') {
        hr_client_fail(client, HR_UNSUPPORTED, "RDMA is required: %s", client->no_rdma);
        return;
    }
    place_links(client);
    for (unsigned i = 0; i < client->link_count && used < count; i++) {
        if (!wants_ticket(&client->receivers[i]))
            continue;
        const hr_ticket *ticket = &client->tickets[used++];
        hr_greeting greeting = {
            .kind = HR_GREETING_LINK,
            .major = HR_PROTOCOL_MAJOR,
            .session = client->session,
            .link = ticket->link,
        };
        memcpy(greeting.ticket, ticket->ticket, HR_TICKET_LEN);
        open_link(client, i, &greeting);
    }
    for (; used < count; used++) /* of links that were refused meanwhile */
        say_parted(client, client->tickets[used].link);
    hr_links_open(client); /* those that died while the tickets were under way */
}

static void surveyed(void *context)
{
    hr_client *client = context;
    if (client->status == HR_AGAIN || client->status == HR_OK)
        use_tickets(client);
    else
        hr_client_link_over(client);
}

void hr_links_take_tickets(hr_client *client, const hr_message_tickets *tickets)
{
    if (tickets->status != HR_OK || tickets->ticket_count != client->asked_count ||
        client->asked_count == 0 || client->survey.busy) {
        hr_client_fail(client, tickets->status != HR_OK ? tickets->status : HR_PROTOCOL,
                       "%s gave no tickets for data links: %.*s", client->address,
                       (int)tickets->text.len, (const char *)tickets->text.at);
        return;
    }
    memcpy(client->tickets, tickets->tickets, tickets->ticket_count * sizeof *client->tickets);
    if (client->no_rdma[0] == '\0')
        note_rails(client, tickets);
    if (client->no_rdma[0] == '\0' && client->survey.count > 0)
        hr_survey_start(&client->survey);
    else
        use_tickets(client);
}

static void ask_again(hr_timer *timer)
{
    hr_client *client = HR_CONTAINER(timer, hr_client, refused_timer);
    client->asks_later = false;
    for (unsigned i = 0; i < client->link_count; i++)
        client->receivers[i].retried = client->receivers[i].refused;
    hr_links_open(client);
}

static void ask_later(hr_client *client)
{
    hr_loop *loop = home_of(client)->loop;
    if (client->asks_later)
        return;
    uint64_t wait_ns = REFUSED_WAIT_NS << (client->refusals < 6 ? client->refusals : 6);
    client->refusals++;
    client->asks_later =
        hr_loop_timer_set(loop, &client->refused_timer,
                          hr_loop_now_ns(loop) + hr_min_u64(wait_ns, REFUSED_WAIT_MAX_NS)) == HR_OK;
    if (!client->asks_later)
        hr_log(client->env, HR_LOG_WARN, "refused links stay unused: out of memory");
}

/* The transfer goes on over those that there is room for. At the start there must be one; later
 * the last one may have died, and its successor be refused before the server knows that. */
static void refused(hr_client *client, hr_receiver *receiver)
{
    bool before = receiver->refused;
    receiver->refused = receiver->moving = true;
    receiver->unjudged = false;
    hr_receiver_close(receiver);
    unsigned left = hr_links_count(client);
    if (left == 0 && (client->status == HR_AGAIN || client->refusals > REFUSALS_ALONE_MAX))
        hr_client_fail(
            client, HR_LIMIT,
            "%s has no room for a data link of ours: it, or whoever we are to it, has as "
            "much memory in use as may be; try again later",
            client->address);
    else if (!before && left + 1 == client->link_count)
        hr_log(client->env, HR_LOG_WARN,
               "%s has no room for all of %u data links: going on over fewer, and asking again "
               "later",
               client->address, client->link_count);
}

/* There is room again. */
static void taken(hr_client *client, hr_receiver *receiver)
{
    if (!receiver->refused)
        return;
    receiver->refused = false;
    client->refusals = 0;
    hr_log(client->env, HR_LOG_INFO, "%s has room again: %u of %u data links", client->address,
           hr_links_count(client), client->link_count);
}

/* One that died meanwhile is not found: its number is not used again. */
void hr_links_take_joined(hr_client *client, const hr_message_joined *joined)
{
    for (unsigned i = 0; i < client->link_count; i++) {
        hr_receiver *receiver = &client->receivers[i];
        if (receiver->state == HR_RECEIVER_IDLE || receiver->greeting.link != joined->link)
            continue;
        taken(client, receiver);
        hr_receiver_join(receiver);
    }
}

void hr_links_take_parted(hr_client *client, const hr_message_parted *parted)
{
    for (unsigned i = 0; i < client->link_count; i++) {
        hr_receiver *receiver = &client->receivers[i];
        if (receiver->greeting.link != parted->link ||
            (receiver->state == HR_RECEIVER_IDLE && !receiver->unjudged))
            continue;
        if (!receiver->joined)
            refused(client, receiver);
        else if (receiver->uses_regions)
            hr_receiver_close(receiver);
        return;
    }
}

/* ---- what RDMA needs before a link is up ---- */

/* RDMA is of no use in this session. */
static void give_rdma_up(hr_client *client, hr_status status, const char *what)
{
    if (client->no_rdma[0] != '\0')
        return;
    snprintf(client->no_rdma, sizeof client->no_rdma, "%s: %s%s", what, hr_status_text(status),
             status == HR_LIMIT ? "; locked memory is limited: see ulimit -l and headrace doctor"
                                : "");
    if (client->rdma_required) {
        hr_client_fail(client, HR_UNSUPPORTED, "RDMA is required: %s", client->no_rdma);
        return;
    }
    hr_log(client->env, HR_LOG_WARN, "going on over TCP: %s", client->no_rdma);
    for (unsigned i = 0; i < client->link_count; i++)
        if (client->receivers[i].server_rail != HR_RAIL_NONE) {
            client->receivers[i].moving = true;
            hr_receiver_close(&client->receivers[i]);
        }
}

static hr_exposure *find_exposure(hr_client *client, const hr_receiver *receiver)
{
    for (hr_list *node = client->exposures.next; node != &client->exposures; node = node->next) {
        hr_exposure *exposure = HR_CONTAINER(node, hr_exposure, node);
        if (exposure->worker == receiver->worker && exposure->rail == receiver->rail)
            return exposure;
    }
    return NULL;
}

/* The keys of the slots are told once, that of the ring for each link. */
static void tell_keys(hr_client *client, hr_receiver *receiver, hr_exposure *exposure)
{
    hr_region_key regions[HR_MESSAGE_REGIONS_MAX];
    size_t count = 0;
    for (; !exposure->told && count < exposure->count; count++)
        regions[count] = (hr_region_key){
            .index = exposure->first + (uint32_t)count,
            .address = exposure->regions[count].address,
            .len = exposure->regions[count].span.len,
            .rkey = exposure->regions[count].key,
        };
    exposure->told = true;
    hr_ring_key ring = {
        .link = receiver->greeting.link,
        .address = receiver->ring.address,
        .rkey = receiver->ring.key,
    };
    hr_client_send(
        client,
        &(hr_message){
            .kind = HR_MESSAGE_KEYS,
            .keys = {.regions = regions, .region_count = count, .rings = &ring, .ring_count = 1},
        });
    hr_receiver_probe(receiver, exposure);
}

static void forget_exposure(hr_client *client, hr_exposure *exposure)
{
    hr_list_remove(&exposure->node);
    hr_region_numbers_give(&client->numbers, exposure->first, exposure->count);
    hr_release(client->env, exposure);
}

static void exposure_opened(void *context, hr_exposure *exposure, hr_status status)
{
    hr_client *client = context;
    if (status != HR_OK) {
        forget_exposure(client, exposure);
        give_rdma_up(client, status, "registering the landing slots with the NIC");
        return;
    }
    for (unsigned i = 0; i < client->link_count; i++) {
        hr_receiver *receiver = &client->receivers[i];
        if (receiver->state == HR_RECEIVER_PREPARING && receiver->worker == exposure->worker &&
            receiver->rail == exposure->rail)
            tell_keys(client, receiver, exposure);
    }
    if (client->status != HR_AGAIN && client->status != HR_OK)
        hr_links_close(client);
}

static void exposure_closed(void *context, hr_exposure *exposure)
{
    forget_exposure(context, exposure);
}

static const hr_exposure_events exposure_events = {
    .opened = exposure_opened,
    .closed = exposure_closed,
};

static void expose_slots(hr_client *client, const hr_receiver *receiver)
{
    hr_slots *slots = &receiver->worker->slots;
    uint32_t first = 0;
    hr_exposure *exposure = NULL;
    if (slots->count <= HR_MESSAGE_REGIONS_MAX &&
        hr_region_numbers_take(&client->numbers, slots->count, &first))
        exposure = hr_exposure_create(receiver->worker, home_of(client), receiver->rail, first,
                                      slots->count, &exposure_events, client);
    if (exposure == NULL) {
        give_rdma_up(client, HR_NO_MEMORY, "telling the NIC of the landing slots");
        return;
    }
    for (unsigned i = 0; i < slots->count; i++)
        exposure->regions[i].span = slots->slots[i].span;
    hr_list_append(&client->exposures, &exposure->node);
    hr_exposure_open(exposure);
}

static void receiver_prepare(void *context, hr_receiver *receiver)
{
    hr_client *client = context;
    hr_exposure *exposure = find_exposure(client, receiver);
    if (exposure == NULL)
        expose_slots(client, receiver);
    else if (exposure->state == HR_EXPOSURE_OPEN)
        tell_keys(client, receiver, exposure);
}

static void receiver_probing(void *context, hr_receiver *receiver, const hr_grant *grant)
{
    (void)receiver;
    hr_client_grant(context, grant);
}

/* ---- up and down ---- */

static void receiver_up(void *context, hr_receiver *receiver)
{
    hr_client *client = context;
    client->links_up++;
    hr_rails_worked(&client->rails, receiver->server_rail);
    if (receiver->server_rail != HR_RAIL_NONE) {
        client->control.silence_ns = HR_CONTROL_SILENCE_RDMA_NS;
        home_of(client)->rdma->ops->rail(home_of(client)->rdma, receiver->rail, &client->rail_info);
        hr_routes_explain(&client->routes, receiver->rail, client->rail_why,
                          sizeof client->rail_why);
    }
    hr_client_link_up(client);
}

static void rails_rested(hr_timer *timer)
{
    hr_client *client = HR_CONTAINER(timer, hr_client, rails_timer);
    hr_loop *loop = home_of(client)->loop;
    uint64_t now_ns = hr_loop_now_ns(loop);
    uint64_t next_ns = hr_rails_wake(&client->rails, now_ns);
    for (unsigned i = 0; i < client->link_count; i++) {
        hr_receiver *receiver = &client->receivers[i];
        if (receiver->state == HR_RECEIVER_UP &&
            receiver->server_rail != hr_rails_choose(&client->rails, i, now_ns)) {
            receiver->moving = true;
            hr_receiver_close(receiver);
        }
    }
    if (next_ns != HR_NEVER && hr_loop_timer_set(loop, timer, next_ns) != HR_OK)
        hr_log(client->env, HR_LOG_WARN, "a rail stays unused: out of memory");
    hr_links_open(client);
}

static void rail_failed(hr_client *client, const hr_receiver *receiver, hr_status status)
{
    hr_rails *rails = &client->rails;
    uint64_t now_ns = hr_now_ns(client->env);
    const char *address = rails->rails[receiver->server_rail].address;
    bool rests = hr_rails_failed(rails, receiver->server_rail, now_ns);
    hr_log(client->env, HR_LOG_INFO, "a link over the rail %s died: %s%s", address,
           status == HR_OK ? "the server says so" : hr_status_text(status),
           rests ? "; it rests for ten seconds" : "; opening another");
    if (hr_rails_never_worked(rails) && hr_rails_choose(rails, 0, now_ns) == HR_RAIL_NONE) {
        char what[120];
        snprintf(what, sizeof what, "the probe over the rail %s", address);
        give_rdma_up(client, status == HR_OK ? HR_DEADLINE : status, what);
    } else if (rests && hr_loop_timer_set(home_of(client)->loop, &client->rails_timer,
                                          hr_rails_wake(rails, now_ns)) != HR_OK) {
        hr_log(client->env, HR_LOG_WARN, "the rail %s stays unused: out of memory", address);
    }
}

static void network_failed(hr_client *client, hr_status status)
{
    uint64_t now_ns = hr_now_ns(client->env);
    if (now_ns - client->rebuild_since_ns > REBUILD_WINDOW_NS) {
        client->rebuild_since_ns = now_ns;
        client->rebuilds = 0;
    }
    if (++client->rebuilds > REBUILDS_MAX * client->link_count) {
        hr_client_fail(client, status == HR_OK ? HR_PEER_LOST : status,
                       "data links to %s die again and again: %s", client->address,
                       hr_status_text(status));
        return;
    }
    hr_log(client->env, HR_LOG_INFO, "a data link to %s died: %s; opening another", client->address,
           hr_status_text(status));
}

static void judge(hr_client *client, const hr_receiver *receiver, hr_status status)
{
    if (receiver->server_rail != HR_RAIL_NONE)
        rail_failed(client, receiver, status);
    else
        network_failed(client, status);
}

static void judge_deaths(hr_client *client)
{
    for (unsigned i = 0; i < client->link_count; i++) {
        hr_receiver *receiver = &client->receivers[i];
        if (receiver->state != HR_RECEIVER_IDLE || !receiver->unjudged)
            continue;
        receiver->unjudged = false;
        judge(client, receiver, receiver->status);
    }
}

static void receiver_down(void *context, hr_receiver *receiver, hr_status status)
{
    hr_client *client = context;
    client->links_up = 0;
    for (unsigned i = 0; i < client->link_count; i++)
        client->links_up += client->receivers[i].state == HR_RECEIVER_UP;
    if (client->status == HR_AGAIN || client->status == HR_OK) {
        if (receiver->uses_regions && receiver->joined)
            say_parted(client, receiver->greeting.link);
        receiver->unjudged = !receiver->moving && !receiver->joined;
        if (!receiver->moving && receiver->joined)
            judge(client, receiver, status);
    }
    if (client->status == HR_AGAIN || client->status == HR_OK) {
        if (receiver->refused)
            ask_later(client);
        hr_links_open(client);
    } else {
        hr_client_link_over(client);
    }
}

static const hr_receiver_events receiver_events = {
    .prepare = receiver_prepare,
    .probing = receiver_probing,
    .up = receiver_up,
    .down = receiver_down,
};

/* ---- the beginning and the end ---- */

void hr_links_init(hr_client *client, unsigned wanted)
{
    hr_engine *engine = client->engine;
    client->link_count = wanted != 0 ? wanted : engine->worker_count;
    if (client->link_count > HR_CLIENT_LINKS_MAX)
        client->link_count = HR_CLIENT_LINKS_MAX;
    for (unsigned i = 0; i < client->link_count; i++)
        hr_receiver_init(&client->receivers[i], &engine->workers[i % engine->worker_count],
                         home_of(client), &receiver_events, client);
    hr_list_init(&client->exposures);
    client->rails_timer.fire = rails_rested;
    client->refused_timer.fire = ask_again;
}

hr_status hr_links_look_out(hr_client *client, const char *target)
{
    hr_transport *rdma = client->network ? home_of(client)->rdma : NULL;
    hr_routes_init(&client->routes, rdma);
    return hr_survey_init(&client->survey, client->engine->platform, rdma, target, surveyed,
                          client);
}

/* An exposure that is still opening is closed when it has. The slots are withdrawn only after the
 * last link is down: its places lie in them. */
void hr_links_close(hr_client *client)
{
    hr_loop_timer_clear(home_of(client)->loop, &client->rails_timer);
    hr_loop_timer_clear(home_of(client)->loop, &client->refused_timer);
    bool idle = true;
    for (unsigned i = 0; i < client->link_count; i++) {
        hr_receiver_close(&client->receivers[i]);
        idle = idle && client->receivers[i].state == HR_RECEIVER_IDLE;
    }
    for (hr_list *node = client->exposures.next; idle && node != &client->exposures;
         node = node->next) {
        hr_exposure *exposure = HR_CONTAINER(node, hr_exposure, node);
        if (exposure->state == HR_EXPOSURE_OPEN)
            hr_exposure_close(exposure);
    }
}

bool hr_links_are_over(const hr_client *client)
{
    for (unsigned i = 0; i < HR_CLIENT_LINKS_MAX; i++)
        if (client->receivers[i].state != HR_RECEIVER_IDLE)
            return false;
    return hr_list_is_empty(&client->exposures) && !client->survey.busy;
}
