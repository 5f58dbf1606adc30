/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile's names as one block: see name-rules.h. What can't be held by it was refused when the plan was made. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/caps.h"
#include "shim/policy/name-rules.h"
#include "shim/policy/profile.h"

bool profile_has_names(const struct profile *profile)
{
	if (profile->egress.mode == EGRESS_OBSERVE)
		return true;
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		for (size_t k = 0; k < layer.egress_count; k++)
			if (entry_is_name(&layer.egress[k]))
				return true;
	}
	return false;
}

struct maker {
	struct name_rule *rules;
	uint32_t count, layer_count;
	struct buf texts;
};

static struct name_rule *add_rule(struct maker *maker, const struct entry *entry, enum name_role role)
{
	struct name_rule *rule;

	maker->rules = alloc_grow(maker->rules, maker->count + 1, sizeof(*maker->rules));
	rule = &maker->rules[maker->count++];
	memset(rule, 0, sizeof(*rule));
	rule->kind = (uint8_t)entry->kind;
	rule->role = (uint8_t)role;
	rule->protocols = (uint8_t)entry_protocols(entry, role != NAME_ALLOWS);
	rule->is_single_address = entry->is_single_address;
	rule->has_at = entry->has_at;
	rule->layer = (uint8_t)(role == NAME_ALLOWS ? maker->layer_count : 0);
	rule->says = entry->protocol == ENTRY_TLS ? NAME_TLS : entry->protocol == ENTRY_HTTP ? NAME_HTTP : 0;
	rule->network = entry->kind == ENTRY_NETWORK ? entry->network : entry->at;
	rule->port_last = UINT16_MAX;
	if (entry->has_port && !entry->any_port) {
		rule->port_first = entry->port_first;
		rule->port_last = entry->port_last;
	}
	rule->name = (uint32_t)maker->texts.len;
	buf_put(&maker->texts, entry->name ? entry->name : "", entry->name ? strlen(entry->name) + 1 : 1);
	rule->text = (uint32_t)maker->texts.len;
	buf_put(&maker->texts, entry->text, role == NAME_ALLOWS ? strlen(entry->text) : 0);
	buf_put(&maker->texts, "", 1);
	return rule;
}

/* Without a port an allowed name means 443 and 80: two rules. ICMP has no ports: one. */
static void add_allowed(struct maker *maker, const struct entry *entry)
{
	static const uint16_t usual[] = { 443, 80 };
	size_t count = entry->has_port || entry->protocol == ENTRY_ICMP || !entry_is_name(entry) ? 1 : ARRAY_SIZE(usual);

	for (size_t i = 0; i < count; i++) {
		struct name_rule *rule = add_rule(maker, entry, NAME_ALLOWS);

		if (count > 1)
			rule->port_first = rule->port_last = usual[i];
		else if (entry->protocol == ENTRY_ICMP)
			rule->port_last = 0;
	}
}

static void add_denied(struct maker *maker, const struct deny_rule *deny)
{
	if (!entry_is_name(&deny->of))
		return;
	add_rule(maker, &deny->of, NAME_DENIES);
	for (size_t i = 0; i < deny->except_count; i++)
		if (entry_is_name(&deny->except[i]))
			add_rule(maker, &deny->except[i], NAME_EXCEPTS);
}

static void add_caps(struct maker *maker, const struct profile *profile)
{
	const struct cap_rule *caps[RULESET_CAPS_MAX];
	size_t count = caps_list(profile, caps);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < cap_member_count(caps[i]); k++)
			add_rule(maker, cap_member(caps[i], k), NAME_CAPS)->cap = (uint8_t)i;
}

static void print(const struct profile *profile, const struct rule_ranges *never, const struct maker *maker, struct buf *block)
{
	struct name_rules head = {
		.magic = NAME_RULES_MAGIC,
		.rule_count = maker->count,
		.never_count = (uint32_t)never->count,
		.layer_count = maker->layer_count,
		.text_bytes = (uint32_t)maker->texts.len,
		.verify_name = profile->egress.verify_name && profile->egress.mode != EGRESS_OBSERVE,
		.names_per_minute = profile->egress.names_per_minute > UINT32_MAX ? UINT32_MAX :
										    (uint32_t)profile->egress.names_per_minute,
	};
	size_t name_len = strlen(profile->name);

	if (name_len >= sizeof(head.profile))
		name_len = sizeof(head.profile) - 1;
	memcpy(head.profile, profile->name, name_len);
	head.size = (uint32_t)(sizeof(head) + maker->count * sizeof(*maker->rules) + never->count * sizeof(*never->items) +
			       maker->texts.len);
	buf_put(block, &head, sizeof(head));
	if (maker->count)
		buf_put(block, maker->rules, maker->count * sizeof(*maker->rules));
	if (never->count)
		buf_put(block, never->items, never->count * sizeof(*never->items));
	buf_put(block, maker->texts.data, maker->texts.len);
}

/* Of a layer's entries for addresses, those matter that may open a special address; where several layers must agree, all. */
static void add_layer(struct maker *maker, const struct profile_layer *layer, bool is_only)
{
	for (size_t i = 0; i < layer->egress_count; i++) {
		const struct entry *entry = &layer->egress[i];

		if (entry_is_name(entry) || (entry->kind == ENTRY_PUBLIC && !is_only) ||
		    (entry->kind == ENTRY_NETWORK && (!is_only || !network_is_public(&entry->network))))
			add_allowed(maker, entry);
	}
	maker->layer_count++;
}

static void end_added(struct maker *maker, uint32_t from, const struct name_addition *addition, uint32_t layer)
{
	for (uint32_t i = from; i < maker->count; i++) {
		maker->rules[i].until_ms = addition->until_ms;
		maker->rules[i].layer = (uint8_t)layer;
	}
}

/* In every layer: all of them must agree. */
static void add_additions(struct maker *maker, const struct name_additions *additions)
{
	for (size_t i = 0; i < additions->count; i++)
		for (uint32_t layer = 0; layer < maker->layer_count; layer++) {
			uint32_t from = maker->count;

			add_allowed(maker, additions->items[i].entry);
			end_added(maker, from, &additions->items[i], layer);
		}
}

int name_rules_make(const struct profile *profile, const struct rule_ranges *never, const struct name_additions *additions,
		    struct buf *block, struct err *err)
{
	struct maker maker = { .texts = BUF_INIT };
	size_t layers = profile_layer_count(profile);
	int r = 0;

	for (size_t i = 0; i < layers; i++) {
		struct profile_layer layer = profile_layer(profile, i);

		if (layer.lists & LIST_EGRESS)
			add_layer(&maker, &layer, layers == 1 && !(profile->audit_record & AUDIT_CONNECTIONS));
	}
	if (additions)
		add_additions(&maker, additions);
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		add_denied(&maker, &profile->egress.deny[i]);
	add_caps(&maker, profile);
	buf_put(&maker.texts, "", 1);	/* never empty */
	if (maker.count > NAME_RULES_MAX || never->count > UINT16_MAX || maker.layer_count > NAME_LAYERS_MAX)
		r = err_set(err, E2BIG, "egress: %u entries are more than names can be held with (%u)", maker.count, NAME_RULES_MAX);
	else if (!maker.count && !profile_has_names(profile))
		r = err_set(err, EINVAL, "egress: no entry names a host");
	else
		print(profile, never, &maker, block);
	free(maker.rules);
	buf_free(&maker.texts);
	return r;
}
