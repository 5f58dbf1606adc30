/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network's keys of a profile: egress and ingress entries, with the groups' entries put in their place as they are
 * read, so that a group that isn't there is an error where it stands.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile-keys.h"
#include "shim/policy/texts.h"

struct entries {
	struct entry *items;
	size_t count;
};

static void entries_release(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		entry_release(&entries->items[i]);
	free(entries->items);
	*entries = (struct entries){ NULL, 0 };
}

static int read_entry(const struct reader *reader, const struct spot *spot, struct entry *entry)
{
	struct err why = ERR_INIT;
	const char *text;

	*entry = (struct entry){ .kind = ENTRY_NAME };
	if (spot_text(reader, spot, &text) < 0)
		return -EINVAL;
	if (entry_parse(text, entry, &why) < 0)
		return spot_fail(reader, spot, "'%s': %s", text, why.text);
	entry->place = reader->paths ? spot_place(reader, spot) : NULL;
	entry->depth = reader->depth;
	return 0;
}

/* A group's broken file is one error, wherever it is named. */
static int fail_group(const struct reader *reader, const struct err *why)
{
	*reader->err = *why;
	if (reader->all && !strings_has(reader->all, why->text))
		strings_add(reader->all, why->text);
	return -EINVAL;
}

static int add_group(const struct reader *reader, const struct spot *spot, const struct entry *named, struct entries *entries)
{
	struct entries group = { NULL, 0 };
	const char *name = named->name;
	struct err why = ERR_INIT;
	int r;

	if (!reader->paths)
		return spot_fail(reader, spot, "'@%s': a resolved profile has its groups' entries, not their names", name);
	r = group_load(name, reader->paths, &group.items, &group.count, &why);
	if (r == -ENOENT)
		return spot_fail(reader, spot, "there is no group '@%s' (quodctl group list)", name);
	if (r)
		return fail_group(reader, &why);
	for (size_t i = 0; i < group.count; i++) {
		struct entry *entry = list_add(entries->items, entries->count);

		*entry = group.items[i];
		entry->group = alloc_copy(name);
		entry->place = alloc_copy(named->place);
		entry->depth = named->depth;
	}
	free(group.items);
	return 0;
}

/* One text: one entry, or those of the group that it names. */
static int add_entries(const struct reader *reader, const struct spot *spot, struct entries *entries)
{
	struct entry entry;
	int r;

	if (read_entry(reader, spot, &entry) < 0)
		return -EINVAL;
	if (entry.kind != ENTRY_GROUP) {
		*list_add(entries->items, entries->count) = entry;
		return 0;
	}
	r = add_group(reader, spot, &entry, entries);
	entry_release(&entry);
	return r;
}

static int read_entries(const struct reader *reader, const struct spot *spot, struct entries *entries)
{
	int r = 0;

	if (spot_list(reader, spot, JSON_ARRAY) < 0)
		return -EINVAL;
	for (size_t i = 0; i < spot->value->count; i++) {
		struct spot item = spot_item(spot, i);

		if (add_entries(reader, &item, entries) < 0)
			r = -EINVAL;
		if (r && !reader->all)
			break;
	}
	return r;
}

int read_egress_allow(const struct reader *reader, const struct spot *spot)
{
	struct profile *profile = reader->target;
	struct entries entries = { profile->egress.allow, profile->egress.allow_count };
	int r = read_entries(reader, spot, &entries);

	profile->egress.allow = entries.items;
	profile->egress.allow_count = entries.count;
	return r;
}

static void add_deny(struct profile *profile, struct entry *of, const struct entries *except)
{
	struct deny_rule *rule = list_add(profile->egress.deny, profile->egress.deny_count);

	rule->of = *of;
	*of = (struct entry){ .kind = ENTRY_NAME };
	for (size_t i = 0; i < except->count; i++)
		entry_copy(&except->items[i], list_add(rule->except, rule->except_count));
}

static int read_deny_parts(const struct reader *reader, const struct spot *spot, struct entries *of,
			   struct entries *except)
{
	static const char *const names[] = { "of", "except", NULL };
	struct spot of_spot, except_spot;

	if (json_is(spot->value, JSON_STRING))
		return add_entries(reader, spot, of);
	if (!json_is(spot->value, JSON_OBJECT))
		return spot_fail(reader, spot, "must be an entry, or {\"of\": entry, \"except\": [entries]}");
	if (spot_only(reader, spot, names) < 0)
		return -EINVAL;
	of_spot = spot_named(spot, "of");
	except_spot = spot_named(spot, "except");
	if (add_entries(reader, &of_spot, of) < 0)
		return -EINVAL;
	return except_spot.value ? read_entries(reader, &except_spot, except) : 0;
}

static int read_deny_one(const struct reader *reader, const struct spot *item)
{
	struct entries of = { NULL, 0 }, except = { NULL, 0 };
	int r = read_deny_parts(reader, item, &of, &except);

	for (size_t n = 0; !r && n < of.count; n++)
		add_deny(reader->target, &of.items[n], &except);
	entries_release(&of);
	entries_release(&except);
	return r;
}

int read_egress_deny(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_ARRAY, read_deny_one);
}

static struct cap_rule *cap_of(struct profile *profile, const char *text)
{
	for (size_t i = 0; i < profile->egress.caps_count; i++)
		if (!strcmp(profile->egress.caps[i].entry.text, text))
			return &profile->egress.caps[i];
	return NULL;
}

/* In a resolved profile a group's cap says what the group held: { "bytes": SIZE, "of": [ENTRY, ...] }. */
static int read_members(const struct reader *reader, const struct spot *of, struct cap_rule *rule)
{
	struct entries entries = { NULL, 0 };
	int r = read_entries(reader, of, &entries);

	for (size_t i = 0; i < rule->member_count; i++)
		entry_release(&rule->members[i]);
	free(rule->members);
	rule->members = entries.items;
	rule->member_count = entries.count;
	return r;
}

static int find_members(const struct reader *reader, const struct spot *member, struct cap_rule *rule)
{
	struct entries entries = { NULL, 0 };
	int r = rule->entry.kind == ENTRY_GROUP && !rule->member_count ? add_group(reader, member, &rule->entry, &entries) : 0;

	if (entries.count) {
		rule->members = entries.items;
		rule->member_count = entries.count;
	}
	return r;
}

static struct cap_rule *add_cap(const struct reader *reader, const struct spot *member)
{
	struct profile *profile = reader->target;
	struct err why = ERR_INIT;
	struct cap_rule *rule;
	struct entry entry;

	if (entry_parse(member->name, &entry, &why) < 0) {
		spot_fail(reader, member, "'%s': %s", member->name, why.text);
		return NULL;
	}
	rule = list_add(profile->egress.caps, profile->egress.caps_count);
	*rule = (struct cap_rule){ .entry = entry };
	rule->entry.place = reader->paths ? spot_place(reader, member) : NULL;
	rule->entry.depth = reader->depth;
	return rule;
}

/* A group stays a group here: the bytes are counted for all of it together. */
static int read_cap(const struct reader *reader, const struct spot *member)
{
	static const struct key bytes = { .kind = KEY_BYTES, .most = 1ull << 50, .unlimited = true };
	static const char *const names[] = { "bytes", "of", NULL };
	struct cap_rule *rule = cap_of(reader->target, member->name);
	struct spot size = *member, of;

	if (!rule)
		rule = add_cap(reader, member);
	if (!rule)
		return -EINVAL;
	if (rule->entry.kind == ENTRY_GROUP && json_is(member->value, JSON_OBJECT)) {
		if (spot_only(reader, member, names) < 0)
			return -EINVAL;
		size = spot_named(member, "bytes");
		of = spot_named(member, "of");
		if (!size.value || !of.value)
			return spot_fail(reader, member, "'%s': \"bytes\" and \"of\" go together", member->name);
		if (read_members(reader, &of, rule) < 0)
			return -EINVAL;
	} else if (find_members(reader, member, rule) < 0) {
		return -EINVAL;
	}
	return spot_quantity(reader, &size, &bytes, &rule->bytes);
}

int read_caps(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_OBJECT, read_cap);
}

int read_via(const struct reader *reader, const struct spot *spot)
{
	struct profile *profile = reader->target;
	struct err why = ERR_INIT;
	struct entry entry;
	const char *text;
	bool good;

	if (spot_text(reader, spot, &text) < 0)
		return -EINVAL;
	good = !entry_parse(text, &entry, &why) && entry.kind == ENTRY_NETWORK && entry.is_single_address &&
	       !entry.any_port && entry.port_first == entry.port_last && entry.protocol == ENTRY_ANY_PROTOCOL;
	if (good) {
		profile->egress.has_via = true;
		profile->egress.via = entry.network.base;
		profile->egress.via_port = entry.port_first;
	}
	entry_release(&entry);
	return good ? 0 : spot_fail(reader, spot, "'%s' is not the proxy's ADDRESS:PORT", text);
}

static int parse_ingress(char *text, struct ingress_rule *rule)
{
	char *at = strchr(text, '@'), *slash;

	if (at) {
		*at++ = '\0';
		rule->from_node = !strcmp(at, "node");
		rule->has_from = !rule->from_node;
		if (rule->has_from && at[0] == '[' && at[strlen(at) - 1] == ']') {
			at[strlen(at) - 1] = '\0';
			at++;
		}
		if (rule->has_from && network_parse(at, &rule->from) < 0)
			return -EINVAL;
	}
	slash = strchr(text, '/');
	if (slash) {
		*slash++ = '\0';
		rule->udp = !strcmp(slash, "udp");
		if (!rule->udp && strcmp(slash, "tcp") != 0)
			return -EINVAL;
	}
	return ports_parse(text, &rule->port_first, &rule->port_last);
}

static int read_ingress_one(const struct reader *reader, const struct spot *item)
{
	struct profile *profile = reader->target;
	struct ingress_rule rule = { 0 };
	cleanup_free char *copy = NULL;
	const char *text;

	if (spot_text(reader, item, &text) < 0)
		return -EINVAL;
	copy = alloc_copy(text);
	if (parse_ingress(copy, &rule) < 0)
		return spot_fail(reader, item, "'%s' is not PORT[-PORT][/tcp|/udp][@NETWORK|@node]", text);
	rule.text = alloc_copy(text);
	*list_add(profile->ingress, profile->ingress_count) = rule;
	return 0;
}

int read_ingress(const struct reader *reader, const struct spot *spot)
{
	return spot_each(reader, spot, JSON_ARRAY, read_ingress_one);
}
