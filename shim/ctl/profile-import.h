/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `quodctl profile import`: one reader for each format. */
#ifndef QUOD_CTL_PROFILE_IMPORT_H
#define QUOD_CTL_PROFILE_IMPORT_H

#include "shim/ctl/ctl.h"

struct import {
	struct strings allow, deny;	/* entries of quod's */
	struct strings notes;		/* what could not be carried over */
};

/* What the text says, into the lists. -EINVAL when it isn't of that format. */
int import_srt(struct import *import, const char *text, struct err *err);
int import_harden_runner(struct import *import, const char *text, struct err *err);
int import_awf(struct import *import, const char *text, struct err *err);
int import_devcontainer(struct import *import, const char *text, struct err *err);

void import_note(struct import *import, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Into `to` once, when it is an entry; else a note. */
void import_entry(struct import *import, struct strings *to, const char *text);

int profile_import_main(struct ctl *ctl);

#endif
