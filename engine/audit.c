/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "thread.h"

/* Bytes that wait for the disk, and as many that are being written: some 4,000 lines. */
#define BUFFER_LEN (1u << 20)

struct hr_audit {
    const hr_env *env;
    char *path;
    int fd; /* the writer's */
    pthread_t writer;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char *waiting, *written; /* they change places */
    size_t len;
    uint64_t lost;
    bool reopen, stop;
};

/* ---- the writer's ---- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
}

static void open_again(hr_audit *audit)
{
    int fd = open_file(audit->path);
    if (fd < 0) {
        hr_log(audit->env, HR_LOG_WARN, "opening the audit file %s again: %s; going on in the old",
               audit->path, strerror(errno));
        return;
    }
    close(audit->fd);
    audit->fd = fd;
}

static void write_out(hr_audit *audit, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t written = write(audit->fd, audit->written + at, len - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            hr_log(audit->env, HR_LOG_WARN, "writing the audit file %s: %s; lines are lost",
                   audit->path, strerror(errno));
            return;
        }
        at += (size_t)written;
    }
}

static bool append(hr_audit *audit, const char *line)
{
    size_t len = strlen(line);
    if (audit->len + len + 1 > BUFFER_LEN)
        return false;
    memcpy(audit->waiting + audit->len, line, len);
    audit->waiting[audit->len + len] = '\n';
    audit->len += len + 1;
    return true;
}

/* There is room again: at the end too, when nobody notes anything any more. */
static void tell_lost(hr_audit *audit)
{
    char told[80];
    snprintf(told, sizeof told, "{\"what\":\"lost\",\"lines\":%llu}",
             (unsigned long long)audit->lost);
    if (audit->lost > 0 && append(audit, told))
        audit->lost = 0;
}

static void *run(void *context)
{
    hr_audit *audit = context;
    pthread_mutex_lock(&audit->mutex);
    for (;;) {
        while (audit->len == 0 && !audit->reopen && !audit->stop)
            pthread_cond_wait(&audit->changed, &audit->mutex);
        if (audit->len == 0 && !audit->reopen)
            break;
        char *full = audit->waiting;
        size_t len = audit->len;
        bool reopen = audit->reopen;
        audit->waiting = audit->written;
        audit->written = full;
        audit->len = 0;
        audit->reopen = false;
        tell_lost(audit);
        pthread_mutex_unlock(&audit->mutex);
        if (reopen)
            open_again(audit);
        write_out(audit, len);
        pthread_mutex_lock(&audit->mutex);
    }
    pthread_mutex_unlock(&audit->mutex);
    return NULL;
}

/* ---- everybody's ---- */

static json_t *time_now(void)
{
    struct timespec now;
    struct tm parts;
    char text[64], whole[80];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(whole, sizeof whole, "%s.%03ldZ", text, now.tv_nsec / 1000000);
    return json_string(whole);
}

/* A name from outside as text: what is no printable UTF-8 as \xNN. */
static json_t *quoted(const char *text)
{
    char out[1000];
    return json_string(hr_quote(out, sizeof out, text, strlen(text)));
}

static char *line_of(const hr_audit_event *event)
{
    json_t *line = json_object();
    json_object_set_new(line, "time", time_now());
    json_object_set_new(line, "what", json_string(event->what));
    json_object_set_new(line, "session", json_integer((json_int_t)event->session));
    json_object_set_new(line, "who", quoted(event->who));
    json_object_set_new(line, "peer", quoted(event->peer));
    if (event->path != NULL) {
        json_object_set_new(line, "path", quoted(event->path));
        json_object_set_new(line, "bytes", json_integer((json_int_t)event->size));
        json_object_set_new(line, "bytes_sent", json_integer((json_int_t)event->sent));
    }
    json_object_set_new(line, "seconds", json_real((double)event->duration_ns / 1e9));
    json_object_set_new(line, "status", json_string(hr_status_name(event->status)));
    if (event->reason != NULL && event->reason[0] != '\0')
        json_object_set_new(line, "reason", quoted(event->reason));
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(line);
    return text;
}

void hr_audit_note(hr_audit *audit, const hr_audit_event *event)
{
    if (audit == NULL)
        return;
    char *line = line_of(event);
    pthread_mutex_lock(&audit->mutex);
    if (line == NULL || !append(audit, line))
        audit->lost++;
    pthread_cond_signal(&audit->changed);
    pthread_mutex_unlock(&audit->mutex);
    free(line);
}

void hr_audit_reopen(hr_audit *audit)
{
    if (audit == NULL)
        return;
    pthread_mutex_lock(&audit->mutex);
    audit->reopen = true;
    pthread_cond_signal(&audit->changed);
    pthread_mutex_unlock(&audit->mutex);
}

static void release(hr_audit *audit)
{
    if (audit->fd >= 0)
        close(audit->fd);
    free(audit->path);
    free(audit->waiting);
    free(audit->written);
    hr_release(audit->env, audit);
}

hr_status hr_audit_create(const hr_env *env, const char *path, hr_audit **audit_out,
                          hr_error *error)
{
    hr_audit *audit = hr_alloc(env, sizeof *audit);
    if (audit == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "opening the audit file: out of memory");
    audit->env = env;
    audit->fd = open_file(path);
    int number = errno;
    audit->path = strdup(path);
    audit->waiting = malloc(BUFFER_LEN);
    audit->written = malloc(BUFFER_LEN);
    hr_status status = HR_OK;
    if (audit->fd < 0)
        status = hr_error_set(error, hr_status_from_errno(number),
                              "opening the audit file %.300s: %s", path, strerror(number));
    else if (audit->path == NULL || audit->waiting == NULL || audit->written == NULL)
        status = hr_error_set(error, HR_NO_MEMORY, "opening the audit file: out of memory");
    if (status == HR_OK) {
        pthread_mutex_init(&audit->mutex, NULL);
        pthread_cond_init(&audit->changed, NULL);
        number = hr_thread_start(&audit->writer, run, audit);
        if (number != 0)
            status = hr_error_set(error, hr_status_from_errno(number),
                                  "starting the thread of the audit file: %s", strerror(number));
    }
    if (status != HR_OK)
        release(audit);
    else
        *audit_out = audit;
    return status;
}

void hr_audit_destroy(hr_audit *audit)
{
    if (audit == NULL)
        return;
    pthread_mutex_lock(&audit->mutex);
    audit->stop = true;
    pthread_cond_signal(&audit->changed);
    pthread_mutex_unlock(&audit->mutex);
    pthread_join(audit->writer, NULL);
    pthread_mutex_destroy(&audit->mutex);
    pthread_cond_destroy(&audit->changed);
    release(audit);
}
