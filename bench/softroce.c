/* SPDX-License-Identifier: Apache-2.0 */
#include "softroce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "env.h"
#include "live.h"
#include "result.h"

#define UP_NS     (60 * HR_NS_PER_S)
#define GUEST_S   "560"
#define GUEST_NS  (600 * HR_NS_PER_S)
#define WORDS_MAX 240

#define DRIVE_FOLDER    "/mnt/headrace-bench"
#define DRIVE_SPARE_MIB 512
#define MARK            "==== headrace-bench: the result ====\n"

/* Beside the build folder that this program lies in, as in the source tree. */
static hr_status find_script(const char *name, char path_out[512], hr_error *error)
{
    char own[400];
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
    own[len > 0 ? len : 0] = '\0';
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(own, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    snprintf(path_out, 512, "%s/scripts/%s", own, name);
    if (access(path_out, X_OK) == 0)
        return HR_OK;
    return hr_error_set(error, HR_NOT_FOUND,
                        "--softroce: %s is not there; it works in the source tree only", path_out);
}

hr_status hr_bench_softroce_up(hr_bench_softroce *softroce, hr_error *error)
{
    hr_bench_child child = {0};
    hr_status status = find_script("softroce", softroce->script, error);
    const char *argv[] = {softroce->script, "up", NULL};
    if (status == HR_OK)
        status = hr_bench_child_exec_own(&child, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, UP_NS, error);
    softroce->is_up = status == HR_OK;
    const char *line = status == HR_OK ? strstr(child.text, "address ") : NULL;
    if (line != NULL)
        snprintf(softroce->address, sizeof softroce->address, "%.*s", (int)strcspn(line + 8, "/\n"),
                 line + 8);
    hr_bench_child_stop(&child);
    if (status == HR_OK && softroce->address[0] == '\0')
        return hr_error_set(error, HR_UNSUPPORTED, "--softroce: the interface has no address");
    return status;
}

void hr_bench_softroce_down(hr_bench_softroce *softroce)
{
    hr_bench_child child = {0};
    hr_error error = {0};
    const char *argv[] = {softroce->script, "down", NULL};
    if (!softroce->is_up)
        return;
    if (hr_bench_child_exec_own(&child, argv, &error) != HR_OK ||
        hr_bench_child_wait(&child, UP_NS, &error) != HR_OK)
        fprintf(stderr, "headrace-bench: the soft-RoCE device is still there: %s\n", error.text);
    hr_bench_child_stop(&child);
    softroce->is_up = false;
}

/* ---- the guest ---- */

/* What it writes there is lost, so its result comes behind a mark. */
static hr_status take_output(const hr_bench_settings *settings, const char *text, hr_error *error)
{
    const char *mark = text != NULL ? strstr(text, MARK) : NULL;
    if (mark == NULL) {
        fputs(text != NULL ? text : "", stdout);
        return HR_OK;
    }
    fwrite(text, 1, (size_t)(mark - text), stdout);
    const char *result = mark + strlen(MARK);
    if (settings->output == NULL || result[0] == '\0')
        return HR_OK;
    return hr_bench_save(settings->output, result, strlen(result), error);
}

/* What is moved lies on a drive of the guest's own: its other files are in memory, and lost. */
static unsigned add_drive(const hr_bench_settings *settings, const char **argv, unsigned count)
{
    static char size[32];
    uint64_t mib = (3 * settings->size >> 20) + DRIVE_SPARE_MIB;
    snprintf(size, sizeof size, "%lluM", (unsigned long long)mib);
    argv[count++] = "--drive";
    argv[count++] = size;
    argv[count++] = "--mount";
    argv[count++] = DRIVE_FOLDER;
    return count;
}

static unsigned guest_words(const hr_bench_settings *settings, bool moves_files, const char *script,
                            const char **argv)
{
    static const char run[] = "\"$0\" \"$@\" --rdma \"$VM_SERVER\" --output /tmp/result.json\n"
                              "code=$?\nprintf '" MARK "'\n"
                              "cat /tmp/result.json 2>/dev/null\nexit $code\n";
    static char own[400];
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
    own[len > 0 ? len : 0] = '\0';
    unsigned count = 0;
    argv[count++] = script;
    argv[count++] = "--cpu";
    argv[count++] = "qemu64"; /* whose rxe is the fastest */
    argv[count++] = "--timeout";
    argv[count++] = GUEST_S;
    if (moves_files)
        count = add_drive(settings, argv, count);
    argv[count++] = "sh";
    argv[count++] = "-c";
    argv[count++] = run;
    argv[count++] = own;
    for (int i = 1; i < settings->word_count && count < WORDS_MAX; i++)
        if (strcmp(settings->words[i], "--softroce") != 0)
            argv[count++] = settings->words[i];
    if (moves_files) {
        argv[count++] = "--directory";
        argv[count++] = DRIVE_FOLDER;
    }
    argv[count] = NULL;
    return count;
}

hr_status hr_bench_softroce_guest(const hr_bench_settings *settings, bool moves_files,
                                  int *code_out, hr_error *error)
{
    char script[512];
    const char *argv[WORDS_MAX + 8];
    hr_bench_child child = {0};
    hr_status status = find_script("softroce-vm", script, error);
    if (status != HR_OK)
        return status;
    guest_words(settings, moves_files, script, argv);
    hr_bench_live(settings, "in a guest with soft-RoCE");
    status = hr_bench_child_exec_own(&child, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, GUEST_NS, error);
    hr_bench_live(settings, NULL);
    bool ended = child.name != NULL && child.pid == 0 && WIFEXITED(child.status);
    int code = ended ? WEXITSTATUS(child.status) : -1;
    if (code == 125) /* of softroce-vm: there is no guest */
        status =
            hr_error_set(error, HR_UNSUPPORTED,
                         "--softroce: this kernel has no rxe, and there is no guest either: %s",
                         hr_bench_child_last_words(&child));
    else if (ended)
        status = take_output(settings, child.text, error);
    *code_out = code;
    if (ended && code != 0 && code != 125)
        fprintf(stderr, "headrace-bench: in the guest: %s\n", hr_bench_child_last_words(&child));
    hr_bench_child_stop(&child);
    return status;
}
