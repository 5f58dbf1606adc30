/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The namespaces of a container's first process, as the createRuntime hook saw them: one line each in the file `spaces` of
 * the container's state directory. By them a later container that joins one is known to stay under quod.
 */
#ifndef QUOD_STATE_SPACES_H
#define QUOD_STATE_SPACES_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "shim/base/err.h"
#include "shim/state/record.h"

#define SPACES_MAX 8

struct spaces {
	char id[1025];
	pid_t pid;
	unsigned filters;		/* seccomp filters that already lay over the runtime when it was made; 0: not known */
	size_t count;
	struct space {
		char name[8];		/* as in /proc/PID/ns: "net", "mnt" ... */
		unsigned long long dev, ino;
	} items[SPACES_MAX];
};

/* Looks at /proc/PID/ns. Namespaces that are pid 1's own are left out. */
int spaces_look(const char *id, pid_t pid, struct spaces *spaces, struct err *err);

int spaces_write(int state_dir_fd, const struct spaces *spaces, struct err *err);
int spaces_read(const struct state_places *places, const char *key, struct spaces *spaces, struct err *err);

/* Takes out of `spaces` (of the container `key`) what the spaces of another container have. */
int spaces_leave_to_owners(const struct state_places *places, const char *key, struct spaces *spaces, struct err *err);

/* The namespace is among them and the process still lives in it. */
bool spaces_has(const struct spaces *spaces, const char *name, const struct stat *wanted);

#endif
