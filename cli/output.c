/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "streams.h"

/* Of the first write to stdout that failed; ENOMEM for an object that could not be made. */
static int failure;

/* Whether the live line is drawn. Under the lock of stderr. */
static bool live;

static void note_failure(void)
{
    if (failure == 0)
        failure = errno != 0 ? errno : EIO;
}

void hr_cli_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vprintf(format, arguments) < 0)
        note_failure();
    va_end(arguments);
}

void hr_cli_print_bytes(const void *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, stdout) != len)
        note_failure();
}

void hr_cli_print_json(json_t *object)
{
    /* 15 digits are what a double holds for certain. */
    if (object == NULL)
        failure = failure != 0 ? failure : ENOMEM;
    else if (json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0 ||
             putchar('\n') == EOF || fflush(stdout) != 0)
        note_failure();
    json_decref(object);
}

bool hr_cli_reader_is_gone(void)
{
    return failure == EPIPE;
}

hr_status hr_cli_print_end(hr_error *error)
{
    return hr_streams_finish(&failure, error);
}

static void clear_live(void)
{
    if (live)
        fputs("\r\033[K", stderr);
    live = false;
}

void hr_cli_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr);
    clear_live();
    fputs("headrace: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(arguments);
}

void hr_cli_log(void *context, int level, const char *line)
{
    (void)context;
    (void)level;
    hr_cli_say("%s", line);
}

bool hr_cli_has_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

void hr_cli_live(const char *line)
{
    struct winsize window;
    int width = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
        width = window.ws_col;
    flockfile(stderr);
    clear_live();
    if (line != NULL) {
        /* The last column stays free: a full line would scroll. */
        fprintf(stderr, "%.*s", width - 1, line);
        fflush(stderr);
        live = true;
    }
    funlockfile(stderr);
}
