/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where systemd puts a container's scope, as runc and crun ask for it. */
#ifndef QUOD_POLICY_CGROUP_PLACE_H
#define QUOD_POLICY_CGROUP_PLACE_H

/* The scope of linux.cgroupsPath "SLICE:PREFIX:NAME" (SLICE "" is system.slice), below the manager's own cgroup:
 * "a.slice/a-b.slice/PREFIX-NAME.scope". NULL when the path has another form. The caller frees it. */
char *cgroup_place_systemd(const char *path);

#endif
