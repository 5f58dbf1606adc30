/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address and port ranges: see ranges.h. Addresses are byte strings in network order, so memcmp orders them. */
#include "shim/policy/ranges.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static size_t address_len(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

struct rule_range range_of_network(const struct network *network)
{
	struct rule_range range = { .family = network->base.family, .port_first = 0, .port_last = 65535 };
	size_t bits = address_len(range.family) * 8;

	memcpy(range.first, network->base.bytes, sizeof(range.first));
	memcpy(range.last, network->base.bytes, sizeof(range.last));
	for (size_t bit = network->prefix; bit < bits; bit++)
		range.last[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	return range;
}

/* One less, one more; false when that leaves the address space. */
static bool address_before(uint8_t *to, const uint8_t *from, uint8_t family)
{
	memcpy(to, from, 16);
	for (size_t i = address_len(family); i-- > 0;)
		if (to[i]-- != 0)
			return true;
	return false;
}

static bool address_after(uint8_t *to, const uint8_t *from, uint8_t family)
{
	memcpy(to, from, 16);
	for (size_t i = address_len(family); i-- > 0;)
		if (++to[i] != 0)
			return true;
	return false;
}

static bool overlaps(const struct rule_range *a, const struct rule_range *b)
{
	size_t len = address_len(a->family);

	return a->family == b->family && (b->protocol == 0 || a->protocol == b->protocol) &&
	       memcmp(a->first, b->last, len) <= 0 && memcmp(b->first, a->last, len) <= 0 &&
	       a->port_first <= b->port_last && b->port_first <= a->port_last;
}

void ranges_add_without(struct rule_ranges *ranges, const struct rule_range *range, const struct rule_range *cut)
{
	size_t len = address_len(range->family);
	struct rule_range middle = *range, piece;

	if (!overlaps(range, cut)) {
		rule_ranges_add(ranges, range);
		return;
	}
	if (memcmp(range->first, cut->first, len) < 0) {
		piece = *range;
		if (address_before(piece.last, cut->first, range->family))
			rule_ranges_add(ranges, &piece);
		memcpy(middle.first, cut->first, sizeof(middle.first));
	}
	if (memcmp(range->last, cut->last, len) > 0) {
		piece = *range;
		if (address_after(piece.first, cut->last, range->family))
			rule_ranges_add(ranges, &piece);
		memcpy(middle.last, cut->last, sizeof(middle.last));
	}
	if (middle.port_first < cut->port_first) {
		piece = middle;
		piece.port_last = (uint16_t)(cut->port_first - 1);
		rule_ranges_add(ranges, &piece);
	}
	if (middle.port_last > cut->port_last) {
		piece = middle;
		piece.port_first = (uint16_t)(cut->port_last + 1);
		rule_ranges_add(ranges, &piece);
	}
}

void ranges_subtract(struct rule_ranges *ranges, const struct rule_range *cut)
{
	struct rule_ranges left = { NULL, 0 };

	for (size_t i = 0; i < ranges->count; i++)
		ranges_add_without(&left, &ranges->items[i], cut);
	free(ranges->items);
	*ranges = left;
}

static bool covers(const struct rule_range *outer, const struct rule_range *inner)
{
	return outer->family == inner->family && outer->protocol == inner->protocol && memcmp(outer->first, inner->first, 16) <= 0 &&
	       memcmp(outer->last, inner->last, 16) >= 0 && outer->port_first <= inner->port_first &&
	       outer->port_last >= inner->port_last;
}

/* The last ones only: what is written twice stands close together, and a look at all would take quadratic time. */
static bool is_covered(const struct rule_ranges *ranges, const struct rule_range *range)
{
	for (size_t i = ranges->count, looked = 0; i-- > 0 && looked < 64; looked++)
		if (covers(&ranges->items[i], range))
			return true;
	return false;
}

static bool meet_ranges(const struct rule_range *a, const struct rule_range *b, struct rule_range *met)
{
	*met = *a;
	if (a->family != b->family || a->protocol != b->protocol)
		return false;
	if (memcmp(b->first, a->first, 16) > 0)
		memcpy(met->first, b->first, 16);
	if (memcmp(b->last, a->last, 16) < 0)
		memcpy(met->last, b->last, 16);
	if (a->protocol != IPPROTO_ICMP && b->port_first > a->port_first)
		met->port_first = b->port_first;
	if (a->protocol != IPPROTO_ICMP && b->port_last < a->port_last)
		met->port_last = b->port_last;
	return memcmp(met->first, met->last, 16) <= 0 && met->port_first <= met->port_last;
}

int ranges_intersect(struct rule_ranges *ranges, const struct rule_ranges *with)
{
	struct rule_ranges kept = { NULL, 0 };
	bool fits = true;

	for (size_t i = 0; fits && i < ranges->count; i++)
		for (size_t k = 0; fits && k < with->count; k++) {
			struct rule_range met;

			if (!meet_ranges(&ranges->items[i], &with->items[k], &met) || is_covered(&kept, &met))
				continue;
			fits = kept.count < RANGES_MAX;
			if (fits)
				rule_ranges_add(&kept, &met);
		}
	free(ranges->items);
	*ranges = fits ? kept : (struct rule_ranges){ NULL, 0 };
	if (fits)
		return 0;
	free(kept.items);
	return -E2BIG;
}

void ranges_add_public(struct rule_ranges *ranges)
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
		rule_ranges_add(ranges, &public.items[i]);
	free(public.items);
}
