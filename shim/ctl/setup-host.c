/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host: quod in the place of runc and crun, so that whoever takes them from PATH takes quod; and rules in quod.json that
 * leave builds of images and the cluster's own namespace as they are. Everything else comes under the default profile.
 */
#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup-aside.h"
#include "shim/ctl/setup-json.h"
#include "shim/ctl/setup-run.h"
#include "shim/policy/config.h"

static const char *const rules_path[] = { "rules", NULL };

static const char *const rules[] = {
	"{ \"match\": { \"engine\": \"buildkit\" }, \"profile\": \"unmanaged\" }",
	"{ \"match\": { \"namespace\": \"kube-system\" }, \"profile\": \"unmanaged\" }",
};

struct edit {
	struct setup *setup;
	struct setup_file *file;
	struct buf text;
	struct json_tree *tree;
};

static int open_edit(struct edit *edit, struct err *err)
{
	struct setup *setup = edit->setup;
	struct host_config *config = NULL;
	struct json *list;

	if (setup_read(setup, setup->file, &edit->file, err) < 0)
		return -err->code;
	/* a file that quod would refuse is not one to add to */
	if (edit->file->before && !*setup->root && host_config_load(setup->file, setup->file, &config, err) < 0)
		return -err->code;
	host_config_free(config);
	buf_puts(&edit->text, edit->file->before ? edit->file->before : "{\n  \"version\": 1\n}\n");
	if (json_parse(edit->text.data, edit->text.len, JSON_COMMENTS, NULL, &edit->tree, err) < 0)
		return err_wrap(err, "%s%s", setup->root, setup->file);
	list = json_get(json_root(edit->tree), "rules");
	if (!json_is(json_root(edit->tree), JSON_OBJECT) || (list && !json_is(list, JSON_ARRAY)))
		return err_set(err, EINVAL, "%s%s is no host configuration; it is left as it is", setup->root, setup->file);
	return 0;
}

static void note_added(struct setup *setup, const char *what)
{
	if (!strings_has(&setup->record.added, what))
		strings_add(&setup->record.added, what);
}

/* The rule in edit->tree; its index in the list, or -1. */
static int find_rule(const struct edit *edit, const struct json *rule)
{
	const struct json *list = json_get(json_root(edit->tree), "rules");

	for (size_t i = 0; list && i < list->count; i++)
		if (json_equal(list->items[i], rule))
			return (int)i;
	return -1;
}

static struct json *parse_rule(const char *text, struct json_tree **tree)
{
	struct err err = ERR_INIT;

	return json_parse(text, strlen(text), JSON_PLAIN, NULL, tree, &err) ? NULL : json_root(*tree);
}

static int add_rule(struct edit *edit, const char *text, struct err *err)
{
	cleanup_json_tree struct json_tree *rule_tree = NULL;
	struct json *rule = parse_rule(text, &rule_tree), *root = json_root(edit->tree), *list = json_get(root, "rules");

	if (find_rule(edit, rule) >= 0)
		return 0;
	if (!list) {
		list = json_make_array(edit->tree);
		json_set(edit->tree, root, "rules", list);
		note_added(edit->setup, "rules");
	}
	json_append(edit->tree, list, json_copy(edit->tree, rule));
	note_added(edit->setup, text);
	return json_text_append(&edit->text, rules_path, text) ? 0 :
		       err_set(err, EINVAL, "%s can't be edited in place", edit->setup->file);
}

static void remove_rule(struct edit *edit, const char *text)
{
	cleanup_json_tree struct json_tree *rule_tree = NULL;
	struct json *list = json_get(json_root(edit->tree), "rules");
	int index = find_rule(edit, parse_rule(text, &rule_tree));

	if (index < 0) {
		setup_note(edit->setup, "A rule was changed since and stays: %s", text);
		return;
	}
	json_remove_item(list, (size_t)index);
	json_text_remove_item(&edit->text, rules_path, (size_t)index);
	if (!list->count && strings_has(&edit->setup->record.added, "rules")) {
		json_remove(json_root(edit->tree), "rules");
		json_text_remove(&edit->text, rules_path);
	}
}

static int close_edit(struct edit *edit, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct setup *setup = edit->setup;
	const struct json *root = json_root(edit->tree);

	if (json_parse(edit->text.data, edit->text.len, JSON_COMMENTS, NULL, &tree, err) < 0 || !json_equal(json_root(tree), root))
		return err_set(err, EINVAL, "%s%s can't be edited in place, and is left as it is", setup->root, setup->file);
	setup_want(edit->file, &edit->text);
	if (setup->remove && (!edit->file->before ||
			      (strings_has(&setup->record.created, setup->file) && root->count == 1 && json_get(root, "version")))) {
		free(edit->file->after);
		edit->file->after = NULL;
	}
	if (!setup->remove && !edit->file->before && !strings_has(&setup->record.created, setup->file))
		strings_add(&setup->record.created, setup->file);
	return 0;
}

static int edit_rules(struct setup *setup, struct err *err)
{
	struct edit edit = { .setup = setup, .text = BUF_INIT };
	int r = open_edit(&edit, err);

	for (size_t i = 0; i < ARRAY_SIZE(rules) && !r; i++) {
		if (!setup->remove)
			r = add_rule(&edit, rules[i], err);
		else if (strings_has(&setup->record.added, rules[i]) && edit.file->before)
			remove_rule(&edit, rules[i]);
	}
	r = r ? r : close_edit(&edit, err);
	buf_free(&edit.text);
	json_tree_free(edit.tree);
	return r;
}

static int look_for_runtimes(struct setup *setup, struct err *err)
{
	static const char *const names[] = { "runc", "crun" };
	bool any = false;

	for (size_t i = 0; i < ASIDE_DIRS * ARRAY_SIZE(names); i++) {
		cleanup_free char *path = alloc_printf("%s/%s", aside_dirs[i / 2], names[i % 2]);
		enum aside_state state;

		aside_look(setup, path, &state);
		any = any || state != ASIDE_ABSENT;
		if (state == ASIDE_PLAIN)
			strings_add(&setup->moves, path);
		if (state != ASIDE_ABSENT)
			note_added(setup, path);
	}
	return any ? 0 : err_set(err, ENOENT, "neither runc nor crun is there to stand in the place of");
}

static bool is_node(struct setup *setup)
{
	struct err ignored = ERR_INIT;
	cleanup_close int fd = setup_open_dir(setup, "/var/lib/kubelet/x", false, &ignored);

	return fd >= 0;
}

static int plan(struct setup *setup, struct err *err)
{
	int r = 0;

	if (setup->standard || setup->profiles.count)
		return err_set(err, EINVAL, "the host has no runtimes by name: which profile is a matter of rules (%s)", setup->file);
	for (size_t i = 0; setup->remove && i < setup->record.added.count; i++)
		if (setup->record.added.items[i][0] == '/')
			strings_add(&setup->moves, setup->record.added.items[i]);
	if (!setup->remove)
		r = look_for_runtimes(setup, err);
	r = r ? r : edit_rules(setup, err);
	if (r || setup->remove || !setup->moves.count)
		return r;
	setup_note(setup, "Every container that is made from now on goes through quod, under the default profile unless a rule says "
		   "otherwise; builds by BuildKit and the namespace kube-system are left as they are.");
	setup_note(setup, "Containers that run go on; quod lets nobody exec into them until they are made anew.");
	if (is_node(setup))
		setup_note(setup, "This is a node of a cluster: other namespaces of the cluster's own (its network's, its storage's) need a rule "
			   "as kube-system has one (%s).", setup->file);
	if (!aside_has_dpkg(setup))
		setup_note(setup, "There is no dpkg here: run this again whenever a package or a script has installed a runtime.");
	return 0;
}

static int move(struct setup *setup, struct err *err)
{
	for (size_t i = 0; i < setup->moves.count; i++)
		if ((setup->remove ? aside_take_back(setup, setup->moves.items[i], err) : aside_put(setup, setup->moves.items[i], err)) < 0)
			return -err->code;
	return 0;
}

/* What stands in the runtime's place is asked to create a container that quod must refuse; its root directory is empty, so
 * that a real runtime could start nothing either. */
static int check(struct setup *setup, char **says, struct err *err)
{
	static const char config[] =
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/x\"],\"cwd\":\"/\",\"env\":[\""
		SETUP_CHECK_ENV "\"]},\"root\":{\"path\":\"rootfs\"},\"mounts\":[],\"linux\":{\"namespaces\":[{\"type\":\"mount\"},"
		"{\"type\":\"pid\"}]}}";
	char dir[] = "/tmp/quod-setup-check.XXXXXX";
	cleanup_free char *file = NULL, *rootfs = NULL, *id = alloc_printf("quod-setup-check-%d", (int)getpid());
	cleanup_fclose FILE *to = NULL;
	int r = 0;

	if (!mkdtemp(dir))
		return err_set_errno(err, errno, "make a directory in /tmp");
	file = alloc_printf("%s/config.json", dir);
	rootfs = alloc_printf("%s/rootfs", dir);
	mkdir(rootfs, 0700);
	to = fopen(file, "we");
	if (!to || fputs(config, to) < 0 || fflush(to) < 0)
		r = err_set_errno(err, errno, "write %s", file);
	for (size_t i = 0; i < setup->record.added.count && !r; i++) {
		const char *path = setup->record.added.items[i];
		const char *const argv[] = { path, "create", "--bundle", dir, id, NULL };

		if (path[0] != '/')
			continue;
		free(*says);
		setup_run(argv, NULL, says, err);
		r = setup_judge(strrchr(path, '/') + 1, says);
	}
	unlink(file);
	rmdir(rootfs);
	rmdir(dir);
	return r;
}

const struct setup_engine setup_host = { "host", QUOD_SYSCONFDIR "/quod.json", plan, check, move, "quod is in the place of ", "put back " };
