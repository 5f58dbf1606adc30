/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * containerd: a handler of its CRI plugin for each profile, with what the handler runc has. containerd 1.x takes a plugin's
 * table from one file alone, the last that has it, and forgets its own handler runc where a file names any: both were seen
 * with 1.6.20 and 1.7.24 (2.1.9 merges). So the handlers go where the plugin's table is, and runc is written down where it
 * was only a default.
 */
#include <errno.h>
#include <glob.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/setup-block.h"
#include "shim/ctl/setup-containerd.h"
#include "shim/ctl/setup-run.h"
#include "shim/ctl/setup-toml.h"

#define RUNC_TYPE "io.containerd.runc.v2"
#define ANNOTATIONS "quod.dev/*"

/* One file of the configuration. */
struct part {
	char *path;
	struct buf text;	/* without our block */
	struct toml toml;	/* of it */
	struct toml whole;	/* with the block that is there */
	int version;
	char *plugin;		/* path of the CRI plugin's table, by the version */
};

struct configuration {
	struct setup *setup;
	struct part *parts;	/* the main file, then what it imports */
	size_t count;
	size_t target;		/* the part that is edited */
	struct strings names;	/* handlers that the block is to have */
};

/* The file without our block; its handlers join the names. */
static int read_text(struct configuration *all, struct part *part, struct err *err)
{
	struct err why = ERR_INIT;
	struct setup_file *file;
	const struct toml *whole = &part->whole;
	size_t begin = 0, end = 0;

	if (setup_read(all->setup, part->path, &file, err) < 0)
		return -err->code;
	buf_puts(&part->text, file->before ? file->before : "");
	if (toml_read(file->before ? file->before : "", part->text.len, &part->whole, &why) < 0 ||
	    block_find(part->text.data, part->text.len, &begin, &end, &why) < 0)
		return err_set(err, EINVAL, "%s%s: %s; it is left as it is", all->setup->root, part->path, why.text);
	for (size_t i = 0; i < whole->count; i++) {
		const char *name = strrchr(whole->entries[i].path, TOML_SEPARATOR);

		if (whole->entries[i].kind == TOML_TABLE && whole->entries[i].begin >= begin && whole->entries[i].begin < end && name &&
		    !strncmp(name + 1, "quod", 4) && !strings_has(&all->names, name + 1))
			strings_add(&all->names, name + 1);
	}
	block_cut(&part->text, &why);
	return 0;
}

static int read_version(const struct configuration *all, struct part *part, struct err *err)
{
	const struct toml_entry *entry = toml_find(&part->toml, "version");

	part->version = entry ? part->text.data[entry->begin] - '0' : part->toml.count ? 1 : 2;
	if (part->version < 1 || part->version > 3 || (entry && entry->end - entry->begin != 1))
		return err_set(err, ENOTSUP, "%s%s: its version is none of 1, 2 and 3; it is left as it is", all->setup->root, part->path);
	for (size_t i = 0; part->version == 1 && i < part->toml.count; i++) {
		const char *plugin = toml_below(&part->toml.entries[i], "plugins");

		if (plugin && !strncmp(plugin, "io.containerd.", 14))
			return err_set(err, EINVAL, "%s%s: names its plugins as version 2 does, and lacks \"version = 2\"; it is left as it is",
				       all->setup->root, part->path);
	}
	part->plugin = toml_path("plugins", part->version == 1 ? "cri" : part->version == 2 ? "io.containerd.grpc.v1.cri" :
				 "io.containerd.cri.v1.runtime", NULL);
	return 0;
}

static int add_part(struct configuration *all, const char *path, struct err *err)
{
	struct part *part;

	all->parts = alloc_grow(all->parts, all->count + 1, sizeof(*all->parts));
	part = &all->parts[all->count++];
	*part = (struct part){ .path = alloc_copy(path), .text = BUF_INIT };
	if (read_text(all, part, err) < 0)
		return -err->code;
	if (!part->text.data)
		buf_puts(&part->text, "");
	toml_read(part->text.data, part->text.len, &part->toml, err);
	return err->code ? -err->code : read_version(all, part, err);
}

static int add_imports(struct configuration *all, struct err *err)
{
	const struct toml_entry *entry = toml_find(&all->parts[0].toml, "imports");
	struct strings patterns = { NULL, 0 };
	int r = 0;

	if (entry && !toml_strings(&all->parts[0].toml, entry, &patterns))
		r = err_set(err, EINVAL, "%s%s: its imports are no list of paths", all->setup->root, all->setup->file);
	for (size_t i = 0; i < patterns.count && !r; i++) {
		bool is_absolute = patterns.items[i][0] == '/', is_pattern = strpbrk(patterns.items[i], "*?[") != NULL;
		int dir_len = (int)(strrchr(all->setup->file, '/') - all->setup->file);
		cleanup_free char *pattern = is_absolute ? alloc_printf("%s%s", all->setup->root, patterns.items[i]) :
			alloc_printf("%s%.*s/%s", all->setup->root, dir_len, all->setup->file, patterns.items[i]);
		glob_t found = { .gl_pathc = 0 };

		/* 1.6 looks for it where it was started */
		if (!is_absolute && is_pattern)
			r = err_set(err, ENOTSUP, "%s%s imports %s: which directory that is depends on where containerd is started; write it "
				    "with its whole path", all->setup->root, all->setup->file, patterns.items[i]);
		else if (glob(pattern, 0, NULL, &found) == 0)
			for (size_t j = 0; j < found.gl_pathc && !r; j++)
				r = add_part(all, found.gl_pathv[j] + strlen(all->setup->root), err);
		globfree(&found);
	}
	strings_free(&patterns);
	for (size_t i = 1; i < all->count && !r; i++) {
		if (toml_has(&all->parts[i].toml, "imports"))
			r = err_set(err, ENOTSUP, "%s%s imports files in its turn: edit it by hand", all->setup->root, all->parts[i].path);
		if (toml_has(&all->parts[i].toml, all->parts[i].plugin))
			all->target = i;
	}
	return r;
}

/* A handler that quod can stand in for: its type is runc's, or isn't said. */
static bool is_runc(const struct part *part, const char *handler)
{
	cleanup_free char *type_path = toml_path(handler, "runtime_type", NULL);
	cleanup_free char *type = toml_string(&part->toml, toml_find(&part->toml, type_path));

	return toml_has(&part->toml, handler) && (!type || !*type || !strncmp(type, "io.containerd.runc.", 19));
}

/* Whose options quod's handlers get: runc's, else the default's; malloc'ed, NULL when there is none. */
static char *find_model(const struct part *part)
{
	cleanup_free char *name_path = toml_path(part->plugin, "containerd", "default_runtime_name", NULL);
	cleanup_free char *standard = toml_string(&part->toml, toml_find(&part->toml, name_path));
	char *candidates[] = { toml_path(part->plugin, "containerd", "runtimes", "runc", NULL),
			       toml_path(part->plugin, "containerd", "runtimes", standard ? standard : "runc", NULL),
			       toml_path(part->plugin, "containerd", "default_runtime", NULL) };
	char *model = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (!model && is_runc(part, candidates[i]))
			model = steal_ptr(&candidates[i]);
		free(candidates[i]);
	}
	return model;
}

/* [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.NAME(.options)] */
static void put_header(struct buf *lines, const struct part *part, const char *name, const char *below)
{
	buf_printf(lines, "[plugins.");
	toml_put_key(lines, strchr(part->plugin, TOML_SEPARATOR) + 1);
	buf_puts(lines, ".containerd.runtimes.");
	toml_put_key(lines, name);
	buf_printf(lines, "%s]\n", below);
}

static void put_pair(struct buf *lines, const char *path, const char *value, size_t len)
{
	buf_puts(lines, "  ");
	for (const char *at = path; at; at = strchr(at, TOML_SEPARATOR) ? strchr(at, TOML_SEPARATOR) + 1 : NULL) {
		cleanup_free char *name = alloc_printf("%.*s", (int)strcspn(at, (char[]){ TOML_SEPARATOR, '\0' }), at);

		if (at != path)
			buf_putc(lines, '.');
		toml_put_key(lines, name);
	}
	buf_puts(lines, " = ");
	for (size_t i = 0; i < len; i++)
		if (value[i] != '\r')
			buf_putc(lines, value[i]);
	buf_putc(lines, '\n');
}

/* What the model lets through, and quod's. */
static void put_annotations(struct buf *lines, const struct part *part, const char *model, const char *key)
{
	cleanup_free char *path = model ? toml_path(model, key, NULL) : NULL;
	const struct toml_entry *entry = path ? toml_find(&part->toml, path) : NULL;
	struct strings patterns = { NULL, 0 };
	cleanup_buf struct buf list = BUF_INIT;

	if (entry && !toml_strings(&part->toml, entry, &patterns))
		strings_free(&patterns);
	if (!strings_has(&patterns, ANNOTATIONS))
		strings_add(&patterns, ANNOTATIONS);
	for (size_t i = 0; i < patterns.count; i++) {
		buf_puts(&list, i ? ", " : "[");
		buf_put_json(&list, patterns.items[i]);
	}
	buf_putc(&list, ']');
	put_pair(lines, key, list.data, list.len);
	strings_free(&patterns);
}

static bool names_runtime(const char *key)
{
	static const char *const own[] = { "runtime_type", "runtime_path", "runtime_engine", "runtime_root", "pod_annotations",
					   "container_annotations" };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (!strcmp(own[i], key))
			return true;
	return false;
}

static void put_handler(struct buf *lines, const struct part *part, const char *name, const struct part *model_part,
			const char *model)
{
	cleanup_free char *link = setup_link_path(name), *options = model ? toml_path(model, "options", NULL) : NULL;
	cleanup_free char *quoted = alloc_printf("\"%s\"", link);
	const struct toml *toml = &model_part->toml;

	put_header(lines, part, name, "");
	put_pair(lines, "runtime_type", "\"" RUNC_TYPE "\"", strlen(RUNC_TYPE) + 2);
	put_annotations(lines, model_part, model, "pod_annotations");
	put_annotations(lines, model_part, model, "container_annotations");
	for (size_t i = 0; model && i < toml->count; i++) {
		const struct toml_entry *entry = &toml->entries[i];
		const char *key = toml_below(entry, model);

		if (key && entry->kind == TOML_VALUE && !toml_below(entry, options) && !names_runtime(key))
			put_pair(lines, key, toml->text + entry->begin, entry->end - entry->begin);
	}
	put_header(lines, part, name, ".options");
	put_pair(lines, "BinaryName", quoted, strlen(quoted));
	for (size_t i = 0; model && i < toml->count; i++) {
		const struct toml_entry *entry = &toml->entries[i];
		const char *key = toml_below(entry, options);

		if (key && entry->kind == TOML_VALUE && strcmp(key, "BinaryName"))
			put_pair(lines, key, toml->text + entry->begin, entry->end - entry->begin);
	}
}

/* A handler of ours that the file has outside of our block: as good as ours, or in its way. */
static int look_at_handler(const struct configuration *all, const char *name, bool *is_there, struct err *err)
{
	const struct part *part = &all->parts[all->target];
	cleanup_free char *handler = toml_path(part->plugin, "containerd", "runtimes", name, NULL);
	cleanup_free char *binary_path = toml_path(handler, "options", "BinaryName", NULL), *link = setup_link_path(name);
	cleanup_free char *binary = toml_string(&part->toml, toml_find(&part->toml, binary_path));

	*is_there = toml_has(&part->toml, handler);
	if (*is_there && (!is_runc(part, handler) || !binary || strcmp(binary, link)))
		return err_set(err, EEXIST, "%s%s has a handler %s that does not execute %s: take it out or give it another name",
			       all->setup->root, part->path, name, link);
	return 0;
}

/* A header can't go on in what was written as an inline table. */
static int check_open(const struct configuration *all, struct err *err)
{
	const struct part *part = &all->parts[all->target];
	cleanup_free char *containerd = toml_path(part->plugin, "containerd", NULL), *runtimes = toml_path(containerd, "runtimes", NULL);
	const char *const paths[] = { "plugins", part->plugin, containerd, runtimes };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct toml_entry *entry = toml_find(&part->toml, paths[i]);

		if (entry && entry->kind != TOML_TABLE)
			return err_set(err, ENOTSUP, "%s%s, line %d: an inline table, which no handler can be added to in place: write it as "
				       "[table] first", all->setup->root, part->path, entry->line);
	}
	return 0;
}

static void note_circumstances(const struct configuration *all)
{
	struct setup *setup = all->setup;
	struct strings disabled = { NULL, 0 };

	for (size_t i = 0; i < all->count; i++) {
		const struct toml_entry *entry = toml_find(&all->parts[i].toml, "disabled_plugins");

		if (entry)
			toml_strings(&all->parts[i].toml, entry, &disabled);
	}
	if (strings_has(&disabled, "cri") || strings_has(&disabled, "io.containerd.grpc.v1.cri"))
		setup_note(setup, "The CRI plugin is switched off there (disabled_plugins): for Kubernetes it has to be on; Docker does not "
			   "need it (quodctl setup docker).");
	if (!setup->remove && all->parts[all->target].version == 1)
		setup_note(setup, "The file is of version 1: containerd 2 takes no handlers from it (containerd config migrate).");
	if (all->target)
		setup_note(setup, "%s imports %s, which has the CRI plugin's table: the handlers are there.", setup->file,
			   all->parts[all->target].path);
	strings_free(&disabled);
}

/* The block's lines; none when all handlers are there without it. */
static int make_lines(struct configuration *all, struct buf *lines, struct err *err)
{
	struct part *part = &all->parts[all->target];
	cleanup_free char *runtimes = toml_path(part->plugin, "containerd", "runtimes", NULL), *model = NULL;
	const struct part *model_part = part;

	model = find_model(part);
	for (size_t i = all->count; !model && i--;) {
		model_part = &all->parts[i];
		model = find_model(model_part);
	}
	model_part = model ? model_part : part;
	if (!part->toml.count && part == all->parts)
		buf_puts(lines, "version = 2\n");
	for (size_t i = 0; i < all->names.count; i++) {
		bool is_there;

		if (look_at_handler(all, all->names.items[i], &is_there, err) < 0)
			return -err->code;
		if (is_there)
			continue;
		if (!toml_has(&part->toml, runtimes) && !i) {
			put_header(lines, part, "runc", "");
			put_pair(lines, "runtime_type", "\"" RUNC_TYPE "\"", strlen(RUNC_TYPE) + 2);
		}
		put_handler(lines, part, all->names.items[i], model_part, model);
		if (!strings_has(&all->setup->record.added, all->names.items[i]))
			strings_add(&all->setup->record.added, all->names.items[i]);
	}
	return 0;
}

/* The edited text says what it said, the block's handlers aside: keys that somebody put behind the block belong to them. */
static int check_result(const struct part *part, const struct buf *text, const struct strings *names, struct err *err)
{
	cleanup_toml struct toml toml = { NULL, NULL, 0 };
	struct strings except = { NULL, 0 };
	cleanup_free char *runtimes = toml_path(part->plugin, "containerd", "runtimes", NULL), *runc = toml_path(runtimes, "runc", NULL);
	struct err why = ERR_INIT;
	bool same;

	for (size_t i = 0; i < names->count; i++) {
		cleanup_free char *handler = toml_path(runtimes, names->items[i], NULL);

		if (!toml_has(&part->toml, handler))
			strings_add(&except, handler);
	}
	if (!toml_has(&part->toml, runtimes))
		strings_add(&except, runc);
	if (!part->toml.count)
		strings_add(&except, "version");
	same = toml_read(text->data, text->len, &toml, &why) == 0 && toml_same(&part->whole, &toml, &except);
	strings_free(&except);
	return same ? 0 : err_set(err, EINVAL, "%s can't be edited without damage (%s), and is left as it is", part->path,
				  why.code ? why.text : "something else would change its meaning");
}

static int edit(struct configuration *all, struct err *err)
{
	struct part *part = &all->parts[all->target];
	struct setup *setup = all->setup;
	struct setup_file *file = &setup->files[all->target];
	cleanup_buf struct buf lines = BUF_INIT, text = BUF_INIT;

	if (!setup->remove && (check_open(all, err) < 0 || make_lines(all, &lines, err) < 0))
		return -err->code;
	/* a block in another file than the one that counts now is taken out of it */
	for (size_t i = 0; i < all->count; i++)
		if (i != all->target && setup->files[i].before) {
			buf_puts(&text, all->parts[i].text.data);
			setup_want(&setup->files[i], &text);
		}
	buf_puts(&text, part->text.data);
	if (!setup->remove && lines.len)
		block_put(&text, lines.data);
	if (check_result(part, &text, &all->names, err) < 0)
		return -err->code;
	if (!setup->remove && !file->before && !strings_has(&setup->record.created, file->path))
		strings_add(&setup->record.created, file->path);
	if (!text.len && (!file->before || (setup->remove && strings_has(&setup->record.created, file->path))))
		return free(file->after), file->after = NULL, 0;
	setup_want(file, &text);
	return 0;
}

/* Several containerds on one host: the one that runs must be the one that is meant. */
static int check_running(const struct setup *setup, struct err *err)
{
	struct strings found = { NULL, 0 };
	int r = 0;

	if (setup->standard)
		return err_set(err, ENOTSUP, "--default: a cluster chooses by RuntimeClass; not for containerd");
	if (*setup->root || setup->is_file_given)
		return 0;
	setup_running_values("containerd", "--config", "-c", &found);
	for (size_t i = 0; i < found.count && !r; i++)
		if (strcmp(found.items[i], setup->file))
			r = err_set(err, EBUSY, "a containerd here runs with --config %s: say which file is meant (--config FILE)",
				    found.items[i]);
	strings_free(&found);
	if (!r && strstr(setup->file, "/k3s/agent/etc/containerd/config.toml"))
		r = err_set(err, ENOTSUP, "k3s writes %s anew at each start: put the handlers into its template", setup->file);
	return r;
}

static void release(struct configuration *all)
{
	for (size_t i = 0; i < all->count; i++) {
		free(all->parts[i].path);
		free(all->parts[i].plugin);
		buf_free(&all->parts[i].text);
		toml_release(&all->parts[i].toml);
		toml_release(&all->parts[i].whole);
	}
	free(all->parts);
	strings_free(&all->names);
}

static int plan(struct setup *setup, struct err *err)
{
	struct configuration all = { .setup = setup };
	int r = check_running(setup, err);

	r = r ? r : add_part(&all, setup->file, err);
	r = r ? r : add_imports(&all, err);
	setup_runtimes(setup, &all.names);
	r = r ? r : edit(&all, err);
	if (!r)
		note_circumstances(&all);
	setup_next(setup, "systemctl restart containerd");
	release(&all);
	return r;
}

const struct setup_engine setup_containerd = { "containerd", "/etc/containerd/config.toml", plan, containerd_check, NULL,
						  NULL, NULL };
