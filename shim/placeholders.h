/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placeholders: what stands in a workspace where mounts.protect names something that isn't there, so that nobody inside can
 * make it: an empty directory of root's, mode 0555, while a container lives that needs it. It is the only thing that quod
 * writes outside its own places. Each is noted below /var/lib/quod before it is made, and is taken away again, by path,
 * inode and emptiness, when the last container that names it is gone.
 */
#ifndef QUOD_SHIM_PLACEHOLDERS_H
#define QUOD_SHIM_PLACEHOLDERS_H

#include <sys/stat.h>

#include "shim/facts.h"
#include "shim/policy/plan.h"

struct placeholder {
	char *path, *note;	/* note: the file that says so */
	uint64_t dev, ino;	/* 0: it was to be made, and its maker was ended meanwhile */
};

struct placeholders {
	struct placeholder *items;
	size_t count;
};

/* All that are noted; none where there is no such list or it can't be read. */
void placeholders_read(const struct state_places *places, struct placeholders *list);
void placeholders_free(struct placeholders *list);
bool placeholders_have(const struct placeholders *list, const struct stat *st);

struct hold {
	const struct state_places *places;
	int state_fd;
	const char *rootfs;		/* as the runtime is told */
	const struct plan *plan;
	const struct facts *facts;
	struct facts_held *held;	/* gets the placeholders' descriptors */
};

/* Makes what the plan needs, looks again at what was there, and writes <state>/protected: what of each workspace the
 * container holds, for the guardian and for those who take placeholders away. On failure placeholders_release cleans up. */
int placeholders_hold(const struct hold *hold, struct err *err);

/* Takes away those that no container names but `gone_key` (NULL: none). Whatever it is that can't be taken away now is tried
 * again at the next call. */
int placeholders_release(const struct state_places *places, const char *gone_key, struct err *err);

#endif
