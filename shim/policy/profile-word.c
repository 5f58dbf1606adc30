/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A word that can only tighten: a project's own file, or an annotation. It is read onto a profile that forbids nothing, so
 * that what it doesn't say has no effect on the meet. What could do more than tighten is refused: who wrote it is a stranger.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile-keys.h"

/* What has no stricter and no looser: it would be the stranger's choice. */
static const char *const never[] = { "extends", "runtime", "process.env.set", "egress.via", "egress.dns.upstream" };

static const struct {
	const char *key;
	unsigned bit;
} said[] = {
	{ "mounts.allow", LIST_MOUNTS },   { "hooks.allow", LIST_HOOKS },     { "devices.allow", LIST_DEVICES },
	{ "sysctls.allow", LIST_SYSCTLS }, { "egress.allow", LIST_EGRESS },   { "ingress.allow", LIST_INGRESS },
	{ "budgets.scope", UNSAID_SCOPE }, { "budgets.reset", UNSAID_RESET }, { "seccomp.sockets", UNSAID_SOCKETS },
};

/* Every value at its loosest. */
static struct profile *make_open(const char *name)
{
	struct profile *profile = alloc_zeroed(1, sizeof(*profile));

	profile->name = alloc_copy(name);
	profile->unsaid = UNSAID_ALL;
	profile->mounts.strip = true;
	profile->mounts.volumes = VOLUMES_ALLOW;
	profile->mounts.service_account = true;
	profile->process.capabilities = UINT64_MAX;
	profile->process.root = true;
	profile->resources.cpus_milli = LIMIT_UNLIMITED;
	profile->resources.memory = LIMIT_UNLIMITED;
	profile->resources.swap = LIMIT_UNLIMITED;
	profile->resources.pids = LIMIT_UNLIMITED;
	profile->guard = GUARD_NETWORK;
	profile->budgets.wall_ms = LIMIT_UNLIMITED;
	profile->budgets.cpu_ms = LIMIT_UNLIMITED;
	profile->budgets.egress = LIMIT_UNLIMITED;
	profile->budgets.grace_ms = LIMIT_UNLIMITED;
	profile->budgets.on_exhausted = EXHAUSTED_FREEZE;
	profile->egress.mode = EGRESS_OBSERVE;
	profile->egress.names_per_minute = LIMIT_UNLIMITED;
	profile->egress.rate = LIMIT_UNLIMITED;
	return profile;
}

int profile_read_word(const struct json *root, const char *name, const struct profile_paths *paths, struct profile **word,
		      struct err *err)
{
	struct profile *made;
	struct reader reader = { .file = name, .paths = paths, .is_word = true, .err = err };
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (json_is(root, JSON_OBJECT) && keys_has(root, never[i]))
			return err_set(err, EACCES, "%s: %s is not a project's own to say: it can only tighten", name, never[i]);
	made = make_open(name);
	reader.target = made;
	reader.keys = profile_keys(&reader.key_count);
	r = keys_read(&reader, root);
	for (size_t i = 0; !r && i < ARRAY_SIZE(said); i++)
		if (keys_has(root, said[i].key))
			made->unsaid &= ~said[i].bit;
	if (r) {
		profile_free(made);
		return r;
	}
	*word = made;
	return 0;
}

bool profile_word_has_key(const char *key)
{
	static const char *const no_words[] = { "version", "$schema", "description", "layers" };
	size_t count;
	const struct key *keys = profile_keys(&count);

	for (size_t i = 0; i < ARRAY_SIZE(no_words); i++)
		if (!strcmp(key, no_words[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (!strcmp(key, never[i]))
			return false;
	return keys_find(keys, count, key) != NULL;
}

/* JSON where it is JSON that isn't a string anyway (true, 128, ["a"], {"b": 1}); else the text itself. */
static struct json *read_value(struct json_tree *tree, const char *text)
{
	cleanup_json_tree struct json_tree *read = NULL;
	struct err ignored = ERR_INIT;

	if (json_parse(text, strlen(text), JSON_PLAIN, NULL, &read, &ignored) < 0 || json_is(json_root(read), JSON_NULL))
		return json_make_string(tree, text);
	return json_copy(tree, json_root(read));
}

int profile_read_word_of_key(const char *key, const char *value, const struct profile_paths *paths, struct profile **word,
			     struct err *err)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_free char *rest = alloc_copy(key), *name = alloc_printf("annotation quod.dev/%s", key);
	struct json *root = json_make_object(tree), *at = root;
	char *part = rest, *dot;

	if (!profile_word_has_key(key))
		return err_set(err, EACCES, "%s: there is no key '%s' of a profile that an annotation may tighten "
			       "(quod-profile(5))", name, key);
	json_set(tree, root, "version", json_make_uint(tree, 1));
	for (; (dot = strchr(part, '.')); part = dot + 1) {
		struct json *section = json_make_object(tree);

		*dot = '\0';
		json_set(tree, at, part, section);
		at = section;
	}
	json_set(tree, at, part, read_value(tree, value));
	return profile_read_word(root, name, paths, word, err);
}
