/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trail has seen of names and connections: see learn.h. A trail that is handed in may be forged: names are taken as
 * host names or not at all, addresses and ports as such.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/learn.h"

#define PLACES_MAX 20000
#define WAYS_MAX 64
#define SPECIAL_MAX 16
#define REFUSED_MAX 200

static int compare_places(const struct learn_place *one, const struct learn_place *other)
{
	if (!one->name != !other->name)
		return one->name ? -1 : 1;
	return one->name ? strcmp(one->name, other->name) : memcmp(&one->address, &other->address, sizeof(one->address));
}

/* Where it stands, or belongs. */
static size_t find_index(const struct learnt *learnt, const struct learn_place *wanted, bool *is_there)
{
	size_t low = 0, high = learnt->count;

	*is_there = false;
	while (low < high && !*is_there) {
		size_t middle = low + (high - low) / 2;
		int r = compare_places(wanted, learnt->places[middle]);

		*is_there = !r;
		if (r > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return *is_there ? high : low;
}

/* By name, or by address where `name` is NULL; NULL when there is room for no more. */
static struct learn_place *place_of(struct learnt *learnt, const char *name, const struct address *address)
{
	struct learn_place wanted = { .name = (char *)name }, *place;
	bool is_there;
	size_t index;

	if (!name)
		wanted.address = *address;
	index = find_index(learnt, &wanted, &is_there);
	if (is_there)
		return learnt->places[index];
	if (learnt->count >= PLACES_MAX) {
		learnt->is_full = true;
		return NULL;
	}
	place = alloc_zeroed(1, sizeof(*place));
	*place = wanted;
	place->name = name ? alloc_copy(name) : NULL;
	learnt->places = alloc_grow(learnt->places, learnt->count + 1, sizeof(*learnt->places));
	memmove(learnt->places + index + 1, learnt->places + index, (learnt->count++ - index) * sizeof(*learnt->places));
	learnt->places[index] = place;
	return place;
}

static void add_answer(struct learn_place *place, const struct address *address)
{
	if (address_is_public(address)) {
		place->has_public = true;
		return;
	}
	for (size_t i = 0; i < place->special_count; i++)
		if (!memcmp(&place->special[i], address, sizeof(*address)))
			return;
	if (place->special_count >= SPECIAL_MAX)
		return;
	place->special = alloc_grow(place->special, place->special_count + 1, sizeof(*place->special));
	place->special[place->special_count++] = *address;
}

static void add_way(struct learnt *learnt, struct learn_place *place, const struct learn_way *way)
{
	for (size_t i = 0; i < place->way_count; i++) {
		struct learn_way *old = &place->ways[i];

		if (old->port == way->port && old->has_port == way->has_port && old->protocol == way->protocol &&
		    !memcmp(&old->address, &way->address, sizeof(way->address))) {
			old->times += way->times;
			return;
		}
	}
	if (place->way_count >= WAYS_MAX) {
		learnt->is_full = true;
		return;
	}
	place->ways = alloc_grow(place->ways, place->way_count + 1, sizeof(*place->ways));
	place->ways[place->way_count++] = *way;
}

static const char *text_of(const struct json *record, const char *name)
{
	return json_string(json_get(record, name));
}

/* The record's name, normalized; false when it has none that is a host name. */
static bool name_of(const struct json *record, char name[NAME_SIZE])
{
	const char *text = text_of(record, "name");

	return text && !name_normalize(text, name);
}

static void take_answer(struct learnt *learnt, const struct json *record, uint64_t times)
{
	const struct json *addresses = json_get(record, "addresses");
	struct learn_place *place;
	char name[NAME_SIZE];

	place = name_of(record, name) ? place_of(learnt, name, NULL) : NULL;
	if (!place)
		return;
	place->asked += times;
	for (size_t i = 0; json_is(addresses, JSON_ARRAY) && i < addresses->count; i++) {
		const char *text = json_string(addresses->items[i]);
		struct address address = { .family = 0 };

		if (text && !address_parse(text, &address))
			add_answer(place, &address);
	}
}

static bool read_way(const struct json *record, struct learn_way *way)
{
	const char *protocol = text_of(record, "protocol"), *address = text_of(record, "address");
	uint64_t port;

	*way = (struct learn_way){ .protocol = ENTRY_TCP };
	if (!address || address_parse(address, &way->address) < 0)
		return false;
	if (protocol && !strcmp(protocol, "udp"))
		way->protocol = ENTRY_UDP;
	else if (protocol && !strncmp(protocol, "icmp", 4))
		way->protocol = ENTRY_ICMP;
	else if (protocol && strcmp(protocol, "tcp"))
		return false;
	if (json_uint(json_get(record, "port"), &port) && port && port <= UINT16_MAX) {
		way->port = (uint16_t)port;
		way->has_port = true;
	}
	return way->has_port || way->protocol == ENTRY_ICMP;
}

static void take_connection(struct learnt *learnt, const struct json *record, uint64_t times)
{
	struct learn_place *place;
	struct learn_way way;
	char name[NAME_SIZE];
	bool has_name;

	if (!read_way(record, &way))
		return;
	way.times = times;
	/* an echo is not a name's: the entry of an address says it */
	has_name = way.protocol != ENTRY_ICMP && name_of(record, name);
	place = place_of(learnt, has_name ? name : NULL, &way.address);
	if (!place)
		return;
	if (!has_name || address_is_public(&way.address))
		memset(&way.address, 0, sizeof(way.address));
	add_way(learnt, place, &way);
}

/* By a profile that enforces: told, never allowed. */
static void take_refusal(struct learnt *learnt, const struct json *record)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct learn_way way;
	char name[NAME_SIZE];
	bool has_way = read_way(record, &way), has_name = name_of(record, name);

	if (has_name)
		buf_puts(&text, name);
	if (has_way) {
		buf_puts(&text, has_name ? " at " : "");
		address_print(&text, &way.address);
		if (way.has_port)
			buf_printf(&text, " port %u%s", way.port, way.protocol == ENTRY_UDP ? "/udp" : "");
	}
	if (!text.len || learnt->refused.count >= REFUSED_MAX || strings_has(&learnt->refused, text.data))
		return;
	strings_add(&learnt->refused, text.data);
}

void learn_take(struct learnt *learnt, const char *line, size_t len, const struct audit_fields *fields)
{
	bool is_answer = audit_event_is(fields, "dns.answer"), is_open = audit_event_is(fields, "connect.open");
	bool is_name = audit_event_is(fields, "dns.refuse"), is_connection = audit_event_is(fields, "connect.refuse");
	cleanup_json_tree struct json_tree *tree = NULL;
	struct err ignored = ERR_INIT;

	learnt->records++;
	if (!learnt->first[0])
		memcpy(learnt->first, fields->time, sizeof(learnt->first) - 1);
	memcpy(learnt->last, fields->time, sizeof(learnt->last) - 1);
	if (fields->profile_len) {
		free(learnt->profile);
		learnt->profile = alloc_printf("%.*s", (int)fields->profile_len, fields->profile);
	}
	if ((!is_answer && !is_open && !is_name && !is_connection) || json_parse(line, len, JSON_PLAIN, NULL, &tree, &ignored) < 0)
		return;
	if ((is_name || is_connection) && !fields->is_observed)
		take_refusal(learnt, json_root(tree));
	else if (is_answer || is_name)
		take_answer(learnt, json_root(tree), fields->repeated);
	else
		take_connection(learnt, json_root(tree), fields->repeated);
}

void learn_release(struct learnt *learnt)
{
	for (size_t i = 0; i < learnt->count; i++) {
		free(learnt->places[i]->name);
		free(learnt->places[i]->ways);
		free(learnt->places[i]->special);
		free(learnt->places[i]);
	}
	free(learnt->places);
	strings_free(&learnt->refused);
	free(learnt->profile);
	*learnt = (struct learnt){ .count = 0 };
}
