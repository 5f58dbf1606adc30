/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of egress.allow from what was seen: see learn.h. A name is named, and its addresses are not, but for special ones. */
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/learn.h"

static void put_times(struct buf *buf, uint64_t times, const char *one, const char *many)
{
	buf_printf(buf, "%s%llu %s", buf->len ? ", " : "", (unsigned long long)times, times == 1 ? one : many);
}

static void add(struct learn_entries *entries, const char *host, const char *rest, uint64_t times, const char *remark)
{
	for (size_t i = 0; i < entries->count; i++)
		if (!strcmp(entries->items[i].host, host) && !strcmp(entries->items[i].rest, rest))
			return;
	entries->items = alloc_grow(entries->items, entries->count + 1, sizeof(*entries->items));
	entries->items[entries->count++] = (struct learn_entry){
		.host = alloc_copy(host), .rest = alloc_copy(rest), .remark = alloc_copy(remark), .times = times,
	};
}

static void put_rest(struct buf *rest, const struct learn_way *way)
{
	if (way->protocol == ENTRY_ICMP)
		buf_puts(rest, "/icmp");
	else
		buf_printf(rest, ":%u%s", way->port, way->protocol == ENTRY_UDP ? "/udp" : "");
}

static bool has_way(const struct learn_place *place, uint16_t port, const struct address *address)
{
	for (size_t i = 0; i < place->way_count; i++)
		if (place->ways[i].protocol == ENTRY_TCP && place->ways[i].port == port &&
		    !memcmp(&place->ways[i].address, address, sizeof(*address)))
			return true;
	return false;
}

/* 443 and 80 over TCP are what a name without a port means. */
static bool is_default_pair(const struct learn_place *place, const struct learn_way *way)
{
	return way->protocol == ENTRY_TCP && (way->port == 443 || way->port == 80) && has_way(place, 443, &way->address) &&
	       has_way(place, 80, &way->address);
}

static void add_name_ways(struct learn_entries *entries, const struct learn_place *place)
{
	for (size_t i = 0; i < place->way_count; i++) {
		const struct learn_way *way = &place->ways[i];
		cleanup_buf struct buf rest = BUF_INIT, remark = BUF_INIT;

		if (!is_default_pair(place, way))
			put_rest(&rest, way);
		if (way->address.family) {
			buf_putc(&rest, '@');
			address_print(&rest, &way->address);
		}
		if (place->asked)
			put_times(&remark, place->asked, "question", "questions");
		put_times(&remark, way->times, "connection", "connections");
		add(entries, place->name, rest.data ? rest.data : "", way->times, remark.data);
	}
}

/* Asked for, and nothing was seen of a connection: by the default ports. */
static void add_asked(struct learn_entries *entries, const struct learn_place *place)
{
	cleanup_buf struct buf remark = BUF_INIT;

	put_times(&remark, place->asked, "question", "questions");
	buf_puts(&remark, "; no connection was recorded, so 443 and 80");
	if (place->has_public || !place->special_count)
		add(entries, place->name, "", place->asked, remark.data);
	for (size_t i = 0; i < place->special_count; i++) {
		cleanup_buf struct buf rest = BUF_INIT;

		buf_putc(&rest, '@');
		address_print(&rest, &place->special[i]);
		add(entries, place->name, rest.data, place->asked, remark.data);
	}
}

static void add_address(struct learn_entries *entries, const struct learn_place *place)
{
	cleanup_buf struct buf host = BUF_INIT;

	if (place->address.family == 6)
		buf_putc(&host, '[');
	address_print(&host, &place->address);
	if (place->address.family == 6)
		buf_putc(&host, ']');
	for (size_t i = 0; i < place->way_count; i++) {
		cleanup_buf struct buf rest = BUF_INIT, remark = BUF_INIT;

		put_rest(&rest, &place->ways[i]);
		put_times(&remark, place->ways[i].times, "connection", "connections");
		buf_puts(&remark, "; no name led there");
		add(entries, host.data, rest.data, place->ways[i].times, remark.data);
	}
}

static int by_text(const void *a, const void *b)
{
	const struct learn_entry *one = a, *other = b;
	int r = strcmp(one->host, other->host);

	return r ? r : strcmp(one->rest, other->rest);
}

/* Behind the first label, where there are two labels more at least: a pattern over a top-level domain is none. */
static const char *parent_of(const char *host)
{
	const char *dot = strchr(host, '.');

	return dot && strchr(dot + 1, '.') ? dot + 1 : NULL;
}

static bool is_sibling(const struct learn_entry *a, const struct learn_entry *b)
{
	const char *one = parent_of(a->host), *other = parent_of(b->host);

	return one && other && !strcmp(one, other) && !strcmp(a->rest, b->rest) && a->host[0] != '*' && b->host[0] != '*';
}

static void release_one(struct learn_entry *entry)
{
	free(entry->host);
	free(entry->rest);
	free(entry->remark);
	free(entry->why_not);
}

/* Two of a kind at least become one pattern, in the place of the first. */
static void group_from(struct learn_entries *entries, size_t first)
{
	struct learn_entry *entry = &entries->items[first];
	cleanup_buf struct buf remark = BUF_INIT;
	size_t found = 1;

	buf_puts(&remark, entry->host);
	for (size_t i = first + 1; i < entries->count;) {
		struct learn_entry *other = &entries->items[i];

		if (!is_sibling(entry, other)) {
			i++;
			continue;
		}
		if (++found <= 8)
			buf_printf(&remark, ", %s", other->host);
		entry->times += other->times;
		release_one(other);
		memmove(other, other + 1, (entries->count - i - 1) * sizeof(*other));
		entries->count--;
	}
	if (found == 1)
		return;
	if (found > 8)
		buf_printf(&remark, " and %zu more", found - 8);
	buf_printf(&remark, ": %llu times", (unsigned long long)entry->times);
	free(entry->remark);
	entry->remark = buf_steal(&remark);
	{
		char *pattern = alloc_printf("*.%s", parent_of(entry->host));

		free(entry->host);
		entry->host = pattern;
	}
}

void learn_entries_make(const struct learnt *learnt, bool group, struct learn_entries *entries)
{
	size_t names;

	*entries = (struct learn_entries){ NULL, 0 };
	for (size_t i = 0; i < learnt->count; i++)
		if (learnt->places[i]->name && learnt->places[i]->way_count)
			add_name_ways(entries, learnt->places[i]);
		else if (learnt->places[i]->name)
			add_asked(entries, learnt->places[i]);
	for (size_t i = 0; group && i < entries->count; i++)
		group_from(entries, i);
	names = entries->count;
	if (names)
		qsort(entries->items, names, sizeof(*entries->items), by_text);
	for (size_t i = 0; i < learnt->count; i++)
		if (!learnt->places[i]->name)
			add_address(entries, learnt->places[i]);
	if (entries->count > names)
		qsort(entries->items + names, entries->count - names, sizeof(*entries->items), by_text);
}

void learn_entries_release(struct learn_entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		release_one(&entries->items[i]);
	free(entries->items);
	*entries = (struct learn_entries){ NULL, 0 };
}
