/* SPDX-License-Identifier: Apache-2.0 */
/* The storage seam: where bytes rest. A worker has one hr_storage, bound to its loop; directory and
 * file handles are shared by all storages of one family and may be used from any of them.
 *
 * Requests answer through request->done, from a step of the loop and never from inside submit.
 * Nothing here blocks the caller.
 *
 * Implementations: storage_uring.c (io_uring, O_DIRECT, registered buffers and files),
 * storage_threads.c (pread and pwrite on the helper pool; O_DIRECT too), storage_memory.c (a tree
 * in memory that can forget and tear what was not synced: the reference), storage_fault.c (wraps
 * another and fails by seed). */
#ifndef HR_STORAGE_H
#define HR_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "loop.h"
#include "status.h"

typedef struct hr_storage hr_storage;
typedef struct hr_dir hr_dir;   /* a directory, opened once; paths are beneath it */
typedef struct hr_file hr_file; /* an open file */

#define HR_NAME_MAX     255   /* bytes of one name */
#define HR_PATH_MAX     32768 /* bytes of a path, the terminator included: thousands of levels */
#define HR_SYMLINK_MAX  4096  /* of what a symlink says */
#define HR_XATTRS_MAX   16384 /* bytes of all extended attributes of a file */
#define HR_DIRECT_ALIGN 4096  /* offsets, lengths and addresses that O_DIRECT always accepts */

typedef enum hr_file_type {
    HR_FILE_REGULAR,
    HR_FILE_DIRECTORY,
    HR_FILE_SYMLINK,
    HR_FILE_SPECIAL, /* device, fifo, socket */
} hr_file_type;

typedef struct hr_file_info {
    hr_file_type type;
    uint32_t mode; /* permission bits */
    uint64_t size; /* bytes */
    int64_t mtime_ns, ctime_ns;
    uint64_t inode;
    uint8_t filesystem[16]; /* the file system's uuid, or what stands for it (device number) */
    uint32_t links;
    uint32_t uid, gid;
    uint64_t allocated_len; /* bytes that it takes on the disk; less than size: it has holes */
    uint32_t direct_align;  /* what O_DIRECT needs of offsets and lengths; 0: not opened O_DIRECT */
} hr_file_info;

/* One entry in the buffer of HR_IO_LIST. The next one follows at entry->size bytes. */
typedef struct hr_dir_entry {
    uint32_t size; /* of this record: hr_dir_entry_size */
    uint16_t name_len, target_len;
    uint16_t xattrs_len;
    bool xattrs_lost; /* there are more than fit */
    hr_file_info info;
    char name[]; /* name_len bytes, then a 0; of a symlink also its target, and a 0; its extended
                    attributes, if they were asked for (posix_xattrs.c says how) */
} hr_dir_entry;

static inline size_t hr_dir_entry_size(size_t name_len, size_t target_len, size_t xattrs_len)
{
    return (sizeof(hr_dir_entry) + name_len + target_len + 2 + xattrs_len + 7) & ~(size_t)7;
}

static inline const char *hr_dir_entry_target(const hr_dir_entry *entry)
{
    return entry->name + entry->name_len + 1;
}

static inline const char *hr_dir_entry_xattrs(const hr_dir_entry *entry)
{
    return hr_dir_entry_target(entry) + entry->target_len + 1;
}

/* What HR_IO_LIST needs at least, so that whatever comes next has room. */
#define HR_DIR_ENTRY_MAX (sizeof(hr_dir_entry) + HR_NAME_MAX + HR_SYMLINK_MAX + HR_XATTRS_MAX + 16)

typedef enum hr_io_kind {
    HR_IO_OPEN_DIR,  /* dir (NULL: the process's view) and path -> dir_out. HR_IO_CREATE makes the
                        missing ones (0777 and umask), so that they are there after a crash too.
                        HR_IO_MODE: the last one is made with info.mode and umask, and its owner may
                        write to it, also if it was there (and is ours).
                        With dir set, beneath it, no symlinks followed out of it. */
    HR_IO_CLOSE_DIR, /* dir */
    HR_IO_MAKE_DIR,  /* dir, path: as OPEN_DIR with HR_IO_CREATE, which is implied, but it is not
                        opened */
    HR_IO_OPEN,      /* dir, path, flags -> file_out, info. What is made has 0666 and umask, or with
                        HR_IO_MODE info.mode and umask */
    HR_IO_CLOSE,     /* file: no other request for it may be under way anywhere */
    HR_IO_STAT,      /* file -> info */
    HR_IO_LOOKUP,    /* dir, path -> info, without opening; the last component is not followed */
    HR_IO_LIST,      /* dir, path, data, len, cookie (0 at first) -> bytes used, cookie for the next
                        page; last, or bytes 0, at the end. No "." and "..". Order: the directory's
                        own. */
    HR_IO_LIST_DIRS, /* dir, files (each: path), data, len, cookie of the first -> as LIST one after
                        the other until one fails or is not over where the page is: of each status
                        and info.size, how many bytes of data it takes, behind those before;
                        HR_AGAIN: it was not begun. cookie and last are those of the last begun */
    HR_IO_READ,      /* file, data, len, offset, buffer -> bytes. Short only at the end of the file:
                        implementations go on after short reads. */
    HR_IO_WRITE,     /* file, data, len, offset, buffer -> bytes == len, or a failure */
    HR_IO_SYNC,      /* file: fdatasync. A failure is final for this file. */
    HR_IO_ALLOCATE,  /* file, len: reserves space for len bytes; the size becomes len */
    HR_IO_TRUNCATE,  /* file, len */
    HR_IO_RENAME,    /* dir, path, path_to (both beneath dir); HR_IO_EXCLUSIVE: HR_EXISTS if there.
                        Without it a directory replaces one that is empty */
    HR_IO_REMOVE,    /* dir, path: a file, a symlink or an empty directory; HR_IO_ONLY_DIR */
    HR_IO_SYNC_DIR,  /* dir, path ("" for dir itself): fsync of the directory */
    HR_IO_LOCK,      /* file: exclusive, HR_BUSY if somebody else holds it, for 2 s on a real file
                        system; ends with CLOSE or (a moment after) the death of the process */
    HR_IO_STAMP, /* file, or dir and path (the last component is not followed): sets info.mtime_ns,
                    and what HR_IO_MODE and HR_IO_OWNER name */
    HR_IO_SYMLINK,  /* dir, path, path_to: a symlink that says path_to, whatever that is. HR_EXISTS
                     */
    HR_IO_READLINK, /* dir, path, data, len -> bytes of what a symlink says, without a 0 behind it
                     */
    HR_IO_LINK,     /* dir, path, path_to (both beneath dir): a further name. HR_EXISTS */
    HR_IO_SET_XATTRS, /* dir, path, data, len: these extended attributes and no others.
                         HR_UNSUPPORTED where the file system has none */
    HR_IO_SYNC_ALL,   /* dir: all of its file system */

    /* Of many small files, each with an outcome of its own in files[i].status: io->status is a
       failure only if none of it was tried. Paths are beneath dir. */
    HR_IO_LOOKUP_FILES, /* each: path -> info, as LOOKUP */
    HR_IO_READ_FILES,   /* each: path, data, info -> all of its bytes. HR_CHANGED: it is no regular
                           file of info.size and info.mtime_ns, or did not stay one meanwhile.
                           info.ctime_ns: as listed, 0 if it is not known */
    HR_IO_WRITE_FILES,  /* each whose status is HR_OK: path, data, info: a new
                           file of info.size bytes, with info.mode and info.mtime_ns; with holes
                           where there are only zeros if info.allocated_len is less than its size.
                           HR_EXISTS. HR_IO_OWNER: info.uid and info.gid too. HR_IO_CREATE makes
                           the directory that it lies in (folder_mode and umask) if only that is
                           missing; its owner may write to it. Nothing is synced */
    HR_IO_RENAME_FILES, /* each whose status is HR_OK: path, path_to. HR_IO_EXCLUSIVE */
    HR_IO_MAKE_DIRS,    /* each: path, folder_mode -> changed. As MAKE_DIR with HR_IO_MODE and
                           HR_IO_UNSYNCED where nothing above it is missing and its owner may write
                           to it; else a failure, and MAKE_DIR can say more or do more */
    HR_IO_STAMP_FILES,  /* each, in this order: path, info -> changed. As STAMP */
} hr_io_kind;

/* Flags of HR_IO_OPEN (and of OPEN_DIR and RENAME where named above). */
enum {
    HR_IO_READABLE = 1 << 0,
    HR_IO_WRITABLE = 1 << 1,
    HR_IO_CREATE = 1 << 2,
    HR_IO_EXCLUSIVE = 1 << 3, /* with CREATE: HR_EXISTS if it is there */
    HR_IO_DIRECT = 1 << 4,    /* O_DIRECT where the file system can; info.direct_align tells. Reads
                                 and writes must then be aligned to HR_DIRECT_ALIGN, the read at
                                 the end may come back short, and a write past the end is followed
                                 by HR_IO_TRUNCATE. */
    HR_IO_EMPTY = 1 << 5,     /* truncate on open */
    HR_IO_NO_SYMLINKS = 1 << 6, /* no symlink anywhere in the path (targets); without it symlinks
                                  are followed as long as they stay beneath dir (exports) */
    HR_IO_APPEND = 1 << 7,
    HR_IO_MODE = 1 << 8, /* STAMP: info.mode; a symlink has none. OPEN, OPEN_DIR: of what is made */
    HR_IO_OWNER = 1 << 9, /* STAMP, WRITE_FILES: info.uid and info.gid. Where that is not permitted
                             all else is done, but setuid, setgid and sticky, and owner_lost says
                             so; the group alone may have been given */
    HR_IO_XATTRS = 1 << 13,   /* LIST: also the extended attributes */
    HR_IO_ONLY_DIR = 1 << 12, /* STAMP, REMOVE: HR_NOT_DIRECTORY if it is anything else */
    HR_IO_SPARSE = 1 << 10,   /* WRITE: where there are only zeros there will be a hole */
    HR_IO_UNSYNCED = 1 << 11, /* MAKE_DIR, OPEN_DIR with CREATE: the caller syncs what is made */
    HR_IO_IF_OTHER = 1 << 14, /* STAMP: what is so already is left alone, its ctime too */
};

/* One of many small files. */
typedef struct hr_io_file {
    const char *path, *path_to;
    void *data;
    hr_file_info info;
    hr_status status;
    bool exclusive;        /* RENAME_FILES: this one replaces nothing */
    bool changed;          /* MAKE_DIRS: it was missing; STAMP_FILES: it was not so already */
    bool owner_lost;       /* WRITE_FILES, STAMP_FILES: see HR_IO_OWNER */
    bool group_of_path_to; /* WRITE_FILES without OWNER: of a file that is made there */
    uint32_t folder_mode;  /* WRITE_FILES with CREATE, MAKE_DIRS */
} hr_io_file;

/* One request. The caller's before submit and again from the call of done on; what it points to
 * must stay until then. */
typedef struct hr_io hr_io;
struct hr_io {
    hr_io_kind kind;
    unsigned flags;
    hr_dir *dir;
    hr_file *file;
    const char *path, *path_to;
    void *data;
    size_t len;
    uint64_t offset;
    uint64_t cookie;
    hr_io_file *files;
    size_t file_count;
    int buffer; /* READ, WRITE: index of the registered buffer, or -1 */
    void (*done)(hr_io *io);
    void *context; /* the caller's */

    /* results */
    hr_status status;
    int error; /* the errno behind status, 0 if there is none */
    size_t bytes;
    bool last;    /* LIST: nothing comes behind this page */
    bool changed; /* MAKE_DIR, OPEN_DIR with CREATE: some were missing; STAMP: it was not so already
                   */
    bool owner_lost; /* STAMP: see HR_IO_OWNER */
    hr_file_info info;
    hr_dir *dir_out;
    hr_file *file_out;

    /* while under way: [0] and [1] the implementation's, [2] and [3] the wrapper's */
    void *scratch[4];
};

typedef struct hr_storage_caps {
    bool fixed_buffers; /* registered */
    bool sync_all;      /* SYNC_ALL tells of every write that failed */
    const char *why;    /* why a better implementation was not taken; "" if this is the best */
} hr_storage_caps;

typedef struct hr_storage_ops {
    const char *name;
    void (*destroy)(hr_storage *storage);
    void (*query)(const hr_storage *storage, hr_storage_caps *caps_out);
    void (*submit)(hr_storage *storage, hr_io *io);
    /* Registers memory for READ and WRITE once, before the first request. Refusals are harmless. */
    hr_status (*register_buffers)(hr_storage *storage, const struct iovec *iov, unsigned count);
    /* This worker will read or write file often / no more: room for a registered file. Optional in
     * effect, never in presence. */
    void (*attach)(hr_storage *storage, hr_file *file);
    void (*detach)(hr_storage *storage, hr_file *file);
} hr_storage_ops;

/* The first member of every implementation. */
struct hr_storage {
    const hr_storage_ops *ops;
    hr_loop *loop;
};

/* Why it failed, for a sentence: in the system's words if they are known, else in ours. */
const char *hr_io_why(const hr_io *io);

static inline void hr_storage_submit(hr_storage *storage, hr_io *io)
{
    storage->ops->submit(storage, io);
}

#endif
