/* SPDX-License-Identifier: Apache-2.0 */
#include "helpers.h"

#include <assert.h>

#include "thread.h"

struct hr_helpers {
    const hr_env *env;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    hr_job *first, *last;
    bool stopping;
    unsigned threads;
    pthread_t thread[];
};

/* NULL: the pool is being destroyed. */
static hr_job *take_job(hr_helpers *helpers)
{
    pthread_mutex_lock(&helpers->lock);
    while (helpers->first == NULL && !helpers->stopping)
        pthread_cond_wait(&helpers->work, &helpers->lock);
    hr_job *job = helpers->first;
    if (job != NULL)
        helpers->first = job->next;
    pthread_mutex_unlock(&helpers->lock);
    return job;
}

static void deliver_done(hr_letter *letter)
{
    hr_job *job = HR_CONTAINER(letter, hr_job, letter);
    job->done(job);
}

static void do_job(hr_job *job)
{
    hr_loop *loop = job->loop; /* without one the job may be gone once it has run */
    job->run(job);
    if (loop != NULL)
        hr_loop_post(loop, &job->letter);
}

static void *help(void *argument)
{
    hr_helpers *helpers = argument;
    for (hr_job *job; (job = take_job(helpers)) != NULL;)
        do_job(job);
    return NULL;
}

void hr_helpers_submit(hr_helpers *helpers, hr_job *job)
{
    job->letter.deliver = deliver_done;
    job->next = NULL;
    if (helpers->threads == 0) {
        do_job(job);
        return;
    }
    pthread_mutex_lock(&helpers->lock);
    if (helpers->first == NULL)
        helpers->first = job;
    else
        helpers->last->next = job;
    helpers->last = job;
    pthread_cond_signal(&helpers->work);
    pthread_mutex_unlock(&helpers->lock);
}

hr_status hr_helpers_create(const hr_env *env, unsigned threads, hr_helpers **helpers_out)
{
    hr_helpers *helpers = hr_alloc(env, sizeof *helpers + threads * sizeof(pthread_t));
    if (helpers == NULL)
        return HR_NO_MEMORY;
    helpers->env = env;
    pthread_mutex_init(&helpers->lock, NULL);
    pthread_cond_init(&helpers->work, NULL);

    if (threads == 0) {
        *helpers_out = helpers;
        return HR_OK;
    }
    int error = 0;
    while (error == 0 && helpers->threads < threads) {
        error = hr_thread_start(&helpers->thread[helpers->threads], help, helpers);
        if (error == 0)
            helpers->threads++;
    }
    if (helpers->threads == 0) {
        hr_helpers_destroy(helpers);
        return HR_LIMIT;
    }
    if (error != 0)
        hr_log(env, HR_LOG_WARN, "only %u of %u helper threads could be started", helpers->threads,
               threads);
    *helpers_out = helpers;
    return HR_OK;
}

void hr_helpers_destroy(hr_helpers *helpers)
{
    if (helpers == NULL)
        return;
    pthread_mutex_lock(&helpers->lock);
    assert(helpers->first == NULL);
    helpers->stopping = true;
    pthread_cond_broadcast(&helpers->work);
    pthread_mutex_unlock(&helpers->lock);
    for (unsigned i = 0; i < helpers->threads; i++)
        pthread_join(helpers->thread[i], NULL);
    pthread_cond_destroy(&helpers->work);
    pthread_mutex_destroy(&helpers->lock);
    hr_release(helpers->env, helpers);
}
