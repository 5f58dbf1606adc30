/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl doctor, sysctls: what a container's processes get from the kernel beside what quod holds. */
#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/doctor.h"

enum weak { WEAK_IF_ZERO, WEAK_IF_ONE, WEAK_IF_NOT_ZERO, WEAK_IF_PIPE, WEAK_BELOW_TWO };

static const struct sysctl {
	const char *name;	/* dots; one component may be '*' */
	enum weak weak;
	enum doctor_verdict verdict;	/* when it is weak */
	const char *better;	/* the value to set */
	const char *why;
} sysctls[] = {
	{ "kernel.unprivileged_bpf_disabled", WEAK_IF_ZERO, DOCTOR_PROBLEM, "1", "every user may load BPF programs" },
	{ "kernel.yama.ptrace_scope", WEAK_IF_ZERO, DOCTOR_PROBLEM, "1", "a process may trace any other of its user" },
	{ "kernel.dmesg_restrict", WEAK_IF_ZERO, DOCTOR_PROBLEM, "1", "every user may read the kernel's log, other containers' traces in it" },
	{ "kernel.kptr_restrict", WEAK_IF_ZERO, DOCTOR_PROBLEM, "1", "the kernel's addresses are shown" },
	{ "kernel.perf_event_paranoid", WEAK_BELOW_TWO, DOCTOR_PROBLEM, "2", "every user may profile the kernel" },
	{ "kernel.core_pattern", WEAK_IF_PIPE, DOCTOR_PROBLEM, "core",
	  "a crash in a container runs that program on the host, as root, with what the container chose" },
	{ "kernel.unprivileged_userns_clone", WEAK_IF_ONE, DOCTOR_NOTE, "0",
	  "every user may make user namespaces (rootless engines need that; in containers the seccomp floor refuses it)" },
	{ "fs.suid_dumpable", WEAK_IF_ONE, DOCTOR_PROBLEM, "0", "setuid programs dump core for their caller" },
	{ "fs.protected_symlinks", WEAK_IF_ZERO, DOCTOR_PROBLEM, "1", "links in a shared directory lead root's programs astray" },
	{ "fs.protected_hardlinks", WEAK_IF_ZERO, DOCTOR_PROBLEM, "1", "a user may link to files that aren't his" },
	{ "vm.unprivileged_userfaultfd", WEAK_IF_ONE, DOCTOR_PROBLEM, "0", "every user may stop the kernel at a page fault" },
	{ "dev.tty.legacy_tiocsti", WEAK_IF_NOT_ZERO, DOCTOR_PROBLEM, "0", "a process may type into the terminal that it was given" },
	{ "net.ipv4.conf.*.route_localnet", WEAK_IF_NOT_ZERO, DOCTOR_PROBLEM, "0", "127.0.0.0/8 of the host is reachable over that interface" },
};

static bool is_weak(const struct sysctl *sysctl, const char *value)
{
	long number = strtol(value, NULL, 10);

	switch (sysctl->weak) {
	case WEAK_IF_ZERO:
		return number == 0;
	case WEAK_IF_ONE:
		return number == 1;
	case WEAK_IF_NOT_ZERO:
		return number != 0;
	case WEAK_BELOW_TWO:
		return number < 2;
	case WEAK_IF_PIPE:
		return value[0] == '|';
	}
	return true;
}

static void check_file(struct doctor *doctor, const struct sysctl *sysctl, const char *path)
{
	cleanup_free char *value = doctor_read_line(path), *name = alloc_copy(path + strlen("/proc/sys/")), *advice = NULL;

	if (!value)
		return;
	for (char *at = name; *at; at++)
		*at = *at == '/' ? '.' : *at == '.' ? '/' : *at;
	advice = alloc_printf("%s: sysctl -w %s=%s, and in /etc/sysctl.d", sysctl->why, name, sysctl->better);
	if (is_weak(sysctl, value))
		doctor_add(doctor, sysctl->verdict, "sysctl", name, advice, "%s", value);
	else if (!strchr(sysctl->name, '*'))
		doctor_add(doctor, DOCTOR_OK, "sysctl", name, NULL, "%s", value);
}

/* What isn't there can't be weak, or the kernel lacks the whole feature. */
static void check(struct doctor *doctor, const struct sysctl *sysctl)
{
	cleanup_free char *pattern = alloc_printf("/proc/sys/%s", sysctl->name);
	glob_t found = { 0 };

	for (char *at = pattern + strlen("/proc/sys/"); *at; at++)
		*at = *at == '.' ? '/' : *at;
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			check_file(doctor, sysctl, found.gl_pathv[i]);
	globfree(&found);
}

/* 3: nobody may be traced any more, not even by root: the guardian could not hold a container. */
static void check_too_strict(struct doctor *doctor)
{
	cleanup_free char *value = doctor_read_line("/proc/sys/kernel/yama/ptrace_scope");

	if (value && !strcmp(value, "3"))
		doctor_add(doctor, DOCTOR_PROBLEM, "sysctl", "kernel.yama.ptrace_scope",
			   "2 at most, after a reboot; or profiles with \"guard\": \"network\"",
			   "3: the guardian can't hold a container (guard: \"kill\"), and none starts");
}

void doctor_sysctls(struct doctor *doctor)
{
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++)
		check(doctor, &sysctls[i]);
	check_too_strict(doctor);
}
