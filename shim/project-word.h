/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The project's own word: the file .quod.json at the root of a workspace. */
#ifndef QUOD_SHIM_PROJECT_WORD_H
#define QUOD_SHIM_PROJECT_WORD_H

#include "shim/policy/profile.h"

#define PROJECT_WORD_FILE ".quod.json"

/* Reads it below the directory that `dir_fd` (O_PATH) holds; `name` stands in messages. 0 and *word NULL where there is none.
 * What is there but no file of its own, too long, or no good is an error: a project that wants less must not get more. */
int project_word_read(int dir_fd, const char *name, const struct profile_paths *paths, struct profile **word, struct err *err);

#endif
