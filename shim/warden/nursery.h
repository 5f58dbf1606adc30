/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nursery: starts the gate, and starts it again whenever it ends, at most once a second. It keeps the gate's descriptors
 * open meanwhile, so that the table never loses its owner and no news of it are lost. It speaks to the guardian only to say
 * that a gate has ended or was started, and hears nobody.
 */
#ifndef QUOD_WARDEN_NURSERY_H
#define QUOD_WARDEN_NURSERY_H

#include <sys/types.h>

#include "shim/warden/gate.h"

struct nursery {
	struct gate_settings gate;	/* of every gate that it starts */
	pid_t guardian_pid;		/* its parent: the nursery ends with it */
	char *title;			/* argv[0], for ps */
};

/*
 * Runs the nursery in the calling process, a child forked for it, which then does `_exit(nursery_main(...))`: keeps the gate's
 * descriptors and CAP_NET_ADMIN alone, for the gates, and puts itself under a system call filter that lets it fork, wait,
 * send and lock a gate down: no socket, no file, no program, no signal. Says GATE_STARTED and GATE_ENDED on the gate's own
 * channel. Returns 0 when a gate has met the channel's end, else 1.
 */
int nursery_main(const struct nursery *nursery);

#endif
