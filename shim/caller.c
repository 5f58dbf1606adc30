/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the caller gave: see caller.h. Must never close or move a descriptor: the runtime is to find them all. */
#include "shim/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

#define DESCRIPTORS_MAX 1024

static const int signals[] = { SIGPIPE, SIGXFSZ, SIGCHLD };

struct caller {
	bool is_kept;
	mode_t umask;
	bool has_core;
	struct rlimit core;
	struct sigaction actions[ARRAY_SIZE(signals)];
};

static struct caller *caller(void)
{
	static struct caller kept;

	return &kept;
}

/* Also in front of anything else that opens a file: the lowest free descriptor is what open() gives. */
static int open_standard(struct err *err)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", O_RDWR) != fd)
			return err_set_errno(err, errno, "/dev/null for closed descriptor %d", fd);
	}
	return 0;
}

int caller_sanitise(struct err *err)
{
	struct caller *kept = caller();
	struct rlimit core;

	if (open_standard(err) < 0)
		return -err->code;
	kept->umask = umask(077);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction action = { .sa_handler = signals[i] == SIGCHLD ? SIG_DFL : SIG_IGN };

		if (sigaction(signals[i], &action, &kept->actions[i]) < 0)
			return err_set_errno(err, errno, "signal %d", signals[i]);
	}
	kept->has_core = getrlimit(RLIMIT_CORE, &kept->core) == 0;
	core = (struct rlimit){ 0, kept->core.rlim_max };
	if (!kept->has_core || setrlimit(RLIMIT_CORE, &core) < 0)
		return err_set_errno(err, errno, "core limit");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set_errno(err, errno, "dumpable");
	kept->is_kept = true;
	return 0;
}

/* execve makes the process dumpable again. */
void caller_restore(void)
{
	const struct caller *kept = caller();

	if (!kept->is_kept)
		return;
	umask(kept->umask);
	setrlimit(RLIMIT_CORE, &kept->core);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &kept->actions[i], NULL);
}

static int parse_count(const char *what, const char *text, int *count, struct err *err)
{
	size_t len = strspn(text, "0123456789");

	*count = 0;
	if (!len || text[len] || len > 4 || atoi(text) > DESCRIPTORS_MAX)
		return err_set(err, EINVAL, "%s: '%s' is not a number of descriptors from 0 to %d", what, text, DESCRIPTORS_MAX);
	*count = atoi(text);
	return 0;
}

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return "a regular file";
	case S_IFDIR: return "a directory";
	case S_IFCHR: return "a character device";
	case S_IFBLK: return "a block device";
	default: return "of another kind";
	}
}

int caller_check_descriptors(const struct oci_cmdline *line, struct err *err)
{
	const char *listen = getenv("LISTEN_FDS"), *preserve = oci_cmdline_value(line, "preserve-fds", "0");
	int listen_count = 0, preserve_count = 0;

	/* runc looks at LISTEN_PID, crun does not: the larger number counts. */
	if (listen && *listen && parse_count("LISTEN_FDS", listen, &listen_count, err) < 0)
		return -err->code;
	if (parse_count("--preserve-fds", preserve, &preserve_count, err) < 0)
		return -err->code;
	for (int fd = 3; fd < 3 + listen_count + preserve_count; fd++) {
		struct stat st;

		if (fstat(fd, &st) < 0)
			return err_set(err, EBADF, "descriptor %d, to be handed to the container, is not open", fd);
		if (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode))
			return err_set(err, EPERM, "descriptor %d, to be handed to the container, is %s: only sockets and pipes are "
				       "(--preserve-fds, LISTEN_FDS)", fd, kind_name(st.st_mode));
	}
	return listen_count + preserve_count;
}
