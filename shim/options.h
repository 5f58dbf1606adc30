/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quod's own options: taken out of the command line before the runtime's are read. */
#ifndef QUOD_SHIM_OPTIONS_H
#define QUOD_SHIM_OPTIONS_H

#include "shim/shim.h"

/* Takes --profile NAME, --config FILE and --runtime PATH (also with "=") from among the options in front of the command, and
 * the profile from a program name quod-NAME. shim->argv is what is left: malloc'ed, strings borrowed. An option without a
 * value, two different values, or a link's profile and another one, are errors. */
int options_take(struct shim *shim, int argc, char **argv, struct err *err);

#endif
