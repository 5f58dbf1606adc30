/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl doctor: what it found, a row each; the parts look, doctor.c prints. */
#ifndef QUOD_CTL_DOCTOR_H
#define QUOD_CTL_DOCTOR_H

#include "shim/ctl/ctl.h"
#include "shim/shim.h"

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_NOTE,		/* worth knowing; not counted */
	DOCTOR_PROBLEM,
};

struct doctor_row {
	const char *area;	/* static: "kernel", "docker" ... */
	char *check, *found, *advice;	/* advice: what to do; NULL where nothing is to be done */
	enum doctor_verdict verdict;
};

struct doctor {
	struct ctl *ctl;
	struct shim shim;	/* its configuration is NULL when it can't be loaded */
	struct doctor_row *rows;
	size_t count;
};

/* A row; what was found is printf's, what to do NULL or a sentence, copied. */
void doctor_add(struct doctor *doctor, enum doctor_verdict verdict, const char *area, const char *check, const char *advice,
		const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The first line of a file, or NULL; malloc'ed. */
char *doctor_read_line(const char *path);

void doctor_kernel(struct doctor *doctor);	/* nf_tables, seccomp, pidfds, cgroups ... */
void doctor_sysctls(struct doctor *doctor);	/* those that weaken containers */
void doctor_quod(struct doctor *doctor);	/* configuration, places, runtimes, profiles, audit trail */
void doctor_engines(struct doctor *doctor);	/* which are there, and how they reach quod */

#endif
