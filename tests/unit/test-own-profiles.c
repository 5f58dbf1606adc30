/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A user's own profiles: over generated ones, no wish and no variable that names them makes the reach of a container larger
 * than that of what was chosen; and whose file counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/file.h"
#include "shim/select.h"
#include "tests/unit/profile-reach.h"

#define ROUNDS 150

static char dir[] = "/tmp/quod-test-own-profiles.XXXXXX", theirs[64], ours[64];
static struct host_config host = { .default_profile = (char *)"p" };

static void put(const char *where, const char *name, const char *text)
{
	cleanup_free char *path = alloc_printf("%s/%s.json", where, name);
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || file_write_all(fd, text, strlen(text)))
		exit(2);
}

static void put_random(const char *where, const char *name)
{
	cleanup_json_tree struct json_tree *tree = make_document(3);
	cleanup_buf struct buf text = BUF_INIT;

	json_print(&text, json_root(tree), 0);
	put(where, name, text.data);
}

/* What is chosen for a document, with the user's own profiles in `own_dir`. */
static int choose(const char *document, const char *own_dir, const char *profile_name, struct selection *selection, struct err *err)
{
	const struct profile_paths paths = { .profile_dirs = { theirs } };
	const struct facts facts = { .engine = ENGINE_PODMAN, .is_rootless = true, .user = 1000 };
	const struct facts_held held = { .rootfs_fd = -1 };
	struct shim shim = { .profile_name = profile_name, .config = &host };
	cleanup_json_tree struct json_tree *tree = parse_text(document);
	struct oci_config config;
	const struct selection_input input = { &config, &facts, &held, &paths, own_dir };
	int r;

	*selection = (struct selection){ .is_unmanaged = false };
	*err = (struct err)ERR_INIT;
	oci_config_view(json_root(tree), &config);
	r = profile_select(&shim, &input, selection, err);
	oci_config_release(&config);
	return r;
}

#define WISH "{'annotations':{'quod.dev/profile':'mine'}}"
#define VARIABLE "{'process':{'env':['QUOD_PROFILE=mine']}}"
#define BOTH "{'annotations':{'quod.dev/profile':'mine'},'process':{'env':['QUOD_PROFILE=also']}}"

static void test_reach(void)
{
	static const char *const documents[] = { WISH, VARIABLE, BOTH };
	bool tightens = true, has_effect = false, is_told = true;

	for (unsigned i = 0; i < ROUNDS && tightens; i++) {
		const char *name = i % 2 ? "p" : NULL;
		struct selection selection;
		struct reach *before, *after;
		struct err err;

		put_random(theirs, "p");
		put_random(ours, "mine");
		put_random(ours, "also");
		put_random(ours, "p");	/* the name is the administrator's */
		if (choose(documents[i % ARRAY_SIZE(documents)], ours, name, &selection, &err))
			fail(&err);
		before = probe(selection.chosen);
		after = probe(selection.profile);
		tightens = is_meet(after, before, NULL);
		is_told = is_told && selection.tightened_by.count == 1 + (i % 3 == 2) && !strcmp(selection_name(&selection), "p");
		for (size_t n = 0; n < after->count; n++)
			has_effect = has_effect || after->value[n] < before->value[n];
		free(before);
		free(after);
		selection_release(&selection);
	}
	OK(tightens, "own: no wish and no variable that names an own profile makes the reach larger");
	OK(has_effect, "own: it makes it smaller");
	OK(is_told, "own: who tightened is told, and the name stays the chosen profile's");
}

static void refuses(const char *document, const char *own_dir, const char *text, const char *what)
{
	struct selection selection;
	struct err err;
	int r = choose(document, own_dir, NULL, &selection, &err);

	OK(r < 0 && strstr(err.text, text), "own: %s is refused", what);
	if (r >= 0 || !strstr(err.text, text))
		printf("# %d %s\n", r, err.text);
	selection_release(&selection);
}

static void test_whose(void)
{
	cleanup_free char *mine = alloc_printf("%s/mine.json", ours), *also = alloc_printf("%s/also.json", ours);
	cleanup_free char *shadow = alloc_printf("%s/mine.json", theirs);

	refuses(WISH, "", "'mine' can't be asked for", "for the host's root an own profile");
	refuses("{'annotations':{'quod.dev/profile':'absent'}}", ours, "'absent' can't be asked for", "a profile that nobody has");
	refuses("{'annotations':{'quod.dev/profile':'../mine'}}", ours, "can't be asked for", "a path");
	put(theirs, "mine", "{\"version\":1}");
	refuses(WISH, ours, "'mine' can't be asked for", "an own profile of an administrator's name");
	put(theirs, "web", "{\"version\":1,\"extends\":\"mine\"}");
	host.default_profile = (char *)"web";
	unlink(shadow);
	refuses("{}", ours, "mine", "an own profile as the parent of the administrator's");
	host.default_profile = (char *)"p";
	put(ours, "mine", "{\"version\":1,\"extends\":\"also\",\"budgets\":{\"wall\":\"soon\"}}");
	refuses(WISH, ours, "mine.json:1", "one with an error");
	put(ours, "mine", "{\"version\":1,\"runtime\":[\"/home/u/evil\"]}");
	refuses(WISH, ours, "runtime is not a user's own to say", "the choice of a runtime");
	put(ours, "mine", "{\"version\":1,\"egress\":{\"dns\":{\"upstream\":[\"192.0.2.1\"]}}}");
	refuses(VARIABLE, ours, "egress.dns.upstream is not a user's own to say", "the choice of a resolver");
	put(ours, "mine", "{\"version\":1,\"egress\":{\"via\":\"192.0.2.1:3128\"}}");
	refuses(WISH, ours, "egress.via is not a user's own to say", "the choice of a proxy");
	put(ours, "mine", "{\"version\":1,\"process\":{\"env\":{\"set\":{\"LD_PRELOAD\":\"/x\"}}}}");
	refuses(WISH, ours, "process.env.set is not a user's own to say", "an environment");
	put(theirs, "web", "{\"version\":1,\"extends\":\"mine\"}");
	refuses("{'process':{'env':['QUOD_PROFILE=web']}}", ours, "mine", "an own parent of a profile that the image names");
	put(ours, "mine", "{\"version\":1}");
	chmod(mine, 0666);
	refuses(WISH, ours, "mine.json", "one that anybody can change");
	chmod(mine, 0644);
	if (geteuid() == 0 && !chown(mine, 12345, 12345))
		refuses(WISH, ours, "mine.json", "another user's");
	else
		OK(true, "own: another user's is refused (only root can show it)");
	unlink(mine);
	if (!symlink(also, mine))
		refuses(WISH, ours, "is a symbolic link", "a link");
	unlink(mine);
	put(ours, "mine", "{\"version\":1}");
	chmod(ours, 0777);
	refuses(WISH, ours, ours, "one in a directory that anybody can change");
	chmod(ours, 0755);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 2;
	snprintf(theirs, sizeof(theirs), "%s/theirs", dir);
	snprintf(ours, sizeof(ours), "%s/ours", dir);
	mkdir(theirs, 0755);
	mkdir(ours, 0755);
	test_reach();
	test_whose();
	return tap_done();
}
