/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "env.h"

#define POLITE_NS  (5 * HR_NS_PER_S)
#define PIECE_LEN  4096
#define TEXT_MAX   ((size_t)16 << 20) /* fio's report has some 10 KiB */
#define LAST_WORDS 300

/* What stands for a program in between when it cannot start ours. */
#define SHELL_NOT_FOUND 127
#define SSH_FAILED      255

static uint64_t now_ns(void)
{
    return hr_now_ns(hr_env_system());
}

/* ---- starting ---- */

typedef struct child_start {
    const char *const *argv; /* NULL: run */
    hr_status (*run)(void *context);
    void *context;
} child_start;

/* In the child: never returns. */
static void become(const child_start *start, pid_t parent, int input, int output, int errors)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    hr_bench_await_restore();
    if (start->argv == NULL) {
        hr_status result = start->run(start->context);
        fflush(NULL);
        _exit(hr_status_exit_code(result));
    }
    /* execvp takes the strings as it finds them; the cast is its signature's age. */
    execvp(start->argv[0], (char *const *)(uintptr_t)start->argv);
    fprintf(stderr, "%s\n", strerror(errno));
    fflush(stderr);
    _exit(127);
}

/* Its stdin, a socket because writing to one that nobody reads is no signal; its stdout; its
 * stderr. False: errno tells. Those that were opened are the caller's to close. */
static bool open_ends(int input[2], int output[2], int *errors)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input) != 0)
        return false;
    if (pipe2(output, O_CLOEXEC) != 0)
        return false;
    *errors = memfd_create("stderr", MFD_CLOEXEC);
    return *errors >= 0;
}

static void close_end(int fd)
{
    if (fd >= 0)
        close(fd);
}

static hr_status start_child(hr_bench_child *child, const char *name, const child_start *start,
                             hr_error *error)
{
    int input[2] = {-1, -1}, output[2] = {-1, -1}, errors = -1;
    pid_t parent = getpid();
    *child = (hr_bench_child){.name = child->label};
    snprintf(child->label, sizeof child->label, "%s", name);
    fflush(NULL);
    pid_t pid = open_ends(input, output, &errors) ? fork() : -1;
    if (pid == 0)
        become(start, parent, input[1], output[1], errors);
    int cause = errno;
    close_end(input[1]);
    close_end(output[1]);
    if (pid < 0) {
        close_end(input[0]);
        close_end(output[0]);
        close_end(errors);
        *child = (hr_bench_child){.name = NULL};
        return hr_error_set(error, hr_status_from_errno(cause), "starting %s: %s", name,
                            strerror(cause));
    }
    child->pid = pid;
    child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    child->input = input[0];
    child->output = output[0];
    child->errors = errors;
    child->started_ns = now_ns();
    return HR_OK;
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* A program that env starts is known by its own name. */
static const char *name_of(const char *const *argv)
{
    const char *const *at = argv;
    if (strcmp(last_name(at[0]), "env") == 0)
        at++;
    while (at[0] != NULL && strchr(at[0], '=') != NULL)
        at++;
    return last_name(at[0] != NULL ? at[0] : argv[0]);
}

hr_status hr_bench_child_exec(hr_bench_child *child, const char *const *argv, hr_error *error)
{
    child_start start = {.argv = argv};
    assert(argv != NULL);
    return start_child(child, name_of(argv), &start, error);
}

hr_status hr_bench_child_exec_own(hr_bench_child *child, const char *const *argv, hr_error *error)
{
    hr_status status = hr_bench_child_exec(child, argv, error);
    child->is_ours = true;
    return status;
}

hr_status hr_bench_child_fork(hr_bench_child *child, const char *name,
                              hr_status (*run)(void *context), void *context, hr_error *error)
{
    child_start start = {.run = run, .context = context};
    hr_status status = start_child(child, name, &start, error);
    child->is_ours = true;
    return status;
}

/* ---- its output ---- */

/* Where PIECE_LEN more bytes and a terminator fit. */
static char *make_room(hr_bench_child *child)
{
    if (child->len + PIECE_LEN < child->capacity)
        return child->text + child->len;
    size_t capacity = (child->capacity + PIECE_LEN) * 2;
    char *text = capacity <= TEXT_MAX ? realloc(child->text, capacity) : NULL;
    if (text == NULL)
        return NULL;
    child->text = text;
    child->capacity = capacity;
    return text + child->len;
}

/* Reads once, waiting for it. *ended_out: there is no more. */
static hr_status read_some(hr_bench_child *child, uint64_t deadline_ns, bool *ended_out)
{
    char *room = make_room(child);
    if (room == NULL)
        return HR_NO_MEMORY;
    hr_status status = hr_bench_await(child->output, deadline_ns);
    if (status != HR_OK)
        return status;
    ssize_t len = read(child->output, room, PIECE_LEN);
    if (len < 0)
        return hr_status_from_errno(errno);
    child->len += (size_t)len;
    room[len] = '\0';
    *ended_out = len == 0;
    return HR_OK;
}

/* The last line that it wrote to stderr, without our own name, which whoever tells it puts before.
 */
static void last_words(const hr_bench_child *child, char words_out[LAST_WORDS])
{
    static const char name[] = "headrace-bench: ";
    char tail[LAST_WORDS];
    off_t size = lseek(child->errors, 0, SEEK_END);
    off_t from = size > LAST_WORDS - 1 ? size - (LAST_WORDS - 1) : 0;
    ssize_t len = pread(child->errors, tail, LAST_WORDS - 1, from);
    while (len > 0 && (tail[len - 1] == '\n' || tail[len - 1] == '\r'))
        len--;
    tail[len > 0 ? len : 0] = '\0';
    const char *newline = strrchr(tail, '\n');
    const char *line = newline != NULL ? newline + 1 : tail;
    line += strncmp(line, name, sizeof name - 1) == 0 ? sizeof name - 1 : 0;
    hr_quote(words_out, LAST_WORDS, line, strlen(line));
}

const char *hr_bench_child_last_words(hr_bench_child *child)
{
    last_words(child, child->words);
    return child->words;
}

static hr_status explain(hr_bench_child *child, hr_status status, hr_error *error)
{
    char words[LAST_WORDS];
    last_words(child, words);
    if (child->pid == 0 && WIFSIGNALED(child->status))
        return hr_error_set(error, status, "%s: ended by signal %d: %s", child->name,
                            WTERMSIG(child->status), words);
    if (child->pid == 0 && child->is_ours && words[0] != '\0')
        return hr_error_set(error, status, "%s: %s", child->name, words);
    if (child->pid == 0)
        return hr_error_set(error, status, "%s: exit %d: %s", child->name,
                            WEXITSTATUS(child->status), words);
    if (status == HR_DEADLINE)
        return hr_error_set(error, status, "%s took too long", child->name);
    if (status == HR_INTERRUPTED)
        return hr_error_set(error, status, "interrupted");
    return hr_error_set(error, status, "%s: %s: %s", child->name, hr_status_text(status), words);
}

/* ---- its end ---- */

static void reap(hr_bench_child *child)
{
    struct rusage usage = {0};
    while (wait4(child->pid, &child->status, 0, &usage) < 0 && errno == EINTR) {
    }
    child->seconds = (double)(now_ns() - child->started_ns) / 1e9;
    child->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    child->peak = (uint64_t)usage.ru_maxrss << 10;
    child->pid = 0;
}

/* The status that ends in this exit code, or one of those that do. Not HR_INTERRUPTED: it was the
 * child that was, and not we. */
static hr_status status_of_exit(const hr_bench_child *child)
{
    static const hr_status statuses[] = {
        HR_OK,       HR_INTERNAL,  HR_INVALID,  HR_PARTIAL, HR_NOT_FOUND,   HR_INTEGRITY, HR_DENIED,
        HR_NO_SPACE, HR_PEER_LOST, HR_CANCELED, HR_EXISTS,  HR_UNSUPPORTED, HR_DEADLINE};
    unsigned code = WIFEXITED(child->status) ? (unsigned)WEXITSTATUS(child->status) : 1;
    if (code == 0)
        return HR_OK;
    if (!child->is_ours)
        return HR_INTERNAL;
    if (code == SHELL_NOT_FOUND)
        return HR_NOT_FOUND;
    if (code == SSH_FAILED)
        return HR_UNREACHABLE;
    return code < sizeof statuses / sizeof statuses[0] ? statuses[code] : HR_INTERNAL;
}

hr_status hr_bench_child_wait(hr_bench_child *child, uint64_t timeout_ns, hr_error *error)
{
    uint64_t deadline_ns = now_ns() + timeout_ns;
    hr_status status = HR_OK;
    for (bool ended = false; status == HR_OK && !ended;)
        status = read_some(child, deadline_ns, &ended);
    if (status == HR_OK)
        status = hr_bench_await(child->pidfd, deadline_ns);
    if (status == HR_OK) {
        reap(child);
        status = status_of_exit(child);
    }
    return status == HR_OK ? HR_OK : explain(child, status, error);
}

static hr_status explain_silence(hr_bench_child *child, uint64_t deadline_ns, hr_error *error)
{
    uint64_t at_ns = now_ns();
    hr_status status =
        hr_bench_child_wait(child, deadline_ns > at_ns ? deadline_ns - at_ns : 0, error);
    return status != HR_OK
               ? status
               : hr_error_set(error, HR_PEER_LOST, "%s ended and said nothing", child->name);
}

hr_status hr_bench_child_line(hr_bench_child *child, uint64_t timeout_ns, const char **line_out,
                              hr_error *error)
{
    uint64_t deadline_ns = now_ns() + timeout_ns;
    for (bool ended = false;;) {
        char *line = child->text != NULL ? child->text + child->taken : NULL;
        char *end = line != NULL ? strchr(line, '\n') : NULL;
        if (end != NULL) {
            *end = '\0';
            child->taken = (size_t)(end + 1 - child->text);
            *line_out = line;
            return HR_OK;
        }
        if (ended)
            return explain_silence(child, deadline_ns, error);
        hr_status status = read_some(child, deadline_ns, &ended);
        if (status != HR_OK)
            return explain(child, status, error);
    }
}

void hr_bench_child_say(hr_bench_child *child, const char *line)
{
    /* A line is shorter than what a socket takes; one that is gone tells so by its end. */
    (void)send(child->input, line, strlen(line), MSG_NOSIGNAL);
}

void hr_bench_child_leave(hr_bench_child *child, uint64_t timeout_ns)
{
    if (child->name == NULL || child->pid == 0)
        return;
    shutdown(child->input, SHUT_WR);
    if (hr_bench_await_end(child->pidfd, now_ns() + timeout_ns) == HR_OK)
        reap(child);
}

void hr_bench_child_stop(hr_bench_child *child)
{
    if (child->name == NULL)
        return;
    if (child->pid != 0) {
        kill(child->pid, SIGTERM);
        if (hr_bench_await_end(child->pidfd, now_ns() + POLITE_NS) != HR_OK)
            kill(child->pid, SIGKILL);
        reap(child);
    }
    close(child->pidfd);
    close(child->input);
    close(child->output);
    close(child->errors);
    free(child->text);
    *child = (hr_bench_child){0};
}

/* utime and stime are the 14th and 15th field; the second, the name, may hold blanks and ends with
 * the last parenthesis. */
double hr_bench_child_cpu_seconds(const hr_bench_child *child)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", child->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[len > 0 ? len : 0] = '\0';
    char *at = strrchr(text, ')');
    for (int field = 2; field < 14 && at != NULL; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return 0;
    unsigned long long user = strtoull(at, &at, 10), system = strtoull(at, NULL, 10);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}
