/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "headrace.h"
#include "output.h"
#include "verbs.h"

/* What has been said so far. */
typedef struct page {
    const hr_cli_settings *settings;
    char topic[32]; /* of the line before */
    unsigned counts[3];
} page;

static const char *state_name(hr_doctor_state state)
{
    static const char *const names[] = {
        [HR_DOCTOR_OK] = "ok", [HR_DOCTOR_LACKING] = "lacking", [HR_DOCTOR_UNKNOWN] = "unknown"};
    return names[state];
}

static void print_object(const hr_doctor_row *row)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "type", "finding", "topic", row->topic,
                               "state", state_name(row->state), "remedy", row->remedy);
    if (object != NULL) {
        json_object_set_new(object, "name", hr_cli_json_text(row->name, strlen(row->name)));
        json_object_set_new(object, "text", hr_cli_json_text(row->text, strlen(row->text)));
    }
    hr_cli_print_json(object);
}

static void print_line(page *said, const hr_doctor_row *row)
{
    static const char *const marks[] = {
        [HR_DOCTOR_OK] = "ok", [HR_DOCTOR_LACKING] = "LACKING", [HR_DOCTOR_UNKNOWN] = "?"};
    char text[sizeof row->text];
    if (strcmp(said->topic, row->topic) != 0)
        hr_cli_print("%s%s\n", said->topic[0] != '\0' ? "\n" : "", row->topic);
    snprintf(said->topic, sizeof said->topic, "%s", row->topic);
    hr_cli_print("  %-8s%-23s %s\n", marks[row->state], row->name,
                 hr_quote(text, sizeof text, row->text, strlen(row->text)));
    if (row->remedy[0] != '\0')
        hr_cli_print("  %-8s%-23s   try: %s\n", "", "", row->remedy);
}

static void found(void *context, const hr_doctor_row *row)
{
    page *said = context;
    said->counts[row->state]++;
    if (said->settings->json)
        print_object(row);
    else if (!said->settings->quiet || row->state != HR_DOCTOR_OK)
        print_line(said, row);
}

static void print_summary(const page *said, hr_status status)
{
    const unsigned *counts = said->counts;
    if (said->settings->json)
        hr_cli_print_json(json_pack(
            "{s:s, s:s, s:i, s:i, s:i, s:i}", "type", "summary", "status", hr_status_name(status),
            "exit", hr_status_exit_code(status), "ok", (int)counts[HR_DOCTOR_OK], "lacking",
            (int)counts[HR_DOCTOR_LACKING], "unknown", (int)counts[HR_DOCTOR_UNKNOWN]));
    else if (status == HR_OK)
        hr_cli_print("\n%u things work, %u are lacking, %u could not be tried.\n",
                     counts[HR_DOCTOR_OK], counts[HR_DOCTOR_LACKING], counts[HR_DOCTOR_UNKNOWN]);
}

/* What is lacking is an answer and no failure: Headrace takes another path. */
hr_status hr_cli_doctor(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                        hr_error *error)
{
    (void)arguments, (void)argument_count;
    page said = {.settings = settings};
    hr_doctor_options options = {
        .directory = settings->directory,
        .worker_pool_len = settings->pool_len,
        .workers = settings->workers,
        .found = found,
        .context = &said,
    };
    hr_status status = hr_doctor_examine(&options, error);
    print_summary(&said, status);
    return status;
}
