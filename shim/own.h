/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container of quod's own that a later command names: its record, locked, and whether it may go on. */
#ifndef QUOD_SHIM_OWN_H
#define QUOD_SHIM_OWN_H

#include "oci/spec.h"
#include "shim/shim.h"

struct own_container {
	int dir_fd;		/* the state directory; its lock ends with this descriptor, at execve at the latest */
	struct record record;
	struct profile *profile;	/* as it was resolved at create; NULL for an unmanaged one */
};

#define OWN_CONTAINER_INIT { -1, { NULL }, NULL }

/* Opens the container that the line names. -ENOENT, with a text for the user, when quod has no record of it. */
int own_open(const struct shim *shim, struct own_container *own, struct err *err);
void own_release(struct own_container *own);

/* A rule said "unmanaged": handed on untouched. */
bool own_is_unmanaged(const struct own_container *own);

/* -EPERM when the container is halted. */
int own_check_halted(const struct shim *shim, const struct own_container *own, struct err *err);

/* -EPERM when the container is halted or a budget of it is spent: nothing may be started in it. */
int own_check_running(const struct shim *shim, const struct own_container *own, struct err *err);

/* The container's planned config.json, from quod's own bundle, and its view (oci_config_release). */
int own_read_config(const struct shim *shim, const struct own_container *own, struct json_tree **tree,
		    struct oci_config *config, struct err *err);

#endif
