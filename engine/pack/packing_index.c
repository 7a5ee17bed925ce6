/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"
#include "packing.h"

static void published(hr_outlet *outlet, hr_status status)
{
    hr_packing *packing = outlet->context;
    if (!hr_packing_landed(packing))
        return;
    if (status != HR_OK)
        hr_packing_fail(packing, status, "%s", outlet->text);
    else
        hr_packing_close(packing);
}

static bool is_unchanged(const hr_file_info *before, const hr_file_info *after)
{
    return before->size == after->size && before->mtime_ns == after->mtime_ns &&
           before->ctime_ns == after->ctime_ns && before->inode == after->inode;
}

static void looked_again(hr_io *io)
{
    hr_packing *packing = io->context;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK) {
        hr_packing_fail_io(packing, "looking again at", packing->shown, io);
    } else if (!is_unchanged(&packing->info, &io->info)) {
        hr_packing_fail_changed(packing);
    } else {
        packing->publishing = true;
        packing->under_way++;
        hr_outlet_publish(
            &packing->outlet,
            packing->place_at + packing->pages_len - HR_INDEX_ALIGN + HR_INDEX_TAIL_LEN, published);
    }
}

static void look_again(hr_packing *packing)
{
    packing->io = (hr_io){
        .kind = HR_IO_STAT,
        .file = packing->source,
        .done = looked_again,
        .context = packing,
    };
    hr_packing_submit(packing, &packing->io);
}

/* ---- the index ---- */

static void write_pages(hr_packing *packing);

static void wrote_pages(hr_io *io)
{
    hr_packing *packing = io->context;
    if (!hr_packing_landed(packing))
        return;
    if (io->status != HR_OK) {
        hr_packing_fail_io(packing, "writing the index of", packing->outlet.shown, io);
        return;
    }
    packing->pages_written += io->len;
    if (packing->pages_written < packing->pages_len)
        write_pages(packing);
    else
        look_again(packing);
}

static void write_pages(hr_packing *packing)
{
    size_t left = packing->pages_len - packing->pages_written;
    packing->io = (hr_io){
        .kind = HR_IO_WRITE,
        .file = packing->outlet.file,
        .data = (uint8_t *)packing->pages.addr + packing->pages_written,
        .len = hr_min_u64(left, HR_INDEX_CHUNK_MAX),
        .offset = packing->place_at + packing->pages_written,
        .done = wrote_pages,
        .context = packing,
    };
    hr_packing_submit(packing, &packing->io);
}

void hr_packing_write_index(hr_packing *packing)
{
    uint32_t pages = hr_index_pages(packing->tail.chunk_count);
    if (hr_container_is_foreign(packing->container))
        packing->place_at = 0; /* what it counted were the bytes of the other file */
    packing->tail.index_offset = packing->place_at;
    for (uint32_t i = 0; i < pages; i++)
        hr_index_page_seal(&packing->tail, i, hr_packing_page(packing, i));
    hr_index_tail_pack(&packing->tail, hr_packing_page(packing, pages));
    write_pages(packing);
}
