/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a helper gives up: see lockdown.h. Must fail as a whole: a helper that kept more than it said must not start. */
#include "shim/warden/lockdown.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/base/file.h"
#include "shim/base/syscalls.h"

/* The new root is put together where nothing that it holds can lie. */
#define BASE "/proc"
#define SYSLOG "/dev/log"

static int bind_directory(const char *directory, struct err *err)
{
	char to[PATH_MAX];
	int r;

	if (snprintf(to, sizeof(to), BASE "%s", directory) >= (int)sizeof(to))
		return err_set(err, ENAMETOOLONG, "%s: path too long", directory);
	r = file_make_dirs(to, 0700, err);
	if (!r && mount(directory, to, NULL, MS_BIND, NULL) < 0)
		r = err_set_errno(err, errno, "bind %s", directory);
	return r;
}

/* Its absence costs no more than the anchors of the audit trail that this helper would send. */
static void bind_syslog(void)
{
	struct err none = ERR_INIT;
	struct stat st;
	int fd;

	if (stat(SYSLOG, &st) < 0 || !S_ISSOCK(st.st_mode) || file_make_dirs(BASE "/dev", 0700, &none))
		return;
	fd = open(BASE SYSLOG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	close(fd);
	if (mount(SYSLOG, BASE SYSLOG, NULL, MS_BIND, NULL) < 0)
		unlink(BASE SYSLOG);
}

int lockdown_files(const char *const *directories, size_t count, struct err *err)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	int r = 0;

	for (size_t i = 0; i < count && !r; i++)
		r = directories[i][0] == '/' && directories[i][1] ? file_make_dirs(directories[i], 0700, err) :
			err_set(err, EINVAL, "'%s' is no directory for the helpers' files", directories[i]);
	if (r)
		return r;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("quod", BASE, "tmpfs", flags, "mode=700,size=64k,nr_inodes=64") < 0)
		return err_set_errno(err, errno, "mount namespace of the helpers");
	for (size_t i = 0; i < count && !r; i++)
		r = bind_directory(directories[i], err);
	if (r)
		return r;
	bind_syslog();
	if (chdir(BASE) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | flags, NULL) < 0)
		return err_set_errno(err, errno, "root of the helpers");
	return 0;
}

static int drop_bounding(uint64_t kept, struct err *err)
{
	for (int i = 0; i < 64 && cap_get_bound((cap_value_t)i) >= 0; i++)
		if (!(kept >> i & 1) && cap_get_bound((cap_value_t)i) == 1 && cap_drop_bound((cap_value_t)i) < 0)
			return err_set_errno(err, errno, "capability %d cannot be dropped", i);
	return 0;
}

static int set_capabilities(uint64_t kept, struct err *err)
{
	cap_t caps = cap_init();
	int r = caps ? 0 : -1;

	for (int i = 0; !r && i < 64; i++) {
		cap_value_t value = (cap_value_t)i;

		if (kept >> i & 1)
			r = cap_set_flag(caps, CAP_PERMITTED, 1, &value, CAP_SET) ||
			    cap_set_flag(caps, CAP_EFFECTIVE, 1, &value, CAP_SET);
	}
	if (!r)
		r = cap_set_proc(caps);
	if (r)
		err_set_errno(err, errno, "capabilities cannot be dropped");
	cap_free(caps);
	return r ? -err->code : 0;
}

int lockdown_privileges(uint64_t kept, struct err *err)
{
	static const struct rlimit none = { 0, 0 };
	int r = drop_bounding(kept, err);

	if (!r && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		r = err_set_errno(err, errno, "ambient capabilities cannot be dropped");
	if (!r)
		r = set_capabilities(kept, err);
	if (r)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return err_set_errno(err, errno, "no_new_privs, dumpable, core size");
	return 0;
}

int lockdown_calls(const struct lockdown_call *calls, size_t count, struct err *err)
{
	struct sock_filter code[CALL_FILTER_MAX];
	int len = call_filter_make(calls, count, code);
	struct sock_fprog program = { .len = (unsigned short)len, .filter = code };

	if (len < 0)
		return err_set_errno(err, -len, "system call filter");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return err_set_errno(err, errno, "system call filter");
	return 0;
}

static int by_number(const void *left, const void *right)
{
	return *(const int *)left - *(const int *)right;
}

int lockdown_descriptors(int *kept, size_t count, struct err *err)
{
	unsigned from = STDERR_FILENO + 1;

	qsort(kept, count, sizeof(*kept), by_number);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] < (int)from)
			continue;
		if (kept[i] > (int)from && sys_close_range(from, (unsigned)kept[i] - 1, 0) < 0)
			return err_set_errno(err, errno, "descriptors");
		from = (unsigned)kept[i] + 1;
	}
	return sys_close_range(from, ~0u, 0) < 0 ? err_set_errno(err, errno, "descriptors") : 0;
}
