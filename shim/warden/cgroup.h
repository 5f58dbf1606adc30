/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The container's cgroups, version 1 or 2, by descriptors that are opened while the guardian still may: its CPU counter, its
 * freezer, its processes. A cgroup that holds anything but the container (none was made, or it is the engine's own) is
 * never frozen or killed.
 */
#ifndef QUOD_WARDEN_CGROUP_H
#define QUOD_WARDEN_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/base/err.h"

struct cgroup {
	int dir_fd;		/* whose cgroup.procs, and those below, are the container's processes; -1 none of its own */
	int kill_fd;		/* cgroup.kill (version 2, 5.14) or -1 */
	int freeze_fd;		/* cgroup.freeze or freezer.state, or -1 */
	bool freeze_is_v1;
	int cpu_fd;		/* cpuacct.usage or cpu.stat, or -1 */
	bool cpu_is_v1;
	int memory_fd, pids_fd;	/* memory.events or memory.oom_control, pids.events, or -1 */
	int events_fd;		/* cgroup.events (version 2) or -1 */
};

#define CGROUP_INIT { -1, -1, -1, false, -1, false, -1, -1, -1 }

/* Opens what there is of the cgroups of `pid`, as this process sees them. Absent ones are -1 and no error. */
int cgroup_open(pid_t pid, struct cgroup *cgroup, struct err *err);
void cgroup_close(struct cgroup *cgroup);

/* The functions below allocate nothing. */

int cgroup_read_cpu_us(const struct cgroup *cgroup, uint64_t *cpu_us);	/* negative errno when the cgroup has gone */
int cgroup_freeze(const struct cgroup *cgroup, bool frozen);		/* does not wait until it is */
bool cgroup_is_frozen(const struct cgroup *cgroup);			/* all that is in it stands still */

/* One round: SIGKILL to every process in the cgroup and below, what is frozen thawed. Returns how many processes it saw, 0
 * when it is empty or gone, negative errno. */
int cgroup_kill(const struct cgroup *cgroup);

/* How often the memory limit killed and the pids limit refused; 0 where it can't be read. */
uint64_t cgroup_read_oom_kills(const struct cgroup *cgroup);
uint64_t cgroup_read_pids_refused(const struct cgroup *cgroup);

/* The helpers' own cgroup "/quod" in each hierarchy whose root is to be seen: made, and opened for entering. Entering one
 * of version 1 can take milliseconds and hold up every fork of the machine meanwhile, so it is a step of its own. */
#define CGROUP_OWN_MAX 32

struct cgroup_own {
	int procs_fds[CGROUP_OWN_MAX];
	unsigned count;		/* opened */
	unsigned wanted;	/* hierarchies there are */
};

void cgroup_open_own(struct cgroup_own *own);

/* Moves the calling process and those of `others` that are not 0, and closes the descriptors. Returns how many hierarchies took
 * them all. */
unsigned cgroup_enter_own(struct cgroup_own *own, const pid_t *others, size_t count);

#endif
