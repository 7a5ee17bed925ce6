/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of hr_get: one request of the caller's, a shard or a tree of them. get.c has what both
 * share, get_target.c where it goes, tree.c the way through the directories and pages.c what of
 * them is listed. On worker 0. */
#ifndef HR_GET_H
#define HR_GET_H

#include "blocked.h"
#include "check.h"
#include "client.h"
#include "flow.h"
#include "keep.h"
#include "names.h"
#include "prune.h"
#include "rate.h"
#include "sift.h"
#include "transfer.h"
#include "twins.h"

/* One file of the request. */
typedef struct hr_get_item {
    hr_transfer transfer;
    hr_get *get;
    hr_list node;
    char *path; /* below the request's, "" for a single file */
    bool fresh; /* the target had none of this name */
} hr_get_item;

/* A directory of the source that has not been listed to its end. */
typedef struct hr_get_folder {
    hr_list node;
    uint64_t cookie;   /* of the next page */
    bool twin;         /* of another one, by case */
    bool tried, there; /* to make it with others; in the target by now */
    hr_folder *folder;
} hr_get_folder;

/* Directories that are made together. */
#define HR_GET_MADE_MAX 256
typedef struct hr_get_making {
    size_t count;
    hr_get_folder *folders[HR_GET_MADE_MAX];
    hr_io_file files[HR_GET_MADE_MAX];
    char paths[2 * HR_PATH_MAX]; /* one more always fits after half of it */
} hr_get_making;

/* A page that is asked for before its turn. */
typedef struct hr_get_ahead {
    hr_listing *listing;     /* NULL: none is */
    const hr_folder *folder; /* the first one on it */
    uint64_t cookie;
} hr_get_ahead;

/* Of a tree: what is being done once there is nothing to do before it. */
typedef enum hr_get_phase {
    HR_GET_BRINGING,   /* files */
    HR_GET_MAKING,     /* further names and symlinks */
    HR_GET_PRUNING,    /* what the source does not have any more is removed */
    HR_GET_UNBLOCKING, /* files that a directory was in the way of */
    HR_GET_FINISHING,  /* what hr_keep noted of directories */
} hr_get_phase;

struct hr_get {
    hr_client *client;
    const hr_env *env;
    hr_get_options options;
    char *path, *target; /* copies; the options point to them */
    hr_status status;
    hr_error error;
    hr_get_progress progress;
    char description[1800];
    uint32_t codec; /* of the first packed shard; stored: there was none */

    hr_client_waiter waiter;
    bool waiting; /* for the client */
    hr_rate rate;
    hr_timer watch; /* deadline and stall */
    uint64_t started_ns, deadline_ns, moved_ns;
    hr_list items;
    unsigned item_count;
    uint64_t over_verified, over_moved, over_reused; /* of items that are gone */
    uint64_t without_space, without_space_bytes;     /* files of a tree that did not fit */
    uint64_t owners_lost; /* files that are there without them; what is no file knows get->keep */

    hr_dir *dir; /* the target's: of the file's parent, or of the tree */
    hr_io io;
    bool io_busy;
    const char *name; /* of a single file beneath dir */

    bool is_tree, ending;
    bool nothing_there; /* the directory of a tree, in a dry run */
    /* Those that are known and were not gone through. Mark: the next one of the page, or behind it;
       before it go those that are found on the page. */
    hr_list folders, *folders_mark;
    hr_get_folder *listed;         /* the one being listed, */
    bool listed_lost;              /* and nothing of it is brought */
    char listed_path[HR_PATH_MAX]; /* below the request's */
    hr_listing *listing;           /* of the page */
    hr_get_ahead ahead;
    hr_get_making *making;    /* of a tree */
    bool made_way;            /* for the directory being listed: what had its name is gone */
    hr_status refusal;        /* why it could not be made */
    hr_get_item *opened_item; /* waits for the target directory */
    hr_names names;           /* that were listed */
    hr_names claimed;         /* of files that are unpacked, in all of the tree */
    hr_twins twins;           /* of them */
    hr_keep keep;
    hr_prune prune;
    hr_check check;
    hr_names
        different;  /* files whose content is not what the target has: size and time say nothing */
    hr_rule *rules; /* copies; the options point to them */
    hr_names staying; /* of a dry run, once pruned: directories that --delete would not empty */
    bool pruned;
    hr_get_phase phase;
    hr_blocked blocked;
    hr_sifts *sifts;   /* of a tree */
    hr_task pump_task; /* goes on with a tree */
    hr_flow flow;
    bool names_synced; /* of what was there before this run */

    hr_upload *upload;           /* into a GPU's memory */
    hr_get_item *upload_item;    /* waits for it to open */
    bool upload_closing, detour; /* detour: some of it was decoded by the CPU */
    char gpu_way[300];           /* once it was open: the end of the path */
    char no_gpudirect[400];      /* why they are copied there, or why no better GPUDirect */
    uint64_t copied;             /* chunks, from slots */
    char no_gpu[300]; /* why the content goes into host memory instead; "": it does not */

    hr_letter cancel_letter;
    bool cancel_posted, cancel_taken;
    uint64_t watched; /* what moved_ns is about */
    uint64_t first_byte_ns;
    char parent[HR_PATH_MAX]; /* of a single file */
};

static inline hr_worker *hr_get_home(const hr_get *get)
{
    return hr_engine_home(get->client->engine);
}

/* Of packed shards what is packed in them, and not their own bytes. */
static inline bool hr_get_wants_content(const hr_get *get)
{
    return get->options.target_path != NULL ? get->options.unpack : !get->options.as_is;
}

/* ---- of get.c ---- */

/* Ends all of it with this status unless it is over. */
void hr_get_end(hr_get *get, hr_status status, const char *format, ...) HR_PRINTF(3, 4);
void hr_get_finish_if_over(hr_get *get);
/* A file of the tree that is not even tried. */
void hr_get_skip(hr_get *get, const char *path, hr_status status, const char *text);
/* What became of a file that was no transfer of its own. */
void hr_get_report(hr_get *get, const char *path, hr_status status, const char *text,
                   uint64_t bytes);
/* It is there as it is to be. */
void hr_get_keep(hr_get *get, const char *path);
/* Adds what a transfer that is over has moved. */
void hr_get_count_over(hr_get *get, const hr_transfer_counters *counters);
/* Starts the transfer of one file, by its path below the request's. */
void hr_get_start_item(hr_get *get, const char *path, bool fresh);

/* ---- of get_target.c ---- */

bool hr_get_wants_gpu(const hr_get_options *options);
/* Copies the path of the target without the slashes at its end; "dir/" takes the source's name. */
HR_CHECKED hr_status hr_get_copy_target(hr_get *get);
/* The tree's directory, or that of the file; get->opened_item begins when it is open. */
void hr_get_open_target(hr_get *get);
/* One file that is open at the source goes to its place. */
void hr_get_begin_item(hr_get_item *item);
/* Nothing is under way to a GPU; hr_get_finish_if_over is called again when it is closed. */
void hr_get_close_upload(hr_get *get);
/* Renews get->description: which way the data takes, and why no better one. */
void hr_get_describe(hr_get *get);

/* ---- of tree.c ---- */

void hr_tree_init(hr_get *get);
/* Remembers a directory that is to be listed. parent: that it lies in; NULL: it is the tree. */
void hr_tree_push(hr_get *get, const hr_folder *parent, const hr_entry *entry, bool twin);
/* Goes on with a tree as far as there is room. */
void hr_tree_pump(hr_get *get);
/* Nothing is left to do in this phase, the next one begins; hr_get_finish_if_over is called again
 * after it. */
void hr_tree_go_on(hr_get *get);
/* Every file is known and has been compared with the target. */
bool hr_tree_is_listed(const hr_get *get);

/* In a dry run: whether all that this directory of the target holds would have been removed. */
bool hr_tree_empties(const hr_get *get, const char *path);

/* ---- of pages.c ---- */

/* Asks for the page of the first of get->folders, and of those behind it. */
void hr_pages_open(hr_get *get);
/* The server lists what comes next while what is known of this page is compared with the target. */
void hr_pages_look_ahead(hr_get *get);
/* Lists no further. */
void hr_pages_drop(hr_get *get);

/* ---- of sift.c ---- */

/* What a file that was listed is to be. */
hr_file_info hr_sift_info(const hr_get *get, const hr_entry *entry);
bool hr_sift_has_room(const hr_get *get);
/* A file that was listed; there is room. twin: of another one, by case. */
void hr_sift_add(hr_get *get, const char *path, const hr_file_info *listed, bool twin);
/* Looks at what the target has of those that were added since. */
void hr_sift_look(hr_get *get);
/* Decides on the next one of those that were looked at. False: it has to wait, or there is none. */
bool hr_sift_decide(hr_get *get);
/* Every file that was added has been decided on. */
bool hr_sift_is_over(const hr_get *get);
/* Something is under way. */
bool hr_sift_is_looking(const hr_get *get);

/* ---- of unpacked.c ---- */

/* It loses what says that it is packed, if it is. */
bool hr_get_may_rename(const hr_get *get, const char *path);
/* A file that was listed. False: another one may get the same name, and that was told. */
bool hr_get_claim_name(hr_get *get, const char *path);
/* Of a file of a tree, once it is open: its path in the target. */
const char *hr_get_name_of(const hr_get_item *item, char out[HR_PATH_MAX]);

/* ---- of blocked.c ---- */

void hr_blocked_init(hr_get *get);
void hr_blocked_release(hr_get *get);
/* A file that was counted, whose name a directory has: it is told at once, or waits. */
void hr_blocked_add(hr_get *get, const char *path, uint64_t size);
/* Brings those that wait, as transfers of their own. */
void hr_blocked_bring(hr_get *get);

/* ---- of flow.c ---- */

void hr_flow_init(hr_flow *flow);
/* The target is open, and nothing was added yet. */
void hr_flow_begin(hr_get *get);
/* A small file, to be moved in a bundle. fresh: it was not there, and replaces nothing. made: its
 * directory, if this run has made it, or NULL. False: there is no room now. */
bool hr_flow_add(hr_get *get, const char *path, const hr_file_info *info, bool fresh,
                 const hr_folder *made);
/* A file that is to be a transfer of its own. False as above. */
bool hr_flow_wait(hr_get *get, const char *path, bool fresh);
void hr_flow_pump(hr_get *get);
void hr_flow_end(hr_get *get, hr_status status, const char *text);
/* False: not yet, and hr_get_finish_if_over is called again. */
bool hr_flow_is_over(hr_get *get);
/* Adds what is under way. */
void hr_flow_count(const hr_get *get, hr_get_progress *progress);

#endif
