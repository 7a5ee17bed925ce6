/* SPDX-License-Identifier: Apache-2.0 */
/* A config file, as the program reads it: what it refuses it refuses with a sentence. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static int file = -1;
    if (file < 0)
        file = memfd_create("config", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, bytes, len, 0) != (ssize_t)len)
        abort();
    char path[64], program[] = "headrace", option[] = "--config", verb[] = "get", a[] = "a",
                   b[] = "b";
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    char *words[] = {program, verb, option, path, a, b, NULL};
    hr_cli_settings settings = {0};
    hr_invocation invocation = {0};
    hr_error error = {.status = HR_OK};
    hr_status status = hr_options_parse(&hr_cli_syntax, 6, words, &settings, &invocation, &error);
    if (status == HR_OK)
        hr_invocation_release(&invocation);
    else if (error.text[0] == '\0')
        abort();
    return 0;
}
