/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of the record (shim/state/record.c), of where it lies, and of how its directory goes. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/state/record.h"
#include "tests/unit/tap.h"

static struct state_places places;
static char key[STATE_KEY];

static void spill(int dir_fd, const char *name, const char *text)
{
	cleanup_close int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || file_write_all(fd, text, strlen(text)))
		exit(99);
}

static void test_key(void)
{
	char other[STATE_KEY];

	state_key("/run/runc", "c1", key);
	OK(strlen(key) == 40 && strspn(key, "0123456789abcdef") == 40, "record: a key is 40 hex digits");
	state_key("/run/crun", "c1", other);
	OK(strcmp(key, other), "record: one id under two roots has two keys");
	state_key("/run/runcc", "1", other);
	OK(strcmp(key, other), "record: the root's end is part of the key");
}

static const char record_text[] =
	"{\"version\":1,\"id\":\"c1\",\"key\":\"k\",\"runtime_root\":\"/run/runc\",\"runtime\":\"/usr/sbin/runc\",\"bundle\":\"/b\","
	"\"engine\":\"docker\",\"profile\":\"web\",\"digest\":\"d\",\"chosen_by\":\"default\",\"ledger_key\":\"k\","
	"\"profile_json\":{\"version\":1},\"plan\":{},\"created_s\":1700000000,\"guardian_pid\":77}";

static const char record_of_proxies[] =
	"{\"version\":1,\"id\":\"c1\",\"key\":\"k\",\"runtime_root\":\"/run/runc\",\"runtime\":\"/usr/sbin/runc\",\"bundle\":\"/b\","
	"\"engine\":\"docker\",\"profile\":\"web\",\"digest\":\"d\",\"chosen_by\":\"default\",\"ledger_key\":\"k\",\"profile_json\":"
	"{\"version\":1,\"process\":{\"env\":{\"set\":{\"http_proxy\":\"\",\"HTTP_PROXY\":\"\"}}}},\"plan\":{},\"created_s\":1}";

static void test_read(void)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err err = ERR_INIT;
	struct record record;
	cleanup_close int fd = -1;
	struct stat st;

	OK(record_open_dir(&places, key, false, &err) == -ENOENT, "record: an unknown container has no directory");
	OK(record_open_dir(&places, "../x", true, &err) == -EINVAL, "record: a key that is a path is refused");
	fd = record_open_dir(&places, key, true, &err);
	OK(fd >= 0 && !fstat(fd, &st) && (st.st_mode & 0777) == 0700, "record: the directory is made, the owner's alone");
	OK(record_read(fd, &record, &err) == -ENOENT, "record: none is there before it is written");
	if (json_parse(record_text, strlen(record_text), JSON_PLAIN, NULL, &tree, &err))
		exit(99);
	OK(record_write(fd, json_root(tree), &err) == 0, "record: it is written");
	OK(record_read(fd, &record, &err) == 0, "record: and read back");
	IS_STR(record.id, "c1", "record: the id comes back");
	OK(record.created_s == 1700000000 && record.guardian_pid == 77, "record: the numbers come back");
	OK(json_is(record.profile_json, JSON_OBJECT) && json_is(record.plan, JSON_OBJECT), "record: profile and plan come back");
	record_release(&record);
	spill(fd, "record.json", record_of_proxies);
	OK(record_read(fd, &record, &err) == 0, "record: a profile's variables may differ only in case");
	record_release(&record);
	spill(fd, "record.json", "{\"version\":2}");
	OK(record_read(fd, &record, &err) == -EPROTO, "record: another version is refused as such");
	spill(fd, "record.json", "{\"version\":1,\"id\":3}");
	OK(record_read(fd, &record, &err) == -EPROTO && !record.tree, "record: one that lacks a field is refused");
	spill(fd, "record.json", "{\"version\":1");
	OK(record_read(fd, &record, &err) < 0 && !record.tree, "record: a torn one is refused");
	unlinkat(fd, "record.json", 0);
	if (symlinkat("/etc/passwd", fd, "record.json"))
		exit(99);
	OK(record_read(fd, &record, &err) == -ELOOP, "record: a link in its place is not followed");
}

static void test_lock(void)
{
	struct err err = ERR_INIT;
	cleanup_close int fd = record_open_dir(&places, key, true, &err), other_fd = record_open_dir(&places, key, true, &err);

	OK(record_lock(fd, 0, &err) == 0, "record: a container is locked");
	OK(record_lock(other_fd, 20, &err) == -ETIMEDOUT, "record: a second command waits and gives up");
	close(steal_fd(&fd));
	OK(record_lock(other_fd, 20, &err) == 0, "record: the lock goes with the descriptor");
}

static int count_key(const char *found, void *data)
{
	*(int *)data += !strcmp(found, key);
	return 0;
}

static int stop_at_once(const char *found, void *data)
{
	(void)found;
	(void)data;
	return 7;
}

static void test_each(void)
{
	struct state_places nowhere = { .run_dir = "/nonexistent" };
	struct err err = ERR_INIT;
	char path[300];
	int count = 0;

	snprintf(path, sizeof(path), "%s/containers/not-a-key", places.run_dir);
	mkdir(path, 0700);
	OK(record_each(&places, count_key, &count, &err) == 0 && count == 1, "record: each container is visited");
	OK(record_each(&places, stop_at_once, NULL, &err) == 7, "record: a visit can end the round");
	OK(record_each(&nowhere, count_key, &count, &err) == 0, "record: no directory is no container");
	rmdir(path);
}

/* A workspace that stays mounted, in a mount namespace of its own; as root of a user namespace where there is no root. */
static int remove_with_mounts(const char *workspace, bool under_mounts)
{
	struct err err = ERR_INIT;
	char path[400];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
			_exit(77);
		snprintf(path, sizeof(path), "%s/containers/%s/%s/0", places.run_dir, key, under_mounts ? "mounts" : "other");
		if (mount(workspace, path, NULL, MS_BIND, NULL) || mount(workspace, path, NULL, MS_BIND, NULL))
			_exit(77);
		_exit(record_remove(&places, key, &err) == 0 ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void make_tree(void)
{
	struct err err = ERR_INIT;
	cleanup_close int fd = record_open_dir(&places, key, true, &err);

	if (fd < 0)
		exit(99);
	mkdirat(fd, "mounts", 0700);
	mkdirat(fd, "mounts/0", 0700);
	mkdirat(fd, "other", 0700);
	mkdirat(fd, "other/0", 0700);
	spill(fd, "other/file", "x");
}

static void test_remove(void)
{
	char workspace[300], precious[330], path[330];
	struct err err = ERR_INIT;
	cleanup_close int fd = -1;
	int r;

	snprintf(workspace, sizeof(workspace), "%s/workspace", places.run_dir);
	snprintf(precious, sizeof(precious), "%s/precious", workspace);
	snprintf(path, sizeof(path), "%s/containers/%s", places.run_dir, key);
	mkdir(workspace, 0700);
	spill(AT_FDCWD, precious, "x");

	make_tree();
	r = remove_with_mounts(workspace, true);
	OK(r == 0 || r == 77, "record: what is mounted below is detached, and the directory goes");
	OK(access(precious, F_OK) == 0, "record: a mounted workspace is left alone");
	OK(r == 77 || access(path, F_OK) < 0, "record: nothing is left of the directory");
	make_tree();
	r = remove_with_mounts(workspace, false);
	OK(r == 1 || r == 77, "record: a mount where none belongs stops the removal");
	OK(access(precious, F_OK) == 0, "record: and is never entered");

	make_tree();
	fd = record_open_dir(&places, key, true, &err);
	if (symlinkat(workspace, fd, "link") || symlinkat(workspace, fd, "other/link"))
		exit(99);
	OK(record_remove(&places, key, &err) == 0 && access(path, F_OK) < 0, "record: a directory with links in it goes");
	OK(access(precious, F_OK) == 0, "record: no link is followed");
	OK(record_remove(&places, key, &err) == 0, "record: removing what isn't there is no error");
}

static void test_places(void)
{
	struct state_places found;

	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/home/a", 1);
	state_places_init(&found);
	if (geteuid() == 0 && !system("grep -q '0 *0 *4294967295' /proc/self/uid_map"))
		IS_STR(found.run_dir, QUOD_RUNDIR, "places: no environment variable steers the host's root");
	else
		IS_STR(found.run_dir, "/run/user/1000/quod", "places: a user's state lies in his own directory");
	if (geteuid() == 0 && setuid(65534) == 0) {
		state_places_init(&found);
		IS_STR(found.run_dir, "/run/user/1000/quod", "places: a user's live state lies in his runtime directory");
		IS_STR(found.ledger_dir, "/home/a/.local/state/quod/ledger", "places: a relative directory is not taken");
		unsetenv("XDG_RUNTIME_DIR");
		state_places_init(&found);
		IS_STR(found.run_dir, "/run/user/65534/quod", "places: without the variable it is the usual one");
	}
}

int main(void)
{
	char root[] = "/tmp/quod-test-record.XXXXXX", command[64];

	if (!mkdtemp(root))
		return 99;
	snprintf(places.run_dir, sizeof(places.run_dir), "%s", root);
	test_key();
	test_read();
	test_lock();
	test_each();
	test_remove();
	snprintf(command, sizeof(command), "rm -rf %s", root);
	if (system(command))
		return 99;
	test_places();
	return tap_done();
}
