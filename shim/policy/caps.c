/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Caps (egress.caps): bounds of what goes to a part of what is allowed. Which they are, in what order, and what each reaches by
 * address; what names lead to is the warden's to say (name-rules-make.c). An entry is read as one of egress.deny is: without a
 * port it means every port, without a protocol every protocol. Must never leave out what it covers.
 */
#include "shim/policy/caps.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/ranges.h"

/* The smaller before the larger: what the kernel refuses by one doesn't count in the next. */
static int compare(const void *a, const void *b)
{
	const struct cap_rule *one = *(const struct cap_rule *const *)a, *other = *(const struct cap_rule *const *)b;

	if (one->bytes != other->bytes)
		return one->bytes < other->bytes ? -1 : 1;
	return strcmp(one->entry.text, other->entry.text);
}

size_t caps_list(const struct profile *profile, const struct cap_rule *caps[RULESET_CAPS_MAX])
{
	size_t count = 0;

	if (caps_count(profile) > RULESET_CAPS_MAX)
		return 0;
	for (size_t i = 0; i < profile->egress.caps_count; i++)
		if (profile->egress.caps[i].bytes != LIMIT_UNLIMITED)
			caps[count++] = &profile->egress.caps[i];
	qsort(caps, count, sizeof(*caps), compare);
	return count;
}

size_t caps_count(const struct profile *profile)
{
	size_t count = 0;

	for (size_t i = 0; i < profile->egress.caps_count; i++)
		count += profile->egress.caps[i].bytes != LIMIT_UNLIMITED;
	return count;
}

size_t cap_member_count(const struct cap_rule *cap)
{
	return cap->entry.kind == ENTRY_GROUP ? cap->member_count : 1;
}

const struct entry *cap_member(const struct cap_rule *cap, size_t index)
{
	return cap->entry.kind == ENTRY_GROUP ? &cap->members[index] : &cap->entry;
}

bool cap_has_member(const struct cap_rule *cap, const struct entry *entry)
{
	for (size_t i = 0; i < cap->member_count; i++)
		if (!strcmp(cap->members[i].text, entry->text))
			return true;
	return false;
}

static void add_protocols(struct rule_ranges *ranges, struct rule_range range, const struct entry *entry)
{
	static const struct {
		unsigned on;
		uint8_t number;
	} protocols[] = { { ON_TCP, IPPROTO_TCP }, { ON_UDP, IPPROTO_UDP }, { ON_ICMP, IPPROTO_ICMP } };

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (!(entry_protocols(entry, true) & protocols[i].on))
			continue;
		range.protocol = protocols[i].number;
		range.port_first = 0;
		range.port_last = UINT16_MAX;
		if (entry->has_port && !entry->any_port && range.protocol != IPPROTO_ICMP) {
			range.port_first = entry->port_first;
			range.port_last = entry->port_last;
		}
		rule_ranges_add(ranges, &range);
	}
}

static void add_member(struct rule_ranges *reach, const struct entry *entry)
{
	struct rule_ranges places = { NULL, 0 };

	if (entry->kind == ENTRY_PUBLIC) {
		ranges_add_public(&places);
	} else if (entry->kind == ENTRY_NETWORK) {
		struct rule_range range = range_of_network(&entry->network);

		rule_ranges_add(&places, &range);
	}
	for (size_t i = 0; i < places.count; i++)
		add_protocols(reach, places.items[i], entry);
	free(places.items);
}

void plan_caps(const struct profile *profile, struct plan *plan)
{
	const struct cap_rule *caps[RULESET_CAPS_MAX];
	size_t count = caps_list(profile, caps);

	for (size_t i = 0; i < count; i++) {
		struct ruleset_cap *cap = &plan->ruleset.caps[plan->ruleset.cap_count++];

		cap->bytes = caps[i]->bytes;
		for (size_t k = 0; k < cap_member_count(caps[i]); k++)
			add_member(&cap->reach, cap_member(caps[i], k));
	}
}
