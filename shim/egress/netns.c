/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces by descriptor: see netns.h. Must never enter the host's namespace, and must never take "could not
 * look" for "is another one".
 */
#include "shim/egress/netns.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

/* The inode that every kernel gives the initial user namespace (PROC_USER_INIT_INO). */
#define INIT_USER_NAMESPACE_INODE 0xeffffffdu

int netns_open(pid_t pid, struct err *err)
{
	cleanup_close int fd = -1;
	char path[64];

	if (pid < 0)
		return err_set(err, EINVAL, "network namespace of process %d: not a process id", (int)pid);
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	else
		snprintf(path, sizeof(path), "/proc/thread-self/ns/net");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno, "%s", path);
	return steal_fd(&fd);
}

int netns_is_same(int a_fd, int b_fd, struct err *err)
{
	struct stat a, b;

	if (fstat(a_fd, &a) < 0 || fstat(b_fd, &b) < 0)
		return err_set_errno(err, errno, "network namespace: stat");
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int netns_is_inhabited(int netns_fd, pid_t except, struct err *err)
{
	DIR *proc = opendir("/proc");
	struct stat wanted, st;
	struct dirent *entry;
	int found = 0;

	if (!proc || fstat(netns_fd, &wanted) < 0) {
		int error = errno;

		if (proc)
			closedir(proc);
		return err_set_errno(err, error, "network namespace: who lives in it");
	}
	while (!found && (entry = readdir(proc))) {
		char path[sizeof("/proc//ns/net") + sizeof(entry->d_name)];

		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == except)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		found = stat(path, &st) == 0 && st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino;
	}
	closedir(proc);
	return found;
}

/* Where pid 1 can't be looked at (rootless), the owner tells: the host's namespace belongs to the initial user namespace. */
static int refuse_initial_owner(int netns_fd, struct err *err)
{
	cleanup_close int owner_fd = ioctl(netns_fd, NS_GET_USERNS);
	struct stat st;

	if (owner_fd < 0)
		return err_set_errno(err, errno, "network namespace: its owner can't be seen, nor can the host's namespace");
	if (fstat(owner_fd, &st) < 0)
		return err_set_errno(err, errno, "network namespace: stat of its owner");
	if (st.st_ino == INIT_USER_NAMESPACE_INODE)
		return err_set(err, EPERM, "network namespace: can't be told from the host's (/proc/1/ns/net is closed to quod)");
	return 0;
}

static int refuse_host(int netns_fd, struct err *err)
{
	cleanup_close int host_fd = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (host_fd < 0 && (errno == EACCES || errno == EPERM))
		return refuse_initial_owner(netns_fd, err);
	if (host_fd < 0)
		return err_set_errno(err, errno, "/proc/1/ns/net");
	r = netns_is_same(netns_fd, host_fd, err);
	if (r > 0)
		return err_set(err, EPERM, "network namespace: is the host's, which quod never touches");
	return r;
}

int netns_enter(int netns_fd, struct err *err)
{
	cleanup_close int own_fd = -1;
	int r;

	if (ioctl(netns_fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_set(err, EINVAL, "network namespace: the descriptor is of something else");
	own_fd = netns_open(0, err);
	if (own_fd < 0)
		return own_fd;
	r = netns_is_same(netns_fd, own_fd, err);
	if (r > 0)
		return err_set(err, EPERM, "network namespace: is quod's own, which it never touches");
	if (r == 0)
		r = refuse_host(netns_fd, err);
	if (r)
		return r;
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_set_errno(err, errno, "network namespace: setns");
	return 0;
}

struct aside {
	int (*function)(void *data);
	void *data;
	int result;
};

static void *thread_aside(void *data)
{
	struct aside *aside = data;

	aside->result = aside->function(aside->data);
	return NULL;
}

/* crun runs hooks under the container's limits: its stack must not be one of them. */
#define ASIDE_STACK (1u << 20)

int netns_run_aside(int (*function)(void *data), void *data, struct err *err)
{
	struct aside aside = { function, data, -EIO };
	pthread_attr_t attributes;
	pthread_t thread;
	int r = pthread_attr_init(&attributes);

	if (!r)
		r = pthread_attr_setstacksize(&attributes, ASIDE_STACK);
	if (!r)
		r = pthread_create(&thread, &attributes, thread_aside, &aside);
	if (!r)
		r = pthread_join(thread, NULL);
	return r ? err_set_errno(err, r, "network namespace: a thread for it") : aside.result;
}
