/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of a mount: which are known, and the list that is written instead. Pure. */
#ifndef QUOD_POLICY_MOUNT_OPTIONS_H
#define QUOD_POLICY_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/spec.h"

enum mount_kind { MOUNT_BIND, MOUNT_TMPFS, MOUNT_PROC, MOUNT_SYSFS, MOUNT_CGROUP, MOUNT_DEVPTS, MOUNT_MQUEUE };

struct mount_bounds {
	bool readonly;		/* "ro" must be there */
	bool nosuid_nodev;	/* and these */
	uint64_t size;		/* tmpfs: at most this many bytes; UINT64_MAX = no bound */
	bool is_flat;		/* a bind: "bind", never "rbind" */
};

/* The first option that isn't known for this kind (also one that hides a second behind a comma), or NULL. */
const char *mount_options_unknown(const struct oci_mount *mount, enum mount_kind kind);

/* The options as they must be: those given, made stricter. A new array of `tree`; equal to the given one when nothing had
 * to change. Call only when none is unknown. */
struct json *mount_options_bound(struct json_tree *tree, const struct oci_mount *mount, enum mount_kind kind,
				 const struct mount_bounds *bounds);

bool mount_has_option(const struct oci_mount *mount, const char *option);
bool mount_is_given_readonly(const struct oci_mount *mount);	/* of "ro" and "rw" runtimes take the last */

/* Size of an inode bound that goes with a size in bytes: one inode for each 4 KiB, at least 1,024. */
uint64_t mount_inodes(uint64_t bytes);

#endif
