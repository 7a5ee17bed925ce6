/* SPDX-License-Identifier: Apache-2.0 */
/* What must be true whatever went wrong. */
#include <stdio.h>
#include <string.h>

#include "trial_parts.h"

#define SPAN_POISON 0xA5

typedef enum finding {
    FOUND_NOTHING,
    FOUND_OLD,      /* what was there before */
    FOUND_COMPLETE, /* one of the versions that the source has had */
    FOUND_WRONG,
} finding;

static bool is_same(const void *bytes, size_t len, const hr_sample *sample)
{
    return len == sample->len && (len == 0 || memcmp(bytes, hr_sample_bytes(sample), len) == 0);
}

/* Any version from the given one to that of now. */
static bool is_version(const hr_trial *trial, unsigned file, unsigned from, const void *bytes,
                       size_t len)
{
    for (unsigned i = trial->version[file] + 1; i-- > from;)
        if (is_same(bytes, len, &trial->scenario->files[file].versions[i]))
            return true;
    return false;
}

/* It stands there still; what a directory held may only have gone before a file that is to replace
 * it comes. */
static bool is_obstacle(const hr_trial *trial, const char *path, unsigned file)
{
    const hr_scenario *scenario = trial->scenario;
    hr_scenario_obstacle obstacle = hr_trial_obstacle(scenario, file);
    hr_disk *disk = trial->world.client_disk;
    hr_file_type type = HR_FILE_REGULAR, held;
    char inside[160];
    if (obstacle == HR_SCENARIO_NO_OBSTACLE || hr_disk_type(disk, path, &type) != HR_OK)
        return false;
    snprintf(inside, sizeof inside, "%s/inside", path);
    bool emptied = obstacle == HR_SCENARIO_FULL_FOLDER &&
                   !(scenario->overwrite && scenario->remove) &&
                   hr_disk_type(disk, inside, &held) != HR_OK;
    return !emptied &&
           type == (obstacle == HR_SCENARIO_SYMLINK ? HR_FILE_SYMLINK : HR_FILE_DIRECTORY);
}

static finding look_at(const hr_trial *trial, const hr_trial_get *get, unsigned file, unsigned from)
{
    char path[128];
    const void *bytes;
    size_t len;
    hr_trial_target_path(get, file, path);
    if (is_obstacle(trial, path, file))
        return FOUND_OLD;
    if (hr_disk_get(trial->world.client_disk, path, &bytes, &len) != HR_OK)
        return FOUND_NOTHING;
    hr_sample existing = hr_trial_existing(trial->scenario, file);
    if (is_version(trial, file, from, bytes, len))
        return FOUND_COMPLETE;
    if (trial->scenario->existing && is_same(bytes, len, &existing))
        return FOUND_OLD;
    return FOUND_WRONG;
}

/* ---- reports ---- */

static const char *path_in_request(const hr_scenario *scenario, unsigned file)
{
    const char *path = scenario->files[file].path;
    return !scenario->tree ? "" : scenario->export_root ? path : path + 2;
}

void hr_trial_check_report(hr_trial_get *get, const hr_file_report *report)
{
    hr_trial *trial = get->player->trial;
    get->exists += report->status == HR_EXISTS;
    if ((report->status == HR_OK) != (report->text[0] == '\0'))
        hr_trial_fail(trial, "%s is reported as %s with the sentence \"%s\"", report->path,
                      hr_status_name(report->status), report->text);
    if (report->status != HR_OK || trial->client_died ||
        trial->scenario->target != HR_SCENARIO_TO_FILE)
        return;
    for (unsigned i = get->first_file; i < get->first_file + get->file_count; i++)
        if (strcmp(report->path, path_in_request(trial->scenario, i)) == 0) {
            if (look_at(trial, get, i, trial->version_from[i]) != FOUND_COMPLETE)
                hr_trial_fail(trial, "\"%s\" is reported as there, and is not", report->path);
            trial->done[i] = true;
            return;
        }
    hr_trial_fail(trial, "\"%s\" is reported, which nobody asked for", report->path);
}

/* ---- the end of a get ---- */

static bool has_storage_trouble(const hr_storage_faults *faults)
{
    return faults->write_error || faults->no_space || faults->sync_error || faults->other_error ||
           faults->lost_write || faults->torn_write || faults->flipped_bit || faults->fail_nth ||
           faults->read_error || faults->outage != HR_OUTAGE_NONE;
}

/* Whether what a run leaves can be told from what it counted. */
static bool is_countable(const hr_trial *trial)
{
    const hr_scenario *scenario = trial->scenario;
    return scenario->target == HR_SCENARIO_TO_FILE && !scenario->tree && scenario->clients == 1 &&
           scenario->fail_nth == 0 && !has_storage_trouble(&scenario->client.storage);
}

/* A run that ends by itself leaves all that it has verified. */
static void note_what_is_left(hr_trial_get *get)
{
    hr_trial *trial = get->player->trial;
    unsigned file = get->first_file;
    bool changed = trial->version[file] != trial->version_from[file];
    /* What has its name already is not gone on with. */
    bool published = look_at(trial, get, file, 0) == FOUND_COMPLETE;
    if (!is_countable(trial) || changed || trial->client_crashed || published ||
        get->status == HR_CHANGED || get->status == HR_INTEGRITY)
        get->sure = 0;
    else if (get->over && get->progress.bytes_verified > get->sure)
        get->sure = get->progress.bytes_verified;
}

void hr_trial_poison(hr_trial_get *get)
{
    memset(get->span, SPAN_POISON, get->span_len + HR_TRIAL_SPAN_GUARD);
}

static bool is_poison(const uint8_t *bytes, size_t len)
{
    return len == 0 || (bytes[0] == SPAN_POISON && memcmp(bytes, bytes + 1, len - 1) == 0);
}

static void check_span(hr_trial_get *get)
{
    hr_trial *trial = get->player->trial;
    unsigned file = get->first_file;
    const hr_sample *current = &trial->scenario->files[file].versions[trial->version[file]];
    bool right =
        get->progress.bytes <= get->span_len &&
        is_version(trial, file, trial->version_from[file], get->span, (size_t)get->progress.bytes);
    if (get->status == HR_OK && !right)
        hr_trial_fail(trial, "%s: the span does not hold the %zu bytes of the source", get->source,
                      current->len);
    size_t len = (size_t)get->progress.bytes;
    if (get->status == HR_OK && right &&
        !is_poison(get->span + len, get->span_len + HR_TRIAL_SPAN_GUARD - len))
        hr_trial_fail(trial, "%s: written behind the end of the shard", get->source);
    hr_trial_poison(get);
}

void hr_trial_check_fence(hr_trial_get *get)
{
    if (!is_poison(get->span, get->span_len + HR_TRIAL_SPAN_GUARD))
        hr_trial_fail(get->player->trial, "%s: its span was written after it was over",
                      get->source);
}

static void check_counts(hr_trial_get *get)
{
    hr_trial *trial = get->player->trial;
    const hr_get_progress *progress = &get->progress;
    unsigned long long len = hr_trial_source_len(trial, get), moved = progress->bytes_moved,
                       reused = progress->bytes_reused;
    bool changed = memcmp(trial->version, trial->version_from, sizeof trial->version) != 0;
    if (progress->files_kept > 0) /* of a tree: their bytes are not counted */
        len = progress->bytes;
    if (!changed && progress->bytes_verified != len)
        hr_trial_fail(trial, "%s: %llu bytes are verified of %llu", get->source,
                      (unsigned long long)progress->bytes_verified, len);
    /* Of a packed shard what moves is what is stored, with a little of headers. */
    bool packed = trial->scenario->packed;
    uint64_t headers = packed ? 4096 * (1 + len / HR_CHUNK_LEN) : 0;
    if (packed && trial->scenario->tree) /* small ones come as they lie, and then by themselves */
        headers += len + 3 * 4096 * (uint64_t)trial->scenario->file_count;
    if (!changed && !packed && moved + reused < len)
        hr_trial_fail(trial, "%s: %llu moved and %llu reused do not make %llu", get->source, moved,
                      reused, len);
    if (!trial->clean)
        return;
    if (!changed && !packed && moved + reused != len)
        hr_trial_fail(trial, "%s: %llu moved and %llu reused are more than %llu", get->source,
                      moved, reused, len);
    if (moved > len - get->sure + headers)
        hr_trial_fail(trial, "%s: moved %llu of %llu, though %llu were there", get->source, moved,
                      len, (unsigned long long)get->sure);
}

/* A target that is there already is a conflict, unless it is to be overwritten; so is what an
 * earlier attempt brought, even if it could not say so. */
static bool is_conflict(const hr_trial_get *get)
{
    const hr_trial *trial = get->player->trial;
    bool stays = trial->scenario->obstacle == HR_SCENARIO_FULL_FOLDER && !trial->scenario->remove;
    if ((trial->scenario->overwrite && !stays) || trial->scenario->target != HR_SCENARIO_TO_FILE)
        return false;
    return get->status == HR_EXISTS ||
           (get->status == HR_PARTIAL && get->exists == get->progress.files_failed);
}

/* So slow that a whole minute may pass without a chunk. */
static bool is_slow(const hr_scenario *scenario)
{
    uint64_t longest_ns = 0;
    for (unsigned i = 0; i < scenario->event_count; i++)
        if (scenario->events[i].kind == HR_SCENARIO_CLOCK_JUMP)
            return true;
    const hr_scenario_side *sides[] = {&scenario->server, &scenario->client};
    for (unsigned i = 0; i < 2; i++) {
        if (sides[i]->storage.delay_ns_max > longest_ns)
            longest_ns = sides[i]->storage.delay_ns_max;
        if (sides[i]->transport.delay_ns_max > longest_ns)
            longest_ns = sides[i]->transport.delay_ns_max;
    }
    return longest_ns > HR_NS_PER_S;
}

void hr_trial_check_over(hr_trial_get *get)
{
    hr_trial *trial = get->player->trial;
    trial->result->bytes_moved += get->progress.bytes_moved;
    trial->result->bytes_reused += get->progress.bytes_reused;
    if (get->status == HR_OK)
        check_counts(get);
    else if (get->status == HR_INTERNAL || get->status == HR_INVALID || get->text[0] == '\0')
        hr_trial_fail(trial, "%s ends as %s: \"%s\"", get->source, hr_status_name(get->status),
                      get->text);
    bool honest = trial->options == NULL || trial->options->wrap_client_transport == NULL;
    if (get->status == HR_PROTOCOL && honest)
        hr_trial_fail(trial,
                      "%s: a peer that keeps to the protocol is told that it does not: \"%s\"",
                      get->source, get->text);
    if (get->status == HR_STALLED && !is_slow(trial->scenario))
        hr_trial_fail(trial, "%s waits for something that nobody does", get->source);
    if (get->span != NULL)
        check_span(get);
    get->settled = get->status == HR_OK || (trial->clean && is_conflict(get));
}

/* ---- between attempts ---- */

static void check_target(hr_trial *trial, const hr_trial_get *get, unsigned file)
{
    const hr_scenario *scenario = trial->scenario;
    finding found = look_at(trial, get, file, 0);
    char path[128];
    hr_trial_target_path(get, file, path);
    if (found == FOUND_WRONG)
        hr_trial_fail(trial, "%s has its name and is neither what was there nor complete", path);
    bool is_folder = hr_trial_obstacle(scenario, file) >= HR_SCENARIO_EMPTY_FOLDER;
    if (scenario->existing && found == FOUND_NOTHING && !(is_folder && scenario->overwrite))
        hr_trial_fail(trial, "%s was there before, and is gone", path);
    if (scenario->existing && !scenario->overwrite && found != FOUND_OLD)
        hr_trial_fail(trial, "%s was there before, and was replaced", path);
    if (trial->done[file] && found != FOUND_COMPLETE)
        hr_trial_fail(trial, "%s was reported as there, and is gone", path);
}

/* In the first attempt nobody else can have brought it. */
static void check_honesty(hr_trial *trial, const hr_trial_get *get)
{
    if (trial->attempt == 0 && is_countable(trial) && !trial->scenario->existing && get->over &&
        get->status != HR_OK && look_at(trial, get, get->first_file, 0) == FOUND_COMPLETE)
        hr_trial_fail(trial, "%s is there, and ended as %s", get->target,
                      hr_status_name(get->status));
}

void hr_trial_check_targets(hr_trial *trial)
{
    for (unsigned p = 0; p < trial->player_count; p++)
        for (unsigned g = 0; g < trial->players[p].get_count; g++) {
            hr_trial_get *get = &trial->players[p].gets[g];
            note_what_is_left(get);
            check_honesty(trial, get);
            if (trial->scenario->target != HR_SCENARIO_TO_FILE)
                continue;
            for (unsigned i = get->first_file; i < get->first_file + get->file_count; i++)
                check_target(trial, get, i);
        }
}

/* ---- at the very end ---- */

static void visit(void *context, const char *path, const hr_file_info *info)
{
    hr_trial *trial = context;
    (void)info;
    if (strstr(path, ".headrace-") != NULL)
        hr_trial_fail(trial, "%s was left behind", path);
}

/* Temporary files go with the run that gives the file its name, or that finds it there, if nothing
 * kept it from that. The other one of two clients may have left its journal. */
static bool leaves_nothing(const hr_trial *trial)
{
    const hr_storage_faults *faults = &trial->scenario->client.storage;
    for (unsigned i = 0; trial->scenario->tree && i < trial->scenario->file_count; i++)
        if (trial->version[i] != 0) /* a larger file that became a small one never looks again */
            return false;
    bool can_remove = faults->outage == HR_OUTAGE_NONE || faults->outage == HR_OUTAGE_READS ||
                      faults->outage == HR_OUTAGE_FULL;
    return faults->other_error == 0 && faults->fail_nth == 0 && can_remove &&
           trial->scenario->clients == 1;
}

/* What was removed before the last name was synced is gone for good; of a run that brought nothing
 * no directory is synced. */
static bool brought_all(const hr_trial *trial)
{
    for (unsigned i = 0; i < trial->players[0].get_count; i++)
        if (trial->players[0].gets[i].status != HR_OK ||
            trial->players[0].gets[i].progress.files_kept > 0)
            return false;
    return true;
}

void hr_trial_check_rest(hr_trial *trial)
{
    const bool clean = leaves_nothing(trial);
    if (clean)
        hr_disk_walk(trial->world.client_disk, "/out", visit, trial);
    if (!trial->scenario->crash_at_end)
        return;
    hr_disk_crash(trial->world.client_disk, hr_sim_random(&trial->world.sim));
    hr_trial_check_targets(trial);
    if (clean && brought_all(trial))
        hr_disk_walk(trial->world.client_disk, "/out", visit, trial);
}
