/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime underneath: found in a fixed PATH, held to an owner chain of root's, executed or run. Must never execute quod
 * itself, and never a file that somebody else can change.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/base/userns.h"
#include "shim/caller.h"
#include "shim/shim.h"

#define OUTPUT_MAX (64u << 20)

extern char **environ;

static const char *const search_path[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

/* Not handed on. Names that end in "*" are prefixes. */
static const char *const scrubbed[] = {
	"LD_*",				/* the loader: code into the runtime (PRELOAD, AUDIT, LIBRARY_PATH), files by DEBUG_OUTPUT */
	"GLIBC_TUNABLES", "MALLOC_*",	/* the allocator: its checks, and a trace file */
	"GCONV_PATH", "GETCONF_DIR", "LOCPATH", "NLSPATH", "TZDIR",	/* files and modules that libc loads */
	"HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "RESOLV_HOST_CONF",	/* the resolver */
	"GODEBUG", "GOTRACEBACK", "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GORACE", "GOCOVERDIR",	/* the Go runtime */
	"WASMEDGE_*",			/* crun: plug-ins that it loads */
	"RUN_OCI_SECCOMP_RECEIVER",	/* crun: who answers for the container's system calls */
	"QUOD_*", "_QUOD_*",		/* no environment variable steers quod, nor what it hands on */
};

static bool is_scrubbed(const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < ARRAY_SIZE(scrubbed); i++) {
		size_t name_len = strlen(scrubbed[i]);
		bool is_prefix = scrubbed[i][name_len - 1] == '*';

		if (is_prefix ? len >= name_len - 1 && !memcmp(variable, scrubbed[i], name_len - 1)
			      : len == name_len && !memcmp(variable, scrubbed[i], len))
			return true;
	}
	return false;
}

/* Borrowed strings in an array of its own. */
static char **make_environment(void)
{
	size_t count = 0, kept = 0;
	char **made;

	while (environ && environ[count])
		count++;
	made = alloc_zeroed(count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		if (!is_scrubbed(environ[i]))
			made[kept++] = environ[i];
	}
	return made;
}

static bool is_rootless(void)
{
	return geteuid() != 0 || !userns_is_initial();
}

/* quodctl asks, too, and means quod. */
static bool is_quod(const struct stat *st)
{
	static const char *const places[] = { "/proc/self/exe", QUOD_BINDIR "/quod" };
	struct stat quod;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (stat(places[i], &quod) == 0 && st->st_dev == quod.st_dev && st->st_ino == quod.st_ino)
			return true;
	return false;
}

/* 1: *path is set; 0: not there, or quod itself; negative: there, but not to be trusted. */
static int try_file(const char *candidate, char **path, struct err *err)
{
	cleanup_free char *resolved = realpath(candidate, NULL);
	bool rootless = is_rootless();
	struct stat st;

	if (!resolved)
		return 0;
	if (stat(resolved, &st) < 0 || !S_ISREG(st.st_mode) || access(resolved, X_OK) < 0 || is_quod(&st))
		return 0;
	if (file_check_owner_chain(resolved, rootless ? geteuid() : 0, rootless, err) < 0)
		return err_wrap(err, "runtime %s is not trusted", candidate);
	*path = steal_ptr(&resolved);
	return 1;
}

/* Where quod stands in a runtime's place, that lies beside it; a record may name either, before and after. */
static int try_candidate(const char *candidate, char **path, struct err *err)
{
	size_t len = strlen(candidate), aside_len = strlen(RUNTIME_ASIDE);
	bool is_aside = len > aside_len && !strcmp(candidate + len - aside_len, RUNTIME_ASIDE);
	cleanup_free char *other = is_aside ? alloc_printf("%.*s", (int)(len - aside_len), candidate) :
					      alloc_printf("%s" RUNTIME_ASIDE, candidate);
	int r = try_file(candidate, path, err);

	if (r || (!is_aside && access(candidate, F_OK) < 0))
		return r;
	return try_file(other, path, err);
}

static int try_name(const char *name, char **path, struct err *err)
{
	int r = 0;

	if (name[0] == '/')
		return try_candidate(name, path, err);
	if (!name[0] || strchr(name, '/'))
		return err_set(err, EINVAL, "runtime '%s': a name or an absolute path is wanted", name);
	for (size_t i = 0; i < ARRAY_SIZE(search_path) && !r; i++) {
		cleanup_free char *candidate = alloc_printf("%s/%s", search_path[i], name);

		r = try_candidate(candidate, path, err);
	}
	return r;
}

int runtime_find(const struct strings *wanted, char **path, struct err *err)
{
	cleanup_buf struct buf names = BUF_INIT;

	*path = NULL;
	for (size_t i = 0; i < wanted->count; i++) {
		int r = try_name(wanted->items[i], path, err);

		if (r)
			return r < 0 ? r : 0;
		buf_printf(&names, "%s%s", i ? ", " : "", wanted->items[i]);
	}
	return err_set(err, ENOENT, "no runtime: %s is not in /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin, "
		       "or is quod itself (install runc or crun, or name it in quod.json, \"runtime\")",
		       names.len ? names.data : "nothing");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int runtime_tell(const char *path, enum oci_dialect *dialect, struct err *err)
{
	const char *name = base_name(path);
	char *argv[] = { (char *)path, (char *)"--version", NULL };
	cleanup_buf struct buf output = BUF_INIT;
	struct err ignored = ERR_INIT;

	*dialect = OCI_DIALECT_RUNC;
	if (!strncmp(name, "runc", 4))
		return 0;
	if (!strncmp(name, "crun", 4)) {
		*dialect = OCI_DIALECT_CRUN;
		return 0;
	}
	if (runtime_run(path, argv, &output, &ignored) == 0 && output.len) {
		if (!strncmp(output.data, "runc version ", 13))
			return 0;
		if (!strncmp(output.data, "crun version ", 13)) {
			*dialect = OCI_DIALECT_CRUN;
			return 0;
		}
	}
	return err_set(err, ENOTSUP, "runtime %s says neither runc nor crun for --version: what it does can't be held to a profile",
		       path);
}

enum oci_dialect runtime_dialect(const char *path)
{
	enum oci_dialect dialect;
	struct err ignored = ERR_INIT;

	runtime_tell(path, &dialect, &ignored);
	return dialect;
}

/* runc ignores XDG_RUNTIME_DIR for the host's root, and for a user namespace's that calls itself root; crun never does. */
char *runtime_default_root(enum oci_dialect dialect)
{
	const char *run = getenv("XDG_RUNTIME_DIR"), *user = getenv("USER");

	if (!run || !*run)
		run = "/run";
	else if (dialect == OCI_DIALECT_RUNC && geteuid() == 0 && (userns_is_initial() || (user && !strcmp(user, "root"))))
		run = "/run";
	return alloc_printf("%s/%s", run, dialect == OCI_DIALECT_CRUN ? "crun" : "runc");
}

/* What is there is resolved; what isn't yet is put behind it as it will be once it is there. */
char *runtime_resolve_root(const char *root, struct err *err)
{
	cleanup_free char *cwd = root[0] == '/' ? NULL : getcwd(NULL, 0);
	cleanup_free char *front = NULL, *resolved = NULL, *tail = NULL;
	struct buf made = BUF_INIT;

	if (!root[0] || (root[0] != '/' && !cwd)) {
		err_set(err, EINVAL, "--root '%s' is not the path of a directory", root);
		return NULL;
	}
	front = root[0] == '/' ? alloc_copy(root) : alloc_printf("%s/%s", cwd, root);
	tail = alloc_copy(front);
	while (!(resolved = realpath(front[0] ? front : "/", NULL)) && front[0])
		*strrchr(front, '/') = '\0';
	buf_puts(&made, resolved && strcmp(resolved, "/") ? resolved : "");
	for (char *at = tail + strlen(front), *name; (name = strsep(&at, "/"));) {
		if (!strcmp(name, "..")) {
			err_set(err, EINVAL, "--root %s: write it without '..'", root);
			buf_free(&made);
			return NULL;
		}
		if (*name && strcmp(name, "."))
			buf_printf(&made, "/%s", name);
	}
	if (!made.len)
		buf_putc(&made, '/');
	return buf_steal(&made);
}

int runtime_exec(const char *path, char **argv, struct err *err)
{
	cleanup_free char **environment = make_environment();
	cleanup_free char **replaced = NULL;
	size_t count = 0;

	while (argv[count])
		count++;
	replaced = alloc_zeroed(count + 2, sizeof(char *));
	memcpy(replaced, argv, count * sizeof(char *));
	replaced[0] = (char *)path;
	caller_restore();
	execve(path, replaced, environment);
	return err_set_errno(err, errno, "execute %s", path);
}

/* In the child: becomes the runtime, or says why not and ends as a shell would. */
static void __attribute__((noreturn)) run_child(const char *path, char **argv, int output_fd)
{
	struct err err = ERR_INIT;

	if (output_fd >= 0 && dup2(output_fd, STDOUT_FILENO) < 0)
		_exit(126);
	runtime_exec(path, argv, &err);
	dprintf(STDERR_FILENO, "quod: %s\n", err.text);
	_exit(126);
}

static int wait_for(pid_t pid, struct err *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_set_errno(err, errno, "wait for the runtime");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int read_output(int fd, struct buf *output, struct err *err)
{
	char chunk[16384];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, errno, "read the runtime's answer");
		if (got == 0)
			return 0;
		if (output->len + (size_t)got > OUTPUT_MAX)
			return err_set(err, EFBIG, "the runtime's answer is longer than %u bytes", OUTPUT_MAX);
		buf_put(output, chunk, (size_t)got);
	}
}

int runtime_run(const char *path, char **argv, struct buf *output, struct err *err)
{
	cleanup_close int read_fd = -1, write_fd = -1;
	int ends[2] = { -1, -1 }, r = 0, status;
	pid_t pid;

	if (output && pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	read_fd = ends[0];
	write_fd = ends[1];
	pid = fork();
	if (pid < 0)
		return err_set_errno(err, errno, "fork");
	if (pid == 0)
		run_child(path, argv, write_fd);
	cleanup_close_at(&write_fd);
	if (output)
		r = read_output(read_fd, output, err);
	cleanup_close_at(&read_fd);
	status = wait_for(pid, err);
	return r ? r : status;
}
