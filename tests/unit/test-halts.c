/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is marked as halted, and what may not come to be then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/state/halts.h"
#include "tests/unit/tap.h"

static struct state_places places;

static int count(const struct halt_mark *mark, const char *id, void *data)
{
	*(int *)data += mark->scope == HALT_CONTAINER ? !strcmp(id, "c1 web") && !strcmp(mark->name, "aa") : 10;
	return 0;
}

static void test_marks(void)
{
	const struct halt_mark container = { HALT_CONTAINER, "aa" }, profile = { HALT_PROFILE, "web" }, all = { HALT_ALL, NULL };
	struct err err = ERR_INIT;
	int seen = 0;

	OK(halts_check(&places, "aa", "c1", "web", &err) == 0 && halts_has(&places, &all, &err) == 0 &&
	   halts_clear(&places, &all, &err) == 0, "halts: at first nothing is halted");
	OK(halts_set(&places, &container, "c1 web", &err) == 0 && halts_set(&places, &container, "other", &err) == 0 &&
	   halts_has(&places, &container, &err) == 1, "halts: a mark is set once");
	OK(halts_check(&places, "aa", "c1", "web", &err) == -EPERM, "halts: the container may not come to be");
	IS_STR(err.text, "container c1 is halted (quodctl release c1)", "halts: and what to do is said");
	OK(halts_check(&places, "bb", "c2", "web", &err) == 0, "halts: another may");
	OK(halts_set(&places, &profile, "web", &err) == 0 && halts_check(&places, "bb", "c2", "web", &err) == -EPERM &&
	   halts_check(&places, "bb", "c2", "webb", &err) == 0, "halts: nor may any of a profile, and no other");
	OK(halts_set(&places, &all, "", &err) == 0 && halts_check(&places, "bb", "c2", "webb", &err) == -EPERM, "halts: nor anybody");
	OK(halts_each(&places, count, &seen, &err) == 0 && seen == 21, "halts: all marks are listed, with what they were set for");
	OK(halts_clear(&places, &container, &err) == 1 && halts_clear(&places, &profile, &err) == 1 &&
	   halts_clear(&places, &all, &err) == 1 && halts_check(&places, "aa", "c1", "web", &err) == 0, "halts: and taken away");
	OK(halts_set(&places, &(struct halt_mark){ HALT_PROFILE, "../x" }, "", &err) == -EINVAL, "halts: a name is no path");
}

static void test_unreadable(void)
{
	cleanup_free char *path = alloc_printf("%s/halts", places.run_dir);
	cleanup_free char *command = alloc_printf("rm -rf %s && touch %s", path, path);
	struct err err = ERR_INIT;

	OK(system(command) == 0 && halts_check(&places, "aa", "c1", "web", &err) < 0, "halts: what can't be looked at counts as halted");
}

int main(void)
{
	char directory[] = "/tmp/quod-halts-XXXXXX";
	cleanup_free char *command = NULL;

	if (!mkdtemp(directory))
		return 99;
	snprintf(places.run_dir, sizeof(places.run_dir), "%s", directory);
	test_marks();
	test_unreadable();
	command = alloc_printf("rm -rf %s", directory);
	return system(command) ? 99 : tap_done();
}
