/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl verify: for each control, named by its profile key, what was promised, what is in force, and how that was seen.
 * Each check reads the kernel's word about the container's first process; nothing is taken from what quod wrote down but
 * the promise itself.
 */
#ifndef QUOD_CTL_VERIFY_H
#define QUOD_CTL_VERIFY_H

#include "oci/spec.h"
#include "shim/policy/profile.h"
#include "shim/state/record.h"
#include "shim/state/spaces.h"

enum proof { PROOF_PROVEN, PROOF_FAILED, PROOF_INCONCLUSIVE };

struct verify_row {
	const char *key;		/* profile key */
	char *promised, *in_force, *how;
	enum proof proof;
};

struct verify {
	const struct record *record;
	const struct profile *profile;
	const struct json *config;	/* what the runtime was given */
	struct spaces spaces;
	struct verify_row *rows;
	size_t count;
};

void verify_add(struct verify *verify, const char *key, enum proof proof, const char *how, const char *promised_format, ...)
	__attribute__((format(printf, 5, 6)));

/* Sets the last row's "in force". */
void verify_saw(struct verify *verify, const char *format, ...) __attribute__((format(printf, 2, 3)));

void verify_process(struct verify *verify);	/* capabilities, no_new_privs, uid, seccomp, rlimits, guard */
void verify_namespaces(struct verify *verify);
void verify_mounts(struct verify *verify);	/* mounts, read-only root, tmpfs, masks */
void verify_resources(struct verify *verify);	/* cgroup */
void verify_network(struct verify *verify);	/* the table, and two connections tried in that namespace */
void verify_release(struct verify *verify);

/* The value behind "NAME" at the start of a line of /proc/PID/FILE, malloc'ed; NULL when there is none. */
char *verify_proc_field(pid_t pid, const char *file, const char *name);

#endif
