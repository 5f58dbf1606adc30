/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of ranges, and whether each is well-formed: see ruleset.h. Pure; must never let through what can't be ruled. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/buf.h"
#include "shim/egress/disjoint.h"

void rule_ranges_add(struct rule_ranges *ranges, const struct rule_range *range)
{
	size_t count = ranges->count;

	if ((count & (count - 1)) == 0)		/* full at each power of two: no field for the room is needed */
		ranges->items = alloc_grow(ranges->items, count ? count * 2 : 1, sizeof(*ranges->items));
	ranges->items[ranges->count++] = *range;
}

void ruleset_release(struct ruleset *ruleset)
{
	free(ruleset->exact.items);
	free(ruleset->allow.items);
	free(ruleset->deny.items);
	free(ruleset->never.items);
	free(ruleset->ingress.items);
	for (size_t i = 0; i < RULESET_CAPS_MAX; i++)
		free(ruleset->caps[i].reach.items);
	memset(ruleset, 0, sizeof(*ruleset));
}

static int check_one(const struct rule_range *range, bool may_be_any, size_t index, struct err *err)
{
	static const uint8_t zero[12];

	if (range->family != 4 && range->family != 6)
		return err_set(err, EINVAL, "rule %zu: address family %u", index, range->family);
	if (range->family == 4 && (memcmp(range->first + 4, zero, 12) || memcmp(range->last + 4, zero, 12)))
		return err_set(err, EINVAL, "rule %zu: bytes behind an IPv4 address", index);
	if (memcmp(range->first, range->last, 16) > 0)
		return err_set(err, EINVAL, "rule %zu: its last address lies before its first", index);
	if (range->port_first > range->port_last)
		return err_set(err, EINVAL, "rule %zu: its last port lies before its first", index);
	if (range->protocol == IPPROTO_TCP || range->protocol == IPPROTO_UDP || range->protocol == IPPROTO_ICMP)
		return 0;
	if (range->protocol == 0 && may_be_any)
		return 0;
	return err_set(err, EINVAL, "rule %zu: protocol %u can't be ruled", index, range->protocol);
}

int rule_ranges_check(const struct rule_ranges *ranges, bool may_be_any, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < ranges->count && !r; i++)
		r = check_one(&ranges->items[i], may_be_any, i, err);
	return r;
}
