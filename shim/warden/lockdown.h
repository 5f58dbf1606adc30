/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a helper gives up before it says that it is ready: descriptors, files, capabilities, new privileges, core dumps, system calls.
 * Each function is called once, in this order; none can be undone.
 */
#ifndef QUOD_WARDEN_LOCKDOWN_H
#define QUOD_WARDEN_LOCKDOWN_H

#include <stddef.h>
#include <stdint.h>

#include "shim/base/err.h"
#include "shim/warden/call-filter.h"

/* Closes every descriptor but 0, 1, 2 and those of `kept`, which it sorts; -1 in it is none. */
int lockdown_descriptors(int *kept, size_t count, struct err *err);

/* Leaves of all files only what lies in these directories (absolute, made when missing) and, where there is one, the socket
 * of syslog: a mount namespace of its own whose root holds nothing else. Descriptors that are open stay good. */
int lockdown_files(const char *const *directories, size_t count, struct err *err);

/* Leaves `kept` (bit n = capability n) in the permitted, effective and bounding sets, none in the inheritable and ambient
 * ones; sets no_new_privs, not dumpable, no core file. */
int lockdown_privileges(uint64_t kept, struct err *err);

/* Every other system call kills the process from here on: so does another architecture's. */
int lockdown_calls(const struct lockdown_call *calls, size_t count, struct err *err);

#endif
