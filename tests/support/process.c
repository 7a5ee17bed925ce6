/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef HEADRACE_COVERAGE
#include "coverage/write_counters.h"
#endif

extern char **environ;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the child, between fork and exec: only calls that are safe there ---- */

static int forbid_io_uring(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {
        .len = sizeof filter / sizeof filter[0],
        .filter = filter,
    };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static int become(const hr_process_options *options)
{
    for (unsigned i = 0; i < options->limit_count; i++) {
        struct rlimit limit = {options->limits[i].value, options->limits[i].value};
        if (setrlimit((__rlimit_resource_t)options->limits[i].resource, &limit) != 0)
            return -1;
    }
    if (options->directory != NULL && chdir(options->directory) != 0)
        return -1;
    if (options->user != 0 && (setgroups(0, NULL) != 0 || setgid((gid_t)options->user) != 0 ||
                               setuid(options->user) != 0))
        return -1;
    /* After setuid, which clears it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return -1;
    return options->no_io_uring ? forbid_io_uring() : 0;
}

static void run_child(const hr_process_options *options, const char **environment, int out,
                      int error, int failure)
{
    sigset_t blocked;
    sigemptyset(&blocked);
#ifdef HEADRACE_COVERAGE
    sigaddset(&blocked, HR_WRITE_COUNTERS); /* until somebody waits for it */
#endif
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    int input = open("/dev/null", O_RDONLY);
    if (input >= 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(error, STDERR_FILENO) >= 0 && become(options) == 0)
        execve(options->arguments[0], (char *const *)(uintptr_t)options->arguments,
               (char *const *)(uintptr_t)environment);
    int reason = errno;
    while (write(failure, &reason, sizeof reason) < 0 && errno == EINTR)
        continue;
    _exit(127);
}

/* ---- the parent ---- */

static bool is_named_in(const char *entry, const char *const *list, size_t count)
{
    size_t len = strcspn(entry, "=") + 1;
    for (size_t i = 0; i < count; i++)
        if (strncmp(entry, list[i], len) == 0)
            return true;
    return false;
}

/* The new ones and, of the test's own, those that they do not replace: programs disagree on which
 * of two equal names counts. */
static const char **join_environment(const char *const *replaced)
{
    size_t count = 0, own = 0;
    while (replaced != NULL && replaced[count] != NULL)
        count++;
    while (environ[own] != NULL)
        own++;
    const char **joined = calloc(count + own + 1, sizeof *joined);
    if (joined == NULL)
        return NULL;
    size_t used = 0;
    for (; used < count; used++)
        joined[used] = replaced[used];
    for (size_t i = 0; i < own; i++)
        if (!is_named_in(environ[i], replaced, count))
            joined[used++] = environ[i];
    return joined;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What run_child says about a failed exec; 0 when the pipe closes by itself, at exec. */
static int read_failure(int fd)
{
    int reason = 0;
    ssize_t got;
    do
        got = read(fd, &reason, sizeof reason);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof reason ? reason : 0;
}

static hr_status launch(hr_process *process, const hr_process_options *options,
                        const char **environment, int out[2], int failure[2])
{
    process->error_fd = memfd_create("stderr", MFD_CLOEXEC);
    if (process->error_fd < 0 || fcntl(process->error_fd, F_SETFL, O_APPEND) != 0 ||
        pipe2(out, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0)
        return hr_status_from_errno(errno);
    /* Room for what a program says while the test looks elsewhere; a refusal is harmless. */
    (void)fcntl(out[0], F_SETPIPE_SZ, 1 << 20);

    process->pid = fork();
    if (process->pid < 0)
        return hr_status_from_errno(errno);
    if (process->pid == 0)
        run_child(options, environment, out[1], process->error_fd, failure[1]);
    close_fd(&out[1]);
    close_fd(&failure[1]);
    int reason = read_failure(failure[0]);
    if (reason != 0)
        return hr_status_from_errno(reason);
    process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (process->pidfd < 0)
        return hr_status_from_errno(errno);
    process->out_fd = out[0];
    out[0] = -1;
    return HR_OK;
}

static void reap(hr_process *process)
{
    int state = 0;
    while (wait4(process->pid, &state, 0, &process->usage) < 0 && errno == EINTR)
        continue;
    process->reaped = true;
    process->exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    process->signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
}

static void kill_now(const hr_process *process)
{
#ifdef HEADRACE_COVERAGE
    /* It may be a program that knows nothing of counters, or one that is stopped. */
    struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
    if (kill(process->pid, HR_WRITE_COUNTERS) == 0 && poll(&end, 1, 3000) > 0)
        return;
#endif
    kill(process->pid, SIGKILL);
}

static void release(hr_process *process)
{
    if (process->pid > 0 && !process->reaped) {
        kill_now(process);
        reap(process);
    }
    close_fd(&process->pidfd);
    close_fd(&process->out_fd);
    close_fd(&process->error_fd);
    free(process->out);
    free(process->error);
    *process = (hr_process){.exit_code = -1, .pidfd = -1, .out_fd = -1, .error_fd = -1};
}

hr_status hr_process_start(hr_process *process, const hr_process_options *options)
{
    *process = (hr_process){.exit_code = -1, .pidfd = -1, .out_fd = -1, .error_fd = -1};
    const char **environment = join_environment(options->environment);
    if (environment == NULL)
        return HR_NO_MEMORY;
    int out[2] = {-1, -1}, failure[2] = {-1, -1};
    hr_status status = launch(process, options, environment, out, failure);
    free(environment);
    for (int end = 0; end < 2; end++) {
        close_fd(&out[end]);
        close_fd(&failure[end]);
    }
    if (status != HR_OK)
        release(process);
    return status;
}

/* Takes what is in the pipe now. Closes it at its end. */
static void take_output(hr_process *process)
{
    if (process->out_size - process->out_len < 65536) {
        size_t size = process->out_size * 2 + 131072;
        char *grown = realloc(process->out, size);
        if (grown == NULL)
            abort();
        process->out = grown;
        process->out_size = size;
    }
    ssize_t got = read(process->out_fd, process->out + process->out_len,
                       process->out_size - process->out_len - 1);
    if (got > 0)
        process->out_len += (size_t)got;
    else if (got == 0 || errno != EINTR)
        close_fd(&process->out_fd);
    process->out[process->out_len] = '\0';
}

/* Waits for output or, with for_end, for the end too. False: the watchdog. */
static bool wait_event(hr_process *process, bool for_end, int64_t deadline_ms, bool *ended_out)
{
    struct pollfd fds[2] = {
        {.fd = process->out_fd, .events = POLLIN},
        {.fd = for_end ? process->pidfd : -1, .events = POLLIN},
    };
    int64_t left_ms = deadline_ms - now_ms();
    int ready = left_ms > 0 ? poll(fds, 2, (int)left_ms) : 0;
    if (ready < 0)
        return errno == EINTR;
    if (fds[0].revents != 0)
        take_output(process);
    /* What it wrote before it ended is taken first. */
    *ended_out = fds[0].revents == 0 && fds[1].revents != 0;
    return ready > 0;
}

/* The next whole line from line_at on, or NULL. */
static char *next_line(hr_process *process, size_t *len_out)
{
    char *line = process->out + process->line_at;
    size_t left = process->out_len - process->line_at;
    char *end = left > 0 ? memchr(line, '\n', left) : NULL;
    if (end == NULL)
        return NULL;
    *len_out = (size_t)(end - line);
    process->line_at += *len_out + 1;
    return line;
}

char *hr_process_wait_line(hr_process *process, const char *part, int watchdog_ms)
{
    int64_t deadline_ms = now_ms() + watchdog_ms;
    for (;;) {
        size_t len;
        for (char *line; (line = next_line(process, &len)) != NULL;)
            if (memmem(line, len, part, strlen(part)) != NULL)
                return strndup(line, len);
        bool ended;
        if (process->out_fd < 0 || !wait_event(process, false, deadline_ms, &ended))
            return NULL;
    }
}

hr_status hr_process_wait(hr_process *process, int watchdog_ms)
{
    int64_t deadline_ms = now_ms() + watchdog_ms;
    bool ended = false;
    while (!process->reaped && !ended)
        if (!wait_event(process, true, deadline_ms, &ended)) {
            kill(process->pid, SIGKILL);
            reap(process);
            return HR_DEADLINE;
        }
    if (!process->reaped)
        reap(process);
    return HR_OK;
}

void hr_process_signal(hr_process *process, int signal)
{
    if (process->pid <= 0 || process->reaped)
        return;
    if (signal == SIGKILL)
        kill_now(process);
    else
        kill(process->pid, signal);
}

const char *hr_process_stdout(hr_process *process)
{
    struct pollfd fd = {.fd = process->out_fd, .events = POLLIN};
    while (process->out_fd >= 0 && poll(&fd, 1, 0) > 0) {
        take_output(process);
        fd.fd = process->out_fd;
    }
    return process->out != NULL ? process->out : "";
}

const char *hr_process_stderr(hr_process *process)
{
    off_t len = process->error_fd >= 0 ? lseek(process->error_fd, 0, SEEK_END) : 0;
    char *text = realloc(process->error, (size_t)len + 1);
    if (text == NULL)
        abort();
    ssize_t got = len > 0 ? pread(process->error_fd, text, (size_t)len, 0) : 0;
    text[got > 0 ? got : 0] = '\0';
    process->error = text;
    return text;
}

double hr_process_cpu_seconds(const hr_process *process)
{
    const struct timeval *user = &process->usage.ru_utime, *system = &process->usage.ru_stime;
    return (double)(user->tv_sec + system->tv_sec) +
           (double)(user->tv_usec + system->tv_usec) / 1e6;
}

void hr_process_stop(hr_process *process)
{
    if (process->pid > 0)
        release(process);
}
