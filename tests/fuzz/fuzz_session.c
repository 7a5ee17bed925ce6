/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session, client and server, of which one has been let in and then lies: about numbers,
 * names, lengths and digests, in messages and in receipts, as the input says. The other must end
 * with a status, in time, and give everything back; nothing is written behind a target or after its
 * end. Built with short chunks. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "liar.h"
#include "trial.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void set_files(hr_scenario *scenario)
{
    static const char *const paths[] = {"t/f0", "t/a/f1", "t/a/b/f2"};
    static const size_t lens[] = {HR_CHUNK_LEN + 1, 4097, 0};
    for (unsigned i = 0; i < 3; i++) {
        hr_scenario_file *file = &scenario->files[i];
        snprintf(file->path, sizeof file->path, "%s", paths[i]);
        for (unsigned k = 0; k < HR_SCENARIO_VERSIONS_MAX; k++)
            file->versions[k] = (hr_sample){4096 * k + 100, lens[i] + k};
    }
}

static void set_story(hr_scenario *scenario, uint8_t story)
{
    scenario->seed = 1;
    scenario->clients = 1;
    scenario->file_count = 1;
    scenario->links = 2;
    scenario->faulty_attempts = 1;
    scenario->server.workers = scenario->client.workers = 1;
    scenario->tree = (story & 3) == 1;
    scenario->target = (story & 3) == 2 ? HR_SCENARIO_TO_SPAN : HR_SCENARIO_TO_FILE;
    scenario->packed = (story & 4) != 0;
    scenario->container = scenario->packed ? 1 + (story >> 6 & 1) : 0;
    scenario->shared = (story & 8) != 0;
    if ((story & 16) != 0)
        scenario->server.rails = scenario->client.rails = 1;
    if (scenario->tree)
        scenario->file_count = 3;
    set_files(scenario);
}

/* What a liar may not bring about. That a shard does not come, or comes with the bytes that the
 * server says are its own, he may. */
static int is_wrong(const char *problem)
{
    static const char *const wrong[] = {
        "hangs",          "still going on", "never released", "after it was over",
        "behind the end", "left behind",    "ends as",        "neither listens"};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (strstr(problem, wrong[i]) != NULL)
            return 1;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    hr_scenario scenario = {0};
    hr_trial_options options = {0};
    hr_trial_result result;
    set_story(&scenario, bytes[0]);
    if (bytes[1] & 1)
        options.wrap_server_transport = hr_liar_server;
    else
        options.wrap_client_transport = hr_liar_client;
    hr_liar_script(bytes + 2, len - 2);
    hr_trial_play(&scenario, &options, &result);
    if (is_wrong(result.problem)) {
        fprintf(stderr, "%s\n", result.problem);
        abort();
    }
    return 0;
}
