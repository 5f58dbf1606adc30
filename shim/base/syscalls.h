/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls that glibc 2.36 has no or an incomplete wrapper for; as in their man pages, -1 and errno on failure. */
#ifndef QUOD_BASE_SYSCALLS_H
#define QUOD_BASE_SYSCALLS_H

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int sys_openat2(int dir_fd, const char *path, unsigned long long flags, unsigned long long resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };

	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

static inline int sys_pidfd_open(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static inline int sys_pidfd_send_signal(int pid_fd, int signal_number)
{
	return (int)syscall(SYS_pidfd_send_signal, pid_fd, signal_number, NULL, 0);
}

/* glibc's own, from 2.41 on, blocks signals and maps memory at its first call: more than a filter should allow. */
static inline ssize_t sys_getrandom(void *memory, size_t size)
{
	return syscall(SYS_getrandom, memory, size, 0);
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

#endif
