/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the caller gave this process and quod changes for itself alone: umask, the core limit, three signals. The runtime
 * gets it back as it was.
 */
#ifndef QUOD_SHIM_CALLER_H
#define QUOD_SHIM_CALLER_H

#include "oci/cmdline.h"
#include "shim/base/err.h"

/* First thing in main: /dev/null on closed standard descriptors (else a log file would become descriptor 2), umask 077, no
 * core dump, no tracing by others, and broken pipes and full files are errors instead of signals. */
int caller_sanitise(struct err *err);

/* Right before execve of the runtime, in quod itself or in a child. */
void caller_restore(void);

/* How many descriptors from 3 on the line asks the runtime to hand to the container (LISTEN_FDS and --preserve-fds), or a
 * negative errno: a number that isn't one, a descriptor that is closed or is neither socket nor pipe (a directory or a
 * device of the host must never get in that way). */
int caller_check_descriptors(const struct oci_cmdline *line, struct err *err);

#endif
