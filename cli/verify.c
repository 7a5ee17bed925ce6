/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"
#include "launch.h"
#include "output.h"
#include "tally.h"
#include "verbs.h"

/* Steps until it is over, one way or the other. */
static hr_status follow(hr_cli_tally *tally, hr_engine *engine, hr_verify *verify, hr_error *error)
{
    bool canceled = false;
    hr_status status;
    while ((status = hr_verify_status(verify)) == HR_AGAIN) {
        hr_engine_step(engine, hr_cli_ticker_wait_ns(&tally->ticker));
        hr_packed_progress count = hr_verify_count(verify);
        hr_cli_tally_step(tally, &count);
        if (!canceled && (hr_cli_interrupted() || hr_cli_reader_is_gone())) {
            hr_verify_cancel(verify);
            canceled = true;
        }
    }
    if (status != HR_OK)
        *error = *hr_verify_error(verify);
    return status;
}

static hr_status verify_one(const hr_cli_settings *settings, hr_engine *engine, const char *path,
                            hr_error *error)
{
    hr_verify *verify = NULL;
    hr_packed_progress count = {.codec = ""};
    hr_cli_tally tally = {
        .settings = settings,
        .done = "verified",
        .source = path,
    };
    hr_verify_options options = {.path = path, .threads = settings->threads};
    hr_cli_ticker_begin(&tally.ticker, settings);
    hr_status status = hr_verify_start(engine, &options, &verify, error);
    if (status == HR_OK)
        status = follow(&tally, engine, verify, error);
    if (verify != NULL)
        count = hr_verify_count(verify);
    hr_cli_tally_end(&tally, &count, "", status, error);
    hr_verify_destroy(verify);
    return status;
}

/* All paths are looked at; the exit code and the last sentence are of the first that failed. */
hr_status hr_cli_verify(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                        hr_error *error)
{
    hr_engine *engine = NULL;
    if (settings->against != NULL && argument_count != 1)
        return hr_error_set(error, HR_INVALID, "--against compares one tree with one source");
    if (settings->against != NULL)
        return hr_cli_against(settings, arguments[0], error);
    hr_status status = hr_cli_tally_engine(settings, &engine, error);
    if (status != HR_OK)
        return status;
    for (unsigned i = 0; i < argument_count && !hr_cli_interrupted(); i++) {
        hr_error own = {0};
        hr_status one = verify_one(settings, engine, arguments[i], &own);
        if (one != HR_OK && status != HR_OK)
            hr_cli_say("%s", own.text);
        if (one != HR_OK && status == HR_OK) {
            *error = own;
            status = one;
        }
    }
    hr_cli_engine_destroy(engine);
    return status;
}
