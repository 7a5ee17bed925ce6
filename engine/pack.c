/* SPDX-License-Identifier: Apache-2.0 */
/* hr_pack: the request of a caller; the work is that of hr_packing. */
#include <string.h>

#include "packing.h"

#define INDEX_SUFFIX ".hrindex"

struct hr_pack {
    hr_engine *engine;
    const hr_env *env;
    char *source_path, *target_path;
    hr_status status;
    hr_packing packing;

    hr_letter cancel_letter;
    bool cancel_posted, cancel_taken; /* posted: through __atomic */
};

static void release(hr_pack *pack)
{
    hr_release(pack->env, pack->source_path);
    hr_release(pack->env, pack->target_path);
    hr_release(pack->env, pack);
}

static void deliver_cancel(hr_letter *letter)
{
    hr_pack *pack = HR_CONTAINER(letter, hr_pack, cancel_letter);
    pack->cancel_taken = true;
    if (pack->status == HR_AGAIN)
        hr_packing_cancel(&pack->packing);
}

static void packed(hr_packing *packing)
{
    hr_pack *pack = packing->context;
    pack->status = packing->error.status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static hr_status check_options(const hr_pack_options *options, hr_error *error)
{
    if (options->source_path == NULL || options->source_path[0] == '\0')
        return hr_error_set(error, HR_INVALID, "packing: no source was named");
    if (options->target_path == NULL && options->codec != HR_PACK_NONE)
        return hr_error_set(error, HR_INVALID, "packing %s: no target was named",
                            options->source_path);
    if (options->target_path != NULL && options->codec == HR_PACK_NONE &&
        !ends_with(options->target_path, INDEX_SUFFIX))
        return hr_error_set(error, HR_INVALID,
                            "with codec none only an index is made, which is found beside its "
                            "file as FILE" INDEX_SUFFIX);
    if (strlen(options->source_path) + sizeof INDEX_SUFFIX >= HR_PATH_MAX ||
        (options->target_path != NULL && strlen(options->target_path) >= HR_PATH_MAX))
        return hr_error_set(error, HR_INVALID, "packing: a path is too long");
    return HR_OK;
}

static hr_status copy_paths(hr_pack *pack, const hr_pack_options *options)
{
    char beside[HR_PATH_MAX];
    const char *target = options->target_path;
    if (target == NULL) {
        snprintf(beside, sizeof beside, "%s" INDEX_SUFFIX, options->source_path);
        target = beside;
    }
    hr_status status = hr_engine_copy_text(pack->env, options->source_path, &pack->source_path);
    if (status == HR_OK)
        status = hr_engine_copy_text(pack->env, target, &pack->target_path);
    return status;
}

hr_status hr_pack_start(hr_engine *engine, const hr_pack_options *options, hr_pack **pack_out,
                        hr_error *error)
{
    hr_status status = check_options(options, error);
    if (status != HR_OK)
        return status;
    hr_pack *pack = hr_alloc(engine->env, sizeof *pack);
    if (pack == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "packing: out of memory");
    pack->engine = engine;
    pack->env = engine->env;
    pack->status = HR_AGAIN;
    pack->cancel_letter.deliver = deliver_cancel;
    if (copy_paths(pack, options) != HR_OK) {
        release(pack);
        return hr_error_set(error, HR_NO_MEMORY, "packing: out of memory");
    }
    hr_packing_options file = {
        .source_path = pack->source_path,
        .target_path = pack->target_path,
        .codec = options->codec,
        .level = options->level,
        .threads = options->threads,
        .overwrite = options->overwrite,
    };
    hr_packing_start(&pack->packing, engine, &file, packed, pack);
    *pack_out = pack;
    return HR_OK;
}

hr_status hr_pack_status(const hr_pack *pack)
{
    return pack->status;
}

const hr_error *hr_pack_error(const hr_pack *pack)
{
    return &pack->packing.error;
}

hr_packed_progress hr_pack_count(const hr_pack *pack)
{
    return pack->packing.progress;
}

const char *hr_pack_choice(const hr_pack *pack)
{
    return pack->packing.choice_text;
}

void hr_pack_cancel(hr_pack *pack)
{
    if (!__atomic_exchange_n(&pack->cancel_posted, true, __ATOMIC_ACQ_REL))
        hr_loop_post(hr_engine_home(pack->engine)->loop, &pack->cancel_letter);
}

void hr_pack_destroy(hr_pack *pack)
{
    if (pack == NULL)
        return;
    if (pack->status == HR_AGAIN)
        hr_pack_cancel(pack);
    while (pack->status == HR_AGAIN || (pack->cancel_posted && !pack->cancel_taken))
        hr_engine_step(pack->engine, HR_NS_PER_S);
    hr_packing_fini(&pack->packing);
    release(pack);
}
