/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc says of processes: command line, start, first child. Their texts were chosen by whoever started them. */
#ifndef QUOD_CTL_PROCESS_H
#define QUOD_CTL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/policy/profile.h"

/* Calls visit(pid, data) for each process there is, until it returns non-zero. */
void process_each(int (*visit)(pid_t pid, void *data), void *data);

/* Its words, appended; false when it has none (any more). */
bool process_words(pid_t pid, struct strings *words);

/* Its start in clock ticks since the boot, as /proc/PID/stat has it, and its parent (NULL: not wanted); 0: no such process. */
uint64_t process_start(pid_t *parent, pid_t pid);
int64_t process_since_s(pid_t pid);	/* the same in seconds since 1970; 0 */

/* The child that was started first; 0 for none. */
pid_t process_first_child(pid_t pid);

#endif
