/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * May a container under this profile connect there, and which entry says so? Asks what enforces: a name is judged by
 * name-rules.c, as in the warden, an address by the ranges that the kernel's table is made of. An entry is named by asking the
 * same about a profile that has it alone. Pure.
 */
#ifndef QUOD_POLICY_REACH_H
#define QUOD_POLICY_REACH_H

#include "shim/egress/ruleset.h"
#include "shim/policy/profile.h"

struct reach_question {
	const char *name;	/* normalized; NULL: an address is asked for */
	bool has_address;	/* the address; of a name: where it leads */
	struct address address;
	uint8_t protocol;	/* IPPROTO_* */
	uint16_t port;		/* 0 of ICMP */
};

struct reach_answer {
	bool is_allowed;
	struct strings by;	/* the entries that allow it, or that deny it, with their places */
	struct strings why;	/* what else is to be said: conditions of a yes, reasons of a no */
};

/* `ruleset` is what was planned of the profile: its ranges and what is never reachable. Free with reach_release. */
void reach_judge(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
		 struct reach_answer *answer);
void reach_release(struct reach_answer *answer);

#endif
