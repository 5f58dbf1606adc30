/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A profile and its parents become one: the documents are read onto the strict defaults from the root of the chain to the
 * profile itself, each through the same table. So merging is reading; there is no second set of rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile-keys.h"

#define CHAIN_MAX 8

struct layer {
	char *file;		/* resolved */
	struct json_tree *tree;
};

struct chain {
	struct layer layers[CHAIN_MAX];		/* the profile itself first */
	size_t count;
};

static void chain_release(struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++) {
		free(chain->layers[i].file);
		json_tree_free(chain->layers[i].tree);
	}
	chain->count = 0;
}

static int chain_add(struct chain *chain, const char *path, const struct profile_paths *paths, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *file = NULL;
	int r = policy_file_read(path, paths, &tree, &file, err);

	if (r)
		return r;
	for (size_t i = 0; i < chain->count; i++)
		if (!strcmp(chain->layers[i].file, file))
			return err_set(err, ELOOP, "%s: its chain of 'extends' comes back to %s", chain->layers[0].file, file);
	if (chain->count == CHAIN_MAX)
		return err_set(err, ELOOP, "%s: its chain of 'extends' is longer than %d profiles", chain->layers[0].file,
			       CHAIN_MAX);
	chain->layers[chain->count].tree = steal_ptr(&tree);
	chain->layers[chain->count].file = steal_ptr(&file);
	chain->count++;
	return 0;
}

static int chain_add_named(struct chain *chain, const char *name, const struct profile_paths *paths, struct err *err)
{
	cleanup_buf struct buf looked = BUF_INIT;

	if (!profile_name_is_valid(name))
		return err_set(err, EINVAL, "'%s' is no profile's name (letters, digits, '_', '.', '-', no dot in front)", name);
	for (size_t i = 0; i < ARRAY_SIZE(paths->profile_dirs) && paths->profile_dirs[i]; i++) {
		cleanup_free char *path = alloc_printf("%s/%s.json", paths->profile_dirs[i], name);
		struct err why = ERR_INIT;
		int r = chain_add(chain, path, paths, &why);

		if (r && r != -ENOENT)
			*err = why;
		if (r != -ENOENT)
			return r;
		buf_printf(&looked, "%s%s", i ? ", " : "", paths->profile_dirs[i]);
	}
	return err_set(err, ENOENT, "there is no profile '%s' (looked in %s)", name, looked.data ? looked.data : "nothing");
}

/* The parents, as far as they are named; a value that is no name is left to the reader to complain about. */
static int chain_add_parents(struct chain *chain, const struct profile_paths *paths, struct err *err)
{
	for (;;) {
		const struct layer *last = &chain->layers[chain->count - 1];
		const struct json *extends = json_get(json_root(last->tree), "extends");
		const char *name = json_string(extends);
		int r;

		if (!name || !profile_name_is_valid(name))
			return 0;
		r = chain_add_named(chain, name, paths, err);
		if (r == -ENOENT)
			return err_wrap(err, "%s:%d: /extends", last->file, extends->line);
		if (r)
			return r;
	}
}

static int read_layer(struct reader *reader, const struct layer *layer)
{
	struct profile *profile = reader->target;

	reader->file = layer->file;
	/* A description is of one document: a child without one has none. */
	free(profile->description);
	profile->description = NULL;
	return keys_read(reader, json_root(layer->tree));
}

/* What a reader with `paths`, `all` and `err` set makes of the chain. */
static int chain_read(const struct chain *chain, const char *name, struct reader *reader, struct profile **profile)
{
	struct profile *made = profile_make_strict(name);
	int r = 0;

	reader->target = made;
	reader->keys = profile_keys(&reader->key_count);
	for (size_t i = chain->count; i-- > 0 && (!r || reader->all); reader->depth++) {
		int failed = read_layer(reader, &chain->layers[i]);

		r = failed ? failed : r;
	}
	if (r) {
		profile_free(made);
		return r;
	}
	made->file = alloc_copy(chain->layers[0].file);
	*profile = made;
	return 0;
}

int profile_load(const char *name, const struct profile_paths *paths, struct profile **profile, struct err *err)
{
	struct chain chain = { .count = 0 };
	struct trusted_dirs trusted = { .count = 0 };
	struct profile_paths places = *paths;
	struct reader reader = { .paths = &places, .err = err };
	int r;

	places.trusted = &trusted;
	r = chain_add_named(&chain, name, &places, err);
	if (!r)
		r = chain_add_parents(&chain, &places, err);
	if (!r)
		r = chain_read(&chain, name, &reader, profile);
	chain_release(&chain);
	trusted_dirs_release(&trusted);
	return r;
}

static int name_of_file(const char *file, char **name, struct err *err)
{
	const char *slash = strrchr(file, '/');
	size_t len;

	*name = alloc_copy(slash ? slash + 1 : file);
	len = strlen(*name);
	if (len > 5 && !strcmp(*name + len - 5, ".json"))
		(*name)[len - 5] = '\0';
	if (!profile_name_is_valid(*name))
		return err_set(err, EINVAL, "%s: the file's name gives no profile's name (NAME.json; letters, digits, '_', '.', '-')",
			       file);
	return 0;
}

int profile_load_file(const char *file, const struct profile_paths *paths, struct profile **profile, struct err *err)
{
	struct reader reader = { .paths = paths, .err = err };
	struct chain chain = { .count = 0 };
	cleanup_free char *name = NULL;
	int r = name_of_file(file, &name, err);

	if (!r)
		r = chain_add(&chain, file, paths, err);
	if (!r)
		r = chain_add_parents(&chain, paths, err);
	if (!r)
		r = chain_read(&chain, name, &reader, profile);
	chain_release(&chain);
	return r;
}

/* A parent that can't be had is one error more: what the file itself says is judged all the same. */
struct profile *profile_check_file(const char *file, const struct profile_paths *paths, struct strings *errors)
{
	struct err err = ERR_INIT;
	struct reader reader = { .paths = paths, .all = errors, .err = &err };
	struct chain chain = { .count = 0 };
	struct profile *profile = NULL;
	cleanup_free char *name = NULL;
	size_t before = errors->count;
	int r = name_of_file(file, &name, &err);

	if (!r)
		r = chain_add(&chain, file, paths, &err);
	if (r || chain_add_parents(&chain, paths, &err) < 0)
		strings_add(errors, err.text);
	if (!r && chain_read(&chain, name, &reader, &profile) < 0 && errors->count == before)
		strings_add(errors, err.text);
	chain_release(&chain);
	if (errors->count == before)
		return profile;
	profile_free(profile);
	return NULL;
}

/* "FILE:LINE: /pointer" of a document's key; NULL when it doesn't say it. */
static char *find_key(const struct layer *layer, const char *key)
{
	cleanup_free char *rest = alloc_copy(key), *pointer = alloc_copy("");
	const struct json *at = json_root(layer->tree);
	char *save = NULL;

	for (char *part = strtok_r(rest, ".", &save); part; part = strtok_r(NULL, ".", &save)) {
		char *longer = alloc_printf("%s/%s", pointer, part);

		free(pointer);
		pointer = longer;
		at = json_get(at, part);
		if (!at)
			return NULL;
	}
	return alloc_printf("%s:%d: %s", layer->file, at->line, pointer);
}

char *profile_key_place(const char *file, const struct profile_paths *paths, const char *key)
{
	struct err ignored = ERR_INIT;
	struct chain chain = { .count = 0 };
	char *place = NULL;

	if (chain_add(&chain, file, paths, &ignored) == 0 && chain_add_parents(&chain, paths, &ignored) == 0)
		for (size_t i = 0; i < chain.count && !place; i++)
			place = find_key(&chain.layers[i], key);
	chain_release(&chain);
	return place ? place : alloc_copy(file);
}

int profile_read_document(const char *name, const struct profile_paths *paths, struct json_tree **tree, char **file,
			  struct err *err)
{
	struct chain chain = { .count = 0 };
	int r = chain_add_named(&chain, name, paths, err);

	if (!r) {
		*tree = steal_ptr(&chain.layers[0].tree);
		*file = steal_ptr(&chain.layers[0].file);
	}
	chain_release(&chain);
	return r;
}

static void drop_rlimits(struct profile *profile)
{
	for (size_t i = 0; i < profile->process.rlimit_count; i++)
		free(profile->process.rlimits[i].name);
	free(profile->process.rlimits);
	profile->process.rlimits = NULL;
	profile->process.rlimit_count = 0;
}

int profile_from_json(const struct json *root, const char *name, struct profile **profile, struct err *err)
{
	struct profile *made = profile_make_strict(name);
	struct reader reader = { .file = name, .target = made, .err = err };
	int r;

	reader.keys = profile_keys(&reader.key_count);
	/* What a resolved profile says is all there is: its order is kept, too, or the digest would be another. */
	if (keys_has(root, "process.rlimits"))
		drop_rlimits(made);
	r = keys_read(&reader, root);
	if (r) {
		profile_free(made);
		return r;
	}
	*profile = made;
	return 0;
}
