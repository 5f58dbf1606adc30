/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state that a runtime gives a hook on standard input and prints for `state` (OCI runtime spec, "State"). */
#ifndef QUOD_OCI_STATE_H
#define QUOD_OCI_STATE_H

#include <sys/types.h>

#include "oci/json.h"

struct oci_state {
	struct json_tree *tree;		/* owns what the strings point to */
	const char *id, *status, *bundle;
	pid_t pid;			/* 0 when absent */
};

/* Reads at most 1 MiB of state from a descriptor. id and status must be there. */
int oci_state_read(int fd, struct oci_state *state, struct err *err);
void oci_state_release(struct oci_state *state);

#endif
