/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a profile may say and this version can't hold: refused, never dropped. A key is refused only where it would matter,
 * so that a profile can be written once. quod-profile(5) marks each of these keys; a key leaves this file in the commit that
 * enforces it.
 */
#include "shim/policy/plan.h"

static void refuse(struct plan *plan, const char *key, const char *what)
{
	plan_refuse(plan, key, "", "%s is not enforced by this version of quod", what);
}

static void refuse_entry(struct plan *plan, const char *key, const struct entry *entry)
{
	plan_refuse(plan, key, "", "'%s': a host name is not enforced by this version of quod (addresses and @public are)",
		    entry->text);
}

static void check_deny(const struct deny_rule *deny, struct plan *plan)
{
	if (entry_is_name(&deny->of))
		refuse_entry(plan, "egress.deny", &deny->of);
	for (size_t i = 0; i < deny->except_count; i++)
		if (entry_is_name(&deny->except[i]))
			refuse_entry(plan, "egress.deny", &deny->except[i]);
}

/* DNS to a resolver that is allowed by its address would go past the record. */
static bool lets_dns_out(const struct profile_layer *layer)
{
	for (size_t i = 0; i < layer->egress_count; i++) {
		const struct entry *entry = &layer->egress[i];

		if (entry->has_port && entry->port_first <= 53 && entry->port_last >= 53)
			return true;
	}
	return false;
}

static void check_layer(const struct profile *profile, const struct profile_layer *layer, struct plan *plan)
{
	for (size_t i = 0; i < layer->egress_count; i++)
		if (entry_is_name(&layer->egress[i]))
			refuse_entry(plan, "egress.allow", &layer->egress[i]);
	for (size_t i = 0; i < layer->ingress_count; i++)
		if (layer->ingress[i].from_node)
			refuse(plan, "ingress.allow", "@node");
	if (layer->egress_count && (profile->audit_record & AUDIT_CONNECTIONS))
		refuse(plan, "audit.record", "\"connections\"");
	if (lets_dns_out(layer) && (profile->audit_record & AUDIT_DNS))
		refuse(plan, "audit.record", "\"dns\"");
}

static void check_egress(const struct profile *profile, struct plan *plan)
{
	if (profile->egress.mode == EGRESS_OBSERVE)
		refuse(plan, "egress.mode", "\"observe\"");
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		check_layer(profile, &layer, plan);
	}
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		check_deny(&profile->egress.deny[i], plan);
	if (profile->egress.caps_count)
		refuse(plan, "egress.caps", "a budget of one entry");
	if (profile->egress.has_via)
		refuse(plan, "egress.via", "a proxy");
	if (profile->egress.dns_upstream.count)
		refuse(plan, "egress.dns.upstream", "a resolver of the profile's");
}

void plan_unenforced(const struct plan_input *input, struct plan *plan)
{
	const struct profile *profile = input->profile;

	check_egress(profile, plan);
}
