/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a text in quod's own files must look like. Each function gives NULL when it does, else what it should be, to stand
 * behind "'TEXT' is not ". Pure. */
#ifndef QUOD_POLICY_TEXTS_H
#define QUOD_POLICY_TEXTS_H

#include <stdbool.h>

const char *want_profile_name(const char *text);
const char *want_runtime(const char *text);		/* a program's name or an absolute path */
const char *want_absolute_path(const char *text);	/* normalised: no "//", ".", "..", no slash at the end */
const char *want_path_pattern(const char *text);	/* as that, with '*' anywhere */
const char *want_mount_pattern(const char *text);	/* '*' within one component, "**" only as the last one */
const char *want_relative_path(const char *text);	/* normalised, never upwards */
const char *want_env_name(const char *text);
const char *want_env_pattern(const char *text);
const char *want_syscall_pattern(const char *text);
const char *want_socket_family(const char *text);
const char *want_sysctl_pattern(const char *text);
const char *want_address(const char *text);

#endif
