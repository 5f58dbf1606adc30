/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of every command of runc (1.0 to 1.5) and crun (1.0 to 1.29), one table per dialect: each table is the union
 * of what these releases take. Data only; cmdline.c reads it.
 */
#ifndef QUOD_OCI_CMDLINE_TABLES_H
#define QUOD_OCI_CMDLINE_TABLES_H

#include "oci/cmdline.h"

enum oci_takes {
	OCI_TAKES_NOTHING,	/* a switch; runc's also take =BOOL */
	OCI_TAKES_VALUE,
	OCI_TAKES_ATTACHED,	/* crun: a value only as --opt=v or -ov */
};

struct oci_option_def {
	const char *name;	/* NULL ends a table */
	char letter;		/* 0: none */
	enum oci_takes takes;
};

struct oci_command_def {
	const char *name;	/* NULL ends a table */
	enum oci_command command;
	bool stops;		/* runc: options end at the first positional argument */
	const struct oci_option_def *options;
};

const struct oci_option_def *oci_global_defs(enum oci_dialect dialect);
const struct oci_command_def *oci_command_defs(enum oci_dialect dialect);

/* Options that every command of the dialect has beside its own. */
const struct oci_option_def *oci_common_defs(enum oci_dialect dialect);

#endif
