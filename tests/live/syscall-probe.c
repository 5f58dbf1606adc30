/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs inside a container, as root with every capability, so that only seccomp can say no. Each attempt is a process of its
 * own and prints "NAME RESULT"; arguments are such that an unfiltered kernel answers something else than "not permitted".
 *
 *	syscall-probe deny	what the floor denies; exit 1 if one of them got through
 *	syscall-probe control	the same without a filter; exit 1 if one was stopped: then "deny" would prove nothing
 *	syscall-probe work	what an ordinary program needs; exit 1 if one of them failed
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH (1L << 32)		/* the kernel ignores it in an int: so must a filter that denies */
#define RAW(name, number, ...) { name, number, { __VA_ARGS__ } }

static struct sock_filter allow_all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
static struct sock_fprog program = { 1, allow_all };

static const struct attempt {
	const char *name;
	long number, args[6];
} denied[] = {
	RAW("clone3", SYS_clone3, 0, 0),
	RAW("io_uring_setup", 425, 1, 0),
	RAW("io_uring_enter", 426, -1, 1, 0, 0),
	RAW("io_uring_register", 427, -1, 99, 0, 0),
	RAW("bpf", SYS_bpf, 0, 0, 0),
	RAW("userfaultfd", SYS_userfaultfd, -1),
	RAW("perf_event_open", SYS_perf_event_open, 0, 0, -1, -1, 0),
	RAW("fanotify_init", SYS_fanotify_init, -1, 0),
	RAW("open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0),
	RAW("name_to_handle_at", SYS_name_to_handle_at, -1, 0, 0, 0, 0),
	RAW("mount", SYS_mount, 0, 0, 0, 0, 0),
	RAW("umount2", SYS_umount2, 0, 0),
	RAW("pivot_root", SYS_pivot_root, 0, 0),
	RAW("fsopen", 430, 0, 0),
	RAW("fsconfig", 431, -1, 99, 0, 0, 0),
	RAW("fsmount", 432, -1, 0, 0),
	RAW("fspick", 433, -1, 0, 0),
	RAW("move_mount", 429, -1, 0, -1, 0, 0),
	RAW("open_tree", 428, -1, 0, 0),
	RAW("open_tree_attr", 467, -1, 0, 0, 0, 0),
	RAW("mount_setattr", 442, -1, 0, 0, 0, 0),
	RAW("statmount", 457, 0, 0, 0, 0),
	RAW("listmount", 458, 0, 0, 0, 0),
	RAW("setns", SYS_setns, -1, 0),
	RAW("add_key", SYS_add_key, 0, 0, 0, 0, 0),
	RAW("keyctl", SYS_keyctl, 0, -3, 0, 0, 0),
	RAW("request_key", SYS_request_key, 0, 0, 0, 0),
	RAW("process_vm_readv", SYS_process_vm_readv, 1, 0, 0, 0, 0, 0),
	RAW("process_vm_writev", SYS_process_vm_writev, 1, 0, 0, 0, 0, 0),
	RAW("process_madvise", 440, -1, 0, 0, 0, 0),
	RAW("pidfd_getfd", 438, -1, 0, 0),
	RAW("kcmp", SYS_kcmp, 1, 1, 99, 0, 0),
	RAW("mbind", SYS_mbind, 0, 0, 99, 0, 0, 0),
	RAW("set_mempolicy", SYS_set_mempolicy, 99, 0, 0),
	RAW("migrate_pages", SYS_migrate_pages, 0, 0, 0, 0),
	RAW("move_pages", SYS_move_pages, 0, 0, 0, 0, 0, -1),
	RAW("kexec_load", SYS_kexec_load, 0, 0, 0, -1),
	RAW("init_module", SYS_init_module, 0, 0, 0),
	RAW("finit_module", SYS_finit_module, -1, 0, 0),
	RAW("delete_module", SYS_delete_module, 0, 0),
	RAW("reboot", SYS_reboot, 0, 0, 0, 0),
	RAW("syslog", SYS_syslog, 99, 0, 0),
	RAW("acct", SYS_acct, 1, 0),
	RAW("swapon", SYS_swapon, 1, 0),
	RAW("swapoff", SYS_swapoff, 1, 0),
	RAW("quotactl", SYS_quotactl, -1, 0, 0, 0),
	RAW("settimeofday", SYS_settimeofday, 1, 0),
	RAW("clock_settime", SYS_clock_settime, 0, 1),
	RAW("clone newuts", SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0),
	RAW("clone newuser", SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0),
	RAW("clone newnet, high", SYS_clone, HIGH | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0),
	RAW("clone newns newpid", SYS_clone, CLONE_NEWNS | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0),
	RAW("unshare newuser", SYS_unshare, CLONE_NEWUSER),
	RAW("unshare newcgroup", SYS_unshare, 0x02000000),
	RAW("unshare newtime", SYS_unshare, 0x80),
	RAW("unshare newipc fs", SYS_unshare, CLONE_NEWIPC | CLONE_FS),
	RAW("seccomp listener", SYS_seccomp, SECCOMP_SET_MODE_FILTER, 8, (long)&program),
	RAW("seccomp listener, high", SYS_seccomp, SECCOMP_SET_MODE_FILTER, HIGH | 8, (long)&program),
	RAW("personality no-random", SYS_personality, 0x0040000),
	RAW("personality exec", SYS_personality, 0x0400000),
	RAW("personality 9", SYS_personality, 9),
	RAW("personality, high", SYS_personality, HIGH | 0x0040000),
	RAW("ioctl TIOCSTI", SYS_ioctl, 0, 0x5412, 0),
	RAW("ioctl TIOCSTI, high", SYS_ioctl, 0, HIGH | 0x5412, 0),
	RAW("ioctl TIOCLINUX", SYS_ioctl, 0, 0x541c, 0),
	RAW("ioctl TIOCCONS", SYS_ioctl, 0, 0x541d, 0),
	RAW("ioctl TIOCSETD", SYS_ioctl, 0, 0x5423, 0),
	RAW("ioctl KDSKBENT", SYS_ioctl, 0, 0x4b47, 0),
	RAW("socket packet", SYS_socket, AF_PACKET, SOCK_DGRAM, 0),
	RAW("socket packet, high", SYS_socket, HIGH | AF_PACKET, SOCK_DGRAM, 0),
	RAW("socket vsock", SYS_socket, 40, SOCK_STREAM, 0),
	RAW("socket alg", SYS_socket, 38, SOCK_SEQPACKET, 0),
	RAW("socket netlink netfilter", SYS_socket, AF_NETLINK, SOCK_RAW, 12),
	RAW("socket netlink generic", SYS_socket, AF_NETLINK, SOCK_RAW, 16),
	RAW("socket netlink uevent", SYS_socket, AF_NETLINK, SOCK_RAW, 15),
	RAW("socket netlink uevent, high", SYS_socket, HIGH | AF_NETLINK, SOCK_RAW, HIGH | 15),
#ifdef __x86_64__
	RAW("iopl", SYS_iopl, 99),
	RAW("ioperm", SYS_ioperm, -1, 0, 0),
	RAW("modify_ldt", SYS_modify_ldt, 0, 0, 0),
#endif
};

static int quiet_child(const struct attempt *attempt)
{
	const long *a = attempt->args;
	long result = syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	int error = result < 0 ? errno : 0;

	/* clone's own child comes by here too: it has nothing to say */
	if (attempt->number == SYS_clone && !result)
		_exit(0);
	_exit(error < 255 ? error : 254);
}

#ifdef __x86_64__
/* getpid by the 32-bit gate, and by x32's number. */
static int foreign_gate(const struct attempt *attempt)
{
	long result = 20;

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	_exit(result > 0 ? 0 : (int)-result);
}

static int foreign_number(const struct attempt *attempt)
{
	long result = syscall(0x40000000 | SYS_getpid);

	_exit(result > 0 ? 0 : errno);
}
#endif

/* Status as the shell says it: errno, or 256 + signal. */
static int run(int (*body)(const struct attempt *attempt), const struct attempt *attempt)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		body(attempt);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(2);
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int is_stopped(int result)
{
	return result == EPERM || result == ENOSYS || result == EAFNOSUPPORT || result == 256 + SIGSYS;
}

static int report(const char *name, int result, int is_good)
{
	printf("%s %s", is_good ? "ok" : "BAD", name);
	if (result >= 256)
		printf(" signal %d\n", result - 256);
	else
		printf(" %s\n", result ? strerrorname_np(result) : "success");
	return !is_good;
}

static int probe_denied(int is_control)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		int result = run(quiet_child, &denied[i]);
		/* without a filter: ENOSYS is a kernel that lacks it, EAFNOSUPPORT a family that it lacks */
		int is_good = is_control ? result != EPERM && result < 256 : is_stopped(result);

		bad |= report(denied[i].name, result, is_good);
	}
#ifdef __x86_64__
	if (!is_control) {
		int result = run(foreign_gate, NULL);

		bad |= report("getpid by int 0x80", result, is_stopped(result));
		result = run(foreign_number, NULL);
		bad |= report("getpid by x32 number", result, is_stopped(result));
	}
#endif
	return bad;
}

static const struct attempt needed[] = {
	RAW("socket unix", SYS_socket, AF_UNIX, SOCK_STREAM, 0),
	RAW("socket inet", SYS_socket, AF_INET, SOCK_STREAM, 0),
	RAW("socket inet udp", SYS_socket, AF_INET, SOCK_DGRAM, 0),
	RAW("socket inet6", SYS_socket, AF_INET6, SOCK_STREAM, 0),
	RAW("fork by clone", SYS_clone, SIGCHLD, 0, 0, 0, 0),
	RAW("unshare fs", SYS_unshare, CLONE_FS),
	RAW("personality query", SYS_personality, 0xffffffff),
	RAW("personality linux", SYS_personality, 0),
	RAW("getcwd", SYS_getcwd, (long)&program, 0),
	RAW("futex", SYS_futex, (long)&program, 1, 1, 0, 0, 0),
	RAW("memfd_create", SYS_memfd_create, (long)"x", 0),
};

static void *thread_body(void *data)
{
	return data;
}

static int others(const struct attempt *attempt)
{
	static const unsigned long ordinary[] = { FIONREAD, 0x5411 /* TIOCOUTQ */, 0x5413, 0x541b, 0x5421, 0x400454ca, 0x80045430 };
	pthread_t thread;
	int pair[2], value = 0;

	if (pthread_create(&thread, NULL, thread_body, NULL) || pthread_join(thread, NULL))
		_exit(101);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		_exit(102);
	for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++)
		if (ioctl(pair[0], ordinary[i], &value) < 0 && (errno == EPERM || errno == ENOSYS))
			_exit(103);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		_exit(104);
	_exit(0);
}

static int probe_needed(void)
{
	int bad = 0, result;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		result = run(quiet_child, &needed[i]);
		bad |= report(needed[i].name, result, !result || (needed[i].number == SYS_getcwd && result == ERANGE));
	}
	result = run(others, NULL);
	return report("threads, pairs, ioctls, a filter of one's own", result, !result) | bad;
}

int main(int argc, char **argv)
{
	const char *mode = argc == 2 ? argv[1] : "";

	if (!strcmp(mode, "work"))
		return probe_needed();
	if (!strcmp(mode, "deny") || !strcmp(mode, "control"))
		return probe_denied(!strcmp(mode, "control"));
	fprintf(stderr, "usage: syscall-probe deny|control|work\n");
	return 2;
}
