/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes ranges disjoint: see disjoint.h. Ranges whose addresses overlap form a component; its ports are cut at every
 * boundary, and for each piece the addresses are joined. Must never cover one address and port more or less than the input.
 */
#include "shim/egress/disjoint.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"

/* How often a range may be looked at in all: cuts × ranges open there. A profile stays far below; it ends an attack on time. */
#define STEPS_MAX (64u << 20)

bool address_next(uint8_t family, const uint8_t address[16], uint8_t next[16])
{
	int at = family == 4 ? 4 : 16;

	memmove(next, address, 16);
	while (at > 0)
		if (++next[--at] != 0)
			return true;
	return false;
}

static int compare_ports(const struct rule_range *a, const struct rule_range *b)
{
	return a->port_first != b->port_first ? (int)a->port_first - b->port_first : (int)a->port_last - b->port_last;
}

static int compare_addresses(const struct rule_range *a, const struct rule_range *b)
{
	int r = memcmp(a->first, b->first, 16);

	return r ? r : memcmp(a->last, b->last, 16);
}

static int by_address(const void *left, const void *right)
{
	const struct rule_range *a = left, *b = right;
	int r = (int)a->protocol - b->protocol;

	if (!r)
		r = compare_addresses(a, b);
	return r ? r : compare_ports(a, b);
}

static int by_port(const void *left, const void *right)
{
	const struct rule_range *a = left, *b = right;
	int r = (int)a->protocol - b->protocol;

	if (!r)
		r = compare_ports(a, b);
	return r ? r : compare_addresses(a, b);
}

static void sort(struct rule_range *items, size_t count, int (*compare)(const void *, const void *))
{
	if (count > 1)
		qsort(items, count, sizeof(*items), compare);
}

/* True when `b`, which doesn't begin before `a`, overlaps it or begins right behind it. */
static bool is_joined(const struct rule_range *a, const struct rule_range *b)
{
	uint8_t next[16];

	if (memcmp(b->first, a->last, 16) <= 0)
		return true;
	return address_next(a->family, a->last, next) && !memcmp(b->first, next, 16);
}

static void extend(struct rule_range *range, const struct rule_range *by)
{
	if (memcmp(by->last, range->last, 16) > 0)
		memcpy(range->last, by->last, 16);
}

/* Items sorted by port_first, those that are open at the cut in the order of their addresses. */
struct sweep {
	const struct rule_range *items;	/* one component, sorted by address */
	size_t *order;			/* their indices by port_first, then by address */
	size_t *active, *spare;		/* indices, ascending: by address */
	size_t count, started, active_count;
	size_t *steps;			/* of all components */
};

struct cut_key {
	uint16_t port;
	size_t index;
};

static int by_cut(const void *left, const void *right)
{
	const struct cut_key *a = left, *b = right;

	if (a->port != b->port)
		return (int)a->port - b->port;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void order_by_port(struct sweep *sweep)
{
	cleanup_free struct cut_key *keys = alloc_zeroed(sweep->count, sizeof(*keys));

	for (size_t i = 0; i < sweep->count; i++)
		keys[i] = (struct cut_key){ sweep->items[i].port_first, i };
	qsort(keys, sweep->count, sizeof(*keys), by_cut);
	for (size_t i = 0; i < sweep->count; i++)
		sweep->order[i] = keys[i].index;
}

/* Moves the sweep to `port`: drops what has ended, takes in what begins there; both lists ascend, so does the result. */
static void advance(struct sweep *sweep, uint32_t port)
{
	size_t kept = 0, total = 0, end = sweep->started, at = 0, *swap;

	for (size_t i = 0; i < sweep->active_count; i++)
		if (sweep->items[sweep->active[i]].port_last >= port)
			sweep->active[kept++] = sweep->active[i];
	while (end < sweep->count && sweep->items[sweep->order[end]].port_first <= port)
		end++;
	while (at < kept || sweep->started < end) {
		bool old = at < kept && (sweep->started == end || sweep->active[at] < sweep->order[sweep->started]);

		sweep->spare[total++] = old ? sweep->active[at++] : sweep->order[sweep->started++];
	}
	swap = sweep->active;
	sweep->active = sweep->spare;
	sweep->spare = swap;
	sweep->active_count = total;
}

/* The addresses open now, joined, with the ports of this piece. */
static void emit(const struct sweep *sweep, uint16_t port_first, uint16_t port_last, struct rule_ranges *out)
{
	struct rule_range range;

	if (!sweep->active_count)
		return;
	range = sweep->items[sweep->active[0]];
	range.port_first = port_first;
	range.port_last = port_last;
	for (size_t i = 1; i < sweep->active_count; i++) {
		const struct rule_range *item = &sweep->items[sweep->active[i]];

		if (!is_joined(&range, item)) {
			rule_ranges_add(out, &range);
			memcpy(range.first, item->first, 16);
			memcpy(range.last, item->last, 16);
		}
		extend(&range, item);
	}
	rule_ranges_add(out, &range);
}

static int by_number(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* Joins neighbours of a sorted list: same addresses and touching ports, or same ports and touching addresses. */
static void join_neighbours(struct rule_range *items, size_t *count)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		struct rule_range *last = kept ? &items[kept - 1] : NULL;
		bool same = last && last->protocol == items[i].protocol;

		if (same && !compare_addresses(last, &items[i]) && (uint32_t)last->port_last + 1 == items[i].port_first)
			last->port_last = items[i].port_last;
		else if (same && !compare_ports(last, &items[i]) && is_joined(last, &items[i]))
			extend(last, &items[i]);
		else
			items[kept++] = items[i];
	}
	*count = kept;
}

static int run_sweep(struct sweep *sweep, const uint32_t *cuts, size_t cut_count, struct rule_ranges *out)
{
	for (size_t i = 0; i + 1 < cut_count; i++) {
		if (cuts[i] == cuts[i + 1])
			continue;
		advance(sweep, cuts[i]);
		*sweep->steps += sweep->active_count;
		if (*sweep->steps > STEPS_MAX || out->count > 4 * DISJOINT_MAX)
			return -E2BIG;
		emit(sweep, (uint16_t)cuts[i], (uint16_t)(cuts[i + 1] - 1), out);
	}
	return 0;
}

/* One component: `count` ranges of one protocol, sorted by address, whose addresses hang together. */
static int split_component(const struct rule_range *items, size_t count, struct rule_ranges *out, size_t *steps)
{
	cleanup_free uint32_t *cuts = alloc_zeroed(count * 2, sizeof(*cuts));
	cleanup_free size_t *order = alloc_zeroed(count, sizeof(*order));
	cleanup_free size_t *one = alloc_zeroed(count, sizeof(*one)), *other = alloc_zeroed(count, sizeof(*other));
	struct sweep sweep = { items, order, one, other, count, 0, 0, steps };
	size_t before = out->count, added;
	int r;

	for (size_t i = 0; i < count; i++) {
		cuts[2 * i] = items[i].port_first;
		cuts[2 * i + 1] = (uint32_t)items[i].port_last + 1;
	}
	qsort(cuts, count * 2, sizeof(*cuts), by_number);
	order_by_port(&sweep);
	r = run_sweep(&sweep, cuts, count * 2, out);
	if (r)
		return r;
	added = out->count - before;
	sort(out->items + before, added, by_address);
	join_neighbours(out->items + before, &added);
	out->count = before + added;
	return 0;
}

static bool has_all_ports(const struct rule_range *range)
{
	return range->port_first == 0 && range->port_last == 65535;
}

static void copy_one(struct rule_range range, uint8_t protocol, struct rule_ranges *out)
{
	range.protocol = protocol;
	if (protocol == IPPROTO_ICMP) {
		range.port_first = 0;
		range.port_last = 65535;
	}
	rule_ranges_add(out, &range);
}

static void copy_family(const struct rule_ranges *ranges, uint8_t family, struct rule_ranges *out)
{
	static const uint8_t every[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

	for (size_t i = 0; i < ranges->count; i++) {
		const struct rule_range *range = &ranges->items[i];

		if (range->family != family)
			continue;
		if (range->protocol)
			copy_one(*range, range->protocol, out);
		else if (!has_all_ports(range))
			for (size_t k = 0; k < ARRAY_SIZE(every); k++)
				copy_one(*range, every[k], out);
	}
	sort(out->items, out->count, by_address);
}

/* How many of the sorted items hang together by address, from the first on. */
static size_t component_length(const struct rule_range *items, size_t count)
{
	struct rule_range reach = items[0];
	size_t n = 1;

	while (n < count && items[n].protocol == reach.protocol && memcmp(items[n].first, reach.last, 16) <= 0)
		extend(&reach, &items[n++]);
	return n;
}

int disjoint_triples(const struct rule_ranges *ranges, uint8_t family, struct rule_ranges *out, struct err *err)
{
	struct rule_ranges sorted = { NULL, 0 };
	cleanup_free struct rule_range *owned = NULL;
	size_t steps = 0;
	int r = 0;

	copy_family(ranges, family, &sorted);
	owned = sorted.items;
	for (size_t at = 0, n; at < sorted.count && !r; at += n) {
		n = component_length(sorted.items + at, sorted.count - at);
		r = split_component(sorted.items + at, n, out, &steps);
	}
	if (!r) {
		sort(out->items, out->count, by_port);
		join_neighbours(out->items, &out->count);
		sort(out->items, out->count, by_address);
	}
	if (r || out->count > DISJOINT_MAX)
		return err_set(err, E2BIG, "rules: %zu ranges overlap into more than %u (name fewer or larger networks)",
			       sorted.count, DISJOINT_MAX);
	return 0;
}

void disjoint_addresses(const struct rule_ranges *ranges, uint8_t family, bool all, struct rule_ranges *out)
{
	for (size_t i = 0; i < ranges->count; i++) {
		struct rule_range range = ranges->items[i];

		if (range.family != family || (!all && (range.protocol || !has_all_ports(&range))))
			continue;
		range.protocol = 0;
		range.port_first = 0;
		range.port_last = 65535;
		rule_ranges_add(out, &range);
	}
	sort(out->items, out->count, by_address);
	join_neighbours(out->items, &out->count);
}
