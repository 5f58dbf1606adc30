/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod.json(5): read by the same table-driven reader as a profile, and as strictly. A file that is there but can't be read
 * is an error, never the defaults.
 */
#include "shim/policy/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile-keys.h"
#include "shim/policy/texts.h"

#define AT(field) KEY_AT(struct host_config, field)

static const char *const on_error_words[] = { "refuse", "continue", NULL };
static const char *const anchor_words[] = { "none", "syslog", NULL };
static const char *const prove_words[] = { "off", "start", NULL };
static const char *const engine_words[] = { "docker", "containerd", "cri", "podman", "crio", "buildkit", NULL };

/* To run unmanaged is a rule's to say, never a default's or a wish's. */
static const char *want_chosen_profile(const char *text)
{
	if (!strcmp(text, "unmanaged"))
		return "a profile: only a rule may leave a container unmanaged";
	return want_profile_name(text);
}

static const char *want_namespace_pattern(const char *text)
{
	return text[0] && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-*") == strlen(text)
		       ? NULL
		       : "a Kubernetes namespace or a pattern of one (lower case letters, digits, '-', '*')";
}

static int read_pattern(const struct reader *reader, const struct spot *spot, const char *(*check)(const char *), char **to)
{
	const char *text, *wanted;

	if (spot_text(reader, spot, &text) < 0)
		return -EINVAL;
	wanted = check(text);
	if (wanted)
		return spot_fail(reader, spot, "'%s' is not %s", text, wanted);
	*to = alloc_copy(text);
	return 0;
}

static int read_user(const struct reader *reader, const struct spot *spot, struct host_rule *rule)
{
	uint64_t user;

	if (!json_uint(spot->value, &user) || user >= UINT32_MAX)
		return spot_fail(reader, spot, "must be a user id (a whole number)");
	rule->has_user = true;
	rule->user = (uint32_t)user;
	return 0;
}

static int read_match(const struct reader *reader, const struct spot *match, struct host_rule *rule)
{
	static const char *const names[] = { "namespace", "engine", "user", "workspace", NULL };
	struct spot namespace, engine, user, workspace;
	size_t index;

	if (spot_only(reader, match, names) < 0)
		return -EINVAL;
	if (!match->value->count)
		return spot_fail(reader, match, "is empty: what holds for every container is default_profile");
	namespace = spot_named(match, "namespace");
	engine = spot_named(match, "engine");
	user = spot_named(match, "user");
	workspace = spot_named(match, "workspace");
	if (namespace.value && read_pattern(reader, &namespace, want_namespace_pattern, &rule->namespace_pattern) < 0)
		return -EINVAL;
	if (engine.value) {
		if (spot_word(reader, &engine, engine_words, &index) < 0)
			return -EINVAL;
		rule->engine = alloc_copy(engine_words[index]);
	}
	if (user.value && read_user(reader, &user, rule) < 0)
		return -EINVAL;
	if (workspace.value && read_pattern(reader, &workspace, want_mount_pattern, &rule->workspace) < 0)
		return -EINVAL;
	return 0;
}

static int read_rule(const struct reader *reader, const struct spot *item)
{
	static const char *const names[] = { "match", "profile", NULL };
	struct host_config *config = reader->target;
	struct host_rule *rule = list_add(config->rules, config->rule_count);
	struct spot match, profile;

	if (spot_only(reader, item, names) < 0)
		return -EINVAL;
	match = spot_named(item, "match");
	profile = spot_named(item, "profile");
	if (read_match(reader, &match, rule) < 0)
		return -EINVAL;
	return read_pattern(reader, &profile, want_profile_name, &rule->profile);
}

static int read_rules(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_ARRAY, read_rule);
}

static int read_runtime(const struct reader *reader, const struct spot *spot)
{
	static const struct key names[] = {
		{ "runtime", KEY_STRINGS, AT(runtime), .check = want_runtime, .replaces = true },
	};

	if (json_is(spot->value, JSON_ARRAY) && !spot->value->count)
		return spot_fail(reader, spot, "must name at least one runtime");
	return keys_read_value(reader, &names[0], spot);
}

static const struct key keys[] = {
	{ "version", .kind = KEY_VERSION },
	{ "$schema", .kind = KEY_IGNORED },
	{ "runtime", KEY_OTHER, .read = read_runtime },
	{ "require_safe_runtime", KEY_BOOL, AT(require_safe_runtime) },
	{ "default_profile", KEY_TEXT, AT(default_profile), .check = want_chosen_profile },
	{ "rules", KEY_OTHER, .read = read_rules },
	{ "selectable", KEY_STRINGS, AT(selectable), .check = want_chosen_profile, .replaces = true },
	{ "audit.file", KEY_TEXT, AT(audit_file), .check = want_absolute_path },
	{ "audit.on_error", KEY_WORD, AT(audit_continue), .words = on_error_words },
	{ "audit.rotate", KEY_BYTES, AT(audit_rotate), .least = 1 << 16, .most = 1ull << 50, .unlimited = true },
	{ "audit.keep", KEY_COUNT, AT(audit_keep), .least = 1, .most = 10000 },
	{ "audit.anchor", KEY_WORD, AT(audit_anchor_syslog), .words = anchor_words },
	{ "ledger.keep", KEY_DURATION, AT(ledger_keep_ms), .least = 60000, .most = 3153600000000ull, .unlimited = true },
	{ "containers.max", KEY_COUNT, AT(containers_max), .most = 1000000 },
	{ "containers.creates_per_minute", KEY_COUNT, AT(creates_per_minute), .most = 1000000 },
	{ "prove", KEY_WORD, AT(prove), .words = prove_words },
	{ "limits.config_bytes", KEY_BYTES, AT(config_bytes), .least = 1 << 16, .most = 64 << 20 },
	{ "limits.mounts", KEY_COUNT, AT(mounts_max), .least = 1, .most = 100000 },
};

const struct key *host_config_keys(size_t *count)
{
	*count = ARRAY_SIZE(keys);
	return keys;
}

/* quod.json(5) gives each of these values as its key's default: change both. */
static struct host_config *make_defaults(void)
{
	struct host_config *config = alloc_zeroed(1, sizeof(*config));

	strings_add(&config->runtime, "runc");
	strings_add(&config->runtime, "crun");
	config->default_profile = alloc_copy("balanced");
	config->audit_file = alloc_copy(QUOD_LOGDIR "/audit.jsonl");
	config->audit_rotate = 64ull << 20;
	config->audit_keep = 16;
	config->audit_anchor_syslog = true;
	config->ledger_keep_ms = 30ull * 86400000;
	config->containers_max = 256;
	config->creates_per_minute = 600;
	config->prove = true;
	config->config_bytes = 4 << 20;
	config->mounts_max = 1024;
	return config;
}

static int read_file(const char *path, struct host_config *config, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct reader reader = { .keys = keys, .key_count = ARRAY_SIZE(keys), .target = config, .err = err };
	int r = policy_file_read(path, NULL, &tree, &config->file, err);

	if (r)
		return r;
	reader.file = config->file;
	return keys_read(&reader, json_root(tree));
}

int host_config_load(const char *file, const char *default_file, struct host_config **config, struct err *err)
{
	struct host_config *made = make_defaults();
	struct err why = ERR_INIT;
	int r = read_file(file ? file : default_file, made, &why);

	if (r == -ENOENT && !file)
		r = 0;
	if (r) {
		*err = why;
		host_config_free(made);
		return r;
	}
	*config = made;
	return 0;
}

void host_config_free(struct host_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->rule_count; i++) {
		free(config->rules[i].namespace_pattern);
		free(config->rules[i].engine);
		free(config->rules[i].workspace);
		free(config->rules[i].profile);
	}
	free(config->rules);
	strings_free(&config->runtime);
	strings_free(&config->selectable);
	free(config->file);
	free(config->default_profile);
	free(config->audit_file);
	free(config);
}
