/* SPDX-License-Identifier: Apache-2.0 */
/* Where what hr_get brings is to go: a path, host memory, a GPU's memory; and how it says so. */
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "codec.h"
#include "get.h"
#include "links.h"

bool hr_get_wants_gpu(const hr_get_options *options)
{
    return options->target_cuda ||
           (options->target_span.addr != NULL && options->target_span.kind == HR_MEMORY_CUDA);
}

/* ---- the path ---- */

/* What the upload says of itself: it may find a better way after it is open. */
static void note_upload(hr_get *get)
{
    if (get->upload == NULL || get->gpu_way[0] == '\0')
        return;
    snprintf(get->gpu_way, sizeof get->gpu_way, "%s", hr_upload_describe(get->upload));
    snprintf(get->no_gpudirect, sizeof get->no_gpudirect, "%s", hr_upload_why(get->upload));
}

/* Which way the data takes, and why no better one. */
void hr_get_describe(hr_get *get)
{
    const hr_client *client = get->client;
    note_upload(get);
    const char *target = get->options.target_path != NULL ? "file, O_DIRECT"
                         : get->gpu_way[0] != '\0'        ? get->gpu_way
                         : hr_get_wants_gpu(&get->options) && get->no_gpu[0] == '\0'
                             ? "a GPU's memory"
                         : get->options.target_span.addr != NULL ? "host memory"
                                                                 : "host slots";
    char way[280];
    bool rdma = client->rail_info.device[0] != '\0' && client->no_rdma[0] == '\0';
    bool by_socket = hr_address_is_file(client->address); /* on this machine: by no NIC */
    if (!client->network)
        snprintf(way, sizeof way, "local");
    else if (rdma)
        snprintf(way, sizeof way, "verbs (%s%s)%s", client->rail_info.device,
                 client->rail_info.software ? ", soft-RoCE" : "", client->rail_why);
    else
        snprintf(way, sizeof way, "%s",
                 by_socket ? "socket" : hr_get_home(get)->network->ops->name);
    bool why = client->network && !by_socket && !rdma && client->no_rdma[0] != '\0';
    char decoded[60] = "";
    if (get->codec != HR_CODEC_STORED && get->gpu_way[0] != '\0' && !get->detour)
        snprintf(decoded, sizeof decoded, ", %s decoded there", hr_codec_find(get->codec)->name);
    else if (get->codec != HR_CODEC_STORED)
        snprintf(decoded, sizeof decoded, ", %s decoded by %u threads",
                 hr_codec_find(get->codec)->name, hr_decoders_threads(client->engine->decoders));
    char detour[500] = "";
    bool direct = strstr(get->gpu_way, "GPUDirect") != NULL;
    if (rdma && get->no_gpudirect[0] != '\0')
        snprintf(detour, sizeof detour, "; no %s: %s", direct ? "better GPUDirect" : "GPUDirect",
                 get->no_gpudirect);
    if (direct && get->copied > 0)
        snprintf(detour + strlen(detour), sizeof detour - strlen(detour),
                 "; %llu chunks copied from slots", (unsigned long long)get->copied);
    unsigned links = hr_links_count(client);
    snprintf(get->description, sizeof get->description, "%s, %u link%s, %s -> %s%s%s%s%s%s%s", way,
             links, links == 1 ? "" : "s", hr_engine_describe(client->engine), target, decoded,
             detour, why ? "; no RDMA: " : "", why ? client->no_rdma : "",
             get->no_gpu[0] != '\0' ? "; no GPU: " : "", get->no_gpu);
}

/* ---- a GPU's memory ---- */

static void upload_opened(void *context, hr_status status)
{
    hr_get *get = context;
    hr_get_item *item = get->upload_item;
    get->upload_item = NULL;
    if (status == HR_OK)
        snprintf(get->gpu_way, sizeof get->gpu_way, "%s", hr_upload_describe(get->upload));
    bool instead =
        status == HR_UNSUPPORTED && get->options.target_cuda && !get->client->requires_gpu;
    if (instead)
        snprintf(get->no_gpu, sizeof get->no_gpu, "%s", hr_upload_error(get->upload));
    hr_get_describe(get);
    if (item == NULL)
        return; /* it has ended meanwhile */
    if (status == HR_OK)
        hr_transfer_begin_upload(&item->transfer, get->upload);
    else if (instead)
        hr_transfer_begin_memory(&item->transfer, NULL);
    else
        hr_transfer_end(
            &item->transfer, status, "%s%s",
            status == HR_UNSUPPORTED && get->client->requires_gpu ? "a GPU is required: " : "",
            hr_upload_error(get->upload));
}

static void upload_closed(void *context)
{
    hr_get *get = context;
    note_upload(get);
    get->detour = hr_upload_had_detour(get->upload);
    get->copied = hr_upload_copied(get->upload);
    hr_upload_destroy(get->upload);
    get->upload = NULL;
    hr_get_finish_if_over(get);
}

static const hr_upload_events upload_events = {.opened = upload_opened, .closed = upload_closed};

static void open_upload(hr_get *get, hr_get_item *item)
{
    const hr_upload_options options = {
        .device = get->options.target_cuda ? get->options.cuda_device
                                           : (unsigned)get->options.target_span.device,
        .len = item->transfer.size,
        .span = get->options.target_span,
        .stream = get->options.cuda_stream,
        .event = get->options.cuda_event,
        .max_sms = get->options.max_sms,
        .ring = item->transfer.codec != HR_CODEC_STORED,
        .slots = item->transfer.codec == HR_CODEC_LZ4 || item->transfer.codec == HR_CODEC_PLANES,
        .offer = hr_transfer_no_gpudirect(&item->transfer) == NULL,
    };
    hr_status status =
        hr_upload_create(get->client->engine, &options, &upload_events, get, &get->upload);
    if (status == HR_OK)
        get->upload_item = item;
    else
        hr_transfer_end(&item->transfer, status, "starting a thread for cuda:%u: %s",
                        options.device, hr_status_text(status));
}

void hr_get_close_upload(hr_get *get)
{
    if (!get->upload_closing)
        hr_upload_close(get->upload);
    get->upload_closing = true;
}

/* ---- one file ---- */

void hr_get_begin_item(hr_get_item *item)
{
    hr_get *get = item->get;
    hr_transfer *transfer = &item->transfer;
    if (get->nothing_there || (get->options.dry_run && get->options.target_path == NULL)) {
        hr_transfer_forget(transfer);
        return;
    }
    if (get->options.target_host) {
        hr_transfer_begin_memory(transfer, NULL);
        return;
    }
    if (get->options.target_cuda) {
        open_upload(get, item);
        return;
    }
    if (get->options.target_span.addr != NULL) {
        if (get->options.target_span.len < transfer->size)
            hr_transfer_end(transfer, HR_INVALID, "the target has %zu bytes, the shard %llu",
                            get->options.target_span.len, (unsigned long long)transfer->size);
        else if (hr_get_wants_gpu(&get->options))
            open_upload(get, item);
        else
            hr_transfer_begin_memory(transfer, get->options.target_span.addr);
        return;
    }
    char shown[HR_PATH_MAX], unpacked[HR_PATH_MAX];
    const char *path = hr_get_name_of(item, unpacked);
    snprintf(shown, sizeof shown, "%s%s%s", get->target, path[0] != '\0' ? "/" : "", path);
    /* Digests of what is packed say nothing of what it was unpacked into. */
    bool uncompared = get->options.checksum && transfer->codec != HR_CODEC_STORED;
    bool differs = uncompared || hr_names_has(&get->different, item->path);
    hr_draft_options options = {
        .dir = get->dir,
        .name = get->is_tree ? path : get->name,
        .shown = shown,
        .overwrite = get->options.overwrite && !item->fresh,
        .keep_same = get->is_tree && !item->fresh && !differs,
        .fresh = item->fresh,
        .owner = get->options.owner,
        .look = get->options.dry_run,
    };
    memcpy(options.boot, get->client->engine->platform->boot_id, sizeof options.boot);
    hr_transfer_begin_file(transfer, &options, get->options.read_back);
}

/* ---- a path ---- */

/* Without the slashes at its end; "dir/" takes the source's last name. */
hr_status hr_get_copy_target(hr_get *get)
{
    const char *target = get->options.target_path;
    if (target == NULL)
        return HR_OK;
    size_t len = strlen(target);
    bool below = len > 0 && target[len - 1] == '/';
    while (len > 1 && target[len - 1] == '/')
        len--;
    const char *last = strrchr(get->path, '/');
    last = last == NULL ? get->path : last + 1;
    get->target = hr_alloc(get->env, len + strlen(last) + 2);
    if (get->target == NULL)
        return HR_NO_MEMORY;
    memcpy(get->target, target, len);
    if (below) {
        if (get->target[len - 1] != '/')
            get->target[len++] = '/';
        memcpy(get->target + len, last, strlen(last) + 1);
    }
    return HR_OK;
}

static void target_failed(hr_get *get, const hr_io *io)
{
    char shown[300];
    hr_quote(shown, sizeof shown, get->target, strlen(get->target));
    const char *what = get->is_tree ? "making the directory" : "opening the directory of";
    if (io->status == HR_NOT_FOUND)
        hr_get_end(get, HR_NOT_FOUND,
                   "the directory that %s is to go into does not exist; make it first", shown);
    else if (io->status == HR_NOT_DIRECTORY && get->is_tree)
        hr_get_end(get, HR_NOT_DIRECTORY,
                   "the source is a directory, and %s, or what it is to go into, is none; name "
                   "another target",
                   shown);
    else
        hr_get_end(get, io->status, "%s %s: %s", what, shown, hr_io_why(io));
}

static void target_opened(hr_io *io)
{
    hr_get *get = io->context;
    get->io_busy = false;
    get->nothing_there = io->status == HR_NOT_FOUND && get->options.dry_run && get->is_tree;
    if (io->status != HR_OK && !get->nothing_there) {
        target_failed(get, io);
        hr_get_finish_if_over(get);
        return;
    }
    get->dir = io->status == HR_OK ? io->dir_out : NULL;
    hr_get_item *item = get->opened_item;
    get->opened_item = NULL;
    if (item == NULL || get->ending)
        hr_tree_pump(get); /* what waited for the directory has ended meanwhile */
    else if (item->transfer.is_directory)
        hr_transfer_forget(&item->transfer);
    else
        hr_get_begin_item(item);
}

/* A tree's own directory is made; a file's must be there. */
void hr_get_open_target(hr_get *get)
{
    get->io_busy = true;
    get->io = (hr_io){
        .kind = HR_IO_OPEN_DIR,
        .flags = get->is_tree && !get->options.dry_run ? HR_IO_CREATE | HR_IO_MODE : 0,
        .path = get->target,
        .info.mode = get->opened_item->transfer.mode,
        .done = target_opened,
        .context = get,
    };
    if (!get->is_tree) {
        char *slash = strrchr(get->target, '/');
        get->name = slash == NULL ? get->target : slash + 1;
        snprintf(get->parent, sizeof get->parent, "%.*s",
                 slash == NULL          ? 1
                 : slash == get->target ? 1
                                        : (int)(slash - get->target),
                 slash == NULL ? "." : get->target);
        get->io.path = get->parent;
    }
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
}
