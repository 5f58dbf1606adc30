/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The proof: for each control, named by its profile key, what was promised, what is in force, and how that was seen. Each check
 * reads the kernel's word about the container's first process; nothing is taken from what quod wrote down but the promise
 * itself. `start` asks before the container's first instruction, `quodctl verify` at any time.
 */
#ifndef QUOD_PROOF_PROOF_H
#define QUOD_PROOF_PROOF_H

#include "oci/spec.h"
#include "shim/policy/profile.h"
#include "shim/state/record.h"
#include "shim/state/spaces.h"

enum proof_outcome { PROOF_PROVEN, PROOF_FAILED, PROOF_INCONCLUSIVE };

/* What comes into being only with the first execve can't be seen before it: the guardian looks at it then. */
enum proof_stage { PROOF_CREATED, PROOF_RUNNING };

struct proof_row {
	const char *key;		/* profile key */
	char *promised, *in_force, *how;
	enum proof_outcome outcome;
};

struct proof {
	const struct record *record;
	const struct profile *profile;
	const struct json *config;	/* what the runtime was given */
	enum proof_stage stage;
	bool is_halted;			/* by an administrator: then nothing at all may pass */
	bool is_opened;			/* something for a while (quodctl allow) */
	struct spaces spaces;
	struct proof_row *rows;
	size_t count;
};

/* Looks at everything; 0 when it was looked at, whatever was seen. `proof` has record, profile, config and stage; free with
 * proof_release. -ESRCH when the first process is gone, or (PROOF_RUNNING) has not executed the container's program. */
int proof_look(struct proof *proof, const struct state_places *places, struct err *err);
void proof_release(struct proof *proof);

/* The first row that isn't proven, but for keys that the plan itself noted as not in force on this host; NULL: all are. */
const struct proof_row *proof_find_failed(const struct proof *proof);

/* For the parts: a row, and what was seen for the row added last. */
void proof_add(struct proof *proof, const char *key, enum proof_outcome outcome, const char *how, const char *promised_format, ...)
	__attribute__((format(printf, 5, 6)));
void proof_saw(struct proof *proof, const char *format, ...) __attribute__((format(printf, 2, 3)));

void proof_process(struct proof *proof);	/* capabilities, no_new_privs, uid, seccomp, rlimits, guard */
void proof_namespaces(struct proof *proof);
void proof_mounts(struct proof *proof);		/* mounts, read-only root, tmpfs, masks */
void proof_resources(struct proof *proof);	/* cgroup */
void proof_network(struct proof *proof);	/* the table, and two connections tried in that namespace */

/* First line of a file of that process's cgroup, malloc'ed; NULL when it isn't there. `controller` is version 1's. */
char *proof_cgroup_value(pid_t pid, const char *controller, const char *file);

/* The value behind "NAME" at the start of a line of /proc/PID/FILE, malloc'ed; NULL when there is none. */
char *proof_proc_field(pid_t pid, const char *file, const char *name);

#endif
