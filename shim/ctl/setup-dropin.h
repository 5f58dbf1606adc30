/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Engines that read a directory of small TOML files: what others have in there, and a file that is all quodctl's own. */
#ifndef QUOD_CTL_SETUP_DROPIN_H
#define QUOD_CTL_SETUP_DROPIN_H

#include "shim/ctl/setup.h"
#include "shim/ctl/setup-toml.h"

/* One file of somebody else's. */
struct dropin_other {
	char *path, *text;
	struct toml toml;
};

struct dropins {
	struct dropin_other *others;	/* in the engine's order */
	size_t count;
	struct strings names;		/* runtimes that quodctl's file is to have */
};

/* Reads `main_file` and the other *.conf beside setup->file; the names are those asked for and those set up before. */
int dropins_read(struct setup *setup, const char *main_file, struct dropins *all, struct err *err);
void dropins_release(struct dropins *all);

/* The last of the others that has `path`, and its entry; NULL. */
const struct toml_entry *dropins_find(const struct dropins *all, const char *path, const struct dropin_other **where);

/* Has setup->file hold `lines` (with --remove: not be there). -EEXIST where a file of that name isn't quodctl's. */
int dropin_write(struct setup *setup, const struct dropins *all, const char *lines, struct err *err);

#endif
