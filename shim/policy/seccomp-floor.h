/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod's own floor under every seccomp filter, as data: system calls that no container gets, and those that it gets only
 * with certain arguments. The names are libseccomp's. Pure.
 */
#ifndef QUOD_POLICY_SECCOMP_FLOOR_H
#define QUOD_POLICY_SECCOMP_FLOOR_H

#include "shim/policy/profile.h"
#include "shim/policy/seccomp-conditions.h"

struct denied_call {
	const char *name;
	int error;		/* what a caller sees: ENOSYS where programs have a way around, else EPERM */
};

/* Denied whatever the arguments. */
extern const struct denied_call seccomp_floor[];
extern const size_t seccomp_floor_count;

/* A call whose arguments decide. Both functions say the same from either side. */
struct guarded_call {
	const char *name;
	int error;
	bool is_floor;		/* false: it follows seccomp.sockets, with or without the floor */
	void (*allowed)(const struct profile *profile, struct alternatives *list);
	void (*denied)(const struct profile *profile, struct alternatives *list);
};

extern const struct guarded_call seccomp_guarded[];
extern const size_t seccomp_guarded_count;

#endif
