/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Versions of the runtimes from which containers are known to have got out, by what `--version` says. */
#ifndef QUOD_SHIM_RUNTIME_SAFETY_H
#define QUOD_SHIM_RUNTIME_SAFETY_H

#include "shim/base/buf.h"
#include "shim/base/err.h"

/* The numbers of the advisories ("CVE-2024-21626, ...") that the version in `output` (of --version) is open to, appended to
 * `found`; nothing for none. -EINVAL when it names no version of runc or crun. By the upstream version alone: what a
 * distribution has put into an older one isn't in there. */
int runtime_find_escapes(const char *output, struct buf *found, struct err *err);

/* -EPERM for a runtime with a known escape, and for one that doesn't say its version (require_safe_runtime). */
int runtime_check_safe(const char *path, struct err *err);

#endif
