/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The leash (guard "kill"): the container's first process is traced with PTRACE_O_EXITKILL, so that the kernel ends it, and
 * with it its pid namespace, when the guardian is gone. Only its main thread is held, and only what a tracer must do is
 * done: signals go through as they came, stops stay stops, nothing is ever read or written in the process.
 */
#ifndef QUOD_WARDEN_LEASH_H
#define QUOD_WARDEN_LEASH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/base/err.h"

enum leash_news {
	LEASH_QUIET = 0,
	LEASH_EXEC = 1,		/* it has executed a program */
	LEASH_EXITING = 2,	/* its main thread is about to exit; exit_status is what it will say, unless it goes alone */
	LEASH_ALONE = 16,	/* its main thread has exited, the process has not within 10 s */
	LEASH_GONE = 4,		/* it has ended and was reaped; exit_status is final */
	LEASH_LOST = 8,		/* it is no longer held and could not be taken again */
	LEASH_UNPROVEN = 32,	/* its first program was executed without what is demanded (see lacking), and was killed */
};

/* What must be so when the container's program has been executed, before its first instruction. */
struct leash_demand {
	uint64_t allowed_capabilities;	/* no other in any of the five sets */
	bool no_new_privs;
	unsigned filters;	/* at least as many, 0: none need be */
};

struct leash {
	pid_t pid;
	struct leash_demand demand;
	bool is_proven;		/* it was so, at the first execve */
	char lacking[64];	/* what was not */
	int status_fd;		/* /proc/PID/status */
	bool is_init;		/* first of its pid namespace: signals without a handler are dropped for it */
	bool is_held;
	bool knows_status;
	int exit_status;	/* as waitpid gives it */
	uint64_t loose_since_ms;	/* 0; else when it was let go (see leash.c), to be taken again soon */
	uint64_t exiting_since_ms;	/* 0; else since when its main thread exits */
	uint64_t attended_ms;
	uint64_t window_ms;	/* start of the present window, and the stops in it */
	unsigned stops;
	uint64_t rest_until_ms;	/* 0; else it made so many stops that the next are handled then */
};

/* Is it the first process of its own pid namespace, so that all others end with it? 1, 0 or a negative errno. */
int leash_is_init(pid_t pid, struct err *err);

/* Opens what is needed and takes hold. Needs CAP_SYS_PTRACE over the process. */
int leash_take(struct leash *leash, pid_t pid, const struct leash_demand *demand, struct err *err);

/* Handles all that the process has done since; returns enum leash_news, or'ed. With has_ended (its pidfd says so) it is reaped,
 * and only then does the engine learn of its end: what its cgroups count must have been read before. now_ms: CLOCK_BOOTTIME.
 * Allocates nothing. */
unsigned leash_attend(struct leash *leash, bool has_ended, uint64_t now_ms);

/* When leash_attend wants to be called though nothing was signalled; UINT64_MAX for never. */
uint64_t leash_next_ms(const struct leash *leash);

#endif
