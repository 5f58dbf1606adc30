/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network: the profile's entries become the ranges that the kernel's table holds. What is not said here is dropped.
 * Entries that name hosts are no business of this file: they need the warden.
 */
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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

/* @public: the whole space of both families without what IANA lists as special. */
static void add_public(struct rule_ranges *ranges, const struct entry *entry)
{
	static const struct network all[] = { { .base = { .family = 4 } }, { .base = { .family = 6 } } };
	struct rule_ranges public = { NULL, 0 };
	size_t count;
	const struct network *special = special_purpose(&count);

	for (size_t i = 0; i < 2; i++) {
		struct rule_range range = range_of_network(&all[i]);

		rule_ranges_add(&public, &range);
	}
	for (size_t i = 0; i < count; i++) {
		struct rule_range cut = range_of_network(&special[i]);

		ranges_subtract(&public, &cut);
	}
	for (size_t i = 0; i < public.count; i++)
		add_with_protocols(ranges, public.items[i], entry);
	free(public.items);
}

static void add_allowed(struct ruleset *ruleset, const struct entry *entry)
{
	if (entry->kind == ENTRY_PUBLIC)
		add_public(&ruleset->allow, entry);
	else if (entry->kind == ENTRY_NETWORK)
		add_with_protocols(entry->is_single_address ? &ruleset->exact : &ruleset->allow,
				   range_of_network(&entry->network), entry);
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

static void add_ingress(struct ruleset *ruleset, const struct ingress_rule *rule)
{
	static const struct network all[] = { { .base = { .family = 4 } }, { .base = { .family = 6 } } };

	for (size_t i = 0; i < 2; i++) {
		struct rule_range range = range_of_network(rule->has_from ? &rule->from : &all[i]);

		range.protocol = rule->udp ? IPPROTO_UDP : IPPROTO_TCP;
		range.port_first = rule->port_first;
		range.port_last = rule->port_last;
		rule_ranges_add(&ruleset->ingress, &range);
		if (rule->has_from)
			return;
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

void plan_network(const struct plan_input *input, struct plan *plan)
{
	const struct profile *profile = input->profile;
	struct ruleset *ruleset = &plan->ruleset;

	refuse_network_capabilities(input, plan);
	for (size_t i = 0; i < profile->egress.allow_count; i++)
		add_allowed(ruleset, &profile->egress.allow[i]);
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		add_denied(ruleset, &profile->egress.deny[i]);
	add_never(ruleset, input->facts);
	for (size_t i = 0; i < profile->ingress_count; i++)
		add_ingress(ruleset, &profile->ingress[i]);
	ruleset->egress_bytes = profile->budgets.egress;
	ruleset->rate = profile->egress.rate;
	ruleset->alive_ms = ALIVE_MS;
}
