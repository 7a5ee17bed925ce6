/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "await.h"
#include "bench_verbs.h"
#include "field.h"
#include "result.h"
#include "softroce.h"
#include "streams.h"

static hr_status help(char **arguments, unsigned argument_count, hr_error *error)
{
    const hr_verb *verb = NULL;
    if (argument_count > 0) {
        verb = hr_verb_find(&hr_bench_syntax, arguments[0], error);
        if (verb == NULL)
            return HR_INVALID;
    }
    hr_options_help(&hr_bench_syntax, verb, stdout);
    return HR_OK;
}

/* Here if this kernel can, else in a guest. */
static hr_status over_softroce(const hr_bench_settings *settings, unsigned verb, hr_error *error)
{
    hr_bench_softroce softroce = {.is_up = false};
    hr_status status = hr_bench_softroce_up(&softroce, error);
    if (status == HR_UNSUPPORTED && !softroce.is_up) {
        int code = 0;
        *error = (hr_error){0};
        status = hr_bench_softroce_guest(settings, hr_bench_field_has_files(verb, settings), &code,
                                         error);
        /* What the guest's own run has said is said. */
        if (status == HR_OK && code != 0)
            exit(code);
        return status;
    }
    hr_bench_settings there = *settings;
    there.address = softroce.address;
    if (status == HR_OK)
        status = hr_bench_verb_race(&there, verb, error);
    hr_bench_softroce_down(&softroce);
    return status;
}

static hr_status measure(unsigned verb, const hr_bench_settings *settings, hr_error *error)
{
    hr_status status = hr_bench_await_open();
    if (status != HR_OK)
        return hr_error_set(error, status, "taking signals: %s", hr_status_text(status));
    if (settings->softroce && verb == HR_BENCH_TRANSFER && hr_bench_is_served_elsewhere(settings))
        return hr_error_set(error, HR_INVALID,
                            "--softroce stays on this machine: for a server elsewhere name a "
                            "device's address by --rdma");
    if (settings->softroce)
        return over_softroce(settings, verb, error);
    return hr_bench_verb_race(settings, verb, error);
}

static hr_status run(const hr_invocation *invocation, const hr_bench_settings *settings,
                     hr_error *error)
{
    const hr_verb *verb = invocation->verb;
    if (invocation->version) {
        printf("headrace-bench %s\n", HEADRACE_VERSION);
        return HR_OK;
    }
    if (invocation->help) {
        hr_options_help(&hr_bench_syntax, verb, stdout);
        return HR_OK;
    }
    if (verb == NULL) {
        hr_options_help(&hr_bench_syntax, NULL, stderr);
        return HR_INVALID;
    }
    unsigned index = (unsigned)(verb - hr_bench_syntax.verbs);
    if (index == HR_BENCH_HELP)
        return help(invocation->arguments, invocation->argument_count, error);
    if (index == HR_BENCH_COMPARE)
        return hr_bench_verb_compare(settings, invocation->arguments, invocation->argument_count,
                                     error);
    if (index == HR_BENCH_REPORT)
        return hr_bench_verb_report(settings, invocation->arguments, invocation->argument_count,
                                    error);
    if (index == HR_BENCH_SERVE)
        return hr_bench_verb_serve(settings, error);
    if (index == HR_BENCH_WIRE && settings->listen != NULL && settings->host == NULL)
        return hr_bench_verb_listen(settings, error);
    return measure(index, settings, error);
}

/* As it was typed, cut to size. Before the words are put in another order. */
static void join(int argc, char **argv, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (int i = 0; i < argc && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? " " : "", argv[i]);
}

/* Parsing puts them in another order. */
static char **copy_words(int argc, char **argv)
{
    char **words = calloc((size_t)argc + 1, sizeof *words);
    for (int i = 0; i < argc && words != NULL; i++)
        words[i] = argv[i];
    return words;
}

int main(int argc, char **argv)
{
    char command[HR_BENCH_RESULT_TEXT];
    hr_streams_hold();
    join(argc, argv, command, sizeof command);
    char **words = copy_words(argc, argv);
    if (words == NULL)
        return hr_status_exit_code(HR_NO_MEMORY);
    hr_bench_settings settings = {0};
    hr_invocation invocation = {0};
    hr_error error = {0};
    hr_status status =
        hr_options_parse(&hr_bench_syntax, argc, argv, &settings, &invocation, &error);
    settings.command = command;
    settings.words = words;
    settings.word_count = argc;
    if (status == HR_OK && invocation.verb == &hr_bench_syntax.verbs[HR_BENCH_CLIENT] &&
        !invocation.help && !invocation.version) {
        int code = hr_bench_verb_client(&settings, invocation.arguments[0]);
        free(words);
        return code;
    }
    if (status == HR_OK)
        status = run(&invocation, &settings, &error);
    hr_error output_error = {0};
    int failure = 0;
    hr_status output_status = hr_streams_finish(&failure, &output_error);
    if (output_status != HR_OK && status == HR_OK)
        status = hr_error_set(&error, output_status, "%s", output_error.text);
    if (status != HR_OK && error.text[0] != '\0')
        fprintf(stderr, "headrace-bench: %s\n", error.text);
    hr_invocation_release(&invocation);
    free(words);
    return hr_status_exit_code(status);
}
