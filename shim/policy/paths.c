/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths as text: see paths.h. Must never look at a file system. */
#include "shim/policy/paths.h"

#include <fnmatch.h>
#include <string.h>

bool path_matches(const char *pattern, const char *path)
{
	size_t len = strlen(pattern);

	if (len >= 3 && !strcmp(pattern + len - 3, "/**")) {
		char parent[4096];
		const char *at = path;

		if (len - 3 >= sizeof(parent))
			return false;
		memcpy(parent, pattern, len - 3);
		parent[len - 3] = '\0';
		if (!parent[0])
			return true;
		/* each leading part of the path that ends at a slash, and the path itself */
		while ((at = strchr(at + 1, '/'))) {
			char part[4096];

			if ((size_t)(at - path) >= sizeof(part))
				return false;
			memcpy(part, path, (size_t)(at - path));
			part[at - path] = '\0';
			if (!fnmatch(parent, part, FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE))
				return true;
		}
		return !fnmatch(parent, path, FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE);
	}
	return !fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE);
}

bool path_is_within(const char *path, const char *directory)
{
	return !strcmp(path, directory) || path_behind(path, directory);
}

const char *path_behind(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	if (!len)
		return NULL;
	if (len == 1 && prefix[0] == '/')
		return path[0] == '/' ? path + 1 : NULL;
	return !strncmp(path, prefix, len) && path[len] == '/' ? path + len + 1 : NULL;
}
