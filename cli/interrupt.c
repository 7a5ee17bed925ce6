/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static hr_engine *volatile engine_to_wake;
static hr_get *volatile get_to_cancel;
static volatile sig_atomic_t interrupted, hung_up;

static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    if (interrupted)
        _exit(hr_status_exit_code(HR_INTERRUPTED));
    interrupted = 1;
    if (get_to_cancel != NULL)
        hr_get_cancel(get_to_cancel);
    /* A step that is about to wait would sleep over the flag. */
    if (engine_to_wake != NULL)
        hr_engine_wake(engine_to_wake);
    errno = saved;
}

static void on_hang_up(int number)
{
    (void)number;
    int saved = errno;
    hung_up = 1;
    if (engine_to_wake != NULL)
        hr_engine_wake(engine_to_wake);
    errno = saved;
}

void hr_cli_interrupt_wakes(hr_engine *engine)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    engine_to_wake = engine;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void hr_cli_interrupt_cancels(hr_get *get)
{
    get_to_cancel = get;
    if (get != NULL && interrupted)
        hr_get_cancel(get);
}

bool hr_cli_interrupted(void)
{
    return interrupted != 0;
}

void hr_cli_hang_up_wakes(void)
{
    struct sigaction action = {.sa_handler = on_hang_up, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGHUP, &action, NULL);
}

bool hr_cli_hung_up(void)
{
    bool was = hung_up != 0;
    hung_up = 0;
    return was;
}
