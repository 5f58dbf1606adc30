/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network: the profile's entries become the ranges that the kernel's table holds. What is not said here is dropped.
 * Entries that name hosts become the warden's rules (name-rules-make.c).
 */
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "shim/policy/caps.h"
#include "shim/policy/engine-files.h"
#include "shim/policy/name-rules.h"
#include "shim/policy/plan.h"
#include "shim/policy/ranges.h"

#define ALIVE_MS 10000u

/* An entry of several protocols becomes one range each; without one it means TCP, with ":*" TCP and UDP. */
static size_t protocols_of(const struct entry *entry, uint8_t protocols[2])
{
	switch (entry->protocol) {
	case ENTRY_UDP:
		protocols[0] = IPPROTO_UDP;
		return 1;
	case ENTRY_ICMP:
		protocols[0] = IPPROTO_ICMP;
		return 1;
	case ENTRY_ANY_PROTOCOL:
		protocols[0] = IPPROTO_TCP;
		protocols[1] = IPPROTO_UDP;
		return entry->any_port ? 2 : 1;
	default:
		protocols[0] = IPPROTO_TCP;
		return 1;
	}
}

static void set_ports(struct rule_range *range, const struct entry *entry)
{
	if (entry->has_port && !entry->any_port) {
		range->port_first = entry->port_first;
		range->port_last = entry->port_last;
	}
}

static void add_with_protocols(struct rule_ranges *ranges, struct rule_range range, const struct entry *entry)
{
	uint8_t protocols[2];
	size_t count = protocols_of(entry, protocols);

	set_ports(&range, entry);
	for (size_t i = 0; i < count; i++) {
		range.protocol = protocols[i];
		rule_ranges_add(ranges, &range);
	}
}

static void add_public(struct rule_ranges *ranges, const struct entry *entry)
{
	struct rule_ranges public = { NULL, 0 };

	ranges_add_public(&public);
	for (size_t i = 0; i < public.count; i++)
		add_with_protocols(ranges, public.items[i], entry);
	free(public.items);
}

/* What one list of egress entries lets out. */
struct reach {
	struct rule_ranges exact;	/* even where nothing is reachable otherwise */
	struct rule_ranges allow;	/* all others */
};

static void add_allowed(struct reach *reach, const struct entry *entry)
{
	if (entry->kind == ENTRY_PUBLIC)
		add_public(&reach->allow, entry);
	else if (entry->kind == ENTRY_NETWORK)
		add_with_protocols(entry->is_single_address ? &reach->exact : &reach->allow,
				   range_of_network(&entry->network), entry);
}

static void add_ranges(struct rule_ranges *to, const struct rule_ranges *from)
{
	for (size_t i = 0; i < from->count; i++)
		rule_ranges_add(to, &from->items[i]);
}

/* An address that is never reachable must be named exactly by every layer; all others, only allowed by every one. */
static int meet_layer(struct ruleset *ruleset, const struct profile_layer *layer, bool is_first)
{
	struct reach reach = { .exact = { NULL, 0 } };
	int r;

	for (size_t i = 0; i < layer->egress_count; i++)
		add_allowed(&reach, &layer->egress[i]);
	if (is_first) {
		ruleset->exact = reach.exact;
		ruleset->allow = reach.allow;
		return 0;
	}
	add_ranges(&ruleset->allow, &ruleset->exact);
	add_ranges(&reach.allow, &reach.exact);
	r = ranges_intersect(&ruleset->exact, &reach.exact);
	if (!r)
		r = ranges_intersect(&ruleset->allow, &reach.allow);
	free(reach.exact.items);
	free(reach.allow.items);
	return r;
}

/* A deny without protocol means every protocol; with ":*" also every port. */
static void add_denied_range(struct rule_ranges *ranges, struct rule_range range, const struct entry *entry)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

	if (entry->protocol == ENTRY_ANY_PROTOCOL && (entry->any_port || !entry->has_port)) {
		rule_ranges_add(ranges, &range);
		return;
	}
	if (entry->protocol != ENTRY_ANY_PROTOCOL) {
		add_with_protocols(ranges, range, entry);
		return;
	}
	set_ports(&range, entry);
	for (size_t i = 0; i < 2; i++) {
		range.protocol = protocols[i];
		rule_ranges_add(ranges, &range);
	}
}

static void add_denied(struct ruleset *ruleset, const struct deny_rule *deny)
{
	struct rule_ranges ranges = { NULL, 0 };

	if (deny->of.kind == ENTRY_PUBLIC)
		add_public(&ranges, &deny->of);
	else if (deny->of.kind == ENTRY_NETWORK)
		add_denied_range(&ranges, range_of_network(&deny->of.network), &deny->of);
	for (size_t i = 0; i < deny->except_count; i++) {
		struct rule_range cut = range_of_network(&deny->except[i].network);

		if (deny->except[i].kind != ENTRY_NETWORK)
			continue;
		set_ports(&cut, &deny->except[i]);
		ranges_subtract(&ranges, &cut);
	}
	for (size_t i = 0; i < ranges.count; i++)
		rule_ranges_add(&ruleset->deny, &ranges.items[i]);
	free(ranges.items);
}

/* Ports 80 and 443 lead to the proxy alone, by TCP and by UDP. */
static void keep_to_proxy(const struct profile *profile, struct ruleset *ruleset)
{
	static const uint8_t families[] = { 4, 6 }, protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	static const uint16_t ports[] = { 80, 443 };
	const struct network proxy = { profile->egress.via, profile->egress.via.family == 4 ? 32 : 128 };
	struct rule_range range = range_of_network(&proxy);

	for (size_t i = 0; i < 8; i++) {
		const struct network all = { .base = { .family = families[i & 1] } };
		struct rule_range cut = range_of_network(&all);

		cut.protocol = protocols[i >> 1 & 1];
		cut.port_first = cut.port_last = ports[i >> 2];
		ranges_subtract(&ruleset->exact, &cut);
		ranges_subtract(&ruleset->allow, &cut);
	}
	range.protocol = IPPROTO_TCP;
	range.port_first = range.port_last = profile->egress.via_port;
	rule_ranges_add(&ruleset->exact, &range);
}

static void add_never(struct ruleset *ruleset, const struct facts *facts)
{
	size_t count;
	const struct network *never = never_reachable(&count);

	for (size_t i = 0; i < count; i++) {
		struct rule_range range = range_of_network(&never[i]);

		rule_ranges_add(&ruleset->never, &range);
	}
	for (size_t i = 0; i < facts->host_address_count; i++) {
		struct rule_range range = range_of_network(&facts->host_addresses[i]);

		rule_ranges_add(&ruleset->never, &range);
	}
}

static void add_ingress_from(struct rule_ranges *ranges, const struct ingress_rule *rule, const struct network *from)
{
	struct rule_range range = range_of_network(from);

	range.protocol = rule->udp ? IPPROTO_UDP : IPPROTO_TCP;
	range.port_first = rule->port_first;
	range.port_last = rule->port_last;
	rule_ranges_add(ranges, &range);
}

/* @node: each address that this host has now, a bridge's among them. */
static void add_ingress(struct rule_ranges *ranges, const struct ingress_rule *rule, const struct facts *facts)
{
	static const struct network all[] = { { .base = { .family = 4 } }, { .base = { .family = 6 } } };

	if (rule->has_from)
		add_ingress_from(ranges, rule, &rule->from);
	for (size_t i = 0; !rule->has_from && !rule->from_node && i < 2; i++)
		add_ingress_from(ranges, rule, &all[i]);
	for (size_t i = 0; rule->from_node && i < facts->host_address_count; i++)
		add_ingress_from(ranges, rule, &facts->host_addresses[i]);
}

static int meet_ingress(struct plan *plan, const struct profile_layer *layer, const struct facts *facts, bool is_first)
{
	struct rule_ranges ranges = { NULL, 0 };
	int r;

	for (size_t i = 0; i < layer->ingress_count; i++)
		add_ingress(&ranges, &layer->ingress[i], facts);
	if (is_first) {
		plan->ruleset.ingress = ranges;
		return 0;
	}
	r = ranges_intersect(&plan->ruleset.ingress, &ranges);
	free(ranges.items);
	return r;
}

/* What every layer allows. More pieces than the kernel's table should hold are refused: nobody writes that by hand. */
static void plan_layers(const struct profile *profile, const struct facts *facts, struct plan *plan)
{
	bool is_first_egress = true, is_first_ingress = true;

	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		if (layer.lists & LIST_EGRESS) {
			if (meet_layer(&plan->ruleset, &layer, is_first_egress) < 0)
				plan_refuse(plan, "egress.allow", "", "what all profiles allow together has over %u pieces", RANGES_MAX);
			is_first_egress = false;
		}
		if (layer.lists & LIST_INGRESS) {
			if (meet_ingress(plan, &layer, facts, is_first_ingress) < 0)
				plan_refuse(plan, "ingress.allow", "", "what all profiles allow together has over %u pieces", RANGES_MAX);
			is_first_ingress = false;
		}
	}
}

/* AF_PACKET goes past every inet table, and whoever administers the namespace can take the table away. */
static void refuse_network_capabilities(const struct plan_input *input, struct plan *plan)
{
	static const struct {
		unsigned number;
		const char *name;
	} refused[] = { { CAP_NET_RAW, "CAP_NET_RAW" }, { CAP_NET_ADMIN, "CAP_NET_ADMIN" } };

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (input->profile->process.capabilities >> refused[i].number & 1)
			plan_refuse(plan, "process.capabilities", "", "%s goes past the egress rules: a profile can't grant both",
				    refused[i].name);
}

/* Only the engine's own file is believed, and only because the container can't write to it (mounts.c): who chooses the
 * resolver chooses where an allowed name leads. */
static void find_resolv_conf(const struct plan_input *input, struct plan *plan)
{
	for (size_t i = 0; i < input->facts->mount_count; i++) {
		const struct fact_mount *fact = &input->facts->mounts[i];

		if (fact->destination && !strcmp(fact->destination, "/etc/resolv.conf") &&
		    engine_file_kind(input, fact) == ENGINE_FILE_ETC) {
			free(plan->resolv_conf);
			plan->resolv_conf = alloc_copy(fact->resolved);
		}
	}
}

void plan_network(const struct plan_input *input, struct plan *plan)
{
	const struct profile *profile = input->profile;
	struct ruleset *ruleset = &plan->ruleset;

	refuse_network_capabilities(input, plan);
	plan_layers(profile, input->facts, plan);
	if (profile->egress.has_via)
		keep_to_proxy(profile, ruleset);
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		add_denied(ruleset, &profile->egress.deny[i]);
	add_never(ruleset, input->facts);
	ruleset->egress_bytes = profile->budgets.egress;
	ruleset->rate = profile->egress.rate;
	ruleset->alive_ms = ALIVE_MS;
	plan_caps(profile, plan);
	ruleset->has_names = profile_has_names(profile);
	ruleset->observes = profile->egress.mode == EGRESS_OBSERVE;
	if (ruleset->observes)
		plan_note(plan, "egress.mode: observe: NOTHING is refused in the network, what would be is only recorded");
	if (ruleset->has_names)
		find_resolv_conf(input, plan);
}
