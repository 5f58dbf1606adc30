/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers of this host's engines that are not under quod: what runc and crun say of those that they know, and what the
 * command lines of shims and monitors name beyond that. Looks only; what it finds was written by others.
 */
#ifndef QUOD_CTL_FOREIGN_H
#define QUOD_CTL_FOREIGN_H

#include "shim/ctl/live.h"

struct foreign {
	char *id, *engine, *runtime;
	char *place;		/* where that was seen: the runtime's state directory, or "process N" */
	pid_t pid;		/* of its first process, or of its shim; 0 unknown */
	int64_t since_s;	/* 0 unknown */
};

struct foreign_list {
	struct foreign *items;
	size_t count;
	size_t unreadable;	/* places that the caller may not look into */
};

/* `live` are those under quod. Free with foreign_release. */
void foreign_find(const struct live_list *live, struct foreign_list *list);
void foreign_release(struct foreign_list *list);

#endif
