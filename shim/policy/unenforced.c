/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a profile may say and this version can't hold: refused, never dropped. A key is refused only where it would matter,
 * so that a profile can be written once. quod-profile(5) marks each of these keys; a key leaves this file in the commit that
 * enforces it.
 */
#include "shim/policy/caps.h"
#include "shim/policy/name-rules.h"
#include "shim/policy/plan.h"

static void refuse(struct plan *plan, const char *key, const char *what)
{
	plan_refuse(plan, key, "", "%s is not enforced by this version of quod", what);
}

/* What can only be QUIC would never be let out: it hides its name from whoever stands between. */
static void check_name(const struct profile *profile, const struct entry *entry, struct plan *plan)
{
	bool is_quic = entry->protocol == ENTRY_UDP && entry->has_port && entry->port_first == 443 && entry->port_last == 443;

	if (is_quic && profile->egress.verify_name && profile->egress.mode != EGRESS_OBSERVE)
		plan_refuse(plan, "egress.verify_name", "",
			    "'%s': QUIC hides its name, so a name can't be bound to it; leave it to TCP, or \"verify_name\": false "
			    "binds a name to its addresses alone", entry->text);
	if (entry->has_port && entry->port_last - entry->port_first >= (int)NAME_PORTS_MAX)
		plan_refuse(plan, "egress.allow", "", "'%s': one entry of a name has at most %u ports", entry->text, NAME_PORTS_MAX);
}

static bool is_web(const struct entry *entry, uint16_t port)
{
	return entry->has_port ? !entry->any_port && entry->port_first <= port && entry->port_last >= port :
				 entry_is_name(entry) && entry->protocol != ENTRY_ICMP;
}

/* Whom the proxy is asked for is not looked at: an entry that seems to say it would say nothing. One that has these ports among
 * all others has the others. */
static bool is_for_proxy(const struct entry *entry)
{
	bool is_one = entry->has_port && !entry->any_port && entry->port_first == entry->port_last;

	return (is_web(entry, 80) || is_web(entry, 443)) && (entry_is_name(entry) || is_one);
}

static void check_via(const struct profile *profile, struct plan *plan)
{
	const char *first = NULL;
	size_t count = 0;

	for (size_t i = 0; profile->egress.has_via && i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		for (size_t k = 0; k < layer.egress_count; k++)
			if (is_for_proxy(&layer.egress[k]) && !count++)
				first = layer.egress[k].text;
	}
	if (count)
		plan_refuse(plan, "egress.via", "",
			    "'%s' (%zu such entries): on 80 and 443 only the proxy is reached, and whom it is asked for is not looked at by "
			    "this version of quod: allow it at the proxy, and here on other ports alone", first, count);
}

static void check_rule_count(const struct profile *profile, struct plan *plan)
{
	size_t rules = 0;

	for (size_t i = 0; i < profile_layer_count(profile); i++)
		rules += 2 * profile_layer(profile, i).egress_count;
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		rules += 1 + profile->egress.deny[i].except_count;
	for (size_t i = 0; i < profile->egress.caps_count; i++)
		rules += cap_member_count(&profile->egress.caps[i]);
	if ((profile_has_names(profile) || (profile->audit_record & AUDIT_CONNECTIONS)) && rules > NAME_RULES_MAX)
		plan_refuse(plan, "egress.allow", "", "names can be held, and connections recorded, beside at most %u entries", NAME_RULES_MAX / 2);
}

/* Without names, DNS to a resolver that is allowed by its address goes past the record. */
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
			check_name(profile, &layer->egress[i], plan);
	if (lets_dns_out(layer) && !profile_has_names(profile) && (profile->audit_record & AUDIT_DNS))
		refuse(plan, "audit.record", "\"dns\"");
}

static void check_egress(const struct profile *profile, struct plan *plan)
{
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		check_layer(profile, &layer, plan);
	}
	check_rule_count(profile, plan);
	check_via(profile, plan);
	if (caps_count(profile) > RULESET_CAPS_MAX)
		plan_refuse(plan, "egress.caps", "", "%zu caps are more than can be held at a time (%u)", caps_count(profile), RULESET_CAPS_MAX);
}

void plan_unenforced(const struct plan_input *input, struct plan *plan)
{
	const struct profile *profile = input->profile;

	check_egress(profile, plan);
}
