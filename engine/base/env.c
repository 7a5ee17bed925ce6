/* SPDX-License-Identifier: Apache-2.0 */
#include "env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static uint64_t system_now_ns(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * HR_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void system_random(void *context, void *bytes, size_t len)
{
    (void)context;
    char *at = bytes;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0)
            continue; /* EINTR is the only failure left once the pool is ready */
        at += got;
        len -= (size_t)got;
    }
}

static void *system_alloc(void *context, size_t len)
{
    (void)context;
    return calloc(1, len);
}

static void system_release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static void system_log(void *context, hr_log_level level, const char *line)
{
    (void)context;
    static const char *const names[] = {"error", "warning", "info", "debug"};
    fprintf(stderr, "headrace: %s: %s\n", names[level], line);
}

const hr_env *hr_env_system(void)
{
    static const hr_env env = {
        .now_ns = system_now_ns,
        .random = system_random,
        .alloc = system_alloc,
        .release = system_release,
        .log = system_log,
        .log_level = HR_LOG_WARN,
    };
    return &env;
}

uint64_t hr_random_u64(const hr_env *env)
{
    uint64_t value;
    env->random(env->context, &value, sizeof value);
    return value;
}

void hr_log(const hr_env *env, hr_log_level level, const char *format, ...)
{
    if (level > env->log_level)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    env->log(env->context, level, line);
}
