/* SPDX-License-Identifier: Apache-2.0 */
/* Where content comes from and where it goes, as the command line names it.
 *
 *   source   hr://host[:port]/export/path    of a server; %XX stands for a byte
 *            hr+unix:///path/to/socket:export/path
 *                                            of one on this machine
 *            anything else                   a local path
 *   target   host:                           memory, to measure
 *            cuda:N                          the memory of a GPU
 *            anything else                   a local path; ./host: for a file of such a name */
#ifndef HR_CLI_LOCATION_H
#define HR_CLI_LOCATION_H

#include <stdbool.h>

#include "status.h"

#define HR_CLI_PATH_MAX    4096
#define HR_CLI_NAME_MAX    256
#define HR_CLI_ADDRESS_MAX 300

typedef struct hr_cli_source {
    bool local;
    char address[HR_CLI_ADDRESS_MAX]; /* "host:port", "[v6]:port", "unix:/path" */
    char root[HR_CLI_PATH_MAX];       /* local and resolved: the directory that is served */
    char path[HR_CLI_PATH_MAX];       /* what is asked for: "export/path"; local: as typed, and
                                         "local/NAME" once it is resolved */
    char name[HR_CLI_NAME_MAX];       /* the last name, for a target that is a directory */
} hr_cli_source;

/* Pure: a local path is not looked at. */
HR_CHECKED hr_status hr_cli_source_parse(const char *text, hr_cli_source *source_out,
                                         hr_error *error);
/* Finds a local source: its parent directory becomes root. Nothing to do for others. */
HR_CHECKED hr_status hr_cli_source_resolve(hr_cli_source *source, hr_error *error);

typedef enum hr_cli_target_kind {
    HR_CLI_TARGET_PATH,
    HR_CLI_TARGET_HOST,
    HR_CLI_TARGET_CUDA,
} hr_cli_target_kind;

typedef struct hr_cli_target {
    hr_cli_target_kind kind;
    unsigned device; /* of CUDA */
    bool below;      /* ends with a slash: a directory that the source's name comes into */
    char path[HR_CLI_PATH_MAX];
} hr_cli_target;

HR_CHECKED hr_status hr_cli_target_parse(const char *text, hr_cli_target *target_out,
                                         hr_error *error);
/* Makes the path one of the source's name below what it was. */
HR_CHECKED hr_status hr_cli_target_descend(hr_cli_target *target, const hr_cli_source *source,
                                           hr_error *error);

#endif
