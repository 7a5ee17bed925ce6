/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static hr_engine *volatile engine_to_wake;
static hr_get *volatile get_to_cancel;
static volatile sig_atomic_t interrupted, hung_up;

/* An impatient hand: what is under way is left as a crash would leave it. */
static void end_at_once(void)
{
    static const char text[] = "headrace: ended at once, being interrupted twice\n";
    static const char resumable[] =
        "headrace: ended at once, being interrupted twice; the same command given again goes on "
        "from here\n";
    bool goes_on = get_to_cancel != NULL;
    if (isatty(STDERR_FILENO))
        (void)!write(STDERR_FILENO, "\r\033[K", 4); /* over the live line */
    (void)!write(STDERR_FILENO, goes_on ? resumable : text,
                 (goes_on ? sizeof resumable : sizeof text) - 1);
    _exit(hr_status_exit_code(HR_INTERRUPTED));
}

static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    if (interrupted)
        end_at_once();
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
