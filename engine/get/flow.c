/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "get.h"

/* Of files of their own, at once: some move, the others are opened or get their names. */
#define TRANSFERS_MAX 16
#define PARCELS_MAX   3 /* moving at once */
#define WAITING_MAX   1024
/* Files that land before they get their names together: each sync of the file system costs some
 * milliseconds and up, whatever there is to sync. Two batches are the most that is held. */
#define BATCH_FILES_MAX 16384
#define BATCH_BYTES_MAX (UINT64_C(256) << 20)
/* A parcel that is not full leaves too where a directory ends, or if nothing else moves. */
#define PARCEL_FILES_MIN 1024

/* ---- files of their own ---- */

static bool put_waiting(hr_get *get, const char *path, bool fresh)
{
    size_t len = strlen(path) + 1;
    hr_flow_waiting *waiting = hr_alloc(get->env, sizeof *waiting + len);
    if (waiting == NULL) {
        hr_get_end(get, HR_NO_MEMORY, "remembering a file: out of memory");
        return false;
    }
    memcpy(waiting->path, path, len);
    waiting->fresh = fresh;
    hr_list_append(&get->flow.waiting, &waiting->node);
    get->flow.waiting_count++;
    return true;
}

bool hr_flow_wait(hr_get *get, const char *path, bool fresh)
{
    return get->flow.waiting_count < WAITING_MAX && put_waiting(get, path, fresh);
}

static void synced_directories(hr_io *io)
{
    hr_get *get = io->context;
    get->io_busy = false;
    if (io->status != HR_OK)
        hr_get_end(get, io->status, "syncing the directories of %s: %s", get->target,
                   hr_io_why(io));
    hr_tree_pump(get);
}

/* True: nobody has to wait for it. */
static bool are_directories_synced(hr_get *get)
{
    if (!get->flow.directories_unsynced)
        return true;
    if (get->io_busy)
        return false;
    get->flow.directories_unsynced = false;
    get->io_busy = true;
    get->io = (hr_io){
        .kind = HR_IO_SYNC_ALL,
        .dir = get->dir,
        .done = synced_directories,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
    return false;
}

/* A file is told of as soon as it has its name, so its directory must be there to stay. */
static void start_waiting(hr_get *get)
{
    hr_flow *flow = &get->flow;
    while (!get->ending && flow->waiting_count > 0 && get->item_count < TRANSFERS_MAX &&
           are_directories_synced(get)) {
        hr_list *node = hr_list_take_first(&flow->waiting);
        hr_flow_waiting *waiting = HR_CONTAINER(node, hr_flow_waiting, node);
        flow->waiting_count--;
        hr_get_start_item(get, waiting->path, waiting->fresh);
        hr_release(get->env, waiting);
    }
}

/* ---- small files: moving ---- */

/* So that a directory that is made lies in one parcel, and gets its name as a whole. */
static bool ends_before(const hr_parcel *parcel, const char *path, const hr_folder *made)
{
    return made != NULL && parcel->load.file_count >= PARCEL_FILES_MIN &&
           hr_parcel_is_turning(parcel, path);
}

bool hr_flow_add(hr_get *get, const char *path, const hr_file_info *info, bool fresh,
                 const hr_folder *made)
{
    hr_flow *flow = &get->flow;
    if (flow->full)
        return false;
    if (flow->collecting == NULL) {
        flow->collecting = hr_parcel_create(get->env, strlen(get->path));
        if (flow->collecting == NULL) {
            hr_get_end(get, HR_NO_MEMORY, "collecting small files: out of memory");
            return false;
        }
        flow->collecting->owner = get;
    }
    flow->full = ends_before(flow->collecting, path, made) ||
                 !hr_parcel_add(flow->collecting, path, info, fresh, made);
    if (flow->full)
        return false;
    flow->turns = made != NULL;
    get->progress.bytes += info->size;
    return true;
}

static void parcel_opened(void *context, hr_transfer *transfer)
{
    hr_parcel *parcel = context;
    hr_get *get = parcel->owner;
    hr_transfer_begin_bundles(transfer, get->dir, get->options.owner);
}

/* One that did not make it, for whatever reason: as a transfer of its own it may, or says why not.
 */
static void try_again(hr_get *get, const hr_parcel *parcel, const hr_io_file *file)
{
    const hr_error *error = &parcel->transfer.error;
    if (get->ending)
        return;
    if (get->client->status == HR_OK) {
        get->progress.bytes -= file->info.size; /* it comes again when it is opened */
        put_waiting(get, file->path_to, file->exclusive);
    } else {
        hr_get_report(get, file->path_to, error->status != HR_OK ? error->status : file->status,
                      error->status != HR_OK ? error->text : hr_status_text(file->status), 0);
    }
}

/* All that is left of it has its name, or is there in memory. */
static void finish_parcel(hr_get *get, hr_parcel *parcel)
{
    for (size_t i = 0; i < parcel->load.file_count; i++) {
        const hr_io_file *file = &parcel->files[i];
        if (file->path_to == NULL)
            continue; /* it is being tried again */
        if (file->status == HR_OK) {
            get->owners_lost += file->owner_lost;
            hr_get_report(get, file->path_to, HR_OK, "", file->info.size);
        } else {
            get->over_verified -= file->info.size;
            try_again(get, parcel, file);
        }
    }
    hr_parcel_destroy(get->env, parcel);
}

static void parcel_over(void *context, hr_transfer *transfer)
{
    hr_parcel *parcel = context;
    hr_get *get = parcel->owner;
    hr_flow *flow = &get->flow;
    hr_list_remove(&parcel->load.node);
    hr_get_count_over(get, &transfer->counters);
    for (size_t i = 0; i < parcel->load.file_count; i++) {
        hr_io_file *file = &parcel->files[i];
        if (file->status == HR_OK)
            continue;
        try_again(get, parcel, file);
        file->path_to = NULL;
    }
    if (flow->to_disk) {
        hr_list_append(&flow->landed, &parcel->load.node);
        flow->landed_files += parcel->load.file_count;
        flow->landed_bytes += parcel->bytes;
    } else {
        finish_parcel(get, parcel);
    }
    /* Not before: trying a file again may end the request, and with nothing under way its stage. */
    flow->moving_count--;
    hr_tree_pump(get);
}

static const hr_transfer_events parcel_events = {.opened = parcel_opened, .over = parcel_over};

static bool is_batch_full(const hr_flow *flow)
{
    return flow->landed_files >= BATCH_FILES_MAX || flow->landed_bytes >= BATCH_BYTES_MAX;
}

static bool may_leave(const hr_get *get)
{
    const hr_flow *flow = &get->flow;
    if (flow->moving_count >= PARCELS_MAX || is_batch_full(flow) ||
        flow->waiting_count >= WAITING_MAX)
        return false;
    return flow->full || hr_tree_is_listed(get) ||
           (flow->moving_count == 0 && !flow->turns &&
            flow->collecting->load.file_count >= PARCEL_FILES_MIN);
}

/* Asked for with the first small file, long before a parcel leaves: then nothing waits for it, nor
 * for the memory that the first bundle lands in. */
static bool is_stage_open(hr_get *get)
{
    hr_flow *flow = &get->flow;
    if (!flow->to_disk || flow->stage.is_open)
        return true;
    if (!flow->stage.busy) {
        hr_slots_expect(&hr_get_home(get)->slots);
        hr_stage_open(&flow->stage, true);
    }
    return false;
}

static void send_parcel(hr_get *get)
{
    hr_flow *flow = &get->flow;
    if (flow->collecting == NULL || !is_stage_open(get) || !may_leave(get))
        return;
    hr_parcel *parcel = flow->collecting;
    flow->collecting = NULL;
    flow->full = false;
    hr_list_append(&flow->moving, &parcel->load.node);
    flow->moving_count++;
    if (flow->to_disk)
        hr_parcel_stage(parcel, hr_stage_drawer_min(&flow->stage), &flow->next_number);
    parcel->transfer.rate = get->options.limit_bytes_per_s != 0 ? &get->rate : NULL;
    parcel->transfer.content = hr_get_wants_content(get);
    if (hr_parcel_open(parcel, get->client, get->path, &parcel_events) != HR_OK) {
        hr_list_remove(&parcel->load.node);
        flow->moving_count--;
        hr_parcel_destroy(get->env, parcel);
        hr_get_end(get, HR_NO_MEMORY, "asking for small files: out of memory");
    }
}

/* ---- small files: publishing ---- */

/* Also what had landed when the request was to end: the next run finds it in its place. */
static void publish(hr_get *get)
{
    hr_flow *flow = &get->flow;
    bool ends = get->ending || get->client->status != HR_OK;
    bool last =
        flow->moving_count == 0 && (ends || (hr_tree_is_listed(get) && flow->collecting == NULL));
    if (hr_list_is_empty(&flow->landed) || flow->stage.busy || !(last || is_batch_full(flow)))
        return;
    hr_gauge_move(&hr_get_home(get)->gauge, HR_GAUGE_NONE, HR_GAUGE_PUBLISH, flow->landed_bytes);
    flow->landed_files = 0;
    flow->landed_bytes = 0;
    hr_stage_publish(&flow->stage, &flow->landed, !get->options.overwrite);
}

static void stage_opened(void *context, hr_status status, const char *text)
{
    hr_get *get = context;
    get->flow.probed = true;
    if (status != HR_OK && status != HR_NOT_FOUND)
        hr_get_end(get, status, "%s", text);
    hr_tree_pump(get);
}

static void stage_load_done(void *context, hr_stage_load *load)
{
    finish_parcel(context, HR_CONTAINER(load, hr_parcel, load));
}

static void stage_published(void *context)
{
    hr_gauge_move(&hr_get_home(context)->gauge, HR_GAUGE_PUBLISH, HR_GAUGE_NONE, 0);
    hr_tree_pump(context);
}

/* All files are there by now; what is left beside them is for the next run to remove. */
static void stage_closed(void *context, hr_status status)
{
    hr_get *get = context;
    if (status != HR_OK)
        hr_get_end(get, status,
                   "removing the temporary files in %s: %s; run the same command again",
                   get->target, hr_status_text(status));
    hr_get_finish_if_over(get);
}

static const hr_stage_events stage_events = {
    .opened = stage_opened,
    .load_done = stage_load_done,
    .published = stage_published,
    .closed = stage_closed,
};

/* ---- the whole ---- */

void hr_flow_init(hr_flow *flow)
{
    hr_list_init(&flow->moving);
    hr_list_init(&flow->landed);
    hr_list_init(&flow->waiting);
}

void hr_flow_begin(hr_get *get)
{
    hr_flow *flow = &get->flow;
    hr_storage *storage = hr_get_home(get)->storage;
    hr_storage_caps caps;
    storage->ops->query(storage, &caps);
    flow->begun = true;
    flow->syncs_all = caps.sync_all;
    flow->takes_bundles = (get->client->features & HR_FEATURE_BUNDLES) != 0 &&
                          !get->options.read_back && !get->options.dry_run &&
                          (get->dir == NULL || caps.sync_all);
    flow->to_disk = get->dir != NULL && !get->options.dry_run;
    flow->probed = !flow->to_disk;
    if (!flow->to_disk)
        return;
    hr_stage_init(&flow->stage, get->env, storage, get->dir, get->target, &stage_events, get);
    hr_stage_open(&flow->stage, false);
}

void hr_flow_pump(hr_get *get)
{
    if (!get->flow.begun)
        return;
    if (!get->ending && get->client->status == HR_OK) {
        start_waiting(get);
        send_parcel(get);
    }
    publish(get);
}

void hr_flow_end(hr_get *get, hr_status status, const char *text)
{
    hr_flow *flow = &get->flow;
    hr_list *node, *next;
    while ((node = hr_list_take_first(&flow->waiting)) != NULL)
        hr_release(get->env, HR_CONTAINER(node, hr_flow_waiting, node));
    flow->waiting_count = 0;
    hr_parcel_destroy(get->env, flow->collecting);
    flow->collecting = NULL;
    for (node = flow->moving.next; node != &flow->moving; node = next) {
        next = node->next;
        hr_transfer_end(&hr_parcel_of(node)->transfer, status, "%s", text);
    }
}

/* A tree is not over before its last directories are there to stay. */
bool hr_flow_is_over(hr_get *get)
{
    hr_flow *flow = &get->flow;
    if (flow->moving_count > 0 || flow->waiting_count > 0 || flow->collecting != NULL)
        return false;
    publish(get);
    if (flow->stage.busy)
        return false;
    if (!get->ending && !are_directories_synced(get))
        return false;
    if (flow->stage.is_open)
        hr_stage_close(&flow->stage);
    return !flow->stage.busy;
}

void hr_flow_count(const hr_get *get, hr_get_progress *progress)
{
    const hr_flow *flow = &get->flow;
    for (hr_list *node = flow->moving.next; node != &flow->moving; node = node->next) {
        const hr_transfer_counters *counters = &hr_parcel_of(node)->transfer.counters;
        progress->bytes_moved += counters->bytes_moved;
        progress->bytes_verified += counters->bytes_verified;
        if (progress->first_byte_ns == 0 && counters->first_byte_ns != 0)
            progress->first_byte_ns = counters->first_byte_ns - get->started_ns;
    }
}
