/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demand.h"

#define COMMAND_MAX 512
#define PROGRAM_MAX 1024

void hr_bench_launch_host(const hr_bench_settings *settings, unsigned number, char host_out[128])
{
    unsigned count = 1;
    for (const char *at = settings->hosts; *at != '\0'; at++)
        count += *at == ',';
    const char *host = settings->hosts;
    for (unsigned i = number % count; i > 0; i--)
        host = strchr(host, ',') + 1;
    size_t len = strcspn(host, ",");
    snprintf(host_out, 128, "%.*s", len < 128 ? (int)len : 0, host);
}

void hr_bench_words_add(hr_bench_launch_words *words, const char *option, const char *value)
{
    words->list[words->count++] = option;
    if (value != NULL)
        words->list[words->count++] = value;
}

void hr_bench_words_add_number(hr_bench_launch_words *words, const char *option, uint64_t value,
                               const char *unit)
{
    char *text = words->numbers[words->number_count++];
    snprintf(text, sizeof words->numbers[0], "%llu%s", (unsigned long long)value, unit);
    hr_bench_words_add(words, option, text);
}

void hr_bench_words_add_trust(hr_bench_launch_words *words, const hr_bench_settings *settings)
{
    if (settings->insecure)
        hr_bench_words_add(words, "--insecure", NULL);
    if (settings->key != NULL)
        hr_bench_words_add(words, "--key", settings->key);
}

void hr_bench_words_add_demand(hr_bench_launch_words *words, const hr_bench_settings *settings)
{
    hr_bench_demand demand = hr_bench_demand_of(settings);
    hr_bench_words_add(words, "--profile", hr_bench_profile_names[settings->profile]);
    hr_bench_words_add_number(words, "--batch", demand.batch, "");
    hr_bench_words_add_number(words, "--record", demand.record_len, "");
    hr_bench_words_add_number(words, "--samples", demand.samples_per_file, "");
}

/* ssh joins its words and gives them to a shell, srun does not: these mean the same to both. */
static bool is_plain(const char *word)
{
    return word[0] != '\0' &&
           word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "@%+=:,./_-")] == '\0';
}

/* Cuts at blanks; returns the number of words. */
static unsigned split(char *command, const char **words, unsigned max)
{
    unsigned count = 0;
    for (char *at = command; count < max; at = NULL) {
        words[count] = strtok(at, " ");
        if (words[count] == NULL)
            break;
        count++;
    }
    return count;
}

static void own_program(const hr_bench_settings *settings, char path_out[PROGRAM_MAX])
{
    ssize_t len = -1;
    if (settings->remote_program != NULL)
        snprintf(path_out, PROGRAM_MAX, "%s", settings->remote_program);
    else
        len = readlink("/proc/self/exe", path_out, PROGRAM_MAX - 1);
    if (settings->remote_program == NULL)
        path_out[len > 0 ? len : 0] = '\0';
}

hr_status hr_bench_launch(hr_bench_child *child, const hr_bench_settings *settings,
                          const char *host, const char *const *words, hr_error *error)
{
    char command[COMMAND_MAX], program[PROGRAM_MAX];
    const char *argv[HR_BENCH_LAUNCH_WORDS];
    snprintf(command, sizeof command, "%s", settings->ssh);
    unsigned count = split(command, argv, 16);
    if (count == 0)
        return hr_error_set(error, HR_INVALID, "--ssh: it names no command");
    unsigned first = count;
    own_program(settings, program);
    argv[count++] = host;
    argv[count++] = program;
    while (*words != NULL && count < HR_BENCH_LAUNCH_WORDS - 1)
        argv[count++] = *words++;
    argv[count] = NULL;
    for (unsigned i = first; i < count; i++)
        if (!is_plain(argv[i]))
            return hr_error_set(error, HR_INVALID,
                                "'%s' cannot be said to another host: letters, digits and "
                                "@%%+=:,./_- can",
                                argv[i]);
    return hr_bench_child_exec_own(child, argv, error);
}
