/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What setup asks of running engines: their command lines, and a container that quod must refuse. */
#ifndef QUOD_CTL_SETUP_RUN_H
#define QUOD_CTL_SETUP_RUN_H

#include <time.h>

#include "shim/base/err.h"
#include "shim/policy/profile.h"

/* In a container's environment: no profile has that name, so quod refuses it in words that nobody else says. */
#define SETUP_CHECK_NAME "quodctl-setup-check"
#define SETUP_CHECK_ENV "QUOD_PROFILE=" SETUP_CHECK_NAME

/* Of each process that is called `program` ("dockerd"): the value of "--name VALUE" or "--name=VALUE" (`alias`: "-c", or
 * NULL). */
void setup_running_values(const char *program, const char *name, const char *alias, struct strings *values);

/* When the process of that name that was started last was: -ESRCH when there is none. */
int setup_program_started(const char *program, struct timespec *started);

struct setup_input {
	const char *bytes;
	size_t len;
};

/* Runs argv by PATH with that input (NULL: none) and gives what it printed, both streams, at most 64 KiB, without spaces
 * around. Its exit status, or a negative errno. */
int setup_run(const char *const *argv, const struct setup_input *input, char **printed, struct err *err);

/* Did quod refuse it? *says, what the engine printed, becomes a sentence. 0 or 1. */
int setup_judge(const char *runtime, char **says);

#endif
