/* SPDX-License-Identifier: Apache-2.0 */
/* hr_disk: a tree of files in memory, the reference implementation of the storage seam, and what
 * the simulator crashes. Several storages (one a worker, also of client and server) may share a
 * disk if they run on one thread. */
#ifndef HR_STORAGE_MEMORY_H
#define HR_STORAGE_MEMORY_H

#include "storage.h"

typedef struct hr_disk hr_disk;

HR_CHECKED hr_status hr_disk_create(const hr_env *env, uint64_t capacity, hr_disk **disk_out);
void hr_disk_destroy(hr_disk *disk);
/* Power loss: of everything not synced (data, sizes, names), the seed decides what survives, what
 * is lost and what is torn at 512-byte sectors. Open handles become invalid: every later request
 * through them is HR_IO. Locks are gone. */
void hr_disk_crash(hr_disk *disk, uint64_t seed);
/* The processes died, the machine did not: nothing written is lost, handles and locks are gone. */
void hr_disk_kill(hr_disk *disk);
/* Power fails at an operation, the nth of those to come (from 1): before it is carried out, or
 * after it. From then on nothing is, and everything says HR_IO, until hr_disk_crash. 0: it does
 * not. */
void hr_disk_stop_at(hr_disk *disk, uint64_t nth, bool after);
bool hr_disk_is_stopped(const hr_disk *disk);
/* Power is there again, and nothing was lost: what was stopped was only the process. */
void hr_disk_resume(hr_disk *disk);
/* For tests: put and get a whole file, synced; parent directories are made. */
HR_CHECKED hr_status hr_disk_put(hr_disk *disk, const char *path, const void *bytes, size_t len);
HR_CHECKED hr_status hr_disk_put_folder(hr_disk *disk, const char *path);
HR_CHECKED hr_status hr_disk_put_symlink(hr_disk *disk, const char *path, const char *said);
/* What has this name, without following it. */
HR_CHECKED hr_status hr_disk_type(hr_disk *disk, const char *path, hr_file_type *type_out);
/* Makes a directory in which, and in all that are made in it, case does not tell names apart. */
HR_CHECKED hr_status hr_disk_put_folding(hr_disk *disk, const char *path);
HR_CHECKED hr_status hr_disk_get(hr_disk *disk, const char *path, const void **bytes_out,
                                 size_t *len_out);
/* Calls visit for each file and directory below path. */
void hr_disk_walk(hr_disk *disk, const char *path,
                  void (*visit)(void *context, const char *path, const hr_file_info *info),
                  void *context);

/* Completions are deferred tasks of loop. */
HR_CHECKED hr_status hr_storage_memory_create(hr_loop *loop, hr_disk *disk,
                                              hr_storage **storage_out);

/* Trouble that lasts: every request that it concerns fails, and does not happen. */
typedef enum hr_outage {
    HR_OUTAGE_NONE,
    HR_OUTAGE_READS,     /* of content: HR_IO */
    HR_OUTAGE_CHANGES,   /* whatever changes something, and syncs: HR_IO */
    HR_OUTAGE_ALL,       /* HR_IO */
    HR_OUTAGE_FULL,      /* what takes room, new names too: HR_NO_SPACE */
    HR_OUTAGE_READ_ONLY, /* as changes, but HR_DENIED (EROFS) */
} hr_outage;

/* What the faulty wrapper does, each as a chance in 1/65536 of a request. */
typedef struct hr_storage_faults {
    uint64_t seed;
    uint16_t read_error;  /* READ: HR_IO */
    uint16_t write_error; /* WRITE: HR_IO */
    uint16_t no_space;    /* WRITE, ALLOCATE: HR_NO_SPACE */
    uint16_t sync_error;  /* SYNC, SYNC_DIR: HR_IO, what was unsynced may be lost, and later SYNCs
                             of the file succeed without doing anything, as they do in life */
    uint16_t other_error; /* any other kind: HR_IO; a change may have happened all the same */
    uint16_t lost_write;  /* WRITE: says it succeeded and did nothing */
    uint16_t torn_write;  /* WRITE: a prefix, then HR_IO */
    uint16_t flipped_bit; /* READ: succeeds with one bit wrong */
    uint16_t delay;       /* the answer comes up to delay_ns_max later */
    uint64_t delay_ns_max;
    uint64_t fail_nth; /* the nth request (from 1) fails with HR_IO whatever its kind; 0: none */
    hr_io_kind *failed_out; /* set to the kind of that one; may be NULL */
    hr_outage outage;
    uint64_t outage_from,
        outage_len; /* from which request (from 1) on, and for how many; 0: for good */
} hr_storage_faults;

/* Owns inner from then on (destroys it). requests_out, if not NULL, counts all requests. */
HR_CHECKED hr_status hr_storage_fault_create(hr_storage *inner, const hr_storage_faults *faults,
                                             uint64_t *requests_out, hr_storage **storage_out);

#endif
