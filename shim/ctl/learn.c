/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl learn [--group] [--base NAME] [--since TIME] CONTAINER | AUDIT-FILE: the profile that a container ran under, with an
 * egress.allow of just what the trail has seen (best of one with "mode": "observe"), each entry with how often. What may not
 * be allowed by what was seen alone (denied places, those that are never reachable) is a comment.
 */
#include "shim/ctl/learn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/find.h"
#include "shim/policy/plan.h"
#include "shim/policy/selection.h"

#define MARK "\"@learnt\""	/* where the entries go; no entry of a profile is that */

struct options {
	bool group;
	const char *base, *since, *from;
};

struct learning {
	struct ctl *ctl;
	struct options options;
	struct learnt learnt;
	struct learn_entries entries;
	struct json_tree *tree;
	struct json *profile;		/* the base, resolved */
	char *base_name;
	struct strings errors;		/* of the whole, as profile check has them */
};

static const char *value_of(const struct ctl *ctl, int *i, const char *name)
{
	const char *word = ctl->argv[*i];
	size_t len = strlen(name);

	if (strncmp(word, name, len))
		return NULL;
	if (word[len] == '=')
		return word + len + 1;
	return word[len] || *i + 1 >= ctl->argc ? NULL : ctl->argv[++*i];
}

static int read_words(struct ctl *ctl, struct options *options)
{
	for (int i = 1; i < ctl->argc; i++) {
		const char *value;

		if (!strcmp(ctl->argv[i], "--group"))
			options->group = true;
		else if ((value = value_of(ctl, &i, "--base")))
			options->base = value;
		else if ((value = value_of(ctl, &i, "--since")))
			options->since = value;
		else if (ctl->argv[i][0] == '-' || options->from)
			return ctl_fail_usage(ctl, "learn takes --group, --base NAME, --since TIME, and one container or audit file");
		else
			options->from = ctl->argv[i];
	}
	return options->from ? CTL_YES : ctl_fail_usage(ctl, "learn from what?");
}

/* A path, or a container. */
static bool is_file(const char *word)
{
	size_t len = strlen(word);

	return strchr(word, '/') || (len > 6 && !strcmp(word + len - 6, ".jsonl"));
}

static int read_trail(struct learning *learning, struct err *err)
{
	const struct options *options = &learning->options;
	struct audit_fields fields;
	struct trail trail;
	const char *line;
	size_t len;
	int r;

	r = is_file(options->from) ? trail_open_file(options->from, &trail, err) : trail_open(learning->ctl, &trail, err);
	if (!r && !is_file(options->from))
		r = trail_choose_container(learning->ctl, &trail, options->from, err);
	if (!r && options->since)
		r = trail_choose_since(&trail, options->since, err);
	while (!r && (r = trail_next(&trail, &line, &len, &fields, err)) == 1) {
		learn_take(&learning->learnt, line, len, &fields);
		r = 0;
	}
	if (!r)
		trail_say_losses(&trail);
	if (!r && !learning->learnt.records)
		r = err_set(err, ENOENT, "%s: the audit trail has no record of it", options->from);
	trail_release(&trail);
	return r;
}

/* As a live container runs under it, else as it is today. */
static int find_base(struct learning *learning, struct err *err)
{
	const char *name = learning->options.base ? learning->options.base : learning->learnt.profile;
	struct record record = { .tree = NULL };
	struct profile *profile = NULL;
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = -1;
	int r = 0;

	if (!learning->options.base && !is_file(learning->options.from) &&
	    container_find(&learning->ctl->places, learning->options.from, &record, &dir_fd, &ignored) == 0 &&
	    strcmp(record.profile, PROFILE_UNMANAGED)) {
		learning->base_name = alloc_copy(record.profile);
		r = profile_from_json(record.profile_json, record.profile, &profile, err);
	} else if (!name || !strcmp(name, PROFILE_UNMANAGED)) {
		r = err_set(err, ENOENT, "no record says which profile it ran under: name one with --base NAME");
	} else {
		learning->base_name = alloc_copy(name);
		r = profile_load(name, &learning->ctl->paths, &profile, err);
		if (r && !learning->options.base)
			err_wrap(err, "the profile that it ran under (name another with --base NAME)");
	}
	if (!r && profile->layer_count)
		r = err_set(err, EOPNOTSUPP, "'%s' was tightened by others, and what all of them allow can't be written as one profile: "
			    "name one with --base NAME", learning->base_name);
	if (!r)
		learning->profile = profile_to_json(profile, learning->tree);
	profile_free(profile);
	record_release(&record);
	return r;
}

static void make_base(struct learning *learning)
{
	struct json_tree *tree = learning->tree;
	struct json *egress = json_get(learning->profile, "egress");

	if (!egress) {
		egress = json_make_object(tree);
		json_set(tree, learning->profile, "egress", egress);
	}
	json_set(tree, egress, "mode", json_make_string(tree, "enforce"));
	/* of entries that may not be there any more */
	json_remove(egress, "caps");
}

static void set_allow(struct learning *learning, const char *entry)
{
	struct json *list = json_make_array(learning->tree);

	if (entry)
		json_append(learning->tree, list, json_make_string(learning->tree, entry));
	json_set(learning->tree, json_get(learning->profile, "egress"), "allow", list);
}

/* What this version can't hold of the profile; with one entry more than without it: that entry can't be held. */
static size_t count_unenforced(const struct profile *profile, char **why)
{
	struct plan plan = { .refusal_count = 0 };
	size_t count;

	plan_unenforced(&(struct plan_input){ .profile = profile }, &plan);
	count = plan.refusal_count;
	if (why && count)
		*why = alloc_printf("%s: %s", plan.refusals[count - 1].key, plan.refusals[count - 1].text);
	plan_release(&plan);
	return count;
}

static size_t count_unenforced_of_base(struct learning *learning)
{
	struct profile *profile = NULL;
	struct err ignored = ERR_INIT;
	size_t count = 0;

	set_allow(learning, NULL);
	if (profile_from_json(learning->profile, "learnt", &profile, &ignored) == 0)
		count = count_unenforced(profile, NULL);
	profile_free(profile);
	return count;
}

/* What makes the entry one that can't be: malformed, denied, never reachable; by those who check a profile. */
static void try_entry(struct learning *learning, struct learn_entry *entry, size_t unenforced)
{
	cleanup_free char *text = alloc_printf("%s%s", entry->host, entry->rest), *why = NULL;
	struct strings dead = { NULL, 0 };
	struct profile *profile = NULL;
	struct err err = ERR_INIT;
	struct entry parsed;

	set_allow(learning, text);
	if (profile_from_json(learning->profile, "learnt", &profile, &err) < 0)
		entry->why_not = alloc_copy(err.text);
	else if (profile_find_dead_entries(profile, &dead))
		entry->why_not = alloc_copy(dead.items[0]);
	else if (count_unenforced(profile, &why) > unenforced)
		entry->why_not = steal_ptr(&why);
	if (!entry->why_not && entry_parse(text, &parsed, &err) == 0) {
		size_t count;
		const struct network *never = never_reachable(&count);

		for (size_t i = 0; !entry->why_not && parsed.kind == ENTRY_NETWORK && i < count; i++)
			if (network_covers(&never[i], &parsed.network))
				entry->why_not = alloc_copy("never reachable, but by an entry of exactly that address: take it in if you know why");
		entry_release(&parsed);
	}
	profile_free(profile);
	strings_free(&dead);
}

/* The whole, as profile check would have it. */
static void check_whole(struct learning *learning)
{
	struct json *list = json_make_array(learning->tree);
	struct plan plan = { .refusal_count = 0 };
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < learning->entries.count; i++) {
		const struct learn_entry *entry = &learning->entries.items[i];
		cleanup_free char *text = alloc_printf("%s%s", entry->host, entry->rest);

		if (!entry->why_not)
			json_append(learning->tree, list, json_make_string(learning->tree, text));
	}
	json_set(learning->tree, json_get(learning->profile, "egress"), "allow", list);
	if (profile_from_json(learning->profile, "learnt", &profile, &err) < 0) {
		strings_add(&learning->errors, err.text);
		return;
	}
	profile_find_dead_entries(profile, &learning->errors);
	plan_unenforced(&(struct plan_input){ .profile = profile }, &plan);
	for (size_t i = 0; i < plan.refusal_count; i++) {
		cleanup_free char *text = alloc_printf("%s: %s", plan.refusals[i].key, plan.refusals[i].text);

		strings_add(&learning->errors, text);
	}
	plan_release(&plan);
	profile_free(profile);
}

static void put_comment(struct buf *buf, const char *indent, const char *text)
{
	buf_puts(buf, indent);
	buf_puts(buf, "// ");
	buf_put_plain(buf, text);
	buf_putc(buf, '\n');
}

static void put_entries(struct buf *buf, const struct learning *learning, const char *indent)
{
	size_t left = 0;

	for (size_t i = 0; i < learning->entries.count; i++)
		left += !learning->entries.items[i].why_not;
	for (size_t i = 0; i < learning->entries.count; i++) {
		const struct learn_entry *entry = &learning->entries.items[i];
		cleanup_free char *text = alloc_printf("%s%s", entry->host, entry->rest), *why = NULL;

		put_comment(buf, indent, entry->remark);
		if (entry->why_not) {
			why = alloc_printf("  left out: %s: %s", text, entry->why_not);
			put_comment(buf, indent, why);
			continue;
		}
		buf_puts(buf, indent);
		buf_put_json(buf, text);
		buf_puts(buf, --left ? ",\n" : "\n");
	}
	for (size_t i = 0; i < learning->learnt.refused.count; i++) {
		cleanup_free char *text = alloc_printf("refused, and so not here: %s", learning->learnt.refused.items[i]);

		put_comment(buf, indent, text);
	}
}

static void put_head(struct buf *buf, const struct learning *learning)
{
	const struct learnt *learnt = &learning->learnt;
	cleanup_free char *base = alloc_printf("Profile %s, with what was seen alone allowed in the network.", learning->base_name);
	cleanup_free char *from = alloc_printf("Learnt from %llu records of %s, %.19sZ to %.19sZ.", (unsigned long long)learnt->records,
					       learning->options.from, learnt->first, learnt->last);

	put_comment(buf, "", base);
	put_comment(buf, "", from);
	put_comment(buf, "", "What was not recorded (audit.record: dns, connections) is not here; read it before you use it.");
	if (learnt->is_full)
		put_comment(buf, "", "There was more than is kept: not all of it is here.");
}

/* The document, its entries in the place of the mark. */
static void print_profile(const struct learning *learning, struct buf *buf)
{
	struct json *list = json_make_array(learning->tree);
	cleanup_buf struct buf text = BUF_INIT;
	const char *at, *line;

	json_append(learning->tree, list, json_make_string(learning->tree, "@learnt"));
	json_set(learning->tree, json_get(learning->profile, "egress"), "allow", list);
	json_print(&text, learning->profile, 2);
	put_head(buf, learning);
	at = strstr(text.data, MARK);
	if (!at) {
		buf_puts(buf, text.data);
		return;
	}
	for (line = at; line > text.data && line[-1] != '\n'; line--)
		;
	buf_put(buf, text.data, (size_t)(line - text.data));
	{
		cleanup_free char *indent = alloc_printf("%.*s", (int)(at - line), line);

		put_entries(buf, learning, indent);
	}
	buf_printf(buf, "%s\n", at + strlen(MARK) + 1);
}

static void print_as_json(const struct learning *learning)
{
	struct json_tree *tree = learning->tree;
	struct json *root = json_make_object(tree), *seen = json_make_array(tree), *errors = json_make_array(tree);

	for (size_t i = 0; i < learning->entries.count; i++) {
		const struct learn_entry *entry = &learning->entries.items[i];
		cleanup_free char *text = alloc_printf("%s%s", entry->host, entry->rest);
		struct json *node = json_make_object(tree);

		json_set(tree, node, "entry", json_make_string(tree, text));
		json_set(tree, node, "times", json_make_uint(tree, entry->times));
		json_set(tree, node, "remark", json_make_string(tree, entry->remark));
		json_set(tree, node, "left_out", entry->why_not ? json_make_string(tree, entry->why_not) : json_make_null(tree));
		json_append(tree, seen, node);
	}
	for (size_t i = 0; i < learning->errors.count; i++)
		json_append(tree, errors, json_make_string(tree, learning->errors.items[i]));
	json_set(tree, root, "profile", learning->profile);
	json_set(tree, root, "seen", seen);
	json_set(tree, root, "errors", errors);
	ctl_print_json(root);
}

static int learn(struct learning *learning, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t unenforced;
	int r = read_trail(learning, err);

	if (!r)
		r = find_base(learning, err);
	if (r)
		return r;
	make_base(learning);
	learn_entries_make(&learning->learnt, learning->options.group, &learning->entries);
	unenforced = count_unenforced_of_base(learning);
	for (size_t i = 0; i < learning->entries.count; i++)
		try_entry(learning, &learning->entries.items[i], unenforced);
	check_whole(learning);
	if (learning->ctl->json) {
		print_as_json(learning);
		return 0;
	}
	print_profile(learning, &text);
	fputs(text.data, stdout);
	for (size_t i = 0; i < learning->errors.count; i++)
		ctl_fail("this profile does not pass check: %s", learning->errors.items[i]);
	return 0;
}

int learn_main(struct ctl *ctl)
{
	struct learning learning = { .ctl = ctl };
	struct err err = ERR_INIT;
	int status = read_words(ctl, &learning.options);

	if (status != CTL_YES)
		return status;
	learning.tree = json_tree_new();
	if (learn(&learning, &err) < 0)
		status = ctl_fail("%s", err.text);
	else if (learning.errors.count)
		status = CTL_NO;
	learn_entries_release(&learning.entries);
	learn_release(&learning.learnt);
	strings_free(&learning.errors);
	free(learning.base_name);
	json_tree_free(learning.tree);
	return status;
}
