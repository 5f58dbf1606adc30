/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths as text: patterns of mounts.allow and where a path lies. Pure; paths are absolute and normalised. */
#ifndef QUOD_POLICY_PATHS_H
#define QUOD_POLICY_PATHS_H

#include <stdbool.h>

/* "/srv/web/" + "**" at the end: the directory itself and all below; '*' matches within one component. */
bool path_matches(const char *pattern, const char *path);

/* The path is `directory` or lies below it. */
bool path_is_within(const char *path, const char *directory);

/* Behind `prefix` (a directory, without its final slash), or NULL when the path doesn't lie below it. */
const char *path_behind(const char *path, const char *prefix);

#endif
