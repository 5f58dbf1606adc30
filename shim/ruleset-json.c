/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset as it lies in the record: one string a range, "6 FIRST LAST PORT PORT" behind the list of its family and
 * protocol. Reading is strict: a range that was not understood would be a hole or a wall too many.
 */
#include "shim/ruleset-json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct list {
	const char *name;
	size_t offset;
} lists[] = {
	{ "exact", offsetof(struct ruleset, exact) },	  { "allow", offsetof(struct ruleset, allow) },
	{ "deny", offsetof(struct ruleset, deny) },	  { "never", offsetof(struct ruleset, never) },
	{ "ingress", offsetof(struct ruleset, ingress) },
};

static struct rule_ranges *list_of(const struct ruleset *ruleset, const struct list *list)
{
	return (struct rule_ranges *)((char *)ruleset + list->offset);
}

static struct json *range_to_json(struct json_tree *tree, const struct rule_range *range)
{
	char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN], text[256];
	int family = range->family == 4 ? AF_INET : AF_INET6;

	inet_ntop(family, range->first, first, sizeof(first));
	inet_ntop(family, range->last, last, sizeof(last));
	snprintf(text, sizeof(text), "%u %s %s %u %u", range->protocol, first, last, range->port_first, range->port_last);
	return json_make_string(tree, text);
}

static struct json *ranges_to_json(struct json_tree *tree, const struct rule_ranges *ranges)
{
	struct json *array = json_make_array(tree);

	for (size_t k = 0; k < ranges->count; k++)
		json_append(tree, array, range_to_json(tree, &ranges->items[k]));
	return array;
}

static struct json *caps_to_json(struct json_tree *tree, const struct ruleset *ruleset)
{
	struct json *array = json_make_array(tree);

	for (size_t i = 0; i < ruleset->cap_count; i++) {
		struct json *cap = json_make_object(tree);

		json_set(tree, cap, "bytes", json_make_uint(tree, ruleset->caps[i].bytes));
		json_set(tree, cap, "reach", ranges_to_json(tree, &ruleset->caps[i].reach));
		json_append(tree, array, cap);
	}
	return array;
}

struct json *ruleset_to_json(struct json_tree *tree, const struct ruleset *ruleset)
{
	struct json *node = json_make_object(tree);

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		json_set(tree, node, lists[i].name, ranges_to_json(tree, list_of(ruleset, &lists[i])));
	json_set(tree, node, "caps", caps_to_json(tree, ruleset));
	json_set(tree, node, "egress_bytes", json_make_uint(tree, ruleset->egress_bytes));
	json_set(tree, node, "rate", json_make_uint(tree, ruleset->rate));
	json_set(tree, node, "alive_ms", json_make_uint(tree, ruleset->alive_ms));
	json_set(tree, node, "observes", json_make_bool(tree, ruleset->observes));
	json_set(tree, node, "has_names", json_make_bool(tree, ruleset->has_names));
	return node;
}

static int range_from_text(const char *text, struct rule_range *range)
{
	char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN], more;
	unsigned protocol, port_first, port_last;
	int family;

	if (sscanf(text, "%u %45s %45s %u %u%c", &protocol, first, last, &port_first, &port_last, &more) != 5)
		return -EPROTO;
	if (protocol > 255 || port_first > 65535 || port_last > 65535)
		return -EPROTO;
	memset(range, 0, sizeof(*range));
	family = strchr(first, ':') ? AF_INET6 : AF_INET;
	range->family = family == AF_INET ? 4 : 6;
	range->protocol = (uint8_t)protocol;
	range->port_first = (uint16_t)port_first;
	range->port_last = (uint16_t)port_last;
	return inet_pton(family, first, range->first) == 1 && inet_pton(family, last, range->last) == 1 ? 0 : -EPROTO;
}

static int ranges_from_json(const struct json *node, const char *name, struct rule_ranges *ranges, struct err *err)
{
	const struct json *array = json_get(node, name);

	if (!json_is(array, JSON_ARRAY))
		return err_set(err, EPROTO, "record: the rules' list '%s' is missing", name);
	for (size_t k = 0; k < array->count; k++) {
		const char *text = json_string(array->items[k]);
		struct rule_range range;

		if (!text || range_from_text(text, &range) < 0)
			return err_set(err, EPROTO, "record: range %zu of '%s' is not understood", k, name);
		rule_ranges_add(ranges, &range);
	}
	return 0;
}

/* Rules that an older version has written have none. */
static int caps_from_json(const struct json *array, struct ruleset *ruleset, struct err *err)
{
	int r = 0;

	if (array && (!json_is(array, JSON_ARRAY) || array->count > RULESET_CAPS_MAX))
		return err_set(err, EPROTO, "record: the rules' caps are not understood");
	for (size_t i = 0; array && i < array->count && !r; i++) {
		struct ruleset_cap *cap = &ruleset->caps[ruleset->cap_count++];

		if (!json_uint(json_get(array->items[i], "bytes"), &cap->bytes))
			return err_set(err, EPROTO, "record: the bound of cap %zu is missing", i);
		r = ranges_from_json(array->items[i], "reach", &cap->reach, err);
	}
	return r;
}

int ruleset_from_json(const struct json *node, struct ruleset *ruleset, struct err *err)
{
	uint64_t alive = 0;
	int r = 0;

	memset(ruleset, 0, sizeof(*ruleset));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !r; i++)
		r = ranges_from_json(node, lists[i].name, list_of(ruleset, &lists[i]), err);
	if (!r)
		r = caps_from_json(json_get(node, "caps"), ruleset, err);
	if (r)
		return r;
	if (!json_uint(json_get(node, "egress_bytes"), &ruleset->egress_bytes) ||
	    !json_uint(json_get(node, "rate"), &ruleset->rate) || !json_uint(json_get(node, "alive_ms"), &alive) ||
	    alive > UINT32_MAX)
		return err_set(err, EPROTO, "record: the rules' bounds are missing");
	ruleset->alive_ms = (uint32_t)alive;
	ruleset->observes = json_bool(json_get(node, "observes"), false);
	ruleset->has_names = json_bool(json_get(node, "has_names"), false);
	return 0;
}
