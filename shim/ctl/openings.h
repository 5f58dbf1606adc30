/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an administrator has opened to a running container for a while (quodctl allow): how it is written down beside the record,
 * and what it means under the profile: ranges for the kernel, names for the warden. The profile's own compiler judges each entry
 * as if the profile allowed nothing else, so what is denied or never reachable stays so.
 */
#ifndef QUOD_CTL_OPENINGS_H
#define QUOD_CTL_OPENINGS_H

#include "shim/ctl/ctl.h"
#include "shim/policy/plan.h"
#include "shim/policy/reach.h"
#include "shim/warden/control.h"

struct opening {
	char *text;		/* as it was typed */
	uint64_t until_ms;	/* CLOCK_BOOTTIME; LIMIT_UNLIMITED: as long as the container runs */
	struct entry *entries;	/* it, or those of the group that it names */
	size_t entry_count;
};

struct openings {
	struct opening *items;	/* what is open longest first */
	size_t count;
};

uint64_t openings_now_ms(void);	/* CLOCK_BOOTTIME */

/* What is still open. A file that can't be read says nothing. Free with openings_release. */
void openings_read(const struct ctl *ctl, int state_fd, struct openings *openings);

/* One more, or the same with another end. */
int openings_add(const struct ctl *ctl, const char *text, uint64_t until_ms, struct openings *openings, struct err *err);
int openings_write(int state_fd, const struct openings *openings, struct err *err);
void openings_release(struct openings *openings);

/* The profile that allows just this; borrows from both, nothing of it is freed. */
struct profile opening_part(const struct profile *profile, const struct opening *opening);

/* May it be opened beside `base`, the container's own rules? -EPERM, -EOPNOTSUPP with the reason. */
int opening_check(const struct profile *profile, const struct ruleset *base, const struct opening *opening, struct err *err);

/* What the kernel lets out by them, into `change`. */
int openings_make_ranges(const struct openings *openings, const struct profile *profile, const struct ruleset *base,
			 struct control_change *change, struct err *err);

/* All names, the profile's and theirs, for the warden: a sealed memory file. */
int openings_make_names(const struct openings *openings, const struct profile *profile, const struct ruleset *base, struct err *err);

/* By it, and the profile's denies and what is never reachable. */
bool opening_reaches(const struct profile *profile, const struct ruleset *base, const struct opening *opening,
		     const struct reach_question *question);

/* "4m left"; "as long as it runs". */
void opening_print_left(struct buf *buf, const struct opening *opening);

#endif
