/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of the ledger (shim/state/ledger.c): what is written comes back, and nothing that was torn does. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/state/ledger.h"
#include "tests/unit/tap.h"

static char dir[96], path[128];

static void spill(const char *text, size_t len)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || file_write_all(fd, text, len))
		exit(99);
}

static struct ledger example(void)
{
	struct ledger ledger = { .wall_ms = 1500, .cpu_us = UINT64_MAX, .egress_bytes = 7, .runs = 2, .period_start_s = -3 };

	strcpy(ledger.ended, "wall 8h spent");
	strcpy(ledger.container, "c\n1\x1b");
	strcpy(ledger.profile, "web");
	strcpy(ledger.engine, "docker");
	return ledger;
}

static void test_round(void)
{
	struct ledger ledger, wanted = example();
	struct err err = ERR_INIT;
	struct stat st;

	OK(ledger_read(dir, "k1", &ledger, &err) == 0 && ledger.wall_ms == 0 && ledger.runs == 0, "ledger: an absent one is zero");
	OK(ledger_write(dir, "k1", &wanted, &err) == 0, "ledger: its directory is made");
	OK(ledger_read(dir, "k1", &ledger, &err) == 0, "ledger: it is read back");
	OK(ledger.wall_ms == 1500 && ledger.cpu_us == UINT64_MAX && ledger.egress_bytes == 7 && ledger.runs == 2 &&
	   ledger.period_start_s == -3, "ledger: the numbers come back");
	OK(ledger.updated_s > 1700000000, "ledger: the time of the last write is noted");
	IS_STR(ledger.ended, "wall 8h spent", "ledger: the ending comes back");
	IS_STR(ledger.container, "c?1?", "ledger: control characters of a name do not make lines");
	OK(!stat(path, &st) && (st.st_mode & 0777) == 0600, "ledger: it is the owner's alone");
	OK(ledger_read(dir, "../k1", &ledger, &err) == -EINVAL && ledger_write(dir, "", &wanted, &err) == -EINVAL &&
	   ledger_read(dir, ".lock", &ledger, &err) == -EINVAL, "ledger: a key that is a path is refused");
}

static void test_torn(void)
{
	cleanup_free char *text = NULL, *longer = NULL;
	cleanup_close int fd = open(path, O_RDONLY);
	struct err err = ERR_INIT;
	struct ledger ledger;
	size_t len = 0, seen = 0, zero = 0;

	if (fd < 0 || file_read_all(fd, 10000, &text, &len, &err))
		exit(99);
	for (size_t cut = 0; cut < len; cut++) {
		spill(text, cut);
		seen += ledger_read(dir, "k1", &ledger, &err) == -EBADMSG;
		zero += ledger.wall_ms == 0 && ledger.cpu_us == 0 && !ledger.container[0];
	}
	OK(seen == len, "ledger: torn at any byte it is refused");
	OK(zero == len, "ledger: and nothing of it is given back");
	seen = 0;
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		spill(text, len);
		seen += ledger_read(dir, "k1", &ledger, &err) < 0;
		text[i] ^= 1;
	}
	OK(seen == len, "ledger: with any bit flipped it is refused");
	longer = alloc_zeroed(1, len + 2);
	memcpy(longer, text, len);
	longer[len] = '\n';
	spill(longer, len + 1);
	OK(ledger_read(dir, "k1", &ledger, &err) == -EBADMSG, "ledger: bytes behind the end are refused");
	text[12] = '9';
	spill(text, len);
	OK(ledger_read(dir, "k1", &ledger, &err) == -EPROTO, "ledger: another version is refused as such");
	OK(ledger_add(dir, "k1", &ledger, &ledger, &err) == -EPROTO, "ledger: nothing is added to what can't be read");
	unlink(path);
	if (symlink("/etc/passwd", path))
		exit(99);
	OK(ledger_read(dir, "k1", &ledger, &err) == -ELOOP, "ledger: a link is not followed");
	unlink(path);
}

static void test_add(void)
{
	struct ledger sum, more = { .wall_ms = 1, .cpu_us = 10, .egress_bytes = UINT64_MAX - 5 };
	struct err err = ERR_INIT;
	int failed = 0;

	for (int i = 0; i < 10; i++)
		if (fork() == 0) {
			int r = 0;

			for (int n = 0; n < 10; n++)
				r |= ledger_add(dir, "k1", &more, &sum, &err);
			_exit(r ? 1 : 0);
		}
	for (int i = 0, status; i < 10; i++)
		failed += wait(&status) < 0 || status != 0;
	OK(failed == 0, "ledger: ten writers add at the same time");
	strcpy(more.ended, "exit 0");
	OK(ledger_add(dir, "k1", &more, &sum, &err) == 0 && sum.wall_ms == 101 && sum.cpu_us == 1010, "ledger: no addition is lost");
	OK(sum.egress_bytes == UINT64_MAX, "ledger: a sum never wraps");
	IS_STR(sum.ended, "exit 0", "ledger: the texts are the last writer's");
}

static void test_forget(void)
{
	struct ledger ledger = { .wall_ms = 5, .cpu_us = 6, .egress_bytes = 7, .runs = 8 };
	bool kept;

	ledger_forget(&ledger, 0, 1000);
	OK(ledger.wall_ms == 5 && !ledger.period_start_s, "ledger: without a period nothing is forgotten");
	ledger_forget(&ledger, 60000, 1000);
	OK(ledger.wall_ms == 5 && ledger.period_start_s == 1000, "ledger: the first period begins with the first look");
	ledger_forget(&ledger, 60000, 1059);
	kept = ledger.wall_ms == 5 && ledger.period_start_s == 1000;
	ledger_forget(&ledger, 60000, 1060);
	OK(kept && !ledger.wall_ms && !ledger.cpu_us && !ledger.egress_bytes && ledger.runs == 8 && ledger.period_start_s == 1060,
	   "ledger: at its end what was spent is forgotten, and not before");
	ledger.wall_ms = 5;
	ledger_forget(&ledger, 60000, 1060 + 60 * 7 + 59);
	OK(!ledger.wall_ms && ledger.period_start_s == 1060 + 60 * 7, "ledger: periods that nobody saw do not move the next");
	ledger.wall_ms = 5;
	ledger_forget(&ledger, 60000, 500);
	OK(ledger.wall_ms == 5 && ledger.period_start_s == 500, "ledger: a clock that was set back forgets nothing");
	ledger_forget(&ledger, UINT64_MAX, INT64_MAX / 2);
	OK(!ledger.wall_ms, "ledger: an endless period ends in an endless time");
}

static void test_begin(void)
{
	const struct ledger_reset never = { false, 0 }, restart = { true, 0 }, period = { false, 1000 };
	struct ledger ledger = example(), more = { .wall_ms = 3, .period_ms = 1000 }, sum;
	struct err err = ERR_INIT;

	ledger.period_start_s = 0;
	ledger_write(dir, "k3", &ledger, &err);
	OK(ledger_begin(dir, "k3", &never, &ledger, &err) == 0 && ledger.wall_ms == 1500, "ledger: never reset, a run has what is left");
	OK(ledger_begin(dir, "k3", &period, &ledger, &err) == 0 && ledger.wall_ms == 1500 && ledger.period_start_s > 1700000000,
	   "ledger: a run begins the first period");
	OK(ledger_read(dir, "k3", &sum, &err) == 0 && sum.period_start_s == ledger.period_start_s, "ledger: which is in the file");
	sum.period_start_s -= 2;
	ledger_write(dir, "k3", &sum, &err);
	OK(ledger_add(dir, "k3", &more, &sum, &err) == 0 && sum.wall_ms == 3 && sum.period_start_s >= ledger.period_start_s - 1,
	   "ledger: who adds first in a new period makes it forget the old one");
	OK(ledger_begin(dir, "k3", &restart, &ledger, &err) == 0 && ledger.wall_ms == 0 && ledger.runs == 2,
	   "ledger: reset at restart, a run begins with nothing spent");
	OK(ledger_read(dir, "k3", &ledger, &err) == 0 && ledger.wall_ms == 0, "ledger: and so says the file");
	spill("torn", 4);
	OK(ledger_begin(dir, "k1", &restart, &ledger, &err) == -EBADMSG, "ledger: a torn one is refused, whatever is to be forgotten");
	unlink(path);
}

static void test_prune(void)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct ledger ledger = example();
	struct err err = ERR_INIT;

	ledger_write(dir, "k2", &ledger, &err);
	OK(ledger_prune(dir, 60000, &err) == 0, "ledger: young ones stay");
	spill("torn", 4);
	utimensat(AT_FDCWD, path, old, 0);
	OK(ledger_prune(dir, 60000, &err) == 1, "ledger: an old torn one is pruned by the file's own time");
	OK(ledger_read(dir, "k2", &ledger, &err) == 0 && ledger.wall_ms == 1500, "ledger: the others stay");
	OK(ledger_prune("/nonexistent", 1, &err) == 0, "ledger: nothing to prune is no error");
}

static void test_running_sum(void)
{
	struct ledger more = { .wall_ms = 1, .cpu_us = 10, .egress_bytes = 100 }, sum, least = { .cpu_us = 500, .wall_ms = 2 };
	char name[160];
	struct err err = ERR_INIT;
	bool exact = true;
	struct stat st;
	int status;

	OK(ledger_sum_add(dir, "many", &more, &sum, &err) == -ESTALE, "running sum: where there is none nothing is added");
	OK(!ledger_sum_raise(dir, "many", &least, &sum, &err) && sum.cpu_us == 500 && sum.egress_bytes == 0,
	   "running sum: it begins with the ledger's");
	for (int i = 0; i < 20; i++)
		if (!fork()) {
			for (int j = 0; j < 100; j++)
				if (ledger_sum_add(dir, "many", &more, &sum, &err))
					_exit(1);
			_exit(0);
		}
	while (wait(&status) > 0)
		exact &= !status;
	OK(exact && !ledger_sum_raise(dir, "many", &least, &sum, &err), "running sum: twenty add to it side by side");
	OK(sum.cpu_us == 500 + 20 * 100 * 10 && sum.wall_ms == 2 + 2000 && sum.egress_bytes == 200000, "running sum: it is exact");
	more.period_start_s = 7;
	OK(ledger_sum_add(dir, "many", &more, &sum, &err) == -ESTALE, "running sum: another period's is none");
	more.cpu_us = 3;
	OK(!ledger_sum_raise(dir, "many", &more, &sum, &err) && sum.cpu_us == 3 && sum.period_start_s == 7,
	   "running sum: a new period begins with what the ledger has of it");
	snprintf(name, sizeof(name), "%s/.many.sum", dir);
	OK(!stat(name, &st) && !truncate(name, st.st_size - 1) && ledger_sum_add(dir, "many", &more, &sum, &err) == -ESTALE,
	   "running sum: a torn one is none");
	OK(!ledger_sum_raise(dir, "many", &least, &sum, &err) && sum.cpu_us == 500, "running sum: and is begun anew");
	OK(!ledger_add(dir, "many", &least, &sum, &err) && stat(name, &st) < 0, "running sum: a ledger that begins has none before it");
}

static void test_caps(void)
{
	uint64_t a = ledger_cap_id("a.test"), b = ledger_cap_id("b.test");
	struct ledger ledger = example(), more = { .runs = 0 };
	const struct ledger_reset restart = { .at_restart = true };
	struct err err = ERR_INIT;

	OK(a && b && a != b && a == ledger_cap_id("a.test"), "caps: each entry has a number of its own");
	OK(ledger_add_cap(&ledger, a, 5) && ledger_add_cap(&ledger, b, 0) && ledger_add_cap(&ledger, a, UINT64_MAX), "caps: they add up");
	OK(!ledger_write(dir, "caps", &ledger, &err) && !ledger_read(dir, "caps", &ledger, &err) && ledger.cap_count == 2 &&
	   ledger_cap_spent(&ledger, a) == UINT64_MAX && !ledger_cap_spent(&ledger, b) && !ledger_cap_spent(&ledger, 1),
	   "caps: they come back, and never wrap");
	ledger_add_cap(&more, b, 7);
	OK(!ledger_add(dir, "caps", &more, &ledger, &err) && ledger_cap_spent(&ledger, b) == 7 && ledger_cap_spent(&ledger, a) == UINT64_MAX,
	   "caps: what is added leaves the others as they are");
	OK(!ledger_begin(dir, "caps", &restart, &ledger, &err) && ledger.cap_count == 2 && !ledger_cap_spent(&ledger, a) &&
	   !ledger_read(dir, "caps", &ledger, &err) && !ledger_cap_spent(&ledger, b), "caps: a reset forgets what was spent");
	for (uint64_t i = 2; i < LEDGER_CAPS + 1; i++)
		ledger_add_cap(&more, i, i);
	OK(more.cap_count == LEDGER_CAPS && ledger_add(dir, "caps", &more, &ledger, &err) == -ENOSPC && strstr(err.text, "no room"),
	   "caps: more than there is room for are an error");
	OK(!ledger_read(dir, "caps", &ledger, &err) && ledger.cap_count == 2, "caps: and nothing is lost by it");
	OK(!ledger_write(dir, "full", &more, &err) && !ledger_read(dir, "full", &ledger, &err) && ledger.cap_count == LEDGER_CAPS, "caps: as many as there can be");
}

int main(void)
{
	char root[] = "/tmp/quod-test-ledger.XXXXXX", command[64];

	if (!mkdtemp(root))
		return 99;
	snprintf(dir, sizeof(dir), "%s/lib/ledger", root);
	snprintf(path, sizeof(path), "%s/k1", dir);
	test_round();
	test_torn();
	test_add();
	test_forget();
	test_begin();
	test_prune();
	test_caps();
	snprintf(command, sizeof(command), "rm -rf %s", root);
	if (system(command))
		return 99;
	test_running_sum();
	return tap_done();
}
