/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "loop_sim.h"
#include "trial_parts.h"

#define ADDRESS    "127.0.0.1:7431"
#define ATTEMPT_NS (600 * HR_NS_PER_S)
#define STEPS_MAX  200000

void hr_trial_fail(hr_trial *trial, const char *format, ...)
{
    hr_trial_result *result = trial->result;
    if (hr_trial_has_failed(trial))
        return;
    int at = snprintf(result->problem, sizeof result->problem,
                      "attempt %u%s, step %llu: ", trial->attempt, trial->clean ? " (clean)" : "",
                      (unsigned long long)trial->step);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->problem + at, sizeof result->problem - (size_t)at, format, arguments);
    va_end(arguments);
}

void hr_trial_target_path(const hr_trial_get *get, unsigned file, char out[128])
{
    const hr_scenario *scenario = get->player->trial->scenario;
    const char *path = scenario->files[file].path;
    if (!scenario->tree)
        snprintf(out, 128, "%s", get->target);
    else
        snprintf(out, 128, "%s/%s", get->target, scenario->export_root ? path : path + 2);
}

hr_sample hr_trial_existing(const hr_scenario *scenario, unsigned file)
{
    return scenario->files[file].versions[HR_SCENARIO_VERSIONS_MAX - 1];
}

hr_scenario_obstacle hr_trial_obstacle(const hr_scenario *scenario, unsigned file)
{
    return (scenario->seed >> file) & 1 ? scenario->obstacle : HR_SCENARIO_NO_OBSTACLE;
}

uint64_t hr_trial_source_len(const hr_trial *trial, const hr_trial_get *get)
{
    uint64_t sum = 0;
    for (unsigned i = get->first_file; i < get->first_file + get->file_count; i++)
        sum += trial->scenario->files[i].versions[trial->version[i]].len;
    return sum;
}

static void set_side(hr_world_side *side, const hr_scenario_side *wanted, bool clean)
{
    side->workers = wanted->workers;
    side->rails = wanted->rails;
    side->storage = clean ? (hr_storage_faults){0} : wanted->storage;
    side->transport = clean ? (hr_transport_faults){0} : wanted->transport;
    side->memory_fail_nth = clean ? 0 : wanted->memory_fail_nth;
}

/* ---- the server ---- */

static void start_server(hr_trial *trial)
{
    hr_error error = {.status = HR_OK};
    trial->restart_step = UINT64_MAX;
    if (hr_world_engine(&trial->world, true, &trial->server_engine, &error) != HR_OK)
        return;
    hr_export data = {.name = "data", .path = "/data", .aead = trial->scenario->sealed};
    hr_server_options options = {.listen = ADDRESS,
                                 .exports = &data,
                                 .export_count = 1,
                                 .trust = hr_trial_trust(trial, HR_SIDE_SERVER)};
    if (trial->scenario->crowded)
        options.rules_path = hr_trial_write_rules(true);
    if (hr_server_open(trial->server_engine, &options, &trial->server, &error) != HR_OK)
        trial->server = NULL;
    while (trial->server != NULL && hr_server_status(trial->server) == HR_AGAIN &&
           hr_sim_step(&trial->world.sim, HR_NEVER))
        ;
    if (trial->server != NULL && hr_server_status(trial->server) == HR_AGAIN)
        hr_trial_fail(trial, "the server neither listens nor fails");
}

static void stop_server(hr_trial *trial)
{
    hr_server_destroy(trial->server);
    hr_engine_destroy(trial->server_engine);
    trial->server = NULL;
    trial->server_engine = NULL;
}

/* ---- the players ---- */

static void note_path(hr_trial_get *get)
{
    hr_trial_result *result = get->player->trial->result;
    snprintf(result->path, sizeof result->path, "%s", hr_get_path(get->get));
    if (hr_get_status(get->get) == HR_OK && strncmp(result->path, "verbs", 5) == 0)
        result->over_rdma++;
    if (hr_get_status(get->get) == HR_OK && strstr(result->path, "cuda:0 (fake") != NULL)
        result->on_gpu++;
}

static void note_over(hr_trial_get *get, hr_status status, const char *text)
{
    hr_trial *trial = get->player->trial;
    get->over = true;
    get->status = status;
    snprintf(get->text, sizeof get->text, "%s", text);
    trial->result->ended[(unsigned)-status % HR_TRIAL_STATUSES]++;
    hr_sim_note(&trial->world.sim, "over", (uint64_t)(int64_t)status);
    hr_sim_note(&trial->world.sim, "moved", get->progress.bytes_moved);
    if (trial->options->echo)
        fprintf(stderr,
                "%12.6f step %llu: %s: %s: %s (moved %llu, reused %llu, sure before %llu; %s)\n",
                (double)trial->world.sim.now_ns / 1e9, (unsigned long long)trial->step, get->source,
                hr_status_name(status), text, (unsigned long long)get->progress.bytes_moved,
                (unsigned long long)get->progress.bytes_reused, (unsigned long long)get->sure,
                trial->result->path);
}

static void file_done(void *context, const hr_file_report *report)
{
    hr_trial_check_report(context, report);
}

static hr_status start_get(hr_trial_get *get, hr_error *error)
{
    const hr_trial *trial = get->player->trial;
    const hr_scenario *scenario = trial->scenario;
    hr_get_options options = {
        .path = get->source,
        .unpack = scenario->packed && scenario->container != HR_CONTAINER_BESIDE,
        .overwrite = scenario->overwrite,
        .remove = scenario->remove,
        .read_back = scenario->read_back,
        .limit_bytes_per_s = scenario->limit_bytes_per_s,
        .deadline_ns = trial->clean ? 0 : scenario->deadline_ns,
        .file_done = file_done,
        .context = get,
    };
    switch (scenario->target) {
    case HR_SCENARIO_TO_FILE:
        options.target_path = get->target;
        break;
    case HR_SCENARIO_TO_SPAN:
        options.target_span = hr_span_host(get->span, get->span_len);
        break;
    case HR_SCENARIO_TO_HOST:
        options.target_host = true;
        break;
    case HR_SCENARIO_TO_GPU:
        options.target_span = hr_span_host((void *)(uintptr_t)get->gpu_span, get->span_len);
        options.target_span.kind = HR_MEMORY_CUDA;
        break;
    }
    return hr_get_start(get->player->client, &options, &get->get, error);
}

static void start_player(hr_trial_player *player)
{
    hr_trial *trial = player->trial;
    const hr_scenario *scenario = trial->scenario;
    hr_error error = {.status = HR_OK};
    hr_status status = hr_world_engine(&trial->world, false, &player->engine, &error);
    hr_client_options options = {
        .address = scenario->local ? NULL : ADDRESS,
        .local_path = scenario->local ? "/data" : NULL,
        .trust = hr_trial_trust(trial, HR_SIDE_CLIENT),
        .links = scenario->links,
        .target = "/",
    };
    if (status == HR_OK)
        status = hr_client_open(player->engine, &options, &player->client, &error);
    for (unsigned i = 0; i < player->get_count; i++) {
        hr_trial_get *get = &player->gets[i];
        if (get->settled)
            continue;
        get->over = false;
        if (get->span != NULL) /* a killed attempt may have left something in it */
            hr_trial_poison(get);
        get->exists = 0;
        get->progress = (hr_get_progress){0};
        memset(get->sightings, 0, sizeof get->sightings);
        hr_status started = status == HR_OK ? start_get(get, &error) : status;
        if (started != HR_OK) {
            note_over(get, started, error.text);
            hr_trial_check_over(get);
        }
    }
}

static void stop_player(hr_trial_player *player)
{
    for (unsigned i = 0; i < player->get_count; i++) {
        hr_get_destroy(player->gets[i].get);
        player->gets[i].get = NULL;
    }
    hr_client_destroy(player->client);
    hr_engine_destroy(player->engine);
    player->client = NULL;
    player->engine = NULL;
    for (unsigned i = 0; i < player->get_count; i++)
        if (player->gets[i].span != NULL && player->gets[i].over)
            hr_trial_check_fence(&player->gets[i]);
}

/* A verified chunk is in the journal when the write of the records before it has been answered and
 * its own begun: not at once, and not much later. */
static uint64_t journaled_before_death(const hr_trial_get *get)
{
    const hr_trial *trial = get->player->trial;
    uint64_t most = 0, delay_ns = trial->world.client_side.storage.delay_ns_max + 1;
    for (unsigned i = 0; i < HR_TRIAL_SIGHTINGS; i++) {
        const hr_trial_sighting *sighting = &get->sightings[i];
        if (sighting->step + 16 <= trial->step &&
            sighting->now_ns + delay_ns < trial->world.sim.now_ns && sighting->verified > most)
            most = sighting->verified;
    }
    return most;
}

/* What a dead process had in mind when it died is only what its journal says. */
static void kill_clients(hr_trial *trial, bool crash)
{
    trial->client_died = true;
    trial->client_crashed = crash;
    trial->world.sim.fail_nth = 0;
    if (crash) {
        hr_disk_crash(trial->world.client_disk, hr_sim_random(&trial->world.sim));
        if (!trial->options->boot_id_stays)
            trial->world.client_side.boot_id[0]++;
    } else {
        hr_disk_kill(trial->world.client_disk);
    }
    /* What is left to do until it is taken apart does not reach the disk: it is dead. */
    hr_disk_stop_at(trial->world.client_disk, 1, false);
    for (unsigned p = 0; p < trial->player_count; p++)
        for (unsigned i = 0; i < trial->players[p].get_count; i++) {
            hr_trial_get *get = &trial->players[p].gets[i];
            uint64_t journaled = journaled_before_death(get);
            get->status = get->over ? get->status : HR_AGAIN;
            get->sure = crash ? 0 : journaled > get->sure ? journaled : get->sure;
        }
}

/* ---- what befalls them ---- */

static void change_source(hr_trial *trial, unsigned file)
{
    /* The last version is what may stand under the target's name. */
    if (trial->version[file] + 2 >= HR_SCENARIO_VERSIONS_MAX)
        return;
    trial->version[file]++;
    hr_trial_put_source(trial, file);
    for (unsigned p = 0; p < HR_TRIAL_PLAYERS_MAX; p++)
        for (unsigned i = 0; i < trial->players[p].get_count; i++)
            trial->players[p].gets[i].sure = 0;
}

static void kill_server(hr_trial *trial, bool crash)
{
    if (trial->server_engine == NULL)
        return;
    trial->world.sim.fail_nth = 0;
    if (crash)
        hr_disk_crash(trial->world.server_disk, hr_sim_random(&trial->world.sim));
    else
        hr_disk_kill(trial->world.server_disk);
    hr_disk_stop_at(trial->world.server_disk, 1, false);
    stop_server(trial);
    hr_disk_resume(trial->world.server_disk);
    trial->restart_step = trial->step + 1 + hr_sim_below(&trial->world.sim, 60);
}

static void make_room(hr_trial *trial)
{
    hr_error error = {.status = HR_OK};
    (void)hr_trial_write_rules(false);
    if (trial->server == NULL || hr_server_reload(trial->server, &error) != HR_OK)
        hr_trial_fail(trial, "the server does not read its rules again");
}

static void befall(hr_trial *trial, const hr_scenario_event *event)
{
    hr_sim_note(&trial->world.sim, "event", event->kind);
    hr_trial_player *player = &trial->players[0];
    switch (event->kind) {
    case HR_SCENARIO_CANCEL:
        if (event->which < player->get_count && player->gets[event->which].get != NULL)
            hr_get_cancel(player->gets[event->which].get);
        break;
    case HR_SCENARIO_SERVER_KILL:
    case HR_SCENARIO_SERVER_CRASH:
        kill_server(trial, event->kind == HR_SCENARIO_SERVER_CRASH);
        break;
    case HR_SCENARIO_CLIENT_KILL:
    case HR_SCENARIO_CLIENT_CRASH:
        kill_clients(trial, event->kind == HR_SCENARIO_CLIENT_CRASH);
        break;
    case HR_SCENARIO_SOURCE_CHANGE:
        change_source(trial, event->which);
        break;
    case HR_SCENARIO_CLOCK_JUMP:
        trial->world.sim.now_ns += HR_NS_PER_S * (1 + hr_sim_below(&trial->world.sim, 300));
        break;
    case HR_SCENARIO_SERVER_ROOM:
        make_room(trial);
        break;
    case HR_SCENARIO_CLIENT_STOP:
    case HR_SCENARIO_SERVER_STOP:
        break; /* the disk does it: arm_disks */
    }
}

static void arm_disks(hr_trial *trial)
{
    const hr_scenario *scenario = trial->scenario;
    hr_disk *const disks[] = {trial->world.client_disk, trial->world.server_disk};
    for (unsigned i = 0; !trial->clean && i < scenario->event_count; i++) {
        const hr_scenario_event *event = &scenario->events[i];
        if (event->attempt == trial->attempt && event->kind >= HR_SCENARIO_CLIENT_STOP)
            hr_disk_stop_at(disks[event->kind == HR_SCENARIO_SERVER_STOP], event->step,
                            event->which != 0);
    }
}

static void stop_with_the_disks(hr_trial *trial)
{
    bool server = hr_disk_is_stopped(trial->world.server_disk);
    bool client = hr_disk_is_stopped(trial->world.client_disk);
    trial->result->stopped += (unsigned)server + (unsigned)client;
    if (server || client) /* what a crash itself takes is not the engine's */
        trial->world.sim.fail_nth = 0;
    if (hr_disk_is_stopped(trial->world.server_disk) && trial->server_engine != NULL)
        kill_server(trial, true);
    if (hr_disk_is_stopped(trial->world.server_disk))
        hr_disk_crash(trial->world.server_disk, hr_sim_random(&trial->world.sim));
    if (hr_disk_is_stopped(trial->world.client_disk))
        kill_clients(trial, true);
}

static void befall_all(hr_trial *trial)
{
    const hr_scenario *scenario = trial->scenario;
    stop_with_the_disks(trial);
    if (trial->step == trial->restart_step)
        start_server(trial);
    for (unsigned i = 0; !trial->clean && !trial->client_died && i < scenario->event_count; i++)
        if (scenario->events[i].attempt == trial->attempt &&
            scenario->events[i].step == trial->step)
            befall(trial, &scenario->events[i]);
    /* A server that is taken apart takes time, in which power may fail: what a client's disk
     * answers then, nobody hears. */
    if (!trial->client_died)
        stop_with_the_disks(trial);
}

/* ---- an attempt ---- */

static bool is_one_missing(const hr_trial *trial)
{
    return !trial->clean && trial->player_count < trial->scenario->clients;
}

static void start_next_player(hr_trial *trial)
{
    start_player(&trial->players[trial->player_count++]);
}

/* Looks at every get; false: all are over. */
static bool look(hr_trial *trial)
{
    bool going_on = false;
    for (unsigned p = 0; p < trial->player_count; p++)
        for (unsigned i = 0; i < trial->players[p].get_count; i++) {
            hr_trial_get *get = &trial->players[p].gets[i];
            if (get->over || get->get == NULL)
                continue;
            get->progress = hr_get_count(get->get);
            get->sightings[trial->step % HR_TRIAL_SIGHTINGS] = (hr_trial_sighting){
                .step = trial->step,
                .now_ns = trial->world.sim.now_ns,
                .verified = get->progress.bytes_verified,
            };
            if (hr_get_status(get->get) == HR_AGAIN) {
                going_on = true;
                continue;
            }
            note_path(get);
            note_over(get, hr_get_status(get->get), hr_get_error(get->get)->text);
            hr_trial_check_over(get);
        }
    return going_on;
}

/* The most that the clock may have jumped by. */
static uint64_t jumped_ns(const hr_trial *trial)
{
    return trial->scenario->event_count * 300 * HR_NS_PER_S;
}

static void run(hr_trial *trial)
{
    uint64_t until_ns = trial->world.sim.now_ns + ATTEMPT_NS;
    for (trial->step = 0; !hr_trial_has_failed(trial); trial->step++) {
        befall_all(trial);
        if (trial->client_died)
            return;
        bool going_on = look(trial);
        if (is_one_missing(trial) && (!going_on || trial->step >= trial->scenario->second_step)) {
            start_next_player(trial);
            continue;
        }
        if (!going_on)
            return;
        if (trial->step == STEPS_MAX)
            hr_trial_fail(trial, "still going on after %d steps", STEPS_MAX);
        else if (!hr_sim_step(&trial->world.sim, until_ns + jumped_ns(trial)))
            hr_trial_fail(trial, "it hangs: nothing is due in ten minutes");
        else if (trial->world.sim.now_ns >= until_ns + jumped_ns(trial))
            hr_trial_fail(trial, "still going on after ten minutes");
    }
}

static void play_attempt(hr_trial *trial)
{
    hr_world *world = &trial->world;
    const hr_scenario *scenario = trial->scenario;
    hr_sim_note(&world->sim, "attempt", trial->attempt);
    if (trial->options->echo)
        fprintf(stderr, "---- attempt %u%s\n", trial->attempt, trial->clean ? ", clean" : "");
    memcpy(trial->version_from, trial->version, sizeof trial->version);
    set_side(&world->server_side, &scenario->server, trial->clean);
    set_side(&world->client_side, &scenario->client, trial->clean);
    bool fails = !trial->clean && scenario->fail_nth != 0;
    world->sim.fail_nth = fails ? world->sim.allocations + scenario->fail_nth : 0;
    trial->client_died = trial->client_crashed = false;
    trial->step = 0;
    trial->player_count = 0;
    hr_trial_gpu_begin(trial);
    if (!scenario->local)
        start_server(trial);
    arm_disks(trial);
    start_next_player(trial);
    run(trial);
    stop_with_the_disks(trial);
    for (unsigned i = 0; i < trial->player_count; i++)
        stop_player(&trial->players[i]);
    stop_server(trial);
    hr_trial_gpu_end(trial);
    if (trial->client_died)
        hr_disk_resume(world->client_disk);
    stop_with_the_disks(trial);
    hr_disk_stop_at(world->client_disk, 0, false);
    hr_disk_stop_at(world->server_disk, 0, false);
    world->sim.fail_nth = 0;
    trial->result->steps += trial->step;
    if (!hr_trial_has_failed(trial))
        hr_trial_check_targets(trial);
    trial->attempt++;
}

static bool is_settled(const hr_trial *trial)
{
    for (unsigned i = 0; i < trial->players[0].get_count; i++)
        if (!trial->players[0].gets[i].settled)
            return false;
    return true;
}

/* A write that got lost is found when it is read back, and then nothing of the file is believed:
 * only the run after that one brings it. */
static unsigned clean_attempts_max(const hr_scenario *scenario)
{
    return scenario->client.storage.lost_write != 0 ? 2 : 1;
}

static void play(hr_trial *trial)
{
    hr_trial_prepare(trial);
    while (trial->attempt < trial->scenario->faulty_attempts && !hr_trial_has_failed(trial))
        play_attempt(trial);
    trial->clean = true;
    unsigned left = clean_attempts_max(trial->scenario);
    while (left-- > 0 && !is_settled(trial) && !hr_trial_has_failed(trial))
        play_attempt(trial);
    for (unsigned i = 0; i < trial->players[0].get_count; i++)
        if (!trial->players[0].gets[i].settled)
            hr_trial_fail(trial, "%s does not succeed: %s: %s", trial->players[0].gets[i].source,
                          hr_status_name(trial->players[0].gets[i].status),
                          trial->players[0].gets[i].text);
    if (!hr_trial_has_failed(trial))
        hr_trial_check_rest(trial);
}

/* Memory is kept from run to run: to fault its pages in again costs more than all the rest. */
static void keep_memory(void)
{
#ifdef __GLIBC__
    static bool kept;
    if (kept)
        return;
    kept = true;
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

void hr_trial_play(const hr_scenario *scenario, const hr_trial_options *options,
                   hr_trial_result *result_out)
{
    static const hr_trial_options none;
    *result_out = (hr_trial_result){0};
    keep_memory();
    hr_trial *trial = calloc(1, sizeof *trial);
    if (trial == NULL)
        abort();
    trial->scenario = scenario;
    trial->options = options != NULL ? options : &none;
    trial->result = result_out;
    trial->restart_step = UINT64_MAX;
    if (hr_world_init(&trial->world, scenario->seed) != HR_OK)
        hr_trial_fail(trial, "the world cannot be made");
    trial->world.shared = scenario->shared;
    trial->world.sim.echo = trial->options->echo;
    trial->world.client_side.wrap_storage = trial->options->wrap_client_storage;
    trial->world.client_side.wrap_transport = trial->options->wrap_client_transport;
    trial->world.client_side.drive = trial->options->client_drive;
    trial->world.server_side.wrap_storage = trial->options->wrap_server_storage;
    trial->world.server_side.wrap_transport = trial->options->wrap_server_transport;
    play(trial);
    for (unsigned p = 0; p < HR_TRIAL_PLAYERS_MAX; p++)
        for (unsigned i = 0; i < trial->players[p].get_count; i++)
            free(trial->players[p].gets[i].span_memory);
    hr_world_fini(&trial->world);
    if (trial->world.sim.allocated != 0)
        hr_trial_fail(trial, "%llu allocations were never released",
                      (unsigned long long)trial->world.sim.allocated);
    result_out->hash = trial->world.sim.hash;
    result_out->simulated_ns = trial->world.sim.now_ns;
    result_out->allocations = trial->world.sim.allocations;
    result_out->attempts = trial->attempt;
    free(trial);
}
