/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of systemd's units as paths: see cgroup-place.h. systemd.slice(5): each dash of a slice's name is a level. */
#include "shim/policy/cgroup-place.h"

#include <string.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"

char *cgroup_place_systemd(const char *path)
{
	const char *prefix = strchr(path, ':'), *name = prefix ? strchr(prefix + 1, ':') : NULL;
	size_t len = prefix ? (size_t)(prefix - path) : 0;
	struct buf place = BUF_INIT;

	if (!name)
		return NULL;
	if (len <= strlen(".slice"))
		buf_puts(&place, "system.slice/");
	for (size_t i = 0; len > strlen(".slice") && i <= len - strlen(".slice"); i++)
		if (path[i] == '-' || i == len - strlen(".slice"))
			buf_printf(&place, "%.*s.slice/", (int)i, path);
	buf_printf(&place, "%.*s-%s.scope", (int)(name - prefix - 1), prefix + 1, name + 1);
	return buf_steal(&place);
}
