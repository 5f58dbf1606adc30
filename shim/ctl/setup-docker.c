/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Docker: "runtimes" of daemon.json, one entry a profile, by the path of a link: the script that dockerd writes for
 * runtimeArgs stays between it and quod. Everything else in the file stays byte for byte.
 */
#include <errno.h>
#include <string.h>

#include "oci/json.h"
#include "shim/base/cleanup.h"
#include "shim/ctl/setup.h"
#include "shim/ctl/setup-json.h"
#include "shim/ctl/setup-run.h"

static const char *const runtimes_path[] = { "runtimes", NULL };
static const char *const default_path[] = { "default-runtime", NULL };

struct edit {
	struct setup *setup;
	struct setup_file *file;
	struct buf text;
	struct json_tree *tree;		/* the text's meaning as it is to be */
	struct json *root;
};

static bool is_blank(const char *text)
{
	return !text || text[strspn(text, " \t\r\n")] == '\0';
}

static int open_edit(struct edit *edit, struct err *err)
{
	if (setup_read(edit->setup, edit->setup->file, &edit->file, err) < 0)
		return -err->code;
	buf_puts(&edit->text, is_blank(edit->file->before) ? "{}\n" : edit->file->before);
	if (json_parse(edit->text.data, edit->text.len, JSON_PLAIN, NULL, &edit->tree, err) < 0)
		return err_wrap(err, "%s%s can't be edited, and is left as it is", edit->setup->root, edit->file->path);
	edit->root = json_root(edit->tree);
	if (!json_is(edit->root, JSON_OBJECT) ||
	    (json_get(edit->root, "runtimes") && !json_is(json_get(edit->root, "runtimes"), JSON_OBJECT)))
		return err_set(err, EINVAL, "%s%s: %s must be an object; it is left as it is", edit->setup->root, edit->file->path,
			       json_is(edit->root, JSON_OBJECT) ? "/runtimes" : "all of it");
	return 0;
}

/* The edited text must mean what it was to mean: else the file is written in a way that the editor doesn't see through. */
static int close_edit(struct edit *edit, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = NULL;

	if (json_parse(edit->text.data, edit->text.len, JSON_PLAIN, NULL, &tree, err) < 0 || !json_equal(json_root(tree), edit->root))
		return err_set(err, EINVAL, "%s%s can't be edited in place (a name in it is written with escapes?), and is left as it is",
			       edit->setup->root, edit->file->path);
	setup_want(edit->file, &edit->text);
	return 0;
}

static void release_edit(struct edit *edit)
{
	buf_free(&edit->text);
	json_tree_free(edit->tree);
}

/* { "path": the link }, or the same by quod's own argument. */
static bool is_ours(const struct json *entry, const char *name)
{
	cleanup_free char *link = setup_link_path(name), *argument = alloc_printf("--profile=%s", name + strlen("quod-"));
	const char *path = json_string(json_get(entry, "path"));
	const struct json *arguments = json_get(entry, "runtimeArgs");

	if (!json_is(entry, JSON_OBJECT) || !path || entry->count != 1u + (arguments != NULL))
		return false;
	if (!arguments || (json_is(arguments, JSON_ARRAY) && !arguments->count))
		return !strcmp(path, link);
	return strcmp(name, "quod") && !strcmp(path, SETUP_QUOD) && json_is(arguments, JSON_ARRAY) && arguments->count == 1 &&
	       json_string(arguments->items[0]) && !strcmp(json_string(arguments->items[0]), argument);
}

static void note_added(struct setup *setup, const char *what)
{
	if (!strings_has(&setup->record.added, what))
		strings_add(&setup->record.added, what);
}

static int add_runtime(struct edit *edit, const char *name, struct err *err)
{
	struct json *runtimes = json_get(edit->root, "runtimes"), *entry = json_get(runtimes, name);
	const char *const path[] = { "runtimes", name, NULL };
	cleanup_free char *link = setup_link_path(name), *value = alloc_printf("{ \"path\": \"%s\" }", link);

	if (entry && is_ours(entry, name))
		return 0;
	if (entry)
		return err_set(err, EEXIST, "%s%s: /runtimes/%s is there and is not { \"path\": \"%s\" }: take it out or give it another name",
			       edit->setup->root, edit->file->path, name, link);
	if (!runtimes) {
		runtimes = json_make_object(edit->tree);
		json_set(edit->tree, edit->root, "runtimes", runtimes);
		note_added(edit->setup, "runtimes");
	}
	entry = json_make_object(edit->tree);
	json_set(edit->tree, entry, "path", json_make_string(edit->tree, link));
	json_set(edit->tree, runtimes, name, entry);
	json_text_set(&edit->text, path, value);
	note_added(edit->setup, name);
	return 0;
}

static void set_default(struct edit *edit, const char *name)
{
	cleanup_free char *value = alloc_printf("\"%s\"", name);

	json_set(edit->tree, edit->root, "default-runtime", json_make_string(edit->tree, name));
	json_text_set(&edit->text, default_path, value);
}

static int add_default(struct edit *edit, struct err *err)
{
	struct setup *setup = edit->setup;
	const struct json *now = json_get(edit->root, "default-runtime");

	if (now && !json_string(now))
		return err_set(err, EINVAL, "%s%s: /default-runtime is no string; it is left as it is", setup->root, edit->file->path);
	if (now && !strcmp(json_string(now), setup->standard))
		return 0;
	if (!strings_has(&setup->record.added, "default-runtime") && now)
		setup->record.was = alloc_copy(json_string(now));
	note_added(setup, "default-runtime");
	set_default(edit, setup->standard);
	setup_note(setup, "Every container that names no runtime goes through %s; builds by BuildKit do not (quodctl setup host).",
		   setup->standard);
	return 0;
}

/* A runtime that somebody changed since is his. */
static void remove_runtime(struct edit *edit, const char *name)
{
	struct json *runtimes = json_get(edit->root, "runtimes"), *entry = json_get(runtimes, name);
	const char *const path[] = { "runtimes", name, NULL };

	if (entry && !is_ours(entry, name)) {
		setup_note(edit->setup, "/runtimes/%s was changed since: it stays.", name);
	} else if (entry) {
		json_remove(runtimes, name);
		json_text_remove(&edit->text, path);
	}
}

static void remove_default(struct edit *edit)
{
	const struct strings *added = &edit->setup->record.added;
	const char *now = json_string(json_get(edit->root, "default-runtime"));

	if (!strings_has(added, "default-runtime") || !now || !strings_has(added, now)) {
		if (strings_has(added, "default-runtime"))
			setup_note(edit->setup, "/default-runtime was changed since: it stays.");
		return;
	}
	if (edit->setup->record.was) {
		set_default(edit, edit->setup->record.was);
		return;
	}
	json_remove(edit->root, "default-runtime");
	json_text_remove(&edit->text, default_path);
}

static int remove_all(struct edit *edit, struct err *err)
{
	struct setup *setup = edit->setup;
	const struct strings *added = &setup->record.added;
	const char *standard;

	remove_default(edit);
	for (size_t i = 0; i < added->count; i++)
		if (!strncmp(added->items[i], "quod", 4))
			remove_runtime(edit, added->items[i]);
	standard = json_string(json_get(edit->root, "default-runtime"));
	if (standard && strings_has(added, standard) && !json_get(json_get(edit->root, "runtimes"), standard))
		return err_set(err, EBUSY, "%s%s: /default-runtime still names %s, and dockerd would not start without it: change that first",
			       setup->root, edit->file->path, standard);
	if (strings_has(added, "runtimes") && json_get(edit->root, "runtimes") && !json_get(edit->root, "runtimes")->count) {
		json_remove(edit->root, "runtimes");
		json_text_remove(&edit->text, runtimes_path);
	}
	setup_note(setup, "A container that was made with one of these runtimes can't be started again; docker inspect shows it "
		   "(HostConfig.Runtime).");
	return 0;
}

static int add_all(struct edit *edit, struct err *err)
{
	struct setup *setup = edit->setup;
	struct strings names = { NULL, 0 };
	int r = 0;

	if (!edit->file->before && !strings_has(&setup->record.created, edit->file->path))
		strings_add(&setup->record.created, edit->file->path);
	setup_runtimes(setup, &names);
	for (size_t i = 0; i < names.count && !r; i++)
		r = add_runtime(edit, names.items[i], err);
	strings_free(&names);
	if (!r && setup->standard)
		r = add_default(edit, err);
	return r;
}

/* dockerd does not start when an option stands in both places. */
static int check_running(const struct setup *setup, struct err *err)
{
	static const char *const flags[] = { "--add-runtime", "--default-runtime" };
	struct strings found = { NULL, 0 };
	int r = 0;

	if (*setup->root || setup->remove)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(flags) && !r; i++) {
		setup_running_values("dockerd", flags[i], NULL, &found);
		if (found.count && (i == 0 || setup->standard))
			r = err_set(err, EBUSY, "dockerd runs with %s %s, and does not start when daemon.json says the same: take it "
				    "from its command line first (systemctl cat docker)", flags[i], found.items[0]);
		strings_free(&found);
	}
	if (!r)
		setup_running_values("dockerd", "--config-file", NULL, &found);
	if (found.count && !strings_has(&found, setup->file) && !setup->is_file_given)
		r = err_set(err, EBUSY, "dockerd runs with --config-file %s: say which file is meant (--config FILE)", found.items[0]);
	strings_free(&found);
	return r;
}

static int plan(struct setup *setup, struct err *err)
{
	struct edit edit = { .setup = setup, .text = BUF_INIT };
	int r = check_running(setup, err);

	r = r ? r : open_edit(&edit, err);
	r = r ? r : setup->remove ? remove_all(&edit, err) : add_all(&edit, err);
	r = r ? r : close_edit(&edit, err);
	if (!r && setup->remove && !edit.root->count && strings_has(&setup->record.created, setup->file)) {
		free(edit.file->after);
		edit.file->after = NULL;
	}
	/* an absent file is no error to --remove */
	if (!r && setup->remove && !edit.file->before) {
		free(edit.file->after);
		edit.file->after = NULL;
	}
	setup_next(setup, setup->remove ? "systemctl restart docker" : "systemctl reload docker");
	release_edit(&edit);
	return r;
}

/* No image is needed but an empty one, and nothing of it is ever run: a profile that can't be is refused by quod, and by
 * nobody else, before anything starts. */
static int check(struct setup *setup, char **says, struct err *err)
{
	static const char image[] = "quod-setup-check:1";
	char empty[1024] = "";
	const char *const import[] = { "docker", "import", "-", image, NULL };
	const char *const remove[] = { "docker", "rmi", "-f", image, NULL };
	struct strings names = { NULL, 0 };
	int r = setup_run(import, &(struct setup_input){ empty, sizeof(empty) }, says, err);

	if (r)
		return err->code ? r : err_set(err, EIO, "docker import: %s", *says);
	setup_runtimes(setup, &names);
	for (size_t i = 0; i < names.count && !r; i++) {
		const char *const run[] = { "docker", "run", "--rm", "--network=none", "--runtime", names.items[i], "-e", SETUP_CHECK_ENV,
					    image, "/x", NULL };

		free(*says);
		setup_run(run, NULL, says, err);
		if (*says && strcasestr(*says, "unknown runtime"))
			r = err_set(err, ENOENT, "dockerd has not heard of %s: systemctl reload docker, then ask again", names.items[i]);
		else
			r = setup_judge(names.items[i], says);
	}
	strings_free(&names);
	if (err->code) {
		free(*says);
		*says = NULL;
	}
	setup_run(remove, NULL, NULL, &(struct err)ERR_INIT);
	return r;
}

const struct setup_engine setup_docker = { "docker", "/etc/docker/daemon.json", plan, check, NULL, NULL, NULL };
