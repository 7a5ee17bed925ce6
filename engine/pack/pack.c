/* SPDX-License-Identifier: Apache-2.0 */
/* hr_pack: starting and ending a request; the work is that of hr_packing, file after file. */
#include "pack.h"

#include <string.h>

#define INDEX_SUFFIX ".hrindex"

static void release(hr_pack *pack)
{
    hr_pack_tree_release(pack);
    hr_release(pack->env, pack->source_path);
    hr_release(pack->env, pack->target_path);
    hr_release(pack->env, pack);
}

static void deliver_cancel(hr_letter *letter)
{
    hr_pack *pack = HR_CONTAINER(letter, hr_pack, cancel_letter);
    pack->cancel_taken = true;
    if (pack->status != HR_AGAIN)
        return;
    if (pack->is_tree && pack->error.status == HR_OK)
        hr_error_set(&pack->error, HR_CANCELED, "interrupted; the shards that are done stay");
    if (pack->packing_runs)
        hr_packing_cancel(&pack->packing);
}

/* ---- a file ---- */

static void add(hr_packed_progress *sum, const hr_packed_progress *one)
{
    sum->bytes += one->bytes;
    sum->bytes_done += one->bytes_done;
    sum->stored_bytes += one->stored_bytes;
    sum->chunks += one->chunks;
    sum->chunks_done += one->chunks_done;
    sum->chunks_stored += one->chunks_stored;
    if (sum->codec[0] == '\0')
        sum->codec = one->codec;
    else if (one->codec[0] != '\0' && strcmp(sum->codec, one->codec) != 0)
        sum->codec = "several";
}

static void report(hr_pack *pack)
{
    const hr_packing *packing = &pack->packing;
    hr_file_report file = {
        .path = pack->name,
        .status = packing->error.status,
        .text = packing->error.status != HR_OK ? packing->error.text : packing->choice_text,
        .bytes = packing->progress.bytes,
    };
    if (pack->options.file_done != NULL)
        pack->options.file_done(pack->options.context, &file);
}

static void file_packed(hr_packing *packing)
{
    hr_pack *pack = packing->context;
    hr_status status = packing->error.status;
    pack->packing_runs = false;
    if (!pack->is_tree) {
        pack->error = packing->error;
        pack->status = status;
        return;
    }
    if (status != HR_CANCELED) {
        pack->over.files++;
        pack->over.files_failed += status != HR_OK;
        pack->over.files_kept += packing->kept;
        report(pack);
    }
    if (status == HR_OK && !packing->kept)
        add(&pack->over, &packing->progress);
    /* The next file would find no more room than this one. */
    if (status == HR_NO_SPACE && pack->error.status == HR_OK)
        pack->error = packing->error;
    hr_pack_tree_next(pack);
}

void hr_pack_file(hr_pack *pack, const char *source, const char *target)
{
    hr_packing_options options = {
        .source_path = source,
        .target_path = target,
        .in_tree = pack->is_tree,
        .codec = pack->options.codec,
        .level = pack->options.level,
        .threads = pack->options.threads,
        .overwrite = pack->options.overwrite,
    };
    pack->packing_runs = true;
    hr_packing_start(&pack->packing, pack->engine, &options, file_packed, pack);
}

/* ---- starting ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void start_file(hr_pack *pack)
{
    char beside[HR_PATH_MAX];
    bool is_index = pack->options.codec == HR_PACK_NONE;
    if (pack->target_path == NULL) {
        snprintf(beside, sizeof beside, "%s" INDEX_SUFFIX, pack->source_path);
        pack->status = hr_engine_copy_text(pack->env, beside, &pack->target_path);
    }
    if (pack->target_path == NULL)
        hr_error_set(&pack->error, pack->status, "packing: out of memory");
    else if (is_index && !ends_with(pack->target_path, INDEX_SUFFIX))
        pack->status = hr_error_set(&pack->error, HR_INVALID,
                                    "with codec none only an index is made, which is found beside "
                                    "its file as FILE" INDEX_SUFFIX);
    else {
        pack->status = HR_AGAIN;
        hr_pack_file(pack, pack->source_path, pack->target_path);
    }
}

/* What cannot be opened as a directory is a file, or will say why it is not. */
static void opened_dir(hr_io *io)
{
    hr_pack *pack = io->context;
    pack->dir = io->status == HR_OK ? io->dir_out : NULL;
    if (pack->cancel_taken && pack->dir == NULL)
        pack->status = hr_error_set(&pack->error, HR_CANCELED, "interrupted");
    else if (pack->dir == NULL)
        start_file(pack);
    else if (pack->options.codec == HR_PACK_NONE && pack->target_path != NULL)
        hr_pack_tree_refuse(pack, "with codec none the indexes of a tree lie beside its files: "
                                  "it needs no target");
    else if (pack->options.codec != HR_PACK_NONE && pack->target_path == NULL)
        hr_pack_tree_refuse(pack, "packing a directory needs another one as its target");
    else
        hr_pack_tree_start(pack);
}

static hr_status check_options(const hr_pack_options *options, hr_error *error)
{
    if (options->source_path == NULL || options->source_path[0] == '\0')
        return hr_error_set(error, HR_INVALID, "packing: no source was named");
    if (options->target_path == NULL && options->codec != HR_PACK_NONE)
        return hr_error_set(error, HR_INVALID, "packing %s: no target was named",
                            options->source_path);
    if (strlen(options->source_path) + sizeof INDEX_SUFFIX >= HR_PATH_MAX ||
        (options->target_path != NULL && strlen(options->target_path) >= HR_PATH_MAX))
        return hr_error_set(error, HR_INVALID, "packing: a path is too long");
    return HR_OK;
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
    pack->options = *options;
    pack->status = HR_AGAIN;
    pack->over.codec = pack->packing.progress.codec = "";
    pack->cancel_letter.deliver = deliver_cancel;
    status = hr_engine_copy_text(pack->env, options->source_path, &pack->source_path);
    if (status == HR_OK)
        status = hr_engine_copy_text(pack->env, options->target_path, &pack->target_path);
    if (status != HR_OK) {
        release(pack);
        return hr_error_set(error, HR_NO_MEMORY, "packing: out of memory");
    }
    pack->io = (hr_io){
        .kind = HR_IO_OPEN_DIR,
        .path = pack->source_path,
        .buffer = -1,
        .done = opened_dir,
        .context = pack,
    };
    hr_storage_submit(hr_engine_home(engine)->storage, &pack->io);
    *pack_out = pack;
    return HR_OK;
}

/* ---- what it is ---- */

hr_status hr_pack_status(const hr_pack *pack)
{
    return pack->status;
}

const hr_error *hr_pack_error(const hr_pack *pack)
{
    return &pack->error;
}

hr_packed_progress hr_pack_count(const hr_pack *pack)
{
    if (!pack->is_tree)
        return pack->packing.progress;
    hr_packed_progress sum = pack->over;
    if (pack->packing_runs)
        add(&sum, &pack->packing.progress);
    return sum;
}

const char *hr_pack_choice(const hr_pack *pack)
{
    return pack->is_tree ? "" : pack->packing.choice_text;
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
