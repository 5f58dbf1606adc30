/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/own and shim/sweep: whose container it is, whether it may go on, and when its state may go. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/own.h"
#include "shim/state/ledger.h"
#include "shim/sweep.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/quod-test-own.XXXXXX";

/* An invocation that names a container of the root <dir>/root. */
static struct shim invoke(const char *id)
{
	static char *argv[] = { (char *)"quod", (char *)"start", NULL, NULL };
	struct shim shim = { .argc = 3, .argv = argv };
	struct err err = ERR_INIT;

	argv[2] = (char *)id;
	snprintf(shim.places.run_dir, sizeof(shim.places.run_dir), "%s/run", dir);
	snprintf(shim.places.ledger_dir, sizeof(shim.places.ledger_dir), "%s/ledger", dir);
	shim.runtime_root = alloc_printf("%s/root", dir);
	oci_cmdline_parse(OCI_DIALECT_RUNC, shim.argc, argv, &shim.line, &err);
	state_key(shim.runtime_root, id, shim.key);
	return shim;
}

static void release(struct shim *shim)
{
	oci_cmdline_free(&shim->line);
	free(shim->runtime_root);
}

/* Writes the record of a container, made `age` seconds ago. */
static void write_record(const struct shim *shim, const char *id, const char *profile, int age)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err err = ERR_INIT;
	struct timespec times[2] = { { .tv_sec = time(NULL) - age }, { .tv_sec = time(NULL) - age } };
	cleanup_close int dir_fd = record_open_dir(&shim->places, shim->key, true, &err);

	buf_printf(&text, "{\"version\":1,\"id\":\"%s\",\"key\":\"%s\",\"runtime_root\":\"%s\",\"runtime\":\"/r\",\"bundle\":\"/b\","
		   "\"engine\":\"docker\",\"profile\":\"%s\",\"digest\":\"d\",\"chosen_by\":\"x\",\"ledger_key\":\"%s\","
		   "\"profile_json\":{\"version\":1,\"budgets\":{\"wall\":\"1h\"}},\"plan\":{},\"created_s\":%lld}", id, shim->key,
		   shim->runtime_root, profile, shim->key, (long long)time(NULL) - age);
	if (dir_fd < 0 || json_parse(text.data, text.len, JSON_PLAIN, NULL, &tree, &err) ||
	    record_write(dir_fd, json_root(tree), &err) || futimens(dir_fd, times))
		exit(99);
}

static void test_open(void)
{
	struct shim shim = invoke("c1");
	struct own_container own = OWN_CONTAINER_INIT, second = OWN_CONTAINER_INIT;
	struct err err = ERR_INIT;

	OK(own_open(&shim, &own, &err) == -ENOENT, "own: a container without a record is not quod's");
	IS_STR(err.text, "start: 'c1' is not a container of quod's", "own: and that is said");
	own_release(&own);
	write_record(&shim, "c1", "web", 0);
	OK(own_open(&shim, &own, &err) == 0 && own.profile && !own_is_unmanaged(&own), "own: one with a record is");
	OK(own_open(&shim, &second, &err) == -ETIMEDOUT, "own: two commands wait for one another");
	own_release(&second);
	own_release(&own);
	write_record(&shim, "other", "web", 0);
	OK(own_open(&shim, &own, &err) == -EPROTO, "own: a record of another id is refused");
	own_release(&own);
	write_record(&shim, "c1", "unmanaged", 0);
	OK(own_open(&shim, &own, &err) == 0 && own_is_unmanaged(&own) && own_check_running(&shim, &own, &err) == 0,
	   "own: an unmanaged one is known as such");
	own_release(&own);
	release(&shim);
}

static void test_running(void)
{
	struct ledger ledger = { .wall_ms = 3600000 - 1, .container = "c2", .profile = "web" };
	struct own_container own = OWN_CONTAINER_INIT;
	struct shim shim = invoke("c2");
	struct err err = ERR_INIT;

	write_record(&shim, "c2", "web", 0);
	if (mkdir(shim.places.ledger_dir, 0700) < 0)
		exit(99);
	OK(own_open(&shim, &own, &err) == 0 && own_check_running(&shim, &own, &err) == 0, "own: with an empty ledger it may run");
	OK(ledger_write(shim.places.ledger_dir, shim.key, &ledger, &err) == 0 && own_check_running(&shim, &own, &err) == 0,
	   "own: with something left it may run");
	ledger.wall_ms++;
	OK(ledger_write(shim.places.ledger_dir, shim.key, &ledger, &err) == 0 && own_check_running(&shim, &own, &err) == -EDQUOT,
	   "own: with a spent budget it may not");
	IS_STR(err.text, "start refused by profile 'web': wall 1h spent (budgets)", "own: and which one is said");
	OK(file_replace(own.dir_fd, "halted", "", 0, 0600, &err) == 0 && own_check_running(&shim, &own, &err) == -EPERM,
	   "own: a halted one may not");
	unlinkat(own.dir_fd, "halted", 0);
	if (symlinkat("/no-such", own.dir_fd, "halted") < 0)
		exit(99);
	OK(own_check_running(&shim, &own, &err) == -EPERM, "own: whatever `halted` is");
	unlinkat(own.dir_fd, "halted", 0);
	cleanup_free char *tear = alloc_printf("for file in %s/*; do echo torn >$file; done", shim.places.ledger_dir);
	OK(system(tear) == 0 && own_check_running(&shim, &own, &err) < 0, "own: nor one whose ledger can't be read");
	own_release(&own);
	release(&shim);
}

static bool is_there(const struct shim *shim)
{
	struct err err = ERR_INIT;
	cleanup_close int fd = record_open_dir(&shim->places, shim->key, false, &err);

	return fd >= 0;
}

static void make_known(const struct shim *shim, const char *id, bool known)
{
	cleanup_free char *path = alloc_printf("%s/%s", shim->runtime_root, id);

	mkdir(shim->runtime_root, 0700);
	if (known ? mkdir(path, 0700) : rmdir(path))
		exit(99);
}

static void test_orphans(void)
{
	struct shim other = invoke("sweeper"), old = invoke("old"), young = invoke("young"), known = invoke("known");
	struct shim locked = invoke("locked"), bare = invoke("bare"), torn = invoke("torn");
	struct timespec times[2] = { { .tv_sec = time(NULL) - 100 }, { .tv_sec = time(NULL) - 100 } };
	struct err err = ERR_INIT;

	write_record(&old, "old", "web", 100);
	write_record(&young, "young", "web", 10);
	write_record(&known, "known", "web", 100);
	write_record(&locked, "locked", "web", 100);
	write_record(&torn, "torn", "web", 100);
	make_known(&known, "known", true);
	cleanup_close int locked_fd = record_open_dir(&locked.places, locked.key, false, &err);
	cleanup_close int bare_fd = record_open_dir(&bare.places, bare.key, true, &err);
	cleanup_close int torn_fd = record_open_dir(&torn.places, torn.key, false, &err);
	OK(record_lock(locked_fd, 0, &err) == 0 && file_replace(torn_fd, "record.json", "{\"version\":9}", 13, 0600, &err) == 0 &&
	   futimens(bare_fd, times) == 0 && futimens(torn_fd, times) == 0, "sweep: there are containers of every kind");
	sweep_orphans(&other);
	OK(!is_there(&old), "sweep: what the runtime doesn't know goes");
	OK(is_there(&young), "sweep: but not while it is young: a create may be under way");
	OK(is_there(&known), "sweep: nor what the runtime knows");
	OK(is_there(&locked), "sweep: nor what somebody has locked");
	OK(!is_there(&bare), "sweep: what a create left before it had a record goes");
	OK(is_there(&torn), "sweep: a record that can't be read stays: a newer quod may have written it");
	write_record(&old, "old", "web", 100);
	sweep_orphans(&old);
	OK(is_there(&old), "sweep: the container of the command itself is left to the command");
	struct shim *all[] = { &other, &old, &young, &known, &locked, &bare, &torn };
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		release(all[i]);
}

static void test_gone(void)
{
	struct shim one = invoke("one"), two = invoke("two"), torn = invoke("torn");
	struct err err = ERR_INIT;

	write_record(&one, "one", "web", 0);
	make_known(&one, "one", true);
	OK(sweep_gone(&one, one.key, -1, &err) == 0 && is_there(&one), "sweep: after a delete that left the container, its state stays");
	make_known(&one, "one", false);
	cleanup_close int before_fd = record_open_dir(&one.places, one.key, false, &err);
	OK(record_remove(&one.places, one.key, &err) == 0, "sweep: a state directory is removed");
	write_record(&one, "one", "web", 0);
	OK(sweep_gone(&one, one.key, before_fd, &err) == 0 && is_there(&one), "sweep: one made anew meanwhile is not the old one");
	OK(sweep_gone(&one, one.key, -1, &err) == 0 && !is_there(&one), "sweep: it goes once the runtime doesn't know it");
	OK(sweep_gone(&one, one.key, -1, &err) == 0, "sweep: nothing there is fine");
	write_record(&one, "one", "web", 0);
	write_record(&two, "two", "web", 0);
	make_known(&two, "two", true);
	OK(sweep_gone(&one, NULL, -1, &err) == 0 && !is_there(&one) && is_there(&two), "sweep: of all, those that are gone go");
	OK(sweep_gone(&torn, torn.key, -1, &err) == 0 && !is_there(&torn), "sweep: an unreadable record goes with its own container");
	release(&one);
	release(&two);
	release(&torn);
}

int main(void)
{
	cleanup_free char *remove = alloc_printf("rm -rf %s", mkdtemp(dir));

	test_open();
	test_running();
	test_orphans();
	test_gone();
	OK(system(remove) == 0, "own: nothing is left");
	return tap_done();
}
