/* SPDX-License-Identifier: Apache-2.0 */
#include "packing.h"

#include <stdarg.h>
#include <string.h>

#include "bytes.h"
#include "chunk.h"

/* ---- the end ---- */

static void closed_source(hr_io *io)
{
    hr_packing *packing = io->context;
    hr_memory *memory = packing->engine->platform->memory;
    if (packing->pages.addr != NULL)
        memory->ops->release(memory, &packing->pages);
    packing->pages.addr = NULL;
    hr_elements_fini(&packing->elements, packing->env);
    packing->done(packing);
}

static void close_source(hr_outlet *outlet, hr_status status)
{
    hr_packing *packing = outlet->context;
    (void)status;
    packing->io = (hr_io){
        .kind = HR_IO_CLOSE,
        .file = packing->source,
        .done = closed_source,
        .context = packing,
    };
    if (packing->source != NULL)
        hr_storage_submit(packing->storage, &packing->io);
    else
        closed_source(&packing->io);
}

void hr_packing_close(hr_packing *packing)
{
    if (packing->closing || packing->under_way > 0)
        return;
    packing->closing = true;
    packing->outlet.context = packing;
    if (packing->outlet_used)
        hr_outlet_close(&packing->outlet, close_source);
    else
        close_source(&packing->outlet, HR_OK);
}

void hr_packing_fail(hr_packing *packing, hr_status status, const char *format, ...)
{
    char text[sizeof packing->error.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hr_error_set(&packing->error, status, "%s", text);
    __atomic_store_n(&packing->stopped, true, __ATOMIC_RELAXED);
    hr_packing_close(packing);
}

void hr_packing_fail_io(hr_packing *packing, const char *what, const char *shown, const hr_io *io)
{
    const char *advice =
        io->status == HR_NO_SPACE ? "; make room and run the same command again" : "";
    hr_packing_fail(packing, io->status, "%s %s: %s%s", what, shown, hr_io_why(io), advice);
}

bool hr_packing_landed(hr_packing *packing)
{
    packing->under_way--;
    if (hr_packing_has_failed(packing))
        hr_packing_close(packing);
    return !hr_packing_has_failed(packing);
}

void hr_packing_submit(hr_packing *packing, hr_io *io)
{
    packing->under_way++;
    io->buffer = -1;
    hr_storage_submit(packing->storage, io);
}

void hr_packing_fail_changed(hr_packing *packing)
{
    hr_packing_fail(packing, HR_CHANGED,
                    "%s changed while it was packed; run the same command again", packing->shown);
}

/* ---- opening ---- */

static size_t scratch_for(hr_pack_codec codec)
{
    size_t most = 0;
    static const hr_container containers[] = {
        [HR_PACK_LZ4] = HR_CONTAINER_LZ4,
        [HR_PACK_ZSTD] = HR_CONTAINER_ZSTD,
        [HR_PACK_PLANES] = HR_CONTAINER_HEADRACE,
        [HR_PACK_NONE] = HR_CONTAINER_BESIDE,
    };
    for (unsigned i = HR_PACK_LZ4; i <= HR_PACK_NONE; i++) {
        size_t len = hr_packed_scratch_len(containers[i]);
        if ((codec == HR_PACK_AUTO || codec == HR_PACK_NONE || (unsigned)codec == i) && len > most)
            most = len;
    }
    return most;
}

static hr_status take_memory(hr_packing *packing)
{
    hr_memory *memory = packing->engine->platform->memory;
    size_t pages_len = ((size_t)hr_index_pages(packing->tail.chunk_count) + 1) * HR_INDEX_PAGE_LEN;
    hr_page_kind kind;
    hr_status status = memory->ops->alloc(memory, pages_len, &packing->pages, &kind);
    if (status != HR_OK)
        return status;
    packing->pages_len = pages_len; /* however much came */
    unsigned threads = packing->options.threads;
    if (threads == 0)
        threads = packing->engine->platform->processors;
    if (hr_crew_does(&packing->crew, threads, packing->tail.chunk_count))
        return HR_OK;
    hr_crew_fini(&packing->crew);
    return hr_crew_init(&packing->crew, packing->env, hr_engine_home(packing->engine)->loop, memory,
                        threads, packing->tail.chunk_count, scratch_for(packing->options.codec),
                        packing);
}

static bool is_kept(const hr_packing *packing, hr_status status)
{
    return status == HR_EXISTS && packing->options.in_tree &&
           packing->outlet.found_mtime_ns >= packing->info.mtime_ns;
}

static void outlet_opened(hr_outlet *outlet, hr_status status)
{
    hr_packing *packing = outlet->context;
    if (!hr_packing_landed(packing))
        return;
    packing->kept = is_kept(packing, status);
    if (packing->kept)
        hr_packing_close(packing);
    else if (status != HR_OK)
        hr_packing_fail(packing, status, "%s", outlet->text);
    else
        hr_packing_pump(packing);
}

void hr_packing_open_outlet(hr_packing *packing)
{
    static const char *const suffixes[] = {
        [HR_CONTAINER_BESIDE] = ".hrindex",     [HR_CONTAINER_LZ4] = ".lz4",
        [HR_CONTAINER_ZSTD] = ".zst",           [HR_CONTAINER_HEADRACE] = ".hrpacked",
        [HR_CONTAINER_LZ4_BESIDE] = ".hrindex", [HR_CONTAINER_ZSTD_BESIDE] = ".hrindex",
    };
    const hr_packing_options *options = &packing->options;
    packing->tail.container = packing->container;
    packing->progress.codec = hr_container_name(packing->container);
    int len = snprintf(packing->target_path, sizeof packing->target_path, "%s%s",
                       options->target_path, options->in_tree ? suffixes[packing->container] : "");
    if (len >= (int)sizeof packing->target_path) {
        hr_packing_fail(packing, HR_INVALID, "packing %s: the path of its target is too long",
                        packing->shown);
        return;
    }
    packing->outlet_used = true;
    packing->under_way++;
    hr_outlet_open(&packing->outlet, packing->env, packing->storage, packing->target_path,
                   (options->overwrite ? HR_OUTLET_OVERWRITE : 0u) |
                       (options->in_tree ? HR_OUTLET_MAKE_PARENT : 0u),
                   outlet_opened, packing);
}

static bool takes_elements(hr_pack_codec codec)
{
    return codec == HR_PACK_AUTO || codec == HR_PACK_PLANES;
}

static void opened_source(hr_io *io)
{
    hr_packing *packing = io->context;
    if (io->status == HR_OK)
        packing->source = io->file_out;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK) {
        hr_packing_fail_io(packing, "opening", packing->shown, io);
        return;
    }
    packing->info = io->info;
    uint64_t count = io->info.size / HR_INDEX_CHUNK_MAX + (io->info.size % HR_INDEX_CHUNK_MAX != 0);
    if (count > HR_CHUNKS_MAX) {
        hr_packing_fail(packing, HR_LIMIT,
                        "%s is longer than the 128 TiB that a packed shard can hold",
                        packing->shown);
        return;
    }
    packing->tail.content_len = packing->progress.bytes = io->info.size;
    packing->tail.chunk_len = HR_INDEX_CHUNK_MAX;
    packing->tail.chunk_count = (uint32_t)count;
    packing->progress.chunks = count;
    hr_status status = take_memory(packing);
    if (status != HR_OK)
        hr_packing_fail(packing, status, "taking memory to pack %s: %s; fewer threads need less",
                        packing->shown, hr_status_text(status));
    else if (takes_elements(packing->options.codec) && count > 0)
        hr_packing_read_header(packing);
    else if (packing->options.codec == HR_PACK_NONE && count > 0)
        hr_packing_look(packing);
    else
        hr_packing_open_outlet(packing);
}

static void open_source(hr_packing *packing)
{
    packing->io = (hr_io){
        .kind = HR_IO_OPEN,
        .path = packing->options.source_path,
        .flags = HR_IO_READABLE,
        .done = opened_source,
        .context = packing,
    };
    hr_packing_submit(packing, &packing->io);
}

/* ---- the interface ---- */

/* Who names a file x.lz4 or x.zst will have it read by lz4 or zstd. */
static hr_pack_codec codec_of(const hr_packing_options *options)
{
    bool is_named = options->codec == HR_PACK_AUTO && !options->in_tree;
    size_t len = is_named ? strlen(options->target_path) : 0;
    if (len > 4 && strcmp(options->target_path + len - 4, ".lz4") == 0)
        return HR_PACK_LZ4;
    if (len > 4 && strcmp(options->target_path + len - 4, ".zst") == 0)
        return HR_PACK_ZSTD;
    return options->codec;
}

void hr_packing_start(hr_packing *packing, hr_engine *engine, const hr_packing_options *options,
                      void (*done)(hr_packing *packing), void *context)
{
    static const hr_container containers[] = {
        [HR_PACK_AUTO] = HR_CONTAINER_LZ4, /* until a sample says otherwise */
        [HR_PACK_LZ4] = HR_CONTAINER_LZ4,         [HR_PACK_ZSTD] = HR_CONTAINER_ZSTD,
        [HR_PACK_PLANES] = HR_CONTAINER_HEADRACE, [HR_PACK_NONE] = HR_CONTAINER_BESIDE,
    };
    hr_crew crew = packing->crew;
    *packing = (hr_packing){
        .crew = crew,
        .engine = engine,
        .env = engine->env,
        .storage = hr_engine_home(engine)->storage,
        .options = *options,
        .container = containers[codec_of(options)],
        .done = done,
        .context = context,
        .progress = {.codec = ""},
    };
    packing->options.codec = codec_of(options);
    hr_quote(packing->shown, sizeof packing->shown, options->source_path,
             strlen(options->source_path));
    open_source(packing);
}

void hr_packing_cancel(hr_packing *packing)
{
    if (!packing->closing && !packing->publishing && !hr_packing_has_failed(packing))
        hr_packing_fail(packing, HR_CANCELED, "interrupted; nothing of %s was kept",
                        packing->options.target_path);
}

void hr_packing_fini(hr_packing *packing)
{
    hr_crew_fini(&packing->crew);
}
