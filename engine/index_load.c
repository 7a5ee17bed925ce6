/* SPDX-License-Identifier: Apache-2.0 */
#include "index_load.h"

#include <assert.h>
#include <stdio.h>

#include "bytes.h"

#define BUFFER_PAGES 16u /* of 1008 chunks, 4 GiB of content, at a time */

static void end(hr_index_load *load, hr_status status)
{
    hr_release(load->env, load->memory);
    load->memory = load->buffer = NULL;
    if (status != HR_OK)
        hr_index_table_release(&load->table, load->env, load->tables_len);
    load->done(load, status);
}

static void refuse(hr_index_load *load, hr_status status, const char *what)
{
    snprintf(load->text, sizeof load->text, "its index: %s", what);
    end(load, status);
}

static void refuse_page(hr_index_load *load, hr_status status)
{
    const hr_index_reader *reader = &load->reader;
    if (reader->chunk != HR_INDEX_NO_ROW)
        snprintf(load->text, sizeof load->text, "its index, chunk %u: %s", reader->chunk,
                 reader->what);
    else
        snprintf(load->text, sizeof load->text, "its index, page %u: %s", reader->page,
                 reader->what);
    end(load, status);
}

static bool was_read(hr_index_load *load, size_t len)
{
    const hr_io *io = &load->io;
    hr_status status = io->status != HR_OK ? io->status : io->bytes < len ? HR_CHANGED : HR_OK;
    if (status != HR_OK)
        refuse(load, status, hr_status_text(status));
    return status == HR_OK;
}

static void read_pages(hr_index_load *load);

static void keep(hr_index_load *load, const hr_index_row *rows, uint32_t count)
{
    hr_index_entry *entries =
        &load->table.entries[(size_t)(load->reader.page - 1) * HR_INDEX_PAGE_ROWS];
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (hr_index_entry){
            .stored_offset = rows[i].stored_offset,
            .stored_len = rows[i].stored_len,
            .stored_crc = rows[i].stored_crc,
            .content_crc = rows[i].content_crc,
            .content_at = rows[i].content_at,
            .codec = rows[i].codec,
        };
}

static void got_pages(hr_io *io)
{
    hr_index_load *load = io->context;
    if (!was_read(load, io->len))
        return;
    for (uint32_t i = 0; i < load->pages_read; i++) {
        hr_index_row rows[HR_INDEX_PAGE_ROWS];
        uint32_t count;
        hr_status status = hr_index_page_read(
            &load->reader, load->buffer + (size_t)i * HR_INDEX_PAGE_LEN, rows, &count);
        if (status != HR_OK) {
            refuse_page(load, status);
            return;
        }
        keep(load, rows, count);
    }
    if (load->reader.page < hr_index_pages(load->table.tail.chunk_count)) {
        read_pages(load);
        return;
    }
    hr_status status = hr_index_reader_finish(&load->reader);
    if (status != HR_OK)
        refuse_page(load, status);
    else
        end(load, HR_OK);
}

static void submit_read(hr_index_load *load, uint64_t offset, size_t len, void (*done)(hr_io *io))
{
    load->io = (hr_io){
        .kind = HR_IO_READ,
        .file = load->file,
        .data = load->buffer,
        .len = len,
        .offset = offset,
        .buffer = -1,
        .done = done,
        .context = load,
    };
    hr_storage_submit(load->storage, &load->io);
}

static void read_pages(hr_index_load *load)
{
    const hr_index_tail *tail = &load->table.tail;
    uint32_t page = load->reader.page;
    load->pages_read = (uint32_t)hr_min_u64(hr_index_pages(tail->chunk_count) - page, BUFFER_PAGES);
    submit_read(load, tail->index_offset + (uint64_t)page * HR_INDEX_PAGE_LEN,
                (size_t)load->pages_read * HR_INDEX_PAGE_LEN, got_pages);
}

static hr_status take_table(hr_index_load *load, const hr_index_tail *tail)
{
    size_t len = ((size_t)tail->chunk_count + 1) * sizeof(hr_index_entry);
    if (len > HR_INDEX_TABLES_MAX - *load->tables_len)
        return HR_LIMIT;
    load->table.entries = hr_alloc(load->env, len);
    if (load->table.entries == NULL)
        return HR_NO_MEMORY;
    load->table.tail = *tail;
    load->table.len = len;
    *load->tables_len += len;
    return HR_OK;
}

static void got_tail(hr_io *io)
{
    hr_index_load *load = io->context;
    if (!was_read(load, HR_INDEX_TAIL_LEN))
        return;
    hr_index_tail tail;
    hr_status status = hr_index_tail_unpack(load->buffer, load->file_len, &tail);
    if (status == HR_OK)
        status = take_table(load, &tail);
    if (status == HR_OK) {
        hr_index_reader_init(&load->reader, &tail);
        read_pages(load);
    } else if (status == HR_VERSION) {
        refuse(load, status, "it is of a later version of the format");
    } else if (status == HR_INTEGRITY) {
        refuse(load, status, "the end of it is damaged, or it was cut");
    } else if (status == HR_LIMIT) {
        refuse(load, status,
               "the server holds as many indexes as it may; fewer shards at once, or --as-is");
    } else {
        refuse(load, status, hr_status_text(status));
    }
}

void hr_index_load_start(hr_index_load *load)
{
    assert(hr_index_can_end(load->file_len));
    load->table = (hr_index_table){0};
    load->memory = hr_alloc(load->env, (BUFFER_PAGES + 1) * (size_t)HR_INDEX_PAGE_LEN);
    if (load->memory == NULL) {
        refuse(load, HR_NO_MEMORY, hr_status_text(HR_NO_MEMORY));
        return;
    }
    size_t past = (uintptr_t)load->memory % HR_DIRECT_ALIGN;
    load->buffer = load->memory + (past == 0 ? 0 : HR_DIRECT_ALIGN - past);
    submit_read(load, load->file_len - HR_INDEX_TAIL_LEN, HR_DIRECT_ALIGN, got_tail);
}

void hr_index_table_release(hr_index_table *table, const hr_env *env, size_t *tables_len)
{
    if (table->entries == NULL)
        return;
    *tables_len -= table->len;
    hr_release(env, table->entries);
    *table = (hr_index_table){0};
}
