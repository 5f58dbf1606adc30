/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program quodctl: what one invocation knows, and one function per command. Each *_main gets its own words in argv
 * (argv[0] is its name; quodctl's own options are gone) and returns the exit status.
 */
#ifndef QUOD_CTL_CTL_H
#define QUOD_CTL_CTL_H

#include <stdio.h>

#include "shim/base/err.h"
#include "shim/policy/profile.h"
#include "shim/state/record.h"

enum ctl_status { CTL_YES = 0, CTL_NO = 1, CTL_FAILED = 2 };

struct ctl {
	const char *config_file;	/* --config; NULL: the default place */
	struct profile_paths paths;	/* the compiled-in places, or --profiles */
	struct profile_paths all_paths;	/* and a user's own: only to show them, and what they would make stricter */
	bool has_profiles;		/* --profiles was given */
	struct state_places places;
	bool json;			/* --json */
	int argc;
	char **argv;			/* NULL-terminated */
};

int allow_main(struct ctl *ctl);
int audit_main(struct ctl *ctl);
int doctor_main(struct ctl *ctl);
int events_main(struct ctl *ctl);
int explain_main(struct ctl *ctl);
int group_main(struct ctl *ctl);
int learn_main(struct ctl *ctl);
int halt_main(struct ctl *ctl);
int metrics_main(struct ctl *ctl);
int profile_main(struct ctl *ctl);
int ps_main(struct ctl *ctl);
int report_main(struct ctl *ctl);
int release_main(struct ctl *ctl);
int setup_main(struct ctl *ctl);
int top_main(struct ctl *ctl);
int verify_main(struct ctl *ctl);
int why_main(struct ctl *ctl);

/* "quodctl: TEXT" on stderr, escaped; CTL_FAILED. */
int ctl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with the command's usage behind it. */
int ctl_fail_usage(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A document on stdout, indented, with a newline. */
void ctl_print_json(const struct json *root);

/* Text for people on stdout, escaped for a terminal. */
void ctl_put(const char *text);

#endif
