/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `quodctl group`. */
#ifndef QUOD_CTL_GROUP_H
#define QUOD_CTL_GROUP_H

#include "shim/ctl/ctl.h"

/* Resolves and connects to each host of the group from this host, and prints what happened: CTL_YES when all that could be
 * tried was reached. */
int group_test(struct ctl *ctl, const struct host_group *group);

#endif
