/* SPDX-License-Identifier: Apache-2.0 */
/* What each request does to an hr_disk, at once. As strict as the strictest file system: no path
 * leads through a symlink, and O_DIRECT wants everything aligned. Inside the folder only. */
#ifndef HR_DISK_IO_H
#define HR_DISK_IO_H

#include "disk.h"

/* One of the requests for a single thing. Fills what its kind fills, but for status. */
HR_CHECKED hr_status hr_disk_io(hr_disk *disk, hr_io *io);
/* One of those for many files (disk_files.c): the status of each says what became of it. */
void hr_disk_io_files(hr_disk *disk, hr_io *io);

/* What io->path leads to. */
HR_CHECKED hr_status hr_disk_io_find(const hr_disk *disk, const hr_io *io, hr_disk_node **node_out);
/* The same, or with HR_IO_CREATE a new file. */
HR_CHECKED hr_status hr_disk_io_make(hr_disk *disk, hr_io *io, hr_disk_node **node_out);
/* Where path, which starts where io's do, would be made. HR_EXISTS. */
HR_CHECKED hr_status hr_disk_io_new_name(const hr_disk *disk, const hr_io *io, const char *path,
                                         hr_disk_node **parent_out, char name_out[HR_NAME_MAX + 1]);

#endif
