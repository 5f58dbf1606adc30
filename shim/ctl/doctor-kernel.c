/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl doctor, the kernel: what quod's controls are made of. nf_tables is tried in a network namespace made for it. */
#include <errno.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/syscalls.h"
#include "shim/ctl/doctor.h"
#include "shim/egress/ruleset.h"

struct tried {
	int r;
	bool owned;
	struct err err;
};

/* In a child: a table as containers get it, with names, a budget and a rate. */
static void try_table(struct tried *tried)
{
	struct ruleset ruleset = { .egress_bytes = 1000000, .rate = 1000000, .alive_ms = 10000, .has_names = true };
	cleanup_close int nl_fd = -1;

	if (unshare(CLONE_NEWNET) < 0) {
		tried->r = err_set_errno(&tried->err, errno, "a network namespace can't be made");
		return;
	}
	nl_fd = nft_open(&tried->err);
	tried->r = nl_fd < 0 ? nl_fd : ruleset_install(nl_fd, &ruleset, &tried->owned, &tried->err);
}

static bool run_try(struct tried *tried)
{
	int ends[2], status;
	ssize_t got;
	pid_t pid;

	memset(tried, 0, sizeof(*tried));
	if (pipe(ends) < 0)
		return false;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		try_table(tried);
		_exit(write(ends[1], tried, sizeof(*tried)) != (ssize_t)sizeof(*tried));
	}
	close(ends[1]);
	got = pid < 0 ? -1 : read(ends[0], tried, sizeof(*tried));
	close(ends[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && got == (ssize_t)sizeof(*tried);
}

static void check_nf_tables(struct doctor *doctor)
{
	struct tried tried;

	if (geteuid() != 0) {
		doctor_add(doctor, DOCTOR_NOTE, "kernel", "nf_tables", "ask as root", "can't be tried by a user");
		return;
	}
	if (!run_try(&tried) || tried.r < 0) {
		doctor_add(doctor, DOCTOR_PROBLEM, "kernel", "nf_tables",
			   "load or build nf_tables with inet, reject, ct, quota, limit, nat and log (modules nf_tables nft_reject_inet nft_ct "
			   "nft_quota nft_limit nft_redir nft_log): without it every profile with a network is refused",
			   "a container's table can't be made: %s", tried.err.code ? tried.err.text : "the try was killed");
		return;
	}
	doctor_add(doctor, DOCTOR_OK, "kernel", "nf_tables", NULL,
		   "a container's table was made: inet, reject, conntrack, quota, rate, sets with time-outs, redirection");
	if (tried.owned)
		doctor_add(doctor, DOCTOR_OK, "kernel", "nf_tables owner", NULL, "owner and persist: only the gate can change its table");
	else
		doctor_add(doctor, DOCTOR_NOTE, "kernel", "nf_tables owner", "Linux 6.9 or later would give the table an owner",
			   "no owner,persist: root outside can change the table; that is seen, and ends the container");
}

static void check_conntrack(struct doctor *doctor)
{
	cleanup_free char *count = doctor_read_line("/proc/sys/net/netfilter/nf_conntrack_count");
	cleanup_free char *most = doctor_read_line("/proc/sys/net/netfilter/nf_conntrack_max");
	unsigned long long used = count ? strtoull(count, NULL, 10) : 0, room = most ? strtoull(most, NULL, 10) : 0;

	if (!room)
		return;
	doctor_add(doctor, used * 10 > room * 9 ? DOCTOR_PROBLEM : DOCTOR_OK, "kernel", "conntrack",
		   used * 10 > room * 9 ? "raise net.netfilter.nf_conntrack_max: a full table drops new connections" : NULL,
		   "%llu of %llu connections", used, room);
}

static void check_seccomp(struct doctor *doctor)
{
	cleanup_free char *actions = doctor_read_line("/proc/sys/kernel/seccomp/actions_avail");
	bool has_all = actions && strstr(actions, "kill_process") && strstr(actions, "errno");

	doctor_add(doctor, has_all ? DOCTOR_OK : DOCTOR_PROBLEM, "kernel", "seccomp",
		   has_all ? NULL : "build the kernel with CONFIG_SECCOMP_FILTER: without it the floor is no floor", "%s",
		   actions ? actions : "not there");
}

static void check_calls(struct doctor *doctor)
{
	cleanup_close int pid_fd = sys_pidfd_open(getpid(), 0);
	cleanup_close int beneath_fd = sys_openat2(AT_FDCWD, "/", O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
	bool has_pidfd = pid_fd >= 0 && sys_pidfd_send_signal(pid_fd, 0) == 0;

	doctor_add(doctor, has_pidfd ? DOCTOR_OK : DOCTOR_PROBLEM, "kernel", "pidfd",
		   has_pidfd ? NULL : "use Linux 5.3 or later: a process can't be held", has_pidfd ? "pidfd_open, pidfd_send_signal" : "not there");
	doctor_add(doctor, beneath_fd >= 0 ? DOCTOR_OK : DOCTOR_PROBLEM, "kernel", "openat2",
		   beneath_fd >= 0 ? NULL : "use Linux 5.6 or later: mounts can't be judged without it", beneath_fd >= 0 ? "there" : "not there");
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at && (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* Version 1: "name hierarchy groups enabled" in /proc/cgroups; one without a hierarchy isn't mounted. */
static bool is_v1_mounted(const char *controller)
{
	cleanup_free char *dir = alloc_printf("/sys/fs/cgroup/%s", controller);

	return access(dir, F_OK) == 0;
}

static void check_controller(struct doctor *doctor, const char *list, const char *controller)
{
	bool is_there = list ? has_word(list, controller) : is_v1_mounted(controller);

	if (!is_there)
		doctor_add(doctor, DOCTOR_PROBLEM, "kernel", "cgroup", "enable or mount it: the limits it keeps are not in force without it",
			   "the controller %s is missing", controller);
}

static void check_cgroups(struct doctor *doctor)
{
	static const char *const v1[] = { "cpu", "cpuacct", "memory", "pids", "freezer" }, *const v2[] = { "cpu", "memory", "pids" };
	struct statfs fs;
	bool is_v2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
	cleanup_free char *list = is_v2 ? doctor_read_line("/sys/fs/cgroup/cgroup.controllers") : NULL;
	size_t before = doctor->count;

	if (is_v2 && !list)
		list = alloc_copy("");
	for (size_t i = 0; i < (is_v2 ? ARRAY_SIZE(v2) : ARRAY_SIZE(v1)); i++)
		check_controller(doctor, list, is_v2 ? v2[i] : v1[i]);
	if (before == doctor->count)
		doctor_add(doctor, DOCTOR_OK, "kernel", "cgroup", NULL, "version %d%s%s", is_v2 ? 2 : 1, is_v2 ? ": " : "", is_v2 ? list : "");
}

static bool has_swap_accounting(void)
{
	static const char *const files[] = { "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "/sys/fs/cgroup/system.slice/memory.swap.max",
					     "/sys/fs/cgroup/init.scope/memory.swap.max", "/sys/fs/cgroup/init/memory.swap.max" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (access(files[i], F_OK) == 0)
			return true;
	return false;
}

static bool has_swap(void)
{
	cleanup_fclose FILE *file = fopen("/proc/swaps", "re");
	int lines = 0;

	for (int c; file && (c = fgetc(file)) != EOF;)
		lines += c == '\n';
	return lines > 1;
}

static void check_swap(struct doctor *doctor)
{
	if (has_swap_accounting())
		doctor_add(doctor, DOCTOR_OK, "kernel", "swap accounting", NULL, "there");
	else
		doctor_add(doctor, has_swap() ? DOCTOR_PROBLEM : DOCTOR_NOTE, "kernel", "swap accounting",
			   "start the kernel with swapaccount=1 (cgroup v1), or use cgroup v2; or have no swap",
			   "not there: resources.swap is not in force%s", has_swap() ? "" : " (the host has no swap)");
}

static void check_user_namespaces(struct doctor *doctor)
{
	cleanup_free char *most = doctor_read_line("/proc/sys/user/max_user_namespaces");
	bool is_there = access("/proc/self/ns/user", F_OK) == 0 && most && strcmp(most, "0");

	doctor_add(doctor, is_there ? DOCTOR_OK : DOCTOR_NOTE, "kernel", "user namespaces",
		   is_there ? NULL : "needed by rootless engines and by \"namespaces\": { \"user\": \"require\" } alone", is_there ? "there" : "not there");
}

static void check_security_modules(struct doctor *doctor)
{
	cleanup_free char *list = doctor_read_line("/sys/kernel/security/lsm");
	cleanup_free char *apparmor = doctor_read_line("/sys/module/apparmor/parameters/enabled");
	bool has_one = (apparmor && apparmor[0] == 'Y') || access("/sys/fs/selinux/enforce", F_OK) == 0;

	doctor_add(doctor, has_one ? DOCTOR_OK : DOCTOR_NOTE, "kernel", "security module",
		   has_one ? NULL : "AppArmor or SELinux would be one more wall; engines use it by themselves", "%s",
		   has_one ? (apparmor && apparmor[0] == 'Y' ? "AppArmor" : "SELinux") : list ? list : "neither AppArmor nor SELinux");
}

void doctor_kernel(struct doctor *doctor)
{
	struct utsname name;

	if (uname(&name) == 0)
		doctor_add(doctor, DOCTOR_OK, "kernel", "release", NULL, "%s %s", name.sysname, name.release);
	check_nf_tables(doctor);
	check_conntrack(doctor);
	check_seccomp(doctor);
	check_calls(doctor);
	check_cgroups(doctor);
	check_swap(doctor);
	check_user_namespaces(doctor);
	check_security_modules(doctor);
}
