/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second layer: see second-layer.h. It lies over runc, crun, the engine's hooks and quod's helpers, too, and may deny only
 * what none of them does: they make namespaces, mount, attach BPF programs, join keyrings, trace (the guardian), ask for
 * listeners and use netlink; all that stays the matter of the floor in config.json. A few instructions by hand: compiling a
 * filter takes longer than all else that quod does.
 */
#include "shim/second-layer.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "shim/base/cleanup.h"

#define CODE_MAX 512
#define X32_BIT 0x40000000u
#define FAMILY_LAST 45	/* AF_MCTP, the last one that Linux has */

static const struct {
	const char *name;
	unsigned error;
} denied[] = {
	/* libc and Go fall back to clone */
	{ "clone3", ENOSYS },
	{ "io_uring_setup", EPERM }, { "io_uring_enter", EPERM }, { "io_uring_register", EPERM }, { "userfaultfd", EPERM },
	{ "perf_event_open", EPERM }, { "fanotify_init", EPERM }, { "open_by_handle_at", EPERM }, { "lookup_dcookie", EPERM },
	{ "add_key", EPERM }, { "request_key", EPERM }, { "process_vm_readv", EPERM }, { "process_vm_writev", EPERM },
	{ "process_madvise", EPERM }, { "kcmp", EPERM }, { "mbind", EPERM }, { "set_mempolicy", EPERM },
	{ "set_mempolicy_home_node", EPERM }, { "migrate_pages", EPERM }, { "move_pages", EPERM }, { "kexec_load", EPERM },
	{ "kexec_file_load", EPERM }, { "reboot", EPERM }, { "syslog", EPERM }, { "acct", EPERM }, { "swapon", EPERM },
	{ "swapoff", EPERM }, { "quotactl", EPERM }, { "quotactl_fd", EPERM }, { "settimeofday", EPERM }, { "stime", EPERM },
	{ "clock_settime", EPERM }, { "clock_settime64", EPERM }, { "iopl", EPERM }, { "ioperm", EPERM }, { "modify_ldt", EPERM },
	{ "vm86", EPERM }, { "vm86old", EPERM }, { "uselib", ENOSYS }, { "_sysctl", ENOSYS }, { "nfsservctl", ENOSYS },
};

/* TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, KDSKBENT: as in the floor. */
static const unsigned terminal_ioctls[] = { 0x5412, 0x541c, 0x541d, 0x5423, 0x4b47 };

/* Of what a profile may list, what only it makes the runtime's business, too. */
static const struct {
	const char *name;
	unsigned number;
} listed[] = {
	{ "key", 15 }, { "packet", 17 }, { "rds", 21 }, { "can", 29 },     { "tipc", 30 }, { "bluetooth", 31 }, { "alg", 38 },
	{ "nfc", 39 }, { "vsock", 40 },	 { "kcm", 41 }, { "qipcrtr", 42 }, { "smc", 43 },  { "xdp", 44 },
};

struct code {
	struct sock_filter items[CODE_MAX];
	unsigned short count;
};

static void put(struct code *code, unsigned short op, unsigned value, unsigned char if_true, unsigned char if_false)
{
	if (code->count < CODE_MAX)
		code->items[code->count++] = (struct sock_filter){ op, if_true, if_false, value };
}

static void load(struct code *code, size_t offset)
{
	put(code, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

/* When the loaded word is `value`, the call fails with `error`. */
static void deny(struct code *code, unsigned value, unsigned error)
{
	put(code, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	put(code, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error, 0, 0);
}

/* The low half of an argument; a caller may put anything into the upper one. */
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (n) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

static void deny_ioctls(struct code *code, unsigned number)
{
	put(code, BPF_JMP | BPF_JEQ | BPF_K, number, 0, (unsigned char)(2 * ARRAY_SIZE(terminal_ioctls) + 2));
	load(code, ARGUMENT(1));
	for (size_t i = 0; i < ARRAY_SIZE(terminal_ioctls); i++)
		deny(code, terminal_ioctls[i], EPERM);
	put(code, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static uint64_t allowed_families(const struct profile *profile)
{
	uint64_t allowed = 1ull << AF_UNSPEC | 1ull << AF_UNIX | 1ull << AF_INET | 1ull << AF_INET6 | 1ull << AF_NETLINK;

	for (size_t i = 0; i < ARRAY_SIZE(listed); i++)
		if (strings_has(&profile->seccomp.sockets, listed[i].name))
			allowed |= 1ull << listed[i].number;
	return allowed;
}

static void deny_families(struct code *code, unsigned number, uint64_t allowed)
{
	unsigned short jump = code->count;

	put(code, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0);
	load(code, ARGUMENT(0));
	for (unsigned family = 0; family <= FAMILY_LAST; family++)
		if (allowed >> family & 1) {
			put(code, BPF_JMP | BPF_JEQ | BPF_K, family, 0, 1);
			put(code, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
		}
	put(code, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT, 0, 0);
	code->items[jump].jf = (unsigned char)(code->count - jump - 1);
}

static void judge_calls(struct code *code, uint32_t arch, const struct profile *profile)
{
	static const char *const makers[] = { "socket", "socketpair" };

	load(code, offsetof(struct seccomp_data, nr));
	if (arch == SCMP_ARCH_X86_64) {
		put(code, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
		put(code, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
		int number = seccomp_syscall_resolve_name_arch(arch, denied[i].name);

		if (number >= 0)
			deny(code, (unsigned)number, denied[i].error);
	}
	deny_ioctls(code, (unsigned)seccomp_syscall_resolve_name_arch(arch, "ioctl"));
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		int number = seccomp_syscall_resolve_name_arch(arch, makers[i]);

		if (number >= 0)
			deny_families(code, (unsigned)number, allowed_families(profile));
	}
	put(code, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* The machine's own calls alone. Those of 32-bit programs have one (socketcall) whose arguments no filter can see, and the
 * floor lets none of them into a container either. */
static void make(struct code *code, const struct profile *profile)
{
	uint32_t native = seccomp_arch_native();

	load(code, offsetof(struct seccomp_data, arch));
	put(code, BPF_JMP | BPF_JEQ | BPF_K, native, 1, 0);
	put(code, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
	judge_calls(code, native, profile);
}

int second_layer_install(const struct profile *profile, struct err *err)
{
	cleanup_free struct code *code = NULL;
	struct sock_fprog program;

	if (!profile->seccomp.floor)
		return 0;
	code = alloc_zeroed(1, sizeof(*code));
	make(code, profile);
	if (code->count >= CODE_MAX)
		return err_set(err, E2BIG, "the second filter has more than %d instructions", CODE_MAX);
	program = (struct sock_fprog){ code->count, code->items };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 && errno != EACCES)
		return err_set_errno(err, errno, "the second filter (seccomp.floor)");
	return 0;
}
