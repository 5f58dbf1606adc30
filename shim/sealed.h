/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A document for the runtime that nobody can change between its check and its use. */
#ifndef QUOD_SHIM_SEALED_H
#define QUOD_SHIM_SEALED_H

#include <stddef.h>

#include "shim/base/err.h"

/* A sealed memory file with the text, readable from the start, at a descriptor of at least `least_fd` that execve keeps:
 * /proc/self/fd/N names it. Returns the descriptor or a negative errno. */
int sealed_make(const char *name, const char *text, size_t len, int least_fd, struct err *err);

#endif
