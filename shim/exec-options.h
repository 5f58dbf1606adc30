/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec without a process file: the process that the command's own options describe. */
#ifndef QUOD_SHIM_EXEC_OPTIONS_H
#define QUOD_SHIM_EXEC_OPTIONS_H

#include "oci/cmdline.h"
#include "oci/json.h"

/* The process as the runtime would make it of the container's own (`process` of its planned config.json) and the options
 * --cwd, --env, --tty, --user, --additional-gids, --process-label, --apparmor, --no-new-privs, --cap and the arguments; in
 * `tree`, whose root it becomes. */
int exec_options_make(const struct oci_cmdline *line, const struct json *process, struct json_tree *tree, struct err *err);

/* --cgroup names a sub-cgroup: -EPERM for one that would lead out of the container's own. */
int exec_options_check_cgroup(const struct oci_cmdline *line, struct err *err);

#endif
