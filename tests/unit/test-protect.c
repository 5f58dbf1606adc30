/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of mounts.protect as it is planned: which paths, which mounts, in which order. Facts are given. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/policy/protect.h"
#include "tests/unit/tap.h"

#define EXT4 0xef53

static struct strings list(const char *first, const char *second)
{
	struct strings strings = { NULL, 0 };

	strings_add(&strings, first);
	if (second)
		strings_add(&strings, second);
	return strings;
}

static void lists(const char *source, const char *first, const char *second, const char *wanted, const char *what)
{
	struct strings protect = list(first, second), inside = { NULL, 0 };
	cleanup_buf struct buf found = BUF_INIT;

	protect_list_inside(&protect, source, &inside);
	for (size_t i = 0; i < inside.count; i++)
		buf_printf(&found, "%s%s", i ? " " : "", inside.items[i]);
	IS_STR(found.data ? found.data : "", wanted, "protect: %s", what);
	strings_free(&protect);
	strings_free(&inside);
}

static void covers(const char *source, const char *protect, size_t named, bool wanted, const char *what)
{
	struct strings strings = list(protect, NULL);

	OK(protect_covers(&strings, source, named) == wanted, "protect: %s", what);
	strings_free(&strings);
}

static void test_paths(void)
{
	lists("/srv/web", ".git/hooks", ".envrc", ".git/hooks .envrc", "the profile's paths are meant below the source");
	lists("/srv/web", ".git", ".git/hooks", ".git", "what lies within another one needs no mount of its own");
	lists("/srv/web", ".git/hooks", ".git", ".git", "in whichever order they stand");
	lists("/srv/web", ".envrc", ".envrc", ".envrc", "one that stands twice is one");
	lists("/srv/web/.git", ".git/hooks", NULL, ".git/hooks hooks", "a source on the way to one leads to the rest of it");
	lists("/srv/.git/x", ".git/hooks", NULL, ".git/hooks", "but not one beside the way");
	lists("/srv/git", "git", NULL, "git", "a source that is one has nothing left of it");
	lists("/", ".git", NULL, ".git", "the root directory is no way to anything");

	covers("/srv/web/.git/hooks", ".git/hooks", 2, true, "a source that is a protected path is covered");
	covers("/srv/web/.git/hooks/deep", ".git/hooks", 2, true, "and one within it");
	covers("/srv/web/.git", ".git/hooks", 2, false, "one above it isn't");
	covers("/srv/web/.git/hooks2", ".git/hooks", 2, false, "nor one whose name only begins like it");
	covers("/srv/.claude/web", ".claude", 2, false, "what the administrator has written out he has meant");
	covers("/srv/.claude/web", ".claude", 1, true, "what he left open he hasn't");

	OK(protect_count_named("/srv/agents/**") == 2, "protect: a pattern's written out components are counted");
	OK(protect_count_named("/srv/*/web") == 1, "protect: up to the first that is open");
	OK(protect_count_named("/srv/a?b/c") == 1 && protect_count_named("/srv/web") == 2, "protect: by whatever makes it open");
}

/* The plan for a workspace between two other mounts, of which the first is removed. */
struct planned {
	struct json_tree *tree;
	struct oci_config config;
	struct plan plan;
};

static bool make_plan(struct planned *planned, struct fact_protected *protected, size_t count, const char *last_destination)
{
	static const char *const text = "{\"mounts\":[{\"destination\":\"/gone\",\"type\":\"bind\",\"source\":\"/x\"},"
					"{\"destination\":\"/w\",\"type\":\"bind\",\"source\":\"/srv/web\",\"options\":[\"rbind\",\"noexec\"]},"
					"{\"destination\":\"/other\",\"type\":\"tmpfs\"}]}";
	struct fact_mount mounts[] = {
		{ .destination = (char *)"/gone" },
		{ .is_bind = true, .destination = (char *)"/w", .resolved = (char *)"/srv/web", .mode = S_IFDIR, .fs_magic = EXT4 },
		{ .destination = (char *)last_destination },
	};
	struct facts facts = { .mounts = mounts, .mount_count = 3, .protected = protected, .protected_count = count,
			       .state_dir = "/run/quod/containers/k" };
	const bool removed[] = { true, false, false };
	struct profile profile = { .name = (char *)"test" };
	struct err err = ERR_INIT;

	if (json_parse(text, strlen(text), JSON_PLAIN, NULL, &planned->tree, &err))
		return false;
	oci_config_view(json_root(planned->tree), &planned->config);
	plan_init(&planned->plan);
	protect_plan(&(struct plan_input){ &profile, &planned->config, &facts }, removed, &planned->plan);
	return true;
}

static void release(struct planned *planned)
{
	plan_release(&planned->plan);
	oci_config_release(&planned->config);
	json_tree_free(planned->tree);
}

static struct fact_protected git[] = {
	{ .mount_index = 1, .path = (char *)".git", .is_ancestor = true },
	{ .mount_index = 1, .path = (char *)".git/hooks" },
	{ .mount_index = 1, .path = (char *)".envrc", .is_absent = true },
};

static void test_mounts(void)
{
	struct planned planned = { NULL };
	cleanup_buf struct buf found = BUF_INIT;

	if (!make_plan(&planned, git, 3, "/other")) {
		OK(0, "protect: the case itself is JSON");
		return;
	}
	for (size_t i = 0; i < planned.plan.edits.count; i++) {
		buf_printf(&found, "%s %s ", planned.plan.edits.items[i].path,
			   json_string(json_get(planned.plan.edits.items[i].value, "destination")));
		json_print(&found, json_get(planned.plan.edits.items[i].value, "options"), 0);
		buf_putc(&found, '\n');
	}
	IS_STR(found.data, "/mounts/1 /w/.git [\"noexec\",\"bind\",\"rprivate\",\"nosuid\",\"nodev\"]\n"
			   "/mounts/2 /w/.git/hooks [\"noexec\",\"bind\",\"rprivate\",\"ro\",\"nosuid\",\"nodev\"]\n"
			   "/mounts/3 /w/.envrc [\"noexec\",\"bind\",\"rprivate\",\"ro\",\"nosuid\",\"nodev\"]\n",
	       "protect: the mounts stand behind the workspace's own, ancestors writable, and as strict as it otherwise");
	OK(planned.plan.clone_count == 3 && planned.plan.clones[1].is_protected && planned.plan.clones[1].readonly &&
		   !planned.plan.clones[0].readonly && planned.plan.clones[1].mount_index == 1,
	   "protect: each is a clone of what was looked at");
	OK(planned.plan.protected_count == 2 && planned.plan.has_placeholders, "protect: what is watched is what is read-only");
	IS_STR(planned.plan.protected[1].destination, "/w/.envrc", "protect: by its place inside");
	release(&planned);
}

static void test_covered(void)
{
	struct planned planned = { NULL };

	if (!make_plan(&planned, git, 3, "/w/.git/hooks"))
		return;
	OK(planned.plan.clone_count == 2 && planned.plan.protected_count == 1,
	   "protect: where another mount stands later nothing is mounted below it, but what is above is held");
	release(&planned);
	if (!make_plan(&planned, git + 2, 1, "/w"))
		return;
	OK(!planned.plan.clone_count && !planned.plan.has_placeholders, "protect: nothing is made in a workspace that can't be seen");
	release(&planned);
}

static void refused(struct fact_protected fact, const char *wanted)
{
	struct planned planned = { NULL };

	fact.mount_index = 1;
	fact.path = (char *)".git/hooks";
	if (!make_plan(&planned, &fact, 1, "/other"))
		return;
	OK(planned.plan.refusal_count == 1 && strstr(planned.plan.refusals[0].text, wanted), "protect: refused: %s", wanted);
	release(&planned);
}

static void test_refusals(void)
{
	refused((struct fact_protected){ .error = ELOOP }, "/srv/web/.git/hooks can't be protected: it is a symbolic link");
	refused((struct fact_protected){ .error = EXDEV }, "it is a mount of its own");
	refused((struct fact_protected){ .error = E2BIG }, "too many files");
	refused((struct fact_protected){ .linked = (char *)".git/hooks/x" }, "/srv/web/.git/hooks/x is a hard link");
	refused((struct fact_protected){ .error = EACCES }, "Permission denied");
}

int main(void)
{
	test_paths();
	test_mounts();
	test_covered();
	test_refusals();
	return tap_done();
}
