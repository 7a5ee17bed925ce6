/* SPDX-License-Identifier: Apache-2.0 */
/* What is there before a trial's story begins: files, requests, keys, rules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority.h"
#include "packed_maker.h"
#include "temp.h"
#include "trial_parts.h"

static void must(hr_trial *trial, hr_status status, const char *what)
{
    if (status != HR_OK)
        hr_trial_fail(trial, "%s: %s", what, hr_status_name(status));
}

/* Puts what the tests themselves put: no fault concerns it. */
static void put(hr_trial *trial, hr_disk *disk, const char *path, hr_sample sample)
{
    uint64_t fail_nth = trial->world.sim.fail_nth;
    trial->world.sim.fail_nth = 0;
    must(trial, hr_disk_put(disk, path, hr_sample_bytes(&sample), sample.len), "putting a file");
    trial->world.sim.fail_nth = fail_nth;
}

static void put_packed(hr_trial *trial, const char *path, hr_sample sample)
{
    uint64_t fail_nth = trial->world.sim.fail_nth;
    size_t len;
    uint8_t *shard = packed_make((hr_container)trial->scenario->container, hr_sample_bytes(&sample),
                                 sample.len, &len);
    trial->world.sim.fail_nth = 0;
    must(trial, hr_disk_put(trial->source_disk, path, shard, len), "putting a packed shard");
    trial->world.sim.fail_nth = fail_nth;
    free(shard);
}

void hr_trial_put_source(hr_trial *trial, unsigned file)
{
    const hr_scenario *scenario = trial->scenario;
    hr_sample sample = scenario->files[file].versions[trial->version[file]];
    bool beside = scenario->container == HR_CONTAINER_BESIDE;
    char path[64];
    snprintf(path, sizeof path, "/data/%s", scenario->files[file].path);
    if (!scenario->packed || beside)
        put(trial, trial->source_disk, path, sample);
    if (scenario->packed && beside)
        strcat(path, ".hrindex");
    if (scenario->packed)
        put_packed(trial, path, sample);
}

static void make_span(hr_trial_get *get)
{
    const hr_scenario *scenario = get->player->trial->scenario;
    for (unsigned i = 0; i < HR_SCENARIO_VERSIONS_MAX; i++)
        if (scenario->files[get->first_file].versions[i].len > get->span_len)
            get->span_len = scenario->files[get->first_file].versions[i].len;
    get->span_len += 1; /* a span has an address, whatever the length of the shard */
    if (scenario->target == HR_SCENARIO_TO_GPU)
        return; /* hr_trial_gpu_begin takes it */
    /* Every other one lies where no O_DIRECT read could go. */
    size_t shift = (scenario->seed ^ get->first_file) & 1;
    size_t len = (shift + get->span_len + HR_TRIAL_SPAN_GUARD + 4095) & ~(size_t)4095;
    get->span_memory = aligned_alloc(4096, len);
    if (get->span_memory == NULL)
        abort();
    get->span = get->span_memory + shift;
}

static void prepare_get(hr_trial_player *player, unsigned first_file, unsigned file_count)
{
    hr_trial *trial = player->trial;
    const hr_scenario *scenario = trial->scenario;
    hr_trial_get *get = &player->gets[player->get_count++];
    *get = (hr_trial_get){
        .player = player,
        .first_file = first_file,
        .file_count = file_count,
    };
    const char *below = scenario->tree ? scenario->export_root ? "" : "/t" : "/";
    snprintf(get->source, sizeof get->source, "%s%s%s", scenario->local ? "local" : "data", below,
             scenario->tree ? "" : scenario->files[first_file].path);
    snprintf(get->target, sizeof get->target, scenario->tree ? "/out/tree" : "/out/file%u",
             first_file);
    if (scenario->target == HR_SCENARIO_TO_SPAN || scenario->target == HR_SCENARIO_TO_GPU)
        make_span(get);
}

static void prepare_player(hr_trial *trial, hr_trial_player *player)
{
    const hr_scenario *scenario = trial->scenario;
    player->trial = trial;
    if (scenario->tree)
        prepare_get(player, 0, scenario->file_count);
    for (unsigned i = 0; !scenario->tree && i < scenario->file_count; i++)
        prepare_get(player, i, 1);
}

static void put_existing(hr_trial *trial, const char *path, unsigned file)
{
    hr_disk *disk = trial->world.client_disk;
    char inside[160];
    uint64_t fail_nth = trial->world.sim.fail_nth;
    snprintf(inside, sizeof inside, "%s/inside", path);
    trial->world.sim.fail_nth = 0;
    switch (hr_trial_obstacle(trial->scenario, file)) {
    case HR_SCENARIO_NO_OBSTACLE:
        put(trial, disk, path, hr_trial_existing(trial->scenario, file));
        break;
    case HR_SCENARIO_SYMLINK:
        must(trial, hr_disk_put_symlink(disk, path, "/out/other"), "putting a symlink");
        break;
    case HR_SCENARIO_EMPTY_FOLDER:
        must(trial, hr_disk_put_folder(disk, path), "putting a directory");
        break;
    case HR_SCENARIO_FULL_FOLDER:
        put(trial, disk, inside, (hr_sample){.len = 10});
        break;
    }
    trial->world.sim.fail_nth = fail_nth;
}

void hr_trial_prepare(hr_trial *trial)
{
    const hr_scenario *scenario = trial->scenario;
    trial->source_disk = scenario->local ? trial->world.client_disk : trial->world.server_disk;
    for (unsigned i = 0; i < scenario->clients; i++)
        prepare_player(trial, &trial->players[i]);
    for (unsigned i = 0; i < scenario->file_count; i++)
        hr_trial_put_source(trial, i);
    /* What is there before is older or newer than the source, never of the same time. */
    trial->world.sim.now_ns += HR_NS_PER_S;
    put(trial, trial->world.client_disk, "/out/other", (hr_sample){.len = 100});
    for (unsigned g = 0; scenario->existing && g < trial->players[0].get_count; g++) {
        const hr_trial_get *get = &trial->players[0].gets[g];
        for (unsigned i = get->first_file; i < get->first_file + get->file_count; i++) {
            char path[128];
            hr_trial_target_path(get, i, path);
            put_existing(trial, path, i);
        }
    }
}

/* Keys and rules come from real files, and so these are made once, and read in each story that has
 * them. */
static char folder[HR_TEMP_PATH_MAX];

static void remove_folder(void)
{
    if (hr_temp_remove(folder) != HR_OK)
        fprintf(stderr, "%s stays behind\n", folder);
}

/* True: it is not there yet. */
static bool name_file(char path[HR_TEMP_PATH_MAX + 8], const char *name)
{
    if (path[0] != '\0')
        return false;
    if (folder[0] == '\0') {
        if (hr_temp_make(folder) != HR_OK)
            abort();
        atexit(remove_folder);
    }
    snprintf(path, HR_TEMP_PATH_MAX + 8, "%s/%s", folder, name);
    return true;
}

static const char *key_path(void)
{
    static char path[HR_TEMP_PATH_MAX + 8];
    hr_error error = {.status = HR_OK};
    char made[HR_KEY_PATH_MAX];
    if (name_file(path, "key") && hr_key_file_make(path, true, made, &error) != HR_OK)
        abort();
    return path;
}

const char *hr_trial_write_rules(bool crowded)
{
    static char path[HR_TEMP_PATH_MAX + 8];
    (void)name_file(path, "rules");
    FILE *file = fopen(path, "w");
    if (file == NULL)
        abort();
    fprintf(file, "allow anyone read *\n%s", crowded ? "limit anyone memory 1MiB\n" : "");
    fclose(file);
    return path;
}

/* The server is believed by the address that it listens on. */
static const char *certificate_path(hr_side side)
{
    static char authority[HR_TEMP_PATH_MAX + 8], paths[2][HR_TEMP_PATH_MAX + 32];
    static const char *const names[2] = {"client", "127.0.0.1"};
    hr_error error = {.status = HR_OK};
    for (unsigned i = 0; i < 2 && paths[i][0] == '\0'; i++) {
        (void)name_file(authority, "cluster");
        if (hr_authority_issue(hr_env_system(), authority, names[i], false, &error) != HR_OK)
            abort();
        snprintf(paths[i], sizeof paths[i], "%s/%s.pem", authority, names[i]);
    }
    return paths[side == HR_SIDE_SERVER];
}

hr_trust hr_trial_trust(const hr_trial *trial, hr_side side)
{
    hr_trust trust = {.insecure = !trial->scenario->sealed};
    if (trial->scenario->sealed)
        trust.key_path = trial->scenario->certified ? certificate_path(side) : key_path();
    return trust;
}
