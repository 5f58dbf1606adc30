/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of quodctl doctor that look at engines share. */
#ifndef QUOD_CTL_DOCTOR_ENGINES_H
#define QUOD_CTL_DOCTOR_ENGINES_H

#include "shim/ctl/doctor.h"

/* An engine's own words for quod. */
struct engine_reach {
	struct strings names;	/* its runtimes or handlers that are quod */
	char *standard;		/* the one for containers that name none; NULL unknown */
	bool is_default;	/* and that is quod */
};

void engine_reach_release(struct engine_reach *reach);

/* Rows "registered" and "default". */
void doctor_say_engine(struct doctor *doctor, const char *engine, const struct engine_reach *reach);

void doctor_toml_engines(struct doctor *doctor);	/* containerd, CRI-O, Podman */

/* In the usual directories. */
bool doctor_has_program(const char *name);

/* The path is quod's, or is called so where it isn't there. */
bool doctor_is_quod(const char *path);

/* -ENOENT without a word in err when there is none. */
int doctor_read_config(const char *path, char **text, size_t *len, struct err *err);

#endif
