/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command lines of runc (urfave/cli: the program's options end at the command; a command's own options may also stand
 * behind its positional arguments, but for exec and ps) and crun (argp: options end at the first positional argument;
 * unique prefixes of long options and clusters of short ones are taken). An option's value is never taken for a command.
 * runc's generations read some lines differently; such a line is an error here. Nothing else is decided: an option that
 * the tables don't know is reported.
 */
#ifndef QUOD_OCI_CMDLINE_H
#define QUOD_OCI_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "shim/base/err.h"

enum oci_dialect { OCI_DIALECT_RUNC, OCI_DIALECT_CRUN };

enum oci_command {
	OCI_NO_COMMAND,		/* --version, --help or nothing */
	OCI_CREATE, OCI_RUN, OCI_RESTORE, OCI_EXEC, OCI_UPDATE, OCI_START, OCI_RESUME, OCI_DELETE, OCI_STATE, OCI_LIST,
	OCI_FEATURES, OCI_KILL, OCI_PAUSE, OCI_PS, OCI_EVENTS, OCI_SPEC, OCI_CHECKPOINT, OCI_MOUNTS,
	OCI_OTHER_COMMAND,	/* one that the tables don't know: its name is argv[command_index] */
};

/* One option as it was given. */
struct oci_option {
	const char *name;	/* canonical long name without dashes: "bundle", "log-format" */
	const char *value;	/* NULL for a switch without a value; borrowed from argv */
	int index;		/* argv index where it stands */
	int value_index;	/* argv index that holds the value (== index for --opt=value), -1 for none */
	int value_offset;	/* offset of the value within argv[value_index] */
};

struct oci_cmdline {
	enum oci_dialect dialect;
	enum oci_command command;
	int argc;
	char **argv;		/* borrowed; argv[0] is the program */
	int command_index;	/* argv index of the command, argc when there is none */
	struct oci_option *globals;	/* in front of the command */
	size_t global_count;
	struct oci_option *options;	/* of the command */
	size_t option_count;
	int *positionals;	/* argv indices behind the command: the id first, for exec its command after it */
	size_t positional_count;
	const char *unknown;	/* first option that the tables don't know, or whose value is missing; NULL: none */
};

/* Parses argv (without quod's own options). 0, or -EINVAL for a line that releases of the runtime would take in two ways:
 * *line then holds the likely reading, for commands that are only handed on. Unknown options are left to the caller in
 * ->unknown (what follows one is parsed as if it were a switch). */
int oci_cmdline_parse(enum oci_dialect dialect, int argc, char **argv, struct oci_cmdline *line, struct err *err);
void oci_cmdline_free(struct oci_cmdline *line);

/* How many arguments, 1 or 2, an option in front of the command is together with its value, by what both dialects know. */
int oci_global_span(const char *argument);

/* The last occurrence, as both runtimes take it; NULL when absent. */
const struct oci_option *oci_cmdline_global(const struct oci_cmdline *line, const char *name);
const struct oci_option *oci_cmdline_option(const struct oci_cmdline *line, const char *name);

/* Of the command's options, else of the globals. */
bool oci_cmdline_has(const struct oci_cmdline *line, const char *name);	/* a switch that is given and not =false */
const char *oci_cmdline_value(const struct oci_cmdline *line, const char *name, const char *otherwise);

/* The container id, or NULL when the command takes none (crun's --regex is none) or it is missing. */
const char *oci_cmdline_id(const struct oci_cmdline *line);

/* A copy of argv (malloc'ed array, NULL-terminated, strings malloc'ed) with every occurrence of the option's value
 * replaced, or the option added right behind the command when it isn't there. Free with
 * oci_argv_free. Calls can be chained by parsing the result again. */
char **oci_cmdline_replace(const struct oci_cmdline *line, const char *name, const char *value);
void oci_argv_free(char **argv);

const char *oci_command_name(enum oci_command command);

#endif
