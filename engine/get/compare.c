/* SPDX-License-Identifier: Apache-2.0 */
/* hr_compare: two trees, directory after directory. Both listings of one are read to their end and
 * sorted, so that names find each other whatever the order of the file systems; contents are
 * compared a few at a time. On worker 0. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "granularity.h"
#include "keep.h"
#include "pattern.h"
#include "same.h"

#define RUNNING_MAX 4
#define PATIENCE_NS (60 * HR_NS_PER_S) /* with contents of which nothing is told, as in a get */
#define TREE        0                  /* of the two sides */
#define SOURCE      1

#define TIME_TEXT_MAX 64

/* An entry of one side; its strings lie behind it. */
typedef struct compared_entry {
    hr_entry entry;
    char name[];
} compared_entry;

typedef struct compared_side {
    hr_client *client;
    char *path;
    hr_listing *listing;
    compared_entry **entries;
    size_t count, capacity, next;
} compared_side;

typedef struct compared_folder {
    hr_list node;
    char path[]; /* below both */
} compared_folder;

/* Two files whose contents are being compared. */
typedef struct compared_files {
    hr_list node;
    hr_compare *compare;
    uint64_t size;
    hr_same same;
    char full[2][HR_MESSAGE_PATH_MAX + 1];
    char path[];
} compared_files;

struct hr_compare {
    hr_engine *engine;
    const hr_env *env;
    hr_compare_options options;
    compared_side sides[2];
    hr_list folders, running;
    compared_folder *folder; /* at hand */
    bool unlisted; /* a side of the folder could not be read: nothing is said of its names */
    bool canceled, pumping;
    hr_letter cancel_letter;
    bool cancel_posted, cancel_taken;
    unsigned running_count;
    hr_compare_progress progress;
    uint64_t compared;         /* bytes of files that are over */
    uint64_t failures, packed; /* packed: in the source, and unpacked in the tree */
    hr_timer watch;
    uint64_t watched, moved_ns; /* what there was when it last went on, and when */
    hr_status status;
    hr_error error;
};

static void pump(hr_compare *compare);

/* ---- what is told ---- */

static void tell(hr_compare *compare, const char *path, hr_status status, const char *format, ...)
    HR_PRINTF(4, 5);
static void tell(hr_compare *compare, const char *path, hr_status status, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    compare->progress.differences++;
    compare->failures += status != HR_OK;
    if (compare->options.differs != NULL)
        compare->options.differs(compare->options.context, path, status, text);
}

static void fail(hr_compare *compare, hr_status status, const char *text)
{
    if (compare->error.status == HR_OK)
        hr_error_set(&compare->error, status, "%s", text);
    compare->canceled = true;
}

/* ---- the entries of a directory ---- */

static void drop_entries(hr_compare *compare, compared_side *side)
{
    for (size_t i = 0; i < side->count; i++)
        hr_release(compare->env, side->entries[i]);
    hr_release(compare->env, side->entries);
    side->entries = NULL;
    side->count = side->capacity = side->next = 0;
}

static bool grow(hr_compare *compare, compared_side *side)
{
    size_t capacity = side->capacity == 0 ? 64 : 2 * side->capacity;
    compared_entry **entries = hr_alloc(compare->env, capacity * sizeof(compared_entry *));
    if (entries == NULL)
        return false;
    if (side->count > 0)
        memcpy(entries, side->entries, side->count * sizeof(compared_entry *));
    hr_release(compare->env, side->entries);
    side->entries = entries;
    side->capacity = capacity;
    return true;
}

static bool add_entry(hr_compare *compare, compared_side *side, const hr_entry *entry)
{
    size_t target_len = strlen(entry->target) + 1;
    if (side->count == side->capacity && !grow(compare, side))
        return false;
    compared_entry *copy = hr_alloc(compare->env, sizeof *copy + entry->name_len + 1 + target_len);
    if (copy == NULL)
        return false;
    copy->entry = *entry;
    memcpy(copy->name, entry->name, entry->name_len); /* the rest is zero */
    memcpy(copy->name + entry->name_len + 1, entry->target, target_len);
    copy->entry.name = copy->name;
    copy->entry.target = copy->name + entry->name_len + 1;
    side->entries[side->count++] = copy;
    return true;
}

/* What is being brought, or was left by a run that ended, is no part of the tree. */
static bool is_temporary(const hr_entry *entry)
{
    return strncmp(entry->name, ".headrace-", sizeof ".headrace-" - 1) == 0;
}

static bool join(char *out, size_t size, const char *base, const char *name)
{
    assert(base != NULL && name != NULL);
    bool both = base[0] != '\0' && name[0] != '\0';
    int len = snprintf(out, size, "%s%s%s", base, both ? "/" : "", name);
    return len >= 0 && (size_t)len < size;
}

static void take_entry(hr_compare *compare, compared_side *side, const hr_entry *entry)
{
    char path[HR_MESSAGE_PATH_MAX + 1];
    bool fits = join(path, sizeof path, compare->folder->path, entry->name);
    if (!fits)
        tell(compare, entry->name, HR_INVALID, "its path is too long");
    if (!fits || is_temporary(entry) ||
        hr_rules_exclude(compare->options.rules, compare->options.rule_count, path,
                         entry->type == HR_ENTRY_DIRECTORY))
        return;
    if (!add_entry(compare, side, entry))
        fail(compare, HR_NO_MEMORY, "remembering the names of a directory: out of memory");
}

static int by_name(const void *a, const void *b)
{
    const compared_entry *const *one = a, *const *other = b;
    return strcmp((*one)->name, (*other)->name);
}

/* False: there is more to come. */
static bool read_listing(hr_compare *compare, compared_side *side)
{
    hr_entry entry;
    while (!compare->canceled && hr_listing_next(side->listing, &entry))
        take_entry(compare, side, &entry);
    hr_status status = hr_listing_status(side->listing);
    if (status == HR_AGAIN && !compare->canceled)
        return false;
    if (status != HR_OK && status != HR_AGAIN && compare->folder->path[0] != '\0' &&
        side->client->status == HR_OK)
        tell(compare, compare->folder->path, status, "%s", hr_listing_error(side->listing)->text);
    else if (status != HR_OK && status != HR_AGAIN)
        fail(compare, status, hr_listing_error(side->listing)->text);
    compare->unlisted = compare->unlisted || status != HR_OK;
    hr_listing_destroy(side->listing);
    side->listing = NULL;
    if (side->count > 0)
        qsort(side->entries, side->count, sizeof(compared_entry *), by_name);
    return true;
}

static void listing_changed(void *context)
{
    pump(context);
}

static void start_listing(hr_compare *compare, compared_side *side)
{
    char full[HR_MESSAGE_PATH_MAX + 1];
    hr_error error = {.status = HR_OK};
    if (!join(full, sizeof full, side->path, compare->folder->path))
        full[0] = '\0'; /* no name of its directory was so long */
    hr_status status = hr_listing_open(side->client, full, &side->listing, &error);
    if (status != HR_OK)
        fail(compare, status, error.text);
    else
        hr_listing_watch(side->listing, listing_changed, compare);
}

/* ---- two of a name ---- */

static const char *type_text(hr_entry_type type)
{
    static const char *const texts[] = {
        [HR_ENTRY_FILE] = "a file",        [HR_ENTRY_DIRECTORY] = "a directory",
        [HR_ENTRY_SYMLINK] = "a symlink",  [HR_ENTRY_SPECIAL] = "neither file nor directory",
        [HR_ENTRY_EXPORT] = "a directory",
    };
    return texts[type];
}

static void push_folder(hr_compare *compare, const char *path)
{
    size_t len = strlen(path) + 1;
    compared_folder *folder = hr_alloc(compare->env, sizeof *folder + len);
    if (folder == NULL) {
        fail(compare, HR_NO_MEMORY, "remembering a directory: out of memory");
        return;
    }
    memcpy(folder->path, path, len);
    hr_list_append(compare->folders.next, &folder->node); /* depth first: fewer are remembered */
}

static void contents_compared(hr_same *same)
{
    compared_files *files = same->context;
    hr_compare *compare = files->compare;
    if (same->status == HR_OK && !same->equal)
        tell(compare, files->path, HR_OK, "its content is another");
    else if (same->status != HR_OK && !compare->canceled)
        tell(compare, files->path, same->status, "its content cannot be compared: %s", same->text);
    compare->compared += files->size;
    compare->running_count--;
    hr_list_remove(&files->node);
    hr_release(compare->env, files);
    pump(compare);
}

static void compare_contents(hr_compare *compare, const char *path, uint64_t size)
{
    size_t len = strlen(path) + 1;
    compared_files *files = hr_alloc(compare->env, sizeof *files + len);
    if (files == NULL) {
        fail(compare, HR_NO_MEMORY, "comparing two files: out of memory");
        return;
    }
    memcpy(files->path, path, len);
    files->compare = compare;
    files->size = size;
    files->same.home = hr_engine_home(compare->engine);
    files->same.done = contents_compared;
    files->same.context = files;
    compare->running_count++;
    hr_list_append(&compare->running, &files->node);
    for (unsigned i = 0; i < 2; i++) {
        const char *below = compare->options.file ? "" : path;
        if (!join(files->full[i], sizeof files->full[i], compare->sides[i].path, below))
            files->full[i][0] = '\0';
        files->same.sides[i] =
            (hr_same_side){.client = compare->sides[i].client, .path = files->full[i]};
    }
    hr_same_start(&files->same);
}

/* "2026-11-29T03:04:05.000000001Z" */
static const char *time_text(char text[TIME_TEXT_MAX], int64_t ns)
{
    const int64_t second = (int64_t)HR_NS_PER_S;
    int64_t part = (ns % second + second) % second; /* also before 1970 */
    time_t seconds = (time_t)((ns - part) / second);
    struct tm when = {0};
    size_t len = gmtime_r(&seconds, &when) != NULL
                     ? strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &when)
                     : 0;
    snprintf(text + len, TIME_TEXT_MAX - len, ".%09lldZ", (long long)part);
    return text;
}

static void compare_attributes(hr_compare *compare, const char *path, const hr_entry *tree,
                               const hr_entry *source)
{
    bool owner = compare->options.owner;
    uint32_t mode = hr_kept_mode(tree->mode, owner),
             source_mode = hr_kept_mode(source->mode, owner);
    char text[2][TIME_TEXT_MAX];
    if (tree->type != HR_ENTRY_SYMLINK && mode != source_mode)
        tell(compare, path, HR_OK, "its permissions are %04o, the source's %04o", mode,
             source_mode);
    if (!hr_is_time_of(tree->mtime_ns, source->mtime_ns))
        tell(compare, path, HR_OK, "its time is %s, the source's %s",
             time_text(text[TREE], tree->mtime_ns), time_text(text[SOURCE], source->mtime_ns));
    if (owner && (tree->uid != source->uid || tree->gid != source->gid))
        tell(compare, path, HR_OK, "it belongs to %u:%u, the source's to %u:%u", tree->uid,
             tree->gid, source->uid, source->gid);
}

static void compare_pair(hr_compare *compare, const char *path, const hr_entry *tree,
                         const hr_entry *source)
{
    if (tree->type != source->type) {
        tell(compare, path, HR_OK, "it is %s, in the source %s", type_text(tree->type),
             type_text(source->type));
        return;
    }
    compare_attributes(compare, path, tree, source);
    if (tree->type == HR_ENTRY_DIRECTORY) {
        push_folder(compare, path);
        return;
    }
    compare->progress.files++;
    if (tree->type == HR_ENTRY_SYMLINK && strcmp(tree->target, source->target) != 0) {
        tell(compare, path, HR_OK, "the symlink says another path");
    } else if (tree->type == HR_ENTRY_FILE && tree->size != source->size) {
        tell(compare, path, HR_OK, "it has %llu bytes, in the source %llu",
             (unsigned long long)tree->size, (unsigned long long)source->size);
    } else if (tree->type == HR_ENTRY_FILE) {
        compare->progress.bytes += tree->size;
        compare_contents(compare, path, tree->size);
    }
}

/* Each side lists itself, under its own name. */
static void compare_files(hr_compare *compare, compared_side *tree, compared_side *source)
{
    bool files = tree->count == 1 && source->count == 1 &&
                 tree->entries[0]->entry.type == HR_ENTRY_FILE &&
                 source->entries[0]->entry.type == HR_ENTRY_FILE;
    if (files)
        compare_pair(compare, tree->entries[0]->name, &tree->entries[0]->entry,
                     &source->entries[0]->entry);
    else
        fail(compare, HR_INVALID, "a file is compared with a file, and the source is none");
}

static int compare_name(const void *name, const void *entry)
{
    const compared_entry *const *other = entry;
    return strcmp(name, (*other)->name);
}

/* Whether the tree has what would come out of this file of the source. */
static bool is_unpacked(const compared_side *tree, const char *packed)
{
    char name[HR_NAME_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)hr_unpacked_len(packed), packed);
    return tree->count > 0 && strcmp(name, packed) != 0 &&
           bsearch(name, tree->entries, tree->count, sizeof(compared_entry *), compare_name) !=
               NULL;
}

/* The next name of both lists. False: there is none. */
static bool merge_next(hr_compare *compare)
{
    compared_side *tree = &compare->sides[TREE], *source = &compare->sides[SOURCE];
    const compared_entry *here = tree->next < tree->count ? tree->entries[tree->next] : NULL;
    const compared_entry *there =
        source->next < source->count ? source->entries[source->next] : NULL;
    char path[HR_MESSAGE_PATH_MAX + 1];
    if (here == NULL && there == NULL)
        return false;
    int order = here == NULL ? 1 : there == NULL ? -1 : strcmp(here->name, there->name);
    const compared_entry *first = order <= 0 ? here : there;
    assert(first != NULL);
    bool fits = join(path, sizeof path, compare->folder->path, first->name);
    assert(fits); /* or it would not have been added */
    (void)fits;
    tree->next += order <= 0;
    source->next += order >= 0;
    compare->packed += order > 0 && is_unpacked(tree, first->name);
    if (order < 0)
        tell(compare, path, HR_OK, "the source does not have it");
    else if (order > 0)
        tell(compare, path, HR_OK, "it is missing: in the source it is %s",
             type_text(there->entry.type));
    else
        compare_pair(compare, path, &here->entry, &there->entry);
    return true;
}

/* ---- directory after directory ---- */

static void next_folder(hr_compare *compare)
{
    hr_list *node = hr_list_take_first(&compare->folders);
    compare->folder = HR_CONTAINER(node, compared_folder, node);
    compare->unlisted = false;
    start_listing(compare, &compare->sides[TREE]);
    start_listing(compare, &compare->sides[SOURCE]);
}

static void leave_folder(hr_compare *compare)
{
    drop_entries(compare, &compare->sides[TREE]);
    drop_entries(compare, &compare->sides[SOURCE]);
    hr_release(compare->env, compare->folder);
    compare->folder = NULL;
}

static void settle(hr_compare *compare)
{
    uint64_t differences = compare->progress.differences;
    hr_loop_timer_clear(hr_engine_home(compare->engine)->loop, &compare->watch);
    if (compare->error.status != HR_OK)
        compare->status = compare->error.status;
    else if (differences > compare->failures)
        compare->status = hr_error_set(
            &compare->error, HR_INTEGRITY,
            "the tree is not what its source is: %llu difference%s%s",
            (unsigned long long)differences, differences == 1 ? "" : "s",
            compare->packed > 0 ? "; the source is packed, and what was unpacked is compared with "
                                  "what is: bring it once more with get --unpack, into a directory "
                                  "of its own, and compare with that"
                                : "");
    else if (differences > 0)
        compare->status = hr_error_set(&compare->error, HR_PARTIAL,
                                       "%llu could not be compared; the others are the same",
                                       (unsigned long long)differences);
    else
        compare->status = HR_OK;
}

/* One step. False: it has to wait for something. */
static bool go_on(hr_compare *compare)
{
    if (compare->folder == NULL) {
        if (hr_list_is_empty(&compare->folders))
            return false;
        next_folder(compare);
    }
    for (unsigned i = 0; i < 2; i++)
        if (compare->sides[i].listing != NULL && !read_listing(compare, &compare->sides[i]))
            return false;
    if (compare->canceled || compare->running_count >= RUNNING_MAX)
        return false;
    if (!compare->unlisted && compare->options.file)
        compare_files(compare, &compare->sides[TREE], &compare->sides[SOURCE]);
    if (compare->unlisted || compare->options.file || !merge_next(compare))
        leave_folder(compare);
    return true;
}

static void stop(hr_compare *compare)
{
    for (unsigned i = 0; i < 2; i++) {
        hr_listing_destroy(compare->sides[i].listing);
        compare->sides[i].listing = NULL;
    }
    leave_folder(compare);
    hr_list *node;
    while ((node = hr_list_take_first(&compare->folders)) != NULL)
        hr_release(compare->env, HR_CONTAINER(node, compared_folder, node));
    for (node = compare->running.next; node != &compare->running; node = node->next)
        hr_same_stop(&HR_CONTAINER(node, compared_files, node)->same);
}

static void pump(hr_compare *compare)
{
    if (compare->pumping || compare->status != HR_AGAIN)
        return;
    compare->pumping = true;
    while (!compare->canceled && go_on(compare))
        continue;
    if (compare->canceled)
        stop(compare);
    compare->pumping = false;
    if (compare->folder == NULL && hr_list_is_empty(&compare->folders) &&
        compare->running_count == 0)
        settle(compare);
}

/* ---- time ---- */

static uint64_t bytes_compared(const hr_compare *compare)
{
    uint64_t sum = compare->compared;
    for (hr_list *node = compare->running.next; node != &compare->running; node = node->next)
        sum += HR_CONTAINER(node, compared_files, node)->same.compared;
    return sum;
}

static hr_status watch(hr_compare *compare)
{
    return hr_loop_timer_set(hr_engine_home(compare->engine)->loop, &compare->watch,
                             hr_now_ns(compare->env) + PATIENCE_NS / 4);
}

/* Who lists has an eye on that; nobody else has one on contents. */
static void is_due(hr_timer *timer)
{
    hr_compare *compare = HR_CONTAINER(timer, hr_compare, watch);
    uint64_t now_ns = hr_now_ns(compare->env);
    uint64_t sum =
        bytes_compared(compare) + compare->progress.files + compare->progress.differences;
    if (sum != compare->watched || compare->running_count == 0) {
        compare->watched = sum;
        compare->moved_ns = now_ns;
    }
    if (now_ns - compare->moved_ns >= PATIENCE_NS)
        fail(compare, HR_STALLED,
             "no content could be compared for 60 s: the server does not tell its digests, or a "
             "disk does not answer; try again when they do");
    else if (watch(compare) != HR_OK)
        fail(compare, HR_NO_MEMORY, "setting a timer: out of memory");
    pump(compare);
}

/* ---- the interface ---- */

static void release(hr_compare *compare)
{
    hr_release(compare->env, compare->sides[TREE].path);
    hr_release(compare->env, compare->sides[SOURCE].path);
    hr_release(compare->env, compare);
}

static void deliver_cancel(hr_letter *letter)
{
    hr_compare *compare = HR_CONTAINER(letter, hr_compare, cancel_letter);
    compare->cancel_taken = true;
    if (compare->status == HR_AGAIN)
        fail(compare, HR_CANCELED, "canceled");
    pump(compare);
}

hr_status hr_compare_start(const hr_compare_options *options, hr_compare **compare_out,
                           hr_error *error)
{
    const hr_env *env = options->tree->env;
    hr_compare *compare = hr_alloc(env, sizeof *compare);
    if (compare == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "comparing: out of memory");
    compare->engine = options->tree->engine;
    compare->env = env;
    compare->options = *options;
    compare->status = HR_AGAIN;
    compare->cancel_letter.deliver = deliver_cancel;
    compare->sides[TREE].client = options->tree;
    compare->sides[SOURCE].client = options->source;
    hr_list_init(&compare->folders);
    hr_list_init(&compare->running);
    hr_status status = hr_engine_copy_text(env, options->tree_path, &compare->sides[TREE].path);
    if (status == HR_OK)
        status = hr_engine_copy_text(env, options->source_path, &compare->sides[SOURCE].path);
    if (status != HR_OK) {
        release(compare);
        return hr_error_set(error, status, "comparing: %s", hr_status_text(status));
    }
    compare->watch.fire = is_due;
    compare->moved_ns = hr_now_ns(env);
    status = watch(compare);
    if (status != HR_OK) {
        release(compare);
        return hr_error_set(error, status, "comparing: %s", hr_status_text(status));
    }
    push_folder(compare, "");
    pump(compare);
    *compare_out = compare;
    return HR_OK;
}

hr_status hr_compare_status(const hr_compare *compare)
{
    return compare->status;
}

const hr_error *hr_compare_error(const hr_compare *compare)
{
    return &compare->error;
}

hr_compare_progress hr_compare_count(const hr_compare *compare)
{
    hr_compare_progress progress = compare->progress;
    progress.bytes_compared = bytes_compared(compare);
    return progress;
}

void hr_compare_cancel(hr_compare *compare)
{
    if (!__atomic_exchange_n(&compare->cancel_posted, true, __ATOMIC_ACQ_REL))
        hr_loop_post(hr_engine_home(compare->engine)->loop, &compare->cancel_letter);
}

void hr_compare_destroy(hr_compare *compare)
{
    if (compare == NULL)
        return;
    if (compare->status == HR_AGAIN)
        hr_compare_cancel(compare);
    while (compare->status == HR_AGAIN || (compare->cancel_posted && !compare->cancel_taken))
        hr_engine_step(compare->engine, HR_NS_PER_S);
    release(compare);
}
