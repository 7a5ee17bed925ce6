/* SPDX-License-Identifier: Apache-2.0 */
/* hr_secret: files that only their owner may read: keys. A short read of a local file, on the
 * caller's thread, at start and when keys are read anew. */
#ifndef HR_SECRET_H
#define HR_SECRET_H

#include <stdbool.h>

#include "env.h"
#include "status.h"

#define HR_SECRET_PATH_MAX 4096
#define HR_SECRET_LEN_MAX  (256u << 10)

/* A text that ends in a zero byte, of the env's memory; hr_secret_release wipes it. Refused is what
 * is no regular file, belongs to somebody else than us or root, or (private) can be read or changed
 * by others. */
HR_CHECKED hr_status hr_secret_read(const hr_env *env, const char *path, bool is_private,
                                    char **text_out, hr_error *error);
void hr_secret_release(const hr_env *env, char *text);
/* Makes the file, 0600, whole or not at all. HR_EXISTS: there is one. */
HR_CHECKED hr_status hr_secret_create(const char *path, const char *text, hr_error *error);
/* Writes it in place of one that is there. */
HR_CHECKED hr_status hr_secret_replace(const char *path, const char *text, hr_error *error);
/* $XDG_CONFIG_HOME/headrace/key, or beneath $HOME/.config. */
HR_CHECKED hr_status hr_secret_own_path(char path_out[HR_SECRET_PATH_MAX], hr_error *error);
/* Makes the directories that path lies in, 0700. */
HR_CHECKED hr_status hr_secret_make_directories(const char *path, hr_error *error);

#endif
