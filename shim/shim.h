/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program quod: what one invocation knows, and one function per command. Each *_main either becomes the runtime
 * (execve) or returns the exit status.
 */
#ifndef QUOD_SHIM_SHIM_H
#define QUOD_SHIM_SHIM_H

#include "oci/cmdline.h"
#include "shim/policy/config.h"
#include "shim/policy/plan.h"
#include "shim/state/audit.h"
#include "shim/state/record.h"

struct shim {
	const char *profile_name;	/* --profile or quod-NAME; NULL */
	const char *config_file;	/* --config; NULL: the default place */
	const char *runtime_name;	/* --runtime; NULL */
	const struct profile_paths *profile_paths;	/* quodctl's --profiles; NULL: the installed places */
	int argc;			/* the runtime's command line: argv without quod's own options */
	char **argv;
	struct oci_cmdline line;
	struct host_config *config;
	char *runtime;			/* absolute path of what is executed underneath */
	char *runtime_root;		/* --root, or the dialect's default */
	struct state_places places;
	struct audit_settings audit;	/* borrowed from config and places */
	char key[STATE_KEY];		/* of the container that the command names; "" when it names none */
};

int create_main(struct shim *shim);	/* create, run, restore */
int exec_main(struct shim *shim);
int update_main(struct shim *shim);
int start_main(struct shim *shim);	/* start, resume */
int delete_main(struct shim *shim);
int answer_main(struct shim *shim);	/* state, list, features */

/* Behind the name of a runtime in whose place quod stands (quodctl setup host): how it is called now. */
#define RUNTIME_ASIDE ".quod-diverted"

/* Finds the runtime: `wanted` names (looked for in a fixed PATH) or absolute paths, first found; a root-owned chain; never
 * quod itself (compared by inode), but what was put aside for it. *path is malloc'ed. */
int runtime_find(const struct strings *wanted, char **path, struct err *err);

/* The dialect is told from the name, else from `--version`. -ENOTSUP when it is neither runc nor crun. */
int runtime_tell(const char *path, enum oci_dialect *dialect, struct err *err);
enum oci_dialect runtime_dialect(const char *path);	/* runc when it can't be told */

/* Where the dialect's runtime keeps its state without --root; malloc'ed. */
char *runtime_default_root(enum oci_dialect dialect);

/* A root as the key of a container is made of it: absolute and resolved, also while it isn't there yet. malloc'ed, or NULL. */
char *runtime_resolve_root(const char *root, struct err *err);

/* Becomes the runtime: argv[0] is replaced by its path, the environment handed on without what steers a loader or the Go
 * runtime. Returns only on failure. */
int runtime_exec(const char *path, char **argv, struct err *err);

/* Runs the runtime and waits; its stdout into *output (NULL: inherited). Returns its exit status, or negative errno. */
int runtime_run(const char *path, char **argv, struct buf *output, struct err *err);

/* One line on stderr "quod: TEXT" and the same line into the runtime's --log file in its --log-format; returns 1, the exit
 * status. TEXT is escaped. */
int report_failure(const struct shim *shim, const char *text);

/* The same two lines as a warning: the command goes on. Only where stderr isn't the container's own. */
void report_warning(const struct shim *shim, const char *text);

/* Audit with the settings of the configuration; a failure is returned (and is the caller's to refuse) unless on_error is
 * "continue". */
int shim_audit(const struct shim *shim, const char *event, const struct record *record, const char *members, struct err *err);

#endif
