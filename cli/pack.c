/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"
#include "launch.h"
#include "output.h"
#include "tally.h"
#include "verbs.h"

/* Steps until it is over, one way or the other. */
static hr_status follow(hr_cli_tally *tally, hr_engine *engine, hr_pack *pack, hr_error *error)
{
    bool canceled = false;
    hr_status status;
    while ((status = hr_pack_status(pack)) == HR_AGAIN) {
        hr_engine_step(engine, hr_cli_ticker_wait_ns(&tally->ticker));
        hr_packed_progress count = hr_pack_count(pack);
        hr_cli_tally_step(tally, &count);
        if (!canceled && (hr_cli_interrupted() || hr_cli_reader_is_gone())) {
            hr_pack_cancel(pack);
            canceled = true;
        }
    }
    if (status != HR_OK)
        *error = *hr_pack_error(pack);
    return status;
}

static hr_status check(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                       hr_error *error)
{
    if (argument_count < 2 && settings->codec != HR_PACK_NONE)
        return hr_error_set(error, HR_INVALID, "pack needs a target too: headrace pack %s TARGET",
                            arguments[0]);
    return HR_OK;
}

hr_status hr_cli_pack(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                      hr_error *error)
{
    hr_engine *engine = NULL;
    hr_pack *pack = NULL;
    hr_packed_progress count = {.codec = ""};
    hr_cli_tally tally = {
        .settings = settings,
        .done = "packed",
        .source = arguments[0],
        .target = argument_count > 1 ? arguments[1] : NULL,
    };
    hr_pack_options options = {
        .source_path = arguments[0],
        .target_path = tally.target,
        .codec = (hr_pack_codec)settings->codec,
        .level = (int)settings->level,
        .threads = settings->threads,
        .overwrite = settings->overwrite,
        .file_done = hr_cli_tally_file,
        .context = &tally,
    };
    hr_cli_ticker_begin(&tally.ticker, settings);
    hr_status status = check(settings, arguments, argument_count, error);
    if (status == HR_OK)
        status = hr_cli_tally_engine(settings, &engine, error);
    if (status == HR_OK)
        status = hr_pack_start(engine, &options, &pack, error);
    if (status == HR_OK)
        status = follow(&tally, engine, pack, error);
    if (pack != NULL)
        count = hr_pack_count(pack);
    hr_cli_tally_end(&tally, &count, pack != NULL ? hr_pack_choice(pack) : "", status, error);
    hr_pack_destroy(pack);
    hr_cli_engine_destroy(engine);
    return status;
}
