/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a trial share: trial_stage.c sets the stage, trial.c plays, trial_check.c
 * judges; trial_gpu.c has the memory of a GPU that is none. */
#ifndef HR_TRIAL_PARTS_H
#define HR_TRIAL_PARTS_H

#include "message.h"
#include "trial.h"
#include "world.h"

#define HR_TRIAL_PLAYERS_MAX 2
#define HR_TRIAL_SIGHTINGS   256
#define HR_TRIAL_SPAN_GUARD  4096 /* bytes behind a span, which nobody may write */

/* What had been verified at some moment. */
typedef struct hr_trial_sighting {
    uint64_t step, now_ns, verified;
} hr_trial_sighting;

typedef struct hr_trial hr_trial;
typedef struct hr_trial_player hr_trial_player;

/* One request of a player's, through all attempts. */
typedef struct hr_trial_get {
    hr_trial_player *player;
    unsigned first_file, file_count; /* of the scenario */
    char source[64], target[64];
    uint8_t *span_memory, *span; /* on a GPU: where its bytes are, */
    uint64_t gpu_span;           /* and its address there */
    size_t span_len;

    hr_get *get; /* while it is under way */
    bool over;   /* in this attempt */
    bool settled;
    hr_status status; /* HR_AGAIN: not started, or killed */
    char text[500];
    hr_get_progress progress;
    unsigned exists; /* files reported as such */

    /* Bytes that were in the journal for sure when the last attempt ended. */
    uint64_t sure;
    hr_trial_sighting sightings[HR_TRIAL_SIGHTINGS]; /* by step, around and around */
} hr_trial_get;

struct hr_trial_player {
    hr_trial *trial;
    hr_engine *engine;
    hr_client *client;
    hr_trial_get gets[HR_SCENARIO_FILES_MAX];
    unsigned get_count;
};

struct hr_trial {
    const hr_scenario *scenario;
    const hr_trial_options *options;
    hr_trial_result *result;
    hr_world world;
    hr_disk *source_disk;
    hr_engine *server_engine;
    hr_server *server;
    hr_trial_player players[HR_TRIAL_PLAYERS_MAX];
    unsigned player_count; /* in this attempt */
    unsigned attempt;
    bool clean;                                   /* nothing goes wrong any more */
    bool client_died, client_crashed;             /* in this attempt */
    uint64_t step, restart_step;                  /* of the attempt; restart: UINT64_MAX, none */
    unsigned version[HR_SCENARIO_FILES_MAX];      /* that the source holds */
    unsigned version_from[HR_SCENARIO_FILES_MAX]; /* when the attempt began */
    bool done[HR_SCENARIO_FILES_MAX];             /* reported as there: it must stay */
};

static inline bool hr_trial_has_failed(const hr_trial *trial)
{
    return trial->result->problem[0] != '\0';
}

/* The first problem is the one that counts. */
void hr_trial_fail(hr_trial *trial, const char *format, ...) HR_PRINTF(2, 3);
void hr_trial_target_path(const hr_trial_get *get, unsigned file, char out[128]);
/* What stands under the target's name before anybody brings anything, if the scenario wants it. */
hr_sample hr_trial_existing(const hr_scenario *scenario, unsigned file);
/* What has its name in the target instead. */
hr_scenario_obstacle hr_trial_obstacle(const hr_scenario *scenario, unsigned file);
uint64_t hr_trial_source_len(const hr_trial *trial, const hr_trial_get *get);

/* Once, before the first attempt. */
void hr_trial_prepare(hr_trial *trial);
/* The version that the source holds. */
void hr_trial_put_source(hr_trial *trial, unsigned file);
hr_trust hr_trial_trust(const hr_trial *trial, hr_side side);
/* By them a server has room for few links of a client, or for many. */
const char *hr_trial_write_rules(bool crowded);

/* Where the target is a GPU: around an attempt. Spans live as long, as memory of a process does. */
void hr_trial_gpu_begin(hr_trial *trial);
void hr_trial_gpu_end(hr_trial *trial);

/* What was in the span of a get is forgotten: whatever is written into it shows. */
void hr_trial_poison(hr_trial_get *get);
/* A file was reported: it is there, or a sentence says why not. */
void hr_trial_check_report(hr_trial_get *get, const hr_file_report *report);
/* The get has just ended by itself. */
void hr_trial_check_over(hr_trial_get *get);
/* Between attempts: what is under the final names? */
void hr_trial_check_targets(hr_trial *trial);
/* Nothing has been written into a span since its get was over. */
void hr_trial_check_fence(hr_trial_get *get);
/* At the very end. */
void hr_trial_check_rest(hr_trial *trial);

#endif
