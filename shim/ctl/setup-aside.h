/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quod in a runtime's place: the runtime itself lies beside it, under a name that quod finds. */
#ifndef QUOD_CTL_SETUP_ASIDE_H
#define QUOD_CTL_SETUP_ASIDE_H

#include "shim/ctl/setup.h"

enum aside_state {
	ASIDE_ABSENT,		/* no such runtime there */
	ASIDE_PLAIN,		/* a runtime in its place */
	ASIDE_DONE,		/* quod is in its place */
};

/* Where quod looks for runtimes. */
#define ASIDE_DIRS 6
extern const char *const aside_dirs[ASIDE_DIRS];

/* What is at `path` ("/usr/sbin/runc"); directories and runtimes that are links to others are not looked at. */
void aside_look(const struct setup *setup, const char *path, enum aside_state *state);

/* Puts quod there, and takes it away again. At no moment is the place empty, nor half a file. With dpkg the package's later
 * versions go beside it, too. */
int aside_put(struct setup *setup, const char *path, struct err *err);
int aside_take_back(struct setup *setup, const char *path, struct err *err);

bool aside_has_dpkg(struct setup *setup);

#endif
