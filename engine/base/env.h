/* SPDX-License-Identifier: Apache-2.0 */
/* hr_env: time, randomness, memory and the log, as tables, so that tests can hold them. One env is
 * made at start and outlives everything that was given it. */
#ifndef HR_ENV_H
#define HR_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define HR_NS_PER_US UINT64_C(1000)
#define HR_NS_PER_MS UINT64_C(1000000)
#define HR_NS_PER_S  UINT64_C(1000000000)
#define HR_NEVER     UINT64_MAX /* a deadline that does not come */

typedef enum hr_log_level {
    HR_LOG_ERROR, /* cannot go on */
    HR_LOG_WARN,  /* odd, going on */
    HR_LOG_INFO,  /* once per object */
    HR_LOG_DEBUG, /* once per transfer */
} hr_log_level;

typedef struct hr_env {
    void *context;
    /* Monotonic. Any thread. */
    uint64_t (*now_ns)(void *context);
    /* Unpredictable bytes (predictable under a test's seed). Any thread. */
    void (*random)(void *context, void *bytes, size_t len);
    /* Zeroed memory or NULL; release accepts NULL. Any thread. Never called on the data path. */
    void *(*alloc)(void *context, size_t len);
    void (*release)(void *context, void *memory);
    /* One line without its newline. Any thread. */
    void (*log)(void *context, hr_log_level level, const char *line);
    hr_log_level log_level; /* what is less important is not even formatted */
} hr_env;

/* The real one: CLOCK_MONOTONIC, getrandom, calloc, stderr. */
const hr_env *hr_env_system(void);

static inline uint64_t hr_now_ns(const hr_env *env)
{
    return env->now_ns(env->context);
}

static inline void *hr_alloc(const hr_env *env, size_t len)
{
    return env->alloc(env->context, len);
}

static inline void hr_release(const hr_env *env, void *memory)
{
    env->release(env->context, memory);
}

uint64_t hr_random_u64(const hr_env *env);
void hr_log(const hr_env *env, hr_log_level level, const char *format, ...) HR_PRINTF(3, 4);

#endif
