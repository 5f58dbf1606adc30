/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/runtime and shim/caller: what is executed, and what it inherits. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/caller.h"
#include "shim/shim.h"
#include "tests/unit/tap.h"

static int find(char *first, char *second, char **path, struct err *err)
{
	char *items[] = { first, second };

	*err = (struct err)ERR_INIT;
	return runtime_find(&(struct strings){ items, second ? 2 : 1 }, path, err);
}

static void test_find(char *self)
{
	cleanup_free char *own = realpath(self, NULL), *path = NULL;
	char dir[] = "/tmp/quod-test-runtime.XXXXXX";
	struct err err;

	OK(mkdtemp(dir) && own, "runtime: there is a directory");
	cleanup_free char *fake = alloc_printf("%s/runc", dir), *link = alloc_printf("%s/no-such-link", dir);
	OK(symlink("/bin/true", fake) == 0 && symlink(own, link) == 0, "runtime: and links");

	OK(find((char *)"no-such-runtime", (char *)"true", &path, &err) == 0, "runtime: the first that is there is found");
	OK(path && !strcmp(strrchr(path, '/'), "/true"), "runtime: by name in a fixed PATH");
	free(steal_ptr(&path));
	cleanup_free char *search = alloc_copy(getenv("PATH"));
	setenv("PATH", dir, 1);
	OK(find((char *)"no-such-link", NULL, &path, &err) == -ENOENT, "runtime: the caller's PATH is not looked at");
	setenv("PATH", search, 1);
	OK(find(fake, NULL, &path, &err) == 0 && path[0] == '/' && !strstr(path, dir), "runtime: a link is resolved");
	free(steal_ptr(&path));
	OK(find(own, (char *)"true", &path, &err) == 0 && !strstr(path, "test-runtime"), "runtime: quod itself is passed over");
	free(steal_ptr(&path));
	OK(find(link, NULL, &path, &err) == -ENOENT, "runtime: by a link, too");
	OK(strstr(err.text, "quod itself") != NULL, "runtime: and the reason is said");
	OK(find((char *)"../bin/true", NULL, &path, &err) == -EINVAL, "runtime: a relative path is refused");
	OK(find((char *)"", NULL, &path, &err) == -EINVAL, "runtime: an empty name is refused");
	cleanup_free char *aside = alloc_printf("%s" RUNTIME_ASIDE, link);
	OK(symlink("/bin/true", aside) == 0 && find(link, NULL, &path, &err) == 0 && path && !strcmp(strrchr(path, '/'), "/true"),
	   "runtime: what was put aside for quod is found by its old name");
	free(steal_ptr(&path));
	OK(unlink(aside) == 0 && symlink(own, aside) == 0 && find(link, NULL, &path, &err) == -ENOENT,
	   "runtime: but is never quod either");
	unlink(aside);
	cleanup_free char *gone = alloc_printf("%s" RUNTIME_ASIDE, fake);
	OK(find(gone, NULL, &path, &err) == 0 && path && !strcmp(strrchr(path, '/'), "/true"),
	   "runtime: and by its new one, once it is back in its place");
	free(steal_ptr(&path));
	unlink(fake);
	unlink(link);

	int fd = open(fake, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	OK(fd >= 0 && write(fd, "#!/bin/sh\n", 10) == 10 && fchmod(fd, 0777) == 0, "runtime: there is a program all may write");
	close(fd);
	OK(find(fake, (char *)"true", &path, &err) == -EPERM, "runtime: that is refused, and nothing else is taken instead");
	unlink(fake);
	rmdir(dir);
}

static void test_tell(void)
{
	enum oci_dialect dialect;
	struct err err = ERR_INIT;

	OK(runtime_tell("/x/runc", &dialect, &err) == 0 && dialect == OCI_DIALECT_RUNC, "runtime: runc by its name");
	OK(runtime_tell("/x/crun", &dialect, &err) == 0 && dialect == OCI_DIALECT_CRUN, "runtime: crun by its name");
	OK(runtime_tell("/x/runc.distrib", &dialect, &err) == 0 && dialect == OCI_DIALECT_RUNC, "runtime: a diverted one, too");
	OK(runtime_tell("/bin/true", &dialect, &err) == -ENOTSUP, "runtime: what says neither for --version is refused");
}

static char *resolved(const char *root)
{
	struct err err = ERR_INIT;
	char *path = runtime_resolve_root(root, &err);

	return path ? path : alloc_copy(err.text);
}

static void is_root(const char *root, const char *wanted, const char *what)
{
	cleanup_free char *got = resolved(root);

	IS_STR(got, wanted, "runtime: %s", what);
}

static void test_root(void)
{
	is_root("/proc/../usr", "/usr", "a root that is there is resolved");
	is_root("/usr/no-such/deeper", "/usr/no-such/deeper", "one that isn't there yet stays as it will be");
	is_root("//usr/./no-such//x/", "/usr/no-such/x", "without what means nothing");
	is_root("/", "/", "the root directory itself");
	is_root("/no-such/../usr", "--root /no-such/../usr: write it without '..'", "'..' behind what isn't there is refused");
	is_root("", "--root '' is not the path of a directory", "an empty root is refused");
	OK(chdir("/usr") == 0, "runtime: a working directory");
	is_root("no-such", "/usr/no-such", "a relative root is made absolute");
	setenv("XDG_RUNTIME_DIR", "/run/user/9", 1);
	cleanup_free char *crun = runtime_default_root(OCI_DIALECT_CRUN);
	IS_STR(crun, "/run/user/9/crun", "runtime: crun's root follows XDG_RUNTIME_DIR");
	unsetenv("XDG_RUNTIME_DIR");
	cleanup_free char *runc = runtime_default_root(OCI_DIALECT_RUNC);
	IS_STR(runc, "/run/runc", "runtime: runc's root");
}

/* The output of `sh -c SCRIPT`, run as the runtime would be. */
static char *run(const char *script, int *status)
{
	char *argv[] = { (char *)"x", (char *)"-c", (char *)script, NULL };
	struct buf output = BUF_INIT;
	struct err err = ERR_INIT;

	*status = runtime_run("/bin/sh", argv, &output, &err);
	return buf_steal(&output);
}

static void test_environment(void)
{
	static const char *const gone[] = { "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_DEBUG_OUTPUT", "GLIBC_TUNABLES",
					    "GCONV_PATH", "LOCPATH", "MALLOC_TRACE", "GODEBUG", "GOTRACEBACK", "GOGC", "GOMAXPROCS",
					    "QUOD_PROFILE", "_QUOD_X", "RUN_OCI_SECCOMP_RECEIVER" };
	static const char *const kept[] = { "_LIBCONTAINER_INITPIPE", "LISTEN_FDS", "NOTIFY_SOCKET", "XDG_RUNTIME_DIR", "HOME",
					    "DBUS_SESSION_BUS_ADDRESS", "_OCI_SYNCPIPE", "TMPDIR", "LOAD", "GO" };
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		setenv(gone[i], "v", 1);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		setenv(kept[i], "v", 1);
	cleanup_free char *output = run("env", &status);
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
		cleanup_free char *line = alloc_printf("\n%s=", gone[i]);

		OK(output && strlen(output) > 50 && !strstr(output, line), "runtime: %s is not handed on", gone[i]);
		unsetenv(gone[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		cleanup_free char *line = alloc_printf("%s=v\n", kept[i]);

		OK(output && strstr(output, line), "runtime: %s is", kept[i]);
		unsetenv(kept[i]);
	}
}

static void test_run(void)
{
	struct err err = ERR_INIT;
	char *argv[] = { (char *)"x", NULL };
	int status;
	cleanup_free char *first = run("echo $0; exit 7", &status);

	IS_STR(first, "/bin/sh\n", "runtime: argv[0] is the path");
	OK(status == 7, "runtime: the exit status is handed on");
	cleanup_free char *second = run("kill -KILL $$", &status);
	OK(second && status == 128 + SIGKILL, "runtime: a signal is 128 and its number");
	OK(runtime_exec("/no-such", argv, &err) == -ENOENT && strstr(err.text, "/no-such"), "runtime: a failure is returned");
}

static void test_caller(void)
{
	struct rlimit core = { 4096, 4096 }, now;
	struct err err = ERR_INIT;
	struct sigaction action;
	const char *ignored;
	int status;

	umask(027);
	setrlimit(RLIMIT_CORE, &core);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	OK(caller_sanitise(&err) == 0, "caller: the process is put in order");
	OK(umask(077) == 077, "caller: umask is 077");
	OK(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == 0, "caller: there is no core dump");
	OK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN, "caller: a broken pipe is an error");
	cleanup_free char *output = run("umask; ulimit -c; grep SigIgn /proc/self/status", &status);
	OK(output && status == 0, "caller: a child is waited for although SIGCHLD was ignored");
	OK(output && !strncmp(output, "0027\n", 5), "caller: the runtime has the caller's umask");
	OK(output && (strstr(output, "\n8\n") || strstr(output, "\n4\n")), "caller: and his core limit");
	ignored = output ? strstr(output, "SigIgn:") : NULL;
	OK(ignored && (strtoull(ignored + 7, NULL, 16) & 0x1001000) == 0x1000000,
	   "caller: and his signals: SIGXFSZ ignored, SIGPIPE not");
}

static int check(const char *listen, const char *preserve, struct err *err)
{
	char *argv[] = { (char *)"quod", (char *)"create", (char *)preserve, (char *)"id", NULL };
	struct oci_cmdline line;
	int r;

	*err = (struct err)ERR_INIT;
	if (listen)
		setenv("LISTEN_FDS", listen, 1);
	else
		unsetenv("LISTEN_FDS");
	oci_cmdline_parse(OCI_DIALECT_RUNC, 4, argv, &line, err);
	r = caller_check_descriptors(&line, err);
	oci_cmdline_free(&line);
	unsetenv("LISTEN_FDS");
	return r;
}

/* Descriptors 3.. are the test's own: a pair of sockets, a pipe, then others in 7. */
static void test_descriptors(void)
{
	int sockets[2], ends[2];
	struct err err;

	for (int fd = 3; fd < 20; fd++)
		close(fd);
	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0 && pipe(ends) == 0 && ends[1] == 6, "caller: descriptors 3 to 6 are open");
	OK(check(NULL, "--preserve-fds=0", &err) == 0, "caller: none asked for is fine");
	OK(check(NULL, "--preserve-fds=4", &err) == 4, "caller: sockets and pipes may be handed on");
	OK(check("2", "--preserve-fds=2", &err) == 4, "caller: LISTEN_FDS and --preserve-fds add up");
	OK(check("2", "--preserve-fds=3", &err) == -EBADF, "caller: one that isn't open is refused");
	OK(check(NULL, "--preserve-fds=-1", &err) == -EINVAL, "caller: a negative number is refused");
	OK(check(NULL, "--preserve-fds=1x", &err) == -EINVAL, "caller: what is no number is refused");
	OK(check("99999", "--preserve-fds=0", &err) == -EINVAL, "caller: so is one out of range");
	OK(open("/", O_RDONLY | O_DIRECTORY) == 7 && check(NULL, "--preserve-fds=5", &err) == -EPERM && strstr(err.text, "a directory"),
	   "caller: a directory is refused");
	close(7);
	OK(open("/dev/null", O_RDONLY) == 7 && check(NULL, "--preserve-fds=5", &err) == -EPERM, "caller: a device is refused");
	close(7);
	OK(open("/proc/self/exe", O_RDONLY) == 7 && check("5", "--preserve-fds=0", &err) == -EPERM, "caller: a file is refused");
	for (int fd = 3; fd < 8; fd++)
		close(fd);
}

int main(int argc, char **argv)
{
	test_find(argv[0]);
	test_tell();
	test_root();
	test_environment();
	test_run();
	test_caller();
	test_descriptors();
	return tap_done();
}
