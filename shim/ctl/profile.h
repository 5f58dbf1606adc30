/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of `quodctl profile` share. */
#ifndef QUOD_CTL_PROFILE_H
#define QUOD_CTL_PROFILE_H

#include "shim/ctl/ctl.h"

int profile_diff_main(struct ctl *ctl);

/* What `profile check` says of a file, a text each; none when it passes. */
void ctl_profile_find_errors(struct ctl *ctl, const char *file, struct strings *errors);

/* A profile by its name, or a file where the word has a slash in it or ends in ".json". */
int ctl_profile_load(struct ctl *ctl, const char *word, struct profile **profile, struct err *err);

#endif
