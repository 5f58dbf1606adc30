/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an administrator's command asks of a container's guardian: one fixed order, one fixed answer, over a socket in the
 * container's state directory. Only the directory's owner reaches it, and the guardian takes orders of its own user alone;
 * nothing of the directory but `told` is ever seen in a container.
 */
#ifndef QUOD_WARDEN_CONTROL_H
#define QUOD_WARDEN_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "shim/base/err.h"
#include "shim/egress/ruleset.h"

#define CONTROL_SOCKET "control"
#define CONTROL_VERSION 1u

enum control_word {
	CONTROL_LOOK = 1,	/* how it stands */
	CONTROL_HALT,		/* freeze everything, close the network, and keep it so until CONTROL_RELEASE */
	CONTROL_RELEASE,
	CONTROL_CHANGE = 5,	/* a struct control_change: other rules from now on, all of it or nothing */
};

struct control_order {
	uint32_t version, word;
};

/* What a change has. */
enum control_part {
	CONTROL_NAMES = 1,	/* a descriptor comes beside it: a sealed memory file, struct name_rules */
	CONTROL_OPENED = 2,	/* `opened` replaces all that was opened at run time */
};

struct control_change {
	uint32_t version, word;
	uint32_t parts, count;
	struct ruleset_opened opened[RULESET_OPENED_MAX];
};

/* HALT and RELEASE are answered when it is so, or after CONTROL_WAIT_MS as it stands then; a CHANGE when it is done or can't be,
 * which may take CONTROL_CHANGE_MS. */
#define CONTROL_WAIT_MS 2000u
#define CONTROL_CHANGE_MS 5000u

struct control_answer {
	uint32_t version, word;
	int32_t error;			/* 0, or the positive errno: nothing was done */
	uint32_t is_halted;
	uint32_t may_freeze, is_frozen;	/* it has a freezer of its own; every process stands still */
	uint32_t has_network;		/* the namespace's table is this container's own */
	uint32_t is_closed;		/* and its gate has said that nothing passes */
	uint64_t wall_ms, cpu_us, egress_bytes;	/* spent, with what the ledger had before */
	uint64_t denied_packets;	/* refused by the table in this run */
	uint64_t refused_names;		/* refused by the warden in this run */
};

/* A descriptor; -ENOENT when no guardian was ever there, -ECONNREFUSED when it has gone. */
int control_connect(int state_dir_fd, struct err *err);
int control_send(int fd, enum control_word word, struct err *err);
int control_send_change(int fd, struct control_change *change, int names_fd, struct err *err);	/* names_fd -1: without */
int control_receive(int fd, int timeout_ms, struct control_answer *answer, struct err *err);

#endif
