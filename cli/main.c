/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "headrace.h"
#include "output.h"
#include "streams.h"
#include "verbs.h"

typedef hr_status (*verb_run)(const hr_cli_settings *settings, char **arguments,
                              unsigned argument_count, hr_error *error);

static hr_status help(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                      hr_error *error)
{
    (void)settings;
    const hr_verb *verb = NULL;
    if (argument_count > 0) {
        verb = hr_verb_find(&hr_cli_syntax, arguments[0], error);
        if (verb == NULL)
            return HR_INVALID;
    }
    hr_options_help(&hr_cli_syntax, verb, stdout);
    return HR_OK;
}

static const verb_run runs[HR_CLI_VERBS] = {
    [HR_CLI_SERVE] = hr_cli_serve,   [HR_CLI_GET] = hr_cli_get,
    [HR_CLI_LS] = hr_cli_ls,         [HR_CLI_PACK] = hr_cli_pack,
    [HR_CLI_VERIFY] = hr_cli_verify, [HR_CLI_DOCTOR] = hr_cli_doctor,
    [HR_CLI_KEY] = hr_cli_key,       [HR_CLI_HELP] = help,
};

static hr_status run(const hr_invocation *invocation, const hr_cli_settings *settings,
                     hr_error *error)
{
    const hr_verb *verb = invocation->verb;
    if (invocation->version) {
        hr_cli_print("headrace %s\n", hr_version());
        return HR_OK;
    }
    if (invocation->help) {
        hr_options_help(&hr_cli_syntax, verb, stdout);
        return HR_OK;
    }
    if (verb == NULL) {
        hr_options_help(&hr_cli_syntax, NULL, stderr);
        return HR_INVALID;
    }
    return runs[verb - hr_cli_syntax.verbs](settings, invocation->arguments,
                                            invocation->argument_count, error);
}

/* Everything is in order; what remains is to die as a program does whose reader has left. */
static void end_quietly(void)
{
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
}

int main(int argc, char **argv)
{
    hr_cli_settings settings = {0};
    hr_invocation invocation = {0};
    hr_error error = {0};
    hr_error output_error = {0};
    hr_streams_hold();
    signal(SIGPIPE, SIG_IGN);
    hr_status status = hr_options_parse(&hr_cli_syntax, argc, argv, &settings, &invocation, &error);
    if (status == HR_OK)
        status = run(&invocation, &settings, &error);
    hr_status output_status = hr_cli_print_end(&output_error);
    if (hr_cli_reader_is_gone())
        end_quietly();
    if (status != HR_OK && error.text[0] != '\0')
        hr_cli_say("%s", error.text);
    if (output_status != HR_OK && error.status != output_status)
        hr_cli_say("%s%s", output_error.text,
                   status == HR_OK ? "; all that was asked for is done, but not all of it said"
                                   : "");
    hr_invocation_release(&invocation);
    return hr_status_exit_code(status != HR_OK ? status : output_status);
}
