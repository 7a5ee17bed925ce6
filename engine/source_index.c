/* SPDX-License-Identifier: Apache-2.0 */
/* hr_source: where its chunks lie and what their digests are, if somebody has written it down. */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "chunk.h"
#include "source.h"
#include "transport.h"

#define SUFFIX ".hrindex"
/* Digesting less is faster than looking for an index. */
#define BESIDE_LEN_MIN (64u << 10)

/* ---- pure ---- */

hr_extent hr_source_extent(const hr_source *source, uint32_t chunk)
{
    if (source->gather != NULL) {
        uint32_t len = source->gather->bundles.bundles[chunk].len;
        return (hr_extent){.len = len, .content_len = len};
    }
    uint64_t at = hr_chunk_offset(chunk, source->chunk_len);
    uint32_t content_len = hr_chunk_content_len(source->size, source->chunk_len, chunk);
    hr_extent extent = {.offset = at, .len = content_len, .content_len = content_len};
    if (source->table.entries == NULL)
        return extent;
    const hr_index_entry *entry = &source->table.entries[chunk];
    extent.has_digests = true;
    extent.crc = extent.content_crc = entry->content_crc;
    if (!hr_source_is_packed(source))
        return extent;
    extent.codec = entry->codec;
    extent.offset = entry->stored_offset + entry->content_at;
    if (entry->codec != HR_CODEC_STORED) {
        extent.len = entry->stored_len;
        extent.crc = entry->stored_crc;
    }
    return extent;
}

/* ---- what is told of it ---- */

static size_t direct_len(const hr_source *source)
{
    return ((size_t)source->table.tail.chunk_count + 7) / 8;
}

hr_status hr_source_make_direct(hr_source *source, const hr_env *env)
{
    if (direct_len(source) > HR_MESSAGE_DIRECT_MAX)
        return HR_OK;
    source->direct = hr_alloc(env, direct_len(source) + 1);
    if (source->direct == NULL)
        return HR_NO_MEMORY;
    for (uint32_t i = 0; i < source->table.tail.chunk_count; i++)
        if (source->table.entries[i].codec == HR_CODEC_STORED)
            source->direct[i / 8] = (uint8_t)(source->direct[i / 8] | 1u << i % 8);
    return HR_OK;
}

/* What chunks of a container are compressed with. */
static uint32_t codec_of(hr_container container)
{
    switch (container) {
    case HR_CONTAINER_BESIDE:
        break;
    case HR_CONTAINER_LZ4:
    case HR_CONTAINER_LZ4_BESIDE:
        return HR_CODEC_LZ4;
    case HR_CONTAINER_ZSTD:
    case HR_CONTAINER_ZSTD_BESIDE:
        return HR_CODEC_ZSTD;
    case HR_CONTAINER_HEADRACE:
        return HR_CODEC_PLANES;
    }
    return HR_CODEC_STORED;
}

void hr_source_describe(const hr_source *source, hr_message_opened *opened)
{
    opened->codec = codec_of(source->table.tail.container);
    opened->stored_len = source->info.size;
    if (source->direct != NULL)
        opened->direct = hr_bytes_make(source->direct, direct_len(source));
}

/* ---- beside the file ---- */

static void finish(hr_source *source)
{
    source->indexed(source, HR_OK);
}

static void note(hr_source *source, const char *what)
{
    snprintf(source->note, sizeof source->note, "the index beside it is not used: %s", what);
}

static void closed_beside(hr_io *io)
{
    finish(io->context);
}

static void close_beside(hr_source *source)
{
    source->io = (hr_io){
        .kind = HR_IO_CLOSE,
        .file = source->index_file,
        .done = closed_beside,
        .context = source,
    };
    hr_storage_submit(source->load.storage, &source->io);
}

/* Chunks are written into files as whole pages. */
static bool is_unit(const hr_index_tail *tail)
{
    return tail->chunk_count <= 1 || tail->chunk_len % HR_CHUNK_LEN_UNIT == 0;
}

static void offer_content(hr_source *source)
{
    const hr_index_tail *tail = &source->load.table.tail;
    source->table = source->load.table;
    source->note[0] = '\0';
    source->size = tail->content_len;
    source->chunk_len = tail->chunk_len;
    /* Not the name of the file, which would be that of its bytes. */
    char named[HR_PATH_MAX + 16];
    snprintf(named, sizeof named, "%s\ncontent", source->path);
    hr_source_identify(named, &source->info, source->identity);
}

static void take_digests(hr_source *source)
{
    source->table = source->load.table;
    source->note[0] = '\0';
}

static void loaded_beside(hr_index_load *load, hr_status status)
{
    hr_source *source = load->context;
    const hr_index_tail *tail = &load->table.tail;
    bool foreign = status == HR_OK && hr_container_is_foreign(tail->container);
    bool fits = status == HR_OK && (foreign ? tail->file_len == source->size && is_unit(tail)
                                            : tail->content_len == source->size &&
                                                  tail->container == HR_CONTAINER_BESIDE &&
                                                  tail->chunk_len == HR_CHUNK_LEN);
    if (fits && foreign && source->content)
        offer_content(source);
    else if (fits && !foreign)
        take_digests(source);
    else if (status == HR_OK)
        hr_index_table_release(&load->table, load->env, load->tables_len);
    if (status != HR_OK)
        note(source, status == HR_NOT_FOUND ? "it is none" : load->text);
    else if (!fits)
        note(source, "it is of a file of another length");
    close_beside(source);
}

static void load(hr_source *source, hr_file *file, uint64_t file_len,
                 void (*done)(hr_index_load *load, hr_status status))
{
    source->load.file = file;
    source->load.file_len = file_len;
    source->load.done = done;
    hr_index_load_start(&source->load);
}

static void opened_beside(hr_io *io)
{
    hr_source *source = io->context;
    if (io->status != HR_OK) {
        note(source, hr_status_text(io->status));
        finish(source);
        return;
    }
    source->index_file = io->file_out;
    if (hr_index_can_end(io->info.size)) {
        load(source, io->file_out, io->info.size, loaded_beside);
    } else {
        note(source, "it was cut");
        close_beside(source);
    }
}

static void looked_beside(hr_io *io)
{
    hr_source *source = io->context;
    if (io->status != HR_OK || io->info.type != HR_FILE_REGULAR) {
        finish(source); /* there is none */
        return;
    }
    if (io->info.mtime_ns < source->info.mtime_ns) {
        note(source, "the file was changed after it was made");
        finish(source);
        return;
    }
    io->kind = HR_IO_OPEN;
    io->flags = HR_IO_READABLE | HR_IO_DIRECT;
    io->done = opened_beside;
    hr_storage_submit(source->load.storage, io);
}

static void look_beside(hr_source *source)
{
    size_t room = strlen(source->name) + sizeof SUFFIX;
    bool wanted = source->size >= BESIDE_LEN_MIN || source->content;
    if (wanted && room <= HR_PATH_MAX)
        source->index_name = hr_alloc(source->load.env, room);
    if (source->index_name == NULL) {
        finish(source);
        return;
    }
    snprintf(source->index_name, room, "%s" SUFFIX, source->name);
    source->io = (hr_io){
        .kind = HR_IO_LOOKUP,
        .dir = source->dir,
        .path = source->index_name,
        .done = looked_beside,
        .context = source,
    };
    hr_storage_submit(source->load.storage, &source->io);
}

/* ---- at its end ---- */

/* What begins as a packed shard and does not end as one. */
static void got_head(hr_io *io)
{
    hr_source *source = io->context;
    bool begins = io->status == HR_OK && hr_index_begins(source->head, io->bytes);
    hr_release(source->load.env, source->head_memory);
    source->head = source->head_memory = NULL;
    if (io->status != HR_OK) { /* what cannot be read may be packed */
        snprintf(source->note, sizeof source->note, "reading its beginning: %s",
                 hr_status_text(io->status));
        source->indexed(source, io->status);
        return;
    }
    if (begins && hr_index_can_end(source->info.size)) {
        snprintf(source->note, sizeof source->note,
                 "it begins as a packed shard and does not end as one: its end is damaged");
        source->indexed(source, HR_INTEGRITY);
        return;
    }
    if (begins)
        snprintf(source->note, sizeof source->note,
                 "it has no index of Headrace: it was cut, or another tool made it; for that one "
                 "headrace pack --codec none makes an index");
    look_beside(source);
}

static void look_at_head(hr_source *source)
{
    source->head_memory = hr_alloc(source->load.env, (size_t)2 * HR_DIRECT_ALIGN);
    if (source->head_memory == NULL) {
        snprintf(source->note, sizeof source->note, "out of memory");
        source->indexed(source, HR_NO_MEMORY);
        return;
    }
    size_t past = (uintptr_t)source->head_memory % HR_DIRECT_ALIGN;
    source->head = source->head_memory + (past == 0 ? 0 : HR_DIRECT_ALIGN - past);
    source->io = (hr_io){
        .kind = HR_IO_READ,
        .file = source->file,
        .data = source->head,
        .len = HR_DIRECT_ALIGN,
        .buffer = -1,
        .done = got_head,
        .context = source,
    };
    hr_storage_submit(source->load.storage, &source->io);
}

static void loaded(hr_index_load *load, hr_status status)
{
    hr_source *source = load->context;
    const hr_index_tail *tail = &load->table.tail;
    if (status == HR_NOT_FOUND || (status == HR_OK && hr_container_is_beside(tail->container))) {
        hr_index_table_release(&load->table, load->env, load->tables_len);
        look_at_head(source);
        return;
    }
    if (status == HR_OK && !is_unit(tail)) {
        hr_index_table_release(&load->table, load->env, load->tables_len);
        snprintf(load->text, sizeof load->text, "its chunks are no whole pages of %u bytes",
                 HR_CHUNK_LEN_UNIT);
        status = HR_UNSUPPORTED;
    }
    if (status == HR_OK)
        offer_content(source);
    else
        snprintf(source->note, sizeof source->note, "%s", load->text);
    source->indexed(source, status);
}

void hr_source_find_index(hr_source *source, const hr_env *env, hr_storage *storage,
                          size_t *tables_len)
{
    source->load = (hr_index_load){
        .env = env,
        .storage = storage,
        .tables_len = tables_len,
        .context = source,
    };
    if (source->content && hr_index_can_end(source->info.size))
        load(source, source->file, source->info.size, loaded);
    else if (source->content)
        look_at_head(source);
    else
        look_beside(source);
}
