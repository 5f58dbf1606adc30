/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor's tables: see seccomp-floor.h. A call may stand here only if an ordinary image does its work without it.
 * Comparisons that deny look at the low 32 bits only where the kernel does: a caller may put anything into the upper half.
 */
#include "shim/policy/seccomp-floor.h"

#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"

const struct denied_call seccomp_floor[] = {
	/* flags behind a pointer, out of a filter's sight: libc falls back to clone */
	{ "clone3", ENOSYS },
	/* do other calls' work where no filter sees it, and large surfaces of their own */
	{ "io_uring_setup", EPERM }, { "io_uring_enter", EPERM }, { "io_uring_register", EPERM }, { "bpf", EPERM },
	{ "userfaultfd", EPERM }, { "perf_event_open", EPERM }, { "fanotify_init", EPERM },
	/* files past their paths */
	{ "open_by_handle_at", EPERM }, { "name_to_handle_at", EPERM }, { "lookup_dcookie", EPERM },
	/* mounts */
	{ "mount", EPERM }, { "umount", EPERM }, { "umount2", EPERM }, { "pivot_root", EPERM }, { "fsopen", ENOSYS },
	{ "fsconfig", ENOSYS }, { "fsmount", ENOSYS }, { "fspick", ENOSYS }, { "move_mount", ENOSYS },
	{ "open_tree", ENOSYS }, { "open_tree_attr", ENOSYS }, { "mount_setattr", ENOSYS }, { "listmount", ENOSYS },
	{ "statmount", ENOSYS },
	/* other namespaces */
	{ "setns", EPERM },
	/* keyrings belong to the uid on the host, and a request starts a helper there */
	{ "add_key", EPERM }, { "keyctl", EPERM }, { "request_key", EPERM },
	/* other processes' memory and descriptors */
	{ "process_vm_readv", EPERM }, { "process_vm_writev", EPERM }, { "process_madvise", EPERM }, { "pidfd_getfd", EPERM },
	{ "kcmp", EPERM },
	/* placement of memory, own and others' */
	{ "mbind", EPERM }, { "set_mempolicy", EPERM }, { "set_mempolicy_home_node", EPERM }, { "migrate_pages", EPERM },
	{ "move_pages", EPERM },
	/* the kernel itself */
	{ "kexec_load", EPERM }, { "kexec_file_load", EPERM }, { "init_module", EPERM }, { "finit_module", EPERM },
	{ "delete_module", EPERM }, { "create_module", ENOSYS }, { "query_module", ENOSYS }, { "get_kernel_syms", ENOSYS },
	{ "reboot", EPERM }, { "syslog", EPERM }, { "acct", EPERM }, { "swapon", EPERM }, { "swapoff", EPERM },
	{ "quotactl", EPERM }, { "quotactl_fd", EPERM }, { "nfsservctl", ENOSYS }, { "_sysctl", ENOSYS },
	/* the clock */
	{ "settimeofday", EPERM }, { "stime", EPERM }, { "clock_settime", EPERM }, { "clock_settime64", EPERM },
	/* the processor */
	{ "iopl", EPERM }, { "ioperm", EPERM }, { "modify_ldt", EPERM }, { "vm86", EPERM }, { "vm86old", EPERM },
	{ "uselib", ENOSYS },
};
const size_t seccomp_floor_count = ARRAY_SIZE(seccomp_floor);

#define LOW_HALF UINT64_C(0xffffffff)

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; CLONE_NEWTIME is part of clone's exit signal, so that
 * only unshare has it. */
#define CLONE_NEW UINT64_C(0x7e020000)
#define CLONE_NEWTIME UINT64_C(0x80)

static void add_each_bit(struct alternatives *list, unsigned arg, uint64_t bits)
{
	for (uint64_t bit = 1; bit <= bits; bit <<= 1)
		if (bits & bit)
			alternatives_add_one(list, arg, SECCOMP_MASKED, bit, bit);
}

static void clone_allowed(const struct profile *profile, struct alternatives *list)
{
	alternatives_add_one(list, 0, SECCOMP_MASKED, CLONE_NEW, 0);
}

static void clone_denied(const struct profile *profile, struct alternatives *list)
{
	add_each_bit(list, 0, CLONE_NEW);
}

static void unshare_allowed(const struct profile *profile, struct alternatives *list)
{
	alternatives_add_one(list, 0, SECCOMP_MASKED, CLONE_NEW | CLONE_NEWTIME, 0);
}

static void unshare_denied(const struct profile *profile, struct alternatives *list)
{
	add_each_bit(list, 0, CLONE_NEW | CLONE_NEWTIME);
}

/* SECCOMP_FILTER_FLAG_NEW_LISTENER: a filter of one's own is fine, one that hands calls to another process is not. */
#define NEW_LISTENER 8

static void seccomp_allowed(const struct profile *profile, struct alternatives *list)
{
	alternatives_add_one(list, 1, SECCOMP_MASKED, NEW_LISTENER, 0);
}

static void seccomp_denied(const struct profile *profile, struct alternatives *list)
{
	alternatives_add_one(list, 1, SECCOMP_MASKED, NEW_LISTENER, NEW_LISTENER);
}

/* PER_LINUX, PER_LINUX32, and the question what it is. */
static const uint32_t personalities[] = { 0, 8, 0xffffffff };

static void personality_allowed(const struct profile *profile, struct alternatives *list)
{
	for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
		alternatives_add_one(list, 0, SECCOMP_EQ, personalities[i], 0);
}

static void personality_denied(const struct profile *profile, struct alternatives *list)
{
	alternatives_add_others(list, 0, personalities, ARRAY_SIZE(personalities));
}

/* TIOCSTI and TIOCLINUX type into somebody's terminal, TIOCCONS takes the console, TIOCSETD loads line disciplines,
 * KDSKBENT rewrites the keyboard. */
static const uint32_t terminal_ioctls[] = { 0x5412, 0x541c, 0x541d, 0x5423, 0x4b47 };

static void ioctl_allowed(const struct profile *profile, struct alternatives *list)
{
	alternatives_add_others(list, 1, terminal_ioctls, ARRAY_SIZE(terminal_ioctls));
}

static void ioctl_denied(const struct profile *profile, struct alternatives *list)
{
	for (size_t i = 0; i < ARRAY_SIZE(terminal_ioctls); i++)
		alternatives_add_one(list, 1, SECCOMP_MASKED, LOW_HALF, terminal_ioctls[i]);
}

#define FAMILY_MAX 45		/* AF_MCTP, the last one that Linux has */
#define FAMILY_UNIX 1
#define FAMILY_NETLINK 16
#define NETLINK_ROUTE 0

static const struct {
	const char *name;
	unsigned number;
} families[] = {
	{ "unix", FAMILY_UNIX }, { "inet", 2 },	   { "inet6", 10 }, { "key", 15 },     { "netlink", FAMILY_NETLINK },
	{ "packet", 17 },	 { "rds", 21 },	   { "can", 29 },   { "tipc", 30 },    { "bluetooth", 31 },
	{ "alg", 38 },		 { "nfc", 39 },	   { "vsock", 40 }, { "kcm", 41 },     { "qipcrtr", 42 },
	{ "smc", 43 },		 { "xdp", 44 },
};

static bool family_is_listed(const struct profile *profile, unsigned number)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i].number == number && strings_has(&profile->seccomp.sockets, families[i].name))
			return true;
	return false;
}

static void add_netlink(struct alternatives *list, enum seccomp_op op)
{
	struct conditions conditions = { .count = 2 };

	conditions.items[0] = (struct condition){ 0, SECCOMP_EQ, FAMILY_NETLINK, 0 };
	conditions.items[1] = (struct condition){ 2, op, NETLINK_ROUTE, 0 };
	alternatives_add(list, &conditions);
}

static void socket_allowed(const struct profile *profile, struct alternatives *list)
{
	for (unsigned family = 0; family <= FAMILY_MAX; family++)
		if (family_is_listed(profile, family) && family != FAMILY_NETLINK)
			alternatives_add_one(list, 0, SECCOMP_EQ, family, 0);
	if (family_is_listed(profile, FAMILY_NETLINK))
		add_netlink(list, SECCOMP_EQ);
}

/* Compared with all 64 bits: what has a bit in the upper half is greater than the last family. */
static void socket_denied(const struct profile *profile, struct alternatives *list)
{
	for (unsigned family = 0; family <= FAMILY_MAX; family++)
		if (!family_is_listed(profile, family))
			alternatives_add_one(list, 0, SECCOMP_EQ, family, 0);
	if (family_is_listed(profile, FAMILY_NETLINK))
		add_netlink(list, SECCOMP_NE);
	alternatives_add_one(list, 0, SECCOMP_GT, FAMILY_MAX, 0);
}

/* A pair is no way out by itself, but a datagram one can be connected elsewhere: it follows the same list. */
static void socketpair_allowed(const struct profile *profile, struct alternatives *list)
{
	if (family_is_listed(profile, FAMILY_UNIX))
		alternatives_add_one(list, 0, SECCOMP_EQ, FAMILY_UNIX, 0);
}

static void socketpair_denied(const struct profile *profile, struct alternatives *list)
{
	for (unsigned family = 0; family <= FAMILY_MAX; family++)
		if (family != FAMILY_UNIX || !family_is_listed(profile, FAMILY_UNIX))
			alternatives_add_one(list, 0, SECCOMP_EQ, family, 0);
	alternatives_add_one(list, 0, SECCOMP_GT, FAMILY_MAX, 0);
}

const struct guarded_call seccomp_guarded[] = {
	{ "clone", EPERM, true, clone_allowed, clone_denied },
	{ "unshare", EPERM, true, unshare_allowed, unshare_denied },
	{ "seccomp", EPERM, true, seccomp_allowed, seccomp_denied },
	{ "personality", EPERM, true, personality_allowed, personality_denied },
	{ "ioctl", EPERM, true, ioctl_allowed, ioctl_denied },
	{ "socket", EAFNOSUPPORT, false, socket_allowed, socket_denied },
	{ "socketpair", EAFNOSUPPORT, false, socketpair_allowed, socketpair_denied },
};
const size_t seccomp_guarded_count = ARRAY_SIZE(seccomp_guarded);
