/* SPDX-License-Identifier: Apache-2.0 */
/* hr_get: starting and ending a request, its files (each one a transfer), its time. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "get.h"

#define STALL_DEFAULT (60 * HR_NS_PER_S)
#define RATE_BURST_NS (HR_NS_PER_S / 10)

/* ---- numbers in sentences ---- */

#define BYTES_TEXT_MAX 24

/* "1.2 GB", as drives are sold. */
static char *show_bytes(char out[BYTES_TEXT_MAX], uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1000;
    unsigned unit = 0;
    for (; value >= 999.95; unit++)
        value /= 1000;
    snprintf(out, BYTES_TEXT_MAX, "%.1f %s", value, units[unit]);
    return out;
}

/* ---- the end ---- */

/* A tree that did not fit ends as a file does that did not: whoever makes room and runs the command
 * again has it, while files that failed for other reasons need to be looked at. */
static void sum_up_failures(hr_get *get)
{
    const hr_get_progress *count = &get->progress;
    const char *kept =
        get->options.remove && !get->pruned ? "; so nothing was removed from the target" : "";
    uint64_t others = count->files_failed - get->without_space;
    char also[80] = "", shown[200] = "the target", bytes[BYTES_TEXT_MAX];
    if (get->target != NULL)
        hr_quote(shown, sizeof shown, get->target, strlen(get->target));
    if (others > 0)
        snprintf(also, sizeof also, "; %llu more failed for other reasons",
                 (unsigned long long)others);
    if (get->without_space > 0)
        get->status = hr_error_set(
            &get->error, HR_NO_SPACE,
            "no space left: %llu of %llu files, %s, did not fit into %s; make room there (df, "
            "and of inodes df -i) and run the same command again: what has arrived is kept%s%s",
            (unsigned long long)get->without_space, (unsigned long long)count->files,
            show_bytes(bytes, get->without_space_bytes), shown, also, kept);
    else
        get->status = hr_error_set(&get->error, HR_PARTIAL, "%llu of %llu files failed%s",
                                   (unsigned long long)count->files_failed,
                                   (unsigned long long)count->files, kept);
}

/* The content is there, and not for whom it is. It would be the same of each file. */
static void sum_up_lost(hr_get *get)
{
    const hr_get_progress count = hr_get_count(get);
    char owners[120] = "", xattrs[250] = "";
    if (count.owners_lost > 0)
        snprintf(owners, sizeof owners,
                 "; %llu could not be given their owner and group (that takes root)",
                 (unsigned long long)count.owners_lost);
    if (count.xattrs_lost > 0)
        snprintf(xattrs, sizeof xattrs, "; %llu could not be given their extended attributes (%s)",
                 (unsigned long long)count.xattrs_lost, get->keep.xattrs_why);
    if (owners[0] == '\0' && xattrs[0] == '\0')
        return;
    hr_error so_far = get->error;
    if (get->status == HR_OK)
        get->status = HR_PARTIAL;
    hr_error_set(&get->error, get->status, "%s%s%s; run it as root, or without --preserve",
                 so_far.status == HR_OK ? "all content is there" : so_far.text, owners, xattrs);
}

static void settle(hr_get *get)
{
    hr_loop_timer_clear(hr_get_home(get)->loop, &get->watch);
    hr_get_describe(get);
    if (!get->is_tree && get->progress.files_done > 0)
        get->error = (hr_error){.status = HR_OK}; /* it was to be ended, and was faster */
    if (get->error.status != HR_OK)
        get->status = get->error.status;
    else if (get->progress.files_failed > 0)
        sum_up_failures(get);
    else
        get->status = HR_OK;
    if (get->status == HR_OK || get->status == HR_PARTIAL)
        sum_up_lost(get);
}

static void closed_dir(hr_io *io)
{
    hr_get *get = io->context;
    get->io_busy = false;
    get->dir = NULL;
    settle(get);
}

void hr_get_finish_if_over(hr_get *get)
{
    if (get->status != HR_AGAIN || get->waiting || get->io_busy || get->item_count > 0 ||
        get->pump_task.queued || get->blocked.busy || hr_sift_is_looking(get) ||
        !hr_check_is_over(&get->check))
        return;
    if (!get->ending && get->is_tree && !hr_tree_is_listed(get))
        return;
    if (!hr_flow_is_over(get))
        return;
    hr_pages_drop(get);
    bool begun = get->phase > HR_GET_BRINGING; /* what was made is synced, however it ends */
    if (get->is_tree && (!get->ending || begun) && get->phase != HR_GET_FINISHING) {
        hr_tree_go_on(get);
        return;
    }
    if (get->upload != NULL) {
        hr_get_close_upload(get);
        return;
    }
    if (get->dir == NULL) {
        settle(get);
        return;
    }
    get->io_busy = true;
    get->io = (hr_io){
        .kind = HR_IO_CLOSE_DIR,
        .dir = get->dir,
        .done = closed_dir,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
}

void hr_get_end(hr_get *get, hr_status status, const char *format, ...)
{
    if (get->status != HR_AGAIN || get->ending)
        return;
    char text[sizeof get->error.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    get->ending = true;
    hr_error_set(&get->error, status, "%s", text);
    if (get->waiting) {
        hr_list_remove(&get->waiter.node);
        get->waiting = false;
    }
    hr_check_stop(get);
    hr_keep_stop(&get->keep);
    hr_prune_stop(&get->prune);
    hr_list *next;
    for (hr_list *node = get->items.next; node != &get->items; node = next) {
        next = node->next;
        hr_transfer_end(&HR_CONTAINER(node, hr_get_item, node)->transfer, status, "%s", text);
    }
    hr_flow_end(get, status, text);
    hr_get_finish_if_over(get);
}

/* ---- items ---- */

static void end_strictly(hr_get *get, const char *path, const hr_error *error)
{
    char quoted[300];
    hr_get_end(get, error->status, "--strict: ended by %s: %s",
               hr_quote(quoted, sizeof quoted, path, strlen(path)), error->text);
}

static void report(hr_get *get, const char *path, const hr_error *error, uint64_t bytes,
                   const hr_transfer_counters *counters, bool kept)
{
    get->progress.files_kept += kept;
    if (error->status == HR_OK)
        get->progress.files_done++;
    else
        get->progress.files_failed++;
    if (error->status != HR_OK && get->is_tree)
        hr_keep_failed(&get->keep, path);
    if (error->status == HR_NO_SPACE && get->is_tree) {
        get->without_space++;
        get->without_space_bytes += bytes;
    }
    if (get->options.strict && get->is_tree && error->status != HR_OK)
        end_strictly(get, path, error);
    if (get->options.file_done == NULL)
        return;
    hr_file_report file = {
        .path = path,
        .status = error->status,
        .text = error->text,
        .bytes = bytes,
        .bytes_moved = counters->bytes_moved,
        .bytes_reused = counters->bytes_reused,
        .kept = kept,
    };
    get->options.file_done(get->options.context, &file);
}

void hr_get_report(hr_get *get, const char *path, hr_status status, const char *text,
                   uint64_t bytes)
{
    hr_error error = {.status = HR_OK};
    bool moved = status == HR_OK && bytes > 0 && !get->options.dry_run;
    hr_transfer_counters counters = {.bytes_moved = moved ? bytes : 0};
    if (status != HR_OK)
        hr_error_set(&error, status, "%s", text);
    report(get, path, &error, bytes, &counters, false);
}

void hr_get_keep(hr_get *get, const char *path)
{
    report(get, path, &(hr_error){.status = HR_OK}, 0, &(hr_transfer_counters){0}, true);
}

void hr_get_skip(hr_get *get, const char *path, hr_status status, const char *text)
{
    get->progress.files++;
    hr_get_report(get, path, status, text, 0);
}

void hr_get_count_over(hr_get *get, const hr_transfer_counters *counters)
{
    get->over_moved += counters->bytes_moved;
    get->over_verified += counters->bytes_verified;
    get->over_reused += counters->bytes_reused;
    if (get->first_byte_ns == 0 && counters->first_byte_ns != 0)
        get->first_byte_ns = counters->first_byte_ns - get->started_ns;
}

static void free_item(hr_get_item *item)
{
    hr_get *get = item->get;
    hr_list_remove(&item->node);
    get->item_count--;
    hr_release(get->env, item->path);
    hr_release(get->env, item);
}

/* It did not fail: it was under way when the tree was ended, which is told once. */
static bool is_given_up(const hr_get *get, const hr_transfer *transfer)
{
    return get->is_tree && get->ending && transfer->error.status == get->error.status &&
           strcmp(transfer->error.text, get->error.text) == 0;
}

static void item_over(void *context, hr_transfer *transfer)
{
    hr_get_item *item = context;
    hr_get *get = item->get;
    const hr_transfer_counters *counters = &transfer->counters;
    hr_get_count_over(get, counters);
    if (get->opened_item == item)
        get->opened_item = NULL;
    if (get->upload_item == item)
        get->upload_item = NULL;
    if (transfer->kept)
        get->progress.bytes -= transfer->size;
    bool failed = transfer->error.status != HR_OK;
    get->owners_lost += !failed && transfer->draft.owner_lost;
    if ((failed || !transfer->is_directory) && !is_given_up(get, transfer)) {
        report(get, item->path, &transfer->error, transfer->size, counters, transfer->kept);
        if (!get->is_tree && failed)
            hr_error_set(&get->error, transfer->error.status, "%s", transfer->error.text);
    }
    free_item(item);
    hr_tree_pump(get);
}

static void note_packed(hr_get *get, const hr_transfer *transfer)
{
    get->codec = transfer->codec;
    get->progress.codec = hr_codec_find(transfer->codec)->name;
    get->progress.stored_bytes = transfer->stored_len;
    get->progress.chunks = hr_chunk_count(transfer->size, transfer->chunk_len);
    for (uint64_t i = 0; transfer->uncompressed != NULL && i < (get->progress.chunks + 7) / 8; i++)
        get->progress.chunks_stored += (unsigned)__builtin_popcount(transfer->uncompressed[i]);
    hr_get_describe(get);
}

static void item_opened(void *context, hr_transfer *transfer)
{
    hr_get_item *item = context;
    hr_get *get = item->get;
    if (transfer->codec != HR_CODEC_STORED && get->codec == HR_CODEC_STORED)
        note_packed(get, transfer);
    if (get->is_tree && transfer->is_directory) {
        hr_transfer_end(transfer, HR_CHANGED, "it became a directory while the tree was listed");
        return;
    }
    if (!get->is_tree && !transfer->is_directory && get->options.unpack &&
        transfer->codec == HR_CODEC_STORED) {
        hr_transfer_end(transfer, HR_UNSUPPORTED,
                        "%s is no packed shard; without --unpack it is copied as it is", get->path);
        return;
    }
    if (!get->is_tree && !transfer->is_directory && get->options.remove) {
        hr_transfer_end(transfer, HR_INVALID,
                        "--delete removes from a directory what a tree does not have any more, and "
                        "%s is a single file; get it without --delete, or the tree that it is in",
                        get->path);
        return;
    }
    if (transfer->is_directory &&
        (get->options.target_span.addr != NULL || get->options.target_cuda)) {
        hr_transfer_end(transfer, HR_IS_DIRECTORY,
                        "the source is a directory; memory takes a file");
        return;
    }
    if (transfer->is_directory) {
        get->is_tree = true;
        hr_tree_push(get, NULL,
                     &(hr_entry){.target = "",
                                 .mode = transfer->mode,
                                 .mtime_ns = transfer->mtime_ns,
                                 .uid = transfer->uid,
                                 .gid = transfer->gid},
                     false);
        if (get->ending) /* for want of memory, and this transfer with it */
            return;
    }
    if (!transfer->is_directory) {
        get->progress.bytes += transfer->size;
        if (!get->is_tree)
            get->progress.files = 1;
    }
    if (get->dir == NULL && get->target != NULL && !get->nothing_there) {
        get->opened_item = item;
        hr_get_open_target(get);
    } else if (transfer->is_directory) {
        hr_transfer_forget(transfer);
    } else {
        hr_get_begin_item(item);
    }
}

static const hr_transfer_events item_events = {.opened = item_opened, .over = item_over};

void hr_get_start_item(hr_get *get, const char *path, bool fresh)
{
    hr_get_item *item = hr_alloc(get->env, sizeof *item);
    char *copy = NULL;
    if (item == NULL || hr_engine_copy_text(get->env, path, &copy) != HR_OK) {
        hr_release(get->env, item);
        hr_get_end(get, HR_NO_MEMORY, "starting a transfer: out of memory");
        return;
    }
    char full[HR_MESSAGE_PATH_MAX + 1];
    int len = snprintf(full, sizeof full, "%s%s%s", get->path, path[0] != '\0' ? "/" : "", path);
    item->get = get;
    item->path = copy;
    item->fresh = fresh;
    hr_list_append(&get->items, &item->node);
    get->item_count++;
    if (get->options.limit_bytes_per_s != 0)
        item->transfer.rate = &get->rate;
    item->transfer.content = hr_get_wants_content(get);
    item->transfer.listed = path[0] != '\0';
    hr_transfer_open(&item->transfer, get->client, full, &item_events, item);
    if (len < 0 || (size_t)len >= sizeof full)
        hr_transfer_end(&item->transfer, HR_INVALID, "its path is longer than %u bytes",
                        HR_MESSAGE_PATH_MAX);
}

/* ---- time ---- */

static uint64_t bytes_verified(const hr_get *get)
{
    hr_get_progress moving = {0};
    hr_flow_count(get, &moving);
    uint64_t sum = get->over_verified + moving.bytes_verified;
    for (hr_list *node = get->items.next; node != &get->items; node = node->next)
        sum += HR_CONTAINER(node, hr_get_item, node)->transfer.counters.bytes_verified;
    return sum;
}

/* "12.0 MB of 3.4 GB and 10 of 200 files": what is there when time is up. */
static void describe_arrived(const hr_get *get, char *out, size_t size)
{
    const hr_get_progress *count = &get->progress;
    char verified[BYTES_TEXT_MAX], total[BYTES_TEXT_MAX];
    int used = snprintf(out, size, "%s of %s%s", show_bytes(verified, bytes_verified(get)),
                        show_bytes(total, count->bytes), count->listing ? " and more" : "");
    if (get->is_tree)
        snprintf(out + used, size - (size_t)used, " and %llu of %llu files",
                 (unsigned long long)count->files_done, (unsigned long long)count->files);
}

/* It ends with what there is; what comes next is told in the same words. */
static void end_late(hr_get *get, hr_status status, uint64_t limit_ns, const char *what,
                     const char *option)
{
    char arrived[160] = "nothing";
    if (get->progress.files > 0)
        describe_arrived(get, arrived, sizeof arrived);
    hr_get_end(get, status,
               "%s %.*f s; %s had arrived; the same command continues where this one ended (%s "
               "gives it more time)",
               what, limit_ns % HR_NS_PER_S == 0 ? 0 : 3, (double)limit_ns / 1e9, arrived, option);
}

static void watch(hr_timer *timer)
{
    hr_get *get = HR_CONTAINER(timer, hr_get, watch);
    uint64_t now_ns = hr_now_ns(get->env);
    uint64_t verified = bytes_verified(get) + hr_check_compared(&get->check) +
                        get->progress.files_done + get->progress.files;
    if (verified != get->watched) {
        get->watched = verified;
        get->moved_ns = now_ns;
    }
    if (now_ns >= get->deadline_ns)
        end_late(get, HR_DEADLINE, get->options.deadline_ns, "the deadline passed, after",
                 "--deadline");
    else if (now_ns - get->moved_ns >= get->options.stall_ns)
        end_late(get, HR_STALLED, get->options.stall_ns, "nothing was verified for", "--stall");
    if (get->ending || get->status != HR_AGAIN)
        return;
    if (get->upload != NULL)
        hr_get_describe(get);
    uint64_t next_ns = now_ns + HR_NS_PER_S / 4;
    if (hr_loop_timer_set(hr_get_home(get)->loop, timer,
                          next_ns < get->deadline_ns ? next_ns : get->deadline_ns) != HR_OK)
        hr_get_end(get, HR_NO_MEMORY, "setting a timer: out of memory");
}

/* ---- starting ---- */

static void release_rules(hr_get *get)
{
    for (size_t i = 0; get->rules != NULL && i < get->options.rule_count; i++)
        hr_release(get->env, (void *)(uintptr_t)get->rules[i].pattern);
    hr_release(get->env, get->rules);
}

static hr_status copy_rules(hr_get *get)
{
    const hr_get_options *options = &get->options;
    if (options->rule_count == 0)
        return HR_OK;
    get->rules = hr_alloc(get->env, options->rule_count * sizeof *get->rules);
    if (get->rules == NULL)
        return HR_NO_MEMORY;
    hr_status status = HR_OK;
    for (size_t i = 0; i < options->rule_count && status == HR_OK; i++) {
        char *pattern = NULL;
        status = hr_engine_copy_text(get->env, options->rules[i].pattern, &pattern);
        get->rules[i] = (hr_rule){.include = options->rules[i].include, .pattern = pattern};
    }
    get->options.rules = get->rules;
    return status;
}

static void release_get(hr_get *get)
{
    hr_list *node;
    while ((node = hr_list_take_first(&get->folders)) != NULL)
        hr_release(get->env, HR_CONTAINER(node, hr_get_folder, node));
    hr_release(get->env, get->listed);
    hr_names_release(&get->names);
    hr_names_release(&get->claimed);
    hr_twins_release(&get->twins);
    hr_names_release(&get->different);
    if (get->pruned)
        hr_names_release(&get->staying);
    hr_keep_release(&get->keep);
    hr_blocked_release(get);
    release_rules(get);
    hr_release(get->env, get->sifts);
    hr_release(get->env, get->making);
    hr_release(get->env, get->path);
    hr_release(get->env, get->target);
    hr_release(get->env, get);
}

static void client_settled(hr_client_waiter *waiter)
{
    hr_get *get = HR_CONTAINER(waiter, hr_get, waiter);
    hr_client *client = get->client;
    get->waiting = false;
    if (client->status != HR_OK) {
        hr_get_end(get, client->error.status, "%s", client->error.text);
        return;
    }
    if (get->options.unpack && (client->features & HR_FEATURE_PACKED) == 0) {
        hr_get_end(get, HR_UNSUPPORTED,
                   "the server at %s knows nothing of packed shards; without --unpack it copies "
                   "them as they are",
                   client->address);
        return;
    }
    hr_error error = {.status = HR_OK};
    if (hr_client_check_path(client, strlen(get->path), &error) != HR_OK) {
        hr_get_end(get, error.status, "%s", error.text);
        return;
    }
    hr_get_describe(get);
    hr_get_start_item(get, "", false);
}

static void deliver_cancel(hr_letter *letter)
{
    hr_get *get = HR_CONTAINER(letter, hr_get, cancel_letter);
    get->cancel_taken = true;
    hr_get_end(get, HR_CANCELED, "interrupted; the same command continues where this one ended");
}

static hr_status check_options(const hr_get_options *options, hr_error *error)
{
    if (options->unpack && options->as_is)
        return hr_error_set(error, HR_INVALID, "--unpack and --as-is exclude each other");
    int targets = (options->target_path != NULL) + (options->target_span.addr != NULL) +
                  options->target_host + options->target_cuda;
    if (targets != 1)
        return hr_error_set(error, HR_INVALID, "a get needs exactly one target");
    if (options->target_span.addr != NULL && options->target_span.kind == HR_MEMORY_DMABUF)
        return hr_error_set(error, HR_UNSUPPORTED, "a dma-buf cannot be a target");
    if (options->path == NULL || strlen(options->path) > HR_MESSAGE_PATH_MAX)
        return hr_error_set(error, HR_INVALID, "the path of the source is longer than %u bytes",
                            HR_MESSAGE_PATH_MAX);
    if (options->remove && options->target_path == NULL)
        return hr_error_set(error, HR_INVALID,
                            "only from a target that is a path can anything be removed");
    for (size_t i = 0; i < options->rule_count; i++)
        if (hr_pattern_check(options->rules[i].pattern, error) != HR_OK)
            return HR_INVALID;
    if (options->target_path != NULL &&
        (options->target_path[0] == '\0' || strlen(options->target_path) >= HR_PATH_MAX - 300))
        return hr_error_set(error, HR_INVALID, "the path of the target is empty or too long");
    return HR_OK;
}

hr_status hr_get_start(hr_client *client, const hr_get_options *options, hr_get **get_out,
                       hr_error *error)
{
    hr_status status = check_options(options, error);
    if (status != HR_OK)
        return status;
    if (client->requires_gpu && !hr_get_wants_gpu(options))
        return hr_error_set(error, HR_UNSUPPORTED,
                            "gpu is required, and the target is not a GPU's memory: that is "
                            "cuda:N");
    hr_get *get = hr_alloc(client->env, sizeof *get);
    if (get == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "starting the request: out of memory");
    get->client = client;
    get->env = client->env;
    get->options = *options;
    get->status = HR_AGAIN;
    get->progress.codec = "";
    get->watch.fire = watch;
    get->cancel_letter.deliver = deliver_cancel;
    hr_list_init(&get->items);
    hr_list_init(&get->folders);
    hr_names_init(&get->names, get->env);
    hr_names_init(&get->claimed, get->env);
    hr_twins_init(&get->twins, get->env);
    hr_names_init(&get->different, get->env);
    hr_check_init(&get->check);
    hr_blocked_init(get);
    hr_tree_init(get);
    get->folders_mark = &get->folders;
    hr_flow_init(&get->flow);
    if (get->options.stall_ns == 0)
        get->options.stall_ns = STALL_DEFAULT;
    get->started_ns = get->moved_ns = hr_now_ns(get->env);
    get->deadline_ns =
        options->deadline_ns == 0 ? HR_NEVER : get->started_ns + options->deadline_ns;
    hr_rate_init(&get->rate, options->limit_bytes_per_s,
                 options->limit_bytes_per_s / (HR_NS_PER_S / RATE_BURST_NS), get->started_ns);
    status = hr_engine_copy_text(get->env, options->path, &get->path);
    if (status == HR_OK)
        status = hr_get_copy_target(get);
    if (status == HR_OK)
        status = copy_rules(get);
    if (status == HR_OK)
        status = hr_loop_timer_set(hr_get_home(get)->loop, &get->watch, get->started_ns);
    if (status != HR_OK) {
        release_get(get);
        return hr_error_set(error, status, "starting the request: %s", hr_status_text(status));
    }
    hr_get_describe(get);
    get->waiting = true;
    get->waiter.settled = client_settled;
    hr_client_wait(client, &get->waiter);
    *get_out = get;
    return HR_OK;
}

/* ---- what it is ---- */

hr_status hr_get_status(const hr_get *get)
{
    return get->status;
}

const hr_error *hr_get_error(const hr_get *get)
{
    return &get->error;
}

hr_get_progress hr_get_count(const hr_get *get)
{
    hr_get_progress progress = get->progress;
    progress.bytes_moved = get->over_moved;
    progress.bytes_reused = get->over_reused;
    progress.owners_lost = get->owners_lost + get->keep.owners_lost;
    progress.xattrs_lost = get->keep.xattrs_lost;
    progress.first_byte_ns = get->first_byte_ns;
    hr_flow_count(get, &progress);
    progress.bytes_verified = bytes_verified(get);
    for (hr_list *node = get->items.next; node != &get->items; node = node->next) {
        const hr_transfer_counters *counters =
            &HR_CONTAINER(node, hr_get_item, node)->transfer.counters;
        progress.bytes_moved += counters->bytes_moved;
        progress.bytes_reused += counters->bytes_reused;
        if (progress.first_byte_ns == 0 && counters->first_byte_ns != 0)
            progress.first_byte_ns = counters->first_byte_ns - get->started_ns;
    }
    progress.links = get->client->links_up;
    progress.control_messages = get->client->control.messages;
    return progress;
}

const char *hr_get_path(const hr_get *get)
{
    return get->description;
}

void hr_get_cancel(hr_get *get)
{
    if (!__atomic_exchange_n(&get->cancel_posted, true, __ATOMIC_ACQ_REL))
        hr_loop_post(hr_get_home(get)->loop, &get->cancel_letter);
}

void hr_get_destroy(hr_get *get)
{
    if (get == NULL)
        return;
    if (get->status == HR_AGAIN)
        hr_get_cancel(get);
    while (get->status == HR_AGAIN || (get->cancel_posted && !get->cancel_taken))
        hr_engine_step(get->client->engine, HR_NS_PER_S);
    release_get(get);
}
