/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container that joins a network namespace is bound by the rules of whoever made it (a pod's sandbox, container:X). Where
 * its own profile is the stricter one those would not hold it: then it is refused. What can't be compared counts as stricter.
 */
#include "shim/policy/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/caps.h"
#include "shim/policy/ranges.h"

/* What leaves: allowed and not denied, and of what is never reachable only what is named exactly. */
static struct rule_ranges ranges_out(const struct ruleset *ruleset)
{
	struct rule_ranges out = { NULL, 0 };

	for (size_t i = 0; i < ruleset->allow.count; i++)
		rule_ranges_add(&out, &ruleset->allow.items[i]);
	for (size_t i = 0; i < ruleset->never.count; i++)
		ranges_subtract(&out, &ruleset->never.items[i]);
	for (size_t i = 0; i < ruleset->exact.count; i++)
		rule_ranges_add(&out, &ruleset->exact.items[i]);
	for (size_t i = 0; i < ruleset->deny.count; i++)
		ranges_subtract(&out, &ruleset->deny.items[i]);
	return out;
}

static bool has_all(const struct rule_ranges *wanted, const struct rule_ranges *cover)
{
	struct rule_ranges rest = { NULL, 0 };
	bool has;

	for (size_t i = 0; i < wanted->count; i++)
		rule_ranges_add(&rest, &wanted->items[i]);
	for (size_t i = 0; i < cover->count; i++)
		ranges_subtract(&rest, &cover->items[i]);
	has = rest.count == 0;
	free(rest.items);
	return has;
}

static bool lets_out_all(const struct ruleset *own, const struct ruleset *owner)
{
	struct rule_ranges own_out = ranges_out(own), owner_out = ranges_out(owner);
	bool has = has_all(&owner_out, &own_out);

	free(own_out.items);
	free(owner_out.items);
	return has;
}

static bool is_name(const struct entry *entry)
{
	return entry->kind != ENTRY_NETWORK && entry->kind != ENTRY_PUBLIC;
}

/* As written: a name behind which another one stands is not looked for. */
static bool has_name(const struct profile_layer *layer, const struct entry *wanted)
{
	for (size_t i = 0; i < layer->egress_count; i++)
		if (!strcmp(layer->egress[i].text, wanted->text))
			return true;
	return false;
}

static bool allows_names(const struct profile *own, const struct profile *owner)
{
	for (size_t i = 0; i < profile_layer_count(owner); i++) {
		struct profile_layer theirs = profile_layer(owner, i);

		for (size_t n = 0; n < theirs.egress_count; n++)
			for (size_t k = 0; is_name(&theirs.egress[n]) && k < profile_layer_count(own); k++) {
				struct profile_layer ours = profile_layer(own, k);

				if ((ours.lists & LIST_EGRESS) && !has_name(&ours, &theirs.egress[n]))
					return false;
			}
	}
	return true;
}

/* Each name that is denied to us is denied there, too, with no more exceptions. */
static bool denies_names(const struct profile *own, const struct profile *owner)
{
	for (size_t i = 0; i < own->egress.deny_count; i++) {
		const struct deny_rule *ours = &own->egress.deny[i];
		bool found = !is_name(&ours->of);

		for (size_t k = 0; k < owner->egress.deny_count && !found; k++)
			found = !strcmp(owner->egress.deny[k].of.text, ours->of.text) && !owner->egress.deny[k].except_count;
		if (!found)
			return false;
	}
	return true;
}

/* The two documents say the same of the key: nothing needs to be compared. */
static bool is_same(const struct profile *own, const struct profile *owner, const char *key)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	const struct json *ours = json_get(profile_to_json(own, tree), key), *theirs = json_get(profile_to_json(owner, tree), key);

	return (!ours && !theirs) || (ours && theirs && json_equal(ours, theirs));
}

/* The cap there counts what ours does, and no more bytes. A group may have held less when that profile was resolved. */
static bool cap_holds(const struct cap_rule *ours, const struct cap_rule *theirs)
{
	for (size_t i = 0; i < ours->member_count; i++)
		if (!cap_has_member(theirs, &ours->members[i]))
			return false;
	return theirs->bytes <= ours->bytes;
}

/* Each cap of ours is held there. */
static bool caps_all(const struct profile *own, const struct profile *owner)
{
	for (size_t i = 0; i < own->egress.caps_count; i++) {
		const struct cap_rule *ours = &own->egress.caps[i], *theirs = NULL;

		for (size_t k = 0; k < owner->egress.caps_count && !theirs; k++)
			if (!strcmp(owner->egress.caps[k].entry.text, ours->entry.text))
				theirs = &owner->egress.caps[k];
		if (ours->bytes != LIMIT_UNLIMITED && (!theirs || !cap_holds(ours, theirs)))
			return false;
	}
	return true;
}

static const char *stricter_value(const struct profile *own, const struct profile *owner)
{
	if (own->egress.mode == EGRESS_ENFORCE && owner->egress.mode != EGRESS_ENFORCE)
		return "egress.mode";
	if (own->egress.rate < owner->egress.rate)
		return "egress.rate";
	if (own->egress.verify_name && !owner->egress.verify_name)
		return "egress.verify_name";
	if (own->egress.dns_upstream.count && own->egress.names_per_minute < owner->egress.names_per_minute)
		return "egress.dns";
	if (!caps_all(own, owner))
		return "egress.caps";
	if (own->egress.has_via)
		return "egress.via";
	return NULL;
}

static const char *stricter_key(const struct plan_input *input, const struct plan *plan, const struct profile *owner)
{
	const struct profile *own = input->profile;
	struct plan_input theirs = *input;
	const char *key = NULL;
	struct plan made;

	if (own->budgets.egress < owner->budgets.egress)
		return "budgets.egress";
	if (is_same(own, owner, "egress") && is_same(own, owner, "ingress"))
		return NULL;
	theirs.profile = owner;
	plan_init(&made);
	plan_network(&theirs, &made);
	if (!lets_out_all(&plan->ruleset, &made.ruleset) || !allows_names(own, owner))
		key = "egress.allow";
	else if (!denies_names(own, owner))
		key = "egress.deny";
	else if (!has_all(&made.ruleset.ingress, &plan->ruleset.ingress))
		key = "ingress.allow";
	else if (!is_same(own, owner, "egress"))
		key = stricter_value(own, owner);
	plan_release(&made);
	return key;
}

void plan_joined(const struct plan_input *input, struct plan *plan)
{
	for (size_t i = 0; i < input->config->namespace_count && i < input->facts->namespace_count; i++) {
		const struct oci_namespace *entry = &input->config->namespaces[i];
		const struct fact_namespace *fact = &input->facts->namespaces[i];
		const char *key;
		char pointer[48];

		if (!entry->type || strcmp(entry->type, "network") || !fact->owner_profile)
			continue;
		snprintf(pointer, sizeof(pointer), "/linux/namespaces/%zu", i);
		key = stricter_key(input, plan, fact->owner_profile);
		if (key)
			plan_refuse(plan, key, pointer, "the network of container %.12s, which runs under profile '%s', is not held as strictly",
				    fact->owner_id ? fact->owner_id : "?", fact->owner_profile->name);
	}
}
