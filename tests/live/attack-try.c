/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attack-try WHAT...: one attempt each, made inside a container as root. Prints "WHAT worked" or "WHAT: the reason why not".
 * Linked statically: the image need not be of this machine's kind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/random.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#ifndef IP_TRANSPARENT
#define IP_TRANSPARENT 19
#endif

static int set_option(int level, int option)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	return fd < 0 ? -1 : setsockopt(fd, level, option, &one, sizeof(one));
}

static int bind_device(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5);
}

static int source_route(void)
{
	unsigned char lsrr[] = { 131, 7, 4, 10, 0, 0, 1, 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : setsockopt(fd, IPPROTO_IP, IP_OPTIONS, lsrr, sizeof(lsrr));
}

static int add_entropy(void)
{
	struct rand_pool_info *info = calloc(1, sizeof(*info) + 8);
	int fd = open("/dev/random", O_WRONLY);

	info->entropy_count = 1;
	info->buf_size = 8;
	return fd < 0 ? -1 : ioctl(fd, RNDADDENTROPY, info);
}

static int raise_ambient(void)
{
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	prctl(PR_SET_SECUREBITS, 0, 0, 0, 0);
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0);
}

static int set_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	memset(data, 0xff, sizeof(data));
	return (int)syscall(SYS_capset, &header, data);
}

static int step_clock(void)
{
	struct timex timex = { .modes = ADJ_OFFSET, .offset = 0 };

	return adjtimex(&timex) < 0 ? -1 : 0;
}

static int lock_memory(void)
{
	size_t size = 64u << 20;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? -1 : mlock(memory, size);
}

static int add_key(void)
{
	return syscall(SYS_add_key, "user", "quod-attack", "x", 1, -4 /* uid's own */) < 0 ? -1 : 0;
}

static int remove_key(void)
{
	long key = syscall(SYS_keyctl, 10 /* search */, -4, "user", "quod-attack", 0);

	return key < 0 ? -1 : (int)syscall(SYS_keyctl, 9 /* unlink */, key, -4);
}

/* The inode that is a file system's root, by the descriptor of a file on it: what path lookup would not give. */
static int open_root_by_handle(void)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + 8];
	} root = { .handle = { .handle_bytes = 8, .handle_type = 1 } };
	unsigned inode = 2;
	int fd = open("/", O_RDONLY), found;

	memcpy(root.handle.f_handle, &inode, sizeof(inode));
	found = open_by_handle_at(fd, &root.handle, O_RDONLY);
	return found < 0 && errno != ESTALE ? -1 : 0;
}

static int set_nice(void)
{
	errno = 0;
	return nice(-5) == -1 && errno ? -1 : 0;
}

static int set_realtime(void)
{
	struct sched_param param = { 10 };

	return sched_setscheduler(0, SCHED_FIFO, &param);
}

static int raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int vsock_socket(void)
{
	return socket(40, SOCK_STREAM, 0);
}

static int can_socket(void)
{
	return socket(AF_CAN, SOCK_RAW, 1);
}

static int alg_socket(void)
{
	return socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static int mount_tmpfs(void)
{
	return mount("t", "/tmp", "tmpfs", 0, NULL);
}

static int unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}

static int unshare_net(void)
{
	return unshare(CLONE_NEWNET);
}

static int make_node(void)
{
	return mknod("/tmp/node", S_IFCHR | 0600, 1 << 8 | 11);
}

static int change_root(void)
{
	return chroot("/tmp");
}

static int push_input(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static int read_kernel_log(void)
{
	char text[16];

	return (int)syscall(SYS_syslog, 3, text, sizeof(text));
}

static int set_host_name(void)
{
	return sethostname("host", 4);
}

static int trace_first(void)
{
	return (int)syscall(SYS_ptrace, 16 /* attach */, 1, 0, 0);
}

static int mark(void)
{
	return set_option(SOL_SOCKET, SO_MARK);
}

static int transparent(void)
{
	return set_option(IPPROTO_IP, IP_TRANSPARENT);
}

static int be_root(void)
{
	errno = EPERM;
	return geteuid() ? -1 : 0;
}

static int load_module(void)
{
	return (int)syscall(SYS_finit_module, open("/proc/self/exe", O_RDONLY), "", 0) < 0 && errno == EPERM ? -1 : 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} attempts[] = {
	{ "mark", mark }, { "transparent", transparent }, { "bind-device", bind_device }, { "source-route", source_route },
	{ "entropy", add_entropy }, { "ambient", raise_ambient }, { "capset", set_capabilities }, { "clock", step_clock },
	{ "mlock", lock_memory }, { "add-key", add_key }, { "remove-key", remove_key }, { "handle", open_root_by_handle }, { "nice", set_nice },
	{ "realtime", set_realtime }, { "raw", raw_socket }, { "packet", packet_socket }, { "vsock", vsock_socket },
	{ "can", can_socket }, { "alg", alg_socket }, { "mount", mount_tmpfs }, { "newuser", unshare_user },
	{ "newnet", unshare_net }, { "mknod", make_node }, { "chroot", change_root }, { "tiocsti", push_input },
	{ "syslog", read_kernel_log }, { "hostname", set_host_name }, { "ptrace-first", trace_first }, { "module", load_module }, { "be-root", be_root },
};

/* Holds as many terminals as the container gets, until it is killed. */
static int hold_terminals(void)
{
	int count = 0;

	while (open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0)
		count++;
	printf("holds %d terminals\n", count);
	fflush(stdout);
	return pause();
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "terminals"))
			return hold_terminals();
		for (size_t k = 0; k < sizeof(attempts) / sizeof(attempts[0]); k++) {
			if (strcmp(attempts[k].name, argv[i]))
				continue;
			if (attempts[k].run() < 0)
				printf("%s: %s\n", argv[i], strerror(errno));
			else
				printf("%s worked\n", argv[i]);
		}
	}
	return 0;
}
