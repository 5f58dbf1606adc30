/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address and port ranges: see ranges.h. Addresses are byte strings in network order, so memcmp orders them. */
#include "shim/policy/ranges.h"

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
