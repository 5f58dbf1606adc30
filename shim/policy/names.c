/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Egress entries and host names: how they are read and compared. Everything that says "allowed" asks here. Must never
 * guess: what could be read in two ways is refused with the spelling that is meant.
 */
#include "shim/policy/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile.h"

static const char *const protocol_names[] = {
	[ENTRY_TCP] = "tcp", [ENTRY_UDP] = "udp", [ENTRY_ICMP] = "icmp", [ENTRY_TLS] = "tls", [ENTRY_HTTP] = "http",
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The parts of an entry's text, cut apart in a copy of it. NULL: not there. */
struct parts {
	char *what, *port, *protocol, *at;
};

/* Behind a closing bracket, or at the first colon or slash; a network's own "/LEN" stays with it. */
static char *find_end_of_what(char *what)
{
	char *end;

	if (what[0] == '[') {
		end = strchr(what, ']');
		return end ? end + 1 : NULL;
	}
	end = what + strcspn(what, ":/");
	if (*end == '/' && is_digit(end[1]))
		end += 1 + strcspn(end + 1, ":/");
	return end;
}

static int parts_cut(char *text, struct parts *parts, struct err *err)
{
	char *at = strchr(text + (text[0] == '@'), '@'), *end;

	*parts = (struct parts){ .what = text };
	if (at) {
		*at = '\0';
		parts->at = at + 1;
	}
	if (text[0] != '[' && strchr(text, ':') != strrchr(text, ':'))
		return err_set(err, EINVAL, "an IPv6 address or network goes into brackets: '[2001:db8::/32]:443'");
	end = find_end_of_what(text);
	if (!end)
		return err_set(err, EINVAL, "the closing bracket is missing");
	if (*end == ':') {
		*end++ = '\0';
		parts->port = end;
		end += strcspn(end, "/");
	}
	if (*end == '/') {
		*end++ = '\0';
		parts->protocol = end;
		end += strlen(end);
	}
	if (*end)
		return err_set(err, EINVAL, "'%s' can't be read (WHAT[:PORT[-PORT]][/PROTOCOL][@NETWORK])", end);
	return 0;
}

int ports_parse(const char *text, uint16_t *first, uint16_t *last)
{
	unsigned long ends[2] = { 0, 0 };
	int i = 0;

	for (;; text++) {
		if (!is_digit(*text) || *text == '0')
			return -EINVAL;
		while (is_digit(*text) && ends[i] <= UINT16_MAX)
			ends[i] = ends[i] * 10 + (unsigned long)(*text++ - '0');
		if (ends[i] > UINT16_MAX)
			return -EINVAL;
		if (*text != '-' || i)
			break;
		i++;
	}
	if (*text || (i && ends[1] < ends[0]))
		return -EINVAL;
	*first = (uint16_t)ends[0];
	*last = (uint16_t)ends[i];
	return 0;
}

static int read_port(const char *port, struct entry *entry, struct err *err)
{
	if (!port)
		return 0;
	entry->has_port = true;
	if (!strcmp(port, "*")) {
		entry->any_port = true;
		entry->port_last = UINT16_MAX;
		return 0;
	}
	if (ports_parse(port, &entry->port_first, &entry->port_last) < 0)
		return err_set(err, EINVAL, "port '%s' is not 1-65535, a range FIRST-LAST of these, or *", port);
	return 0;
}

static int read_protocol(const char *protocol, struct entry *entry, struct err *err)
{
	if (!protocol)
		return 0;
	for (size_t i = ENTRY_TCP; i < ARRAY_SIZE(protocol_names); i++)
		if (!strcmp(protocol, protocol_names[i])) {
			entry->protocol = (enum entry_protocol)i;
			return 0;
		}
	return err_set(err, EINVAL, "protocol '%s' is none of tcp, udp, icmp, tls, http", protocol);
}

/* Brackets are optional here: nothing can follow. */
static int read_at(char *at, struct entry *entry, struct err *err)
{
	size_t len;

	if (!at)
		return 0;
	len = strlen(at);
	if (at[0] == '[' && len > 2 && at[len - 1] == ']') {
		at[len - 1] = '\0';
		at++;
	}
	if (network_parse(at, &entry->at) < 0)
		return err_set(err, EINVAL, "'@%s' is not a network (ADDRESS or ADDRESS/LENGTH without host bits)", at);
	entry->has_at = true;
	return 0;
}

static int read_name(const char *what, struct entry *entry, struct err *err)
{
	char name[NAME_SIZE];

	entry->kind = ENTRY_NAME;
	if (!strncmp(what, "**.", 3)) {
		entry->kind = ENTRY_ANY_LABELS;
		what += 3;
	} else if (!strncmp(what, "*.", 2)) {
		entry->kind = ENTRY_ONE_LABEL;
		what += 2;
	}
	if (strchr(what, '*'))
		return err_set(err, EINVAL, "a pattern is '*.NAME' (one label) or '**.NAME' (one or more), nothing else");
	if (name_normalize(what, name) < 0)
		return err_set(err, EINVAL,
			       "'%s' is neither a host name (letters, digits, '-', '_'; IDN as xn--) nor an address", what);
	if (entry->kind != ENTRY_NAME && !strchr(name, '.'))
		return err_set(err, EINVAL, "a pattern directly over a top-level domain is not allowed");
	entry->name = alloc_copy(name);
	return 0;
}

static int read_network(const char *what, struct entry *entry, struct err *err)
{
	entry->kind = ENTRY_NETWORK;
	if (network_parse(what, &entry->network) < 0)
		return err_set(err, EINVAL, "'%s' is no address and no network (ADDRESS/LENGTH without host bits)", what);
	entry->is_single_address = !strchr(what, '/');
	return 0;
}

static int read_group(const char *what, struct entry *entry, struct err *err)
{
	if (!strcmp(what, "public")) {
		entry->kind = ENTRY_PUBLIC;
		return 0;
	}
	entry->kind = ENTRY_GROUP;
	if (!profile_name_is_valid(what))
		return err_set(err, EINVAL, "group '@%s': a name is letters, digits, '-', '_' and '.'", what);
	entry->name = alloc_copy(what);
	return 0;
}

static int read_what(char *what, struct entry *entry, struct err *err)
{
	size_t len = strlen(what);
	bool looks_like_address = is_digit(what[0]) && strspn(what, "0123456789./") == len;

	if (!len)
		return err_set(err, EINVAL, "no name, address, network or group in it");
	if (what[0] == '@')
		return read_group(what + 1, entry, err);
	if (what[0] == '[') {
		what[len - 1] = '\0';
		if (!strchr(what + 1, ':'))
			return err_set(err, EINVAL, "only an IPv6 address or network stands in brackets");
		return read_network(what + 1, entry, err);
	}
	return looks_like_address || strchr(what, '/') ? read_network(what, entry, err) : read_name(what, entry, err);
}

/* What may not stand together. */
static int check_entry(const struct entry *entry, struct err *err)
{
	bool is_name = entry_is_name(entry);

	if (entry->kind == ENTRY_GROUP && (entry->has_port || entry->protocol || entry->has_at))
		return err_set(err, EINVAL, "a group's own entries say port, protocol and network: write '@%s' alone",
			       entry->name);
	if (entry->has_at && !is_name)
		return err_set(err, EINVAL, "@NETWORK goes with a name only");
	if (entry->protocol == ENTRY_ICMP && entry->has_port)
		return err_set(err, EINVAL, "ICMP has no ports");
	if ((entry->protocol == ENTRY_TLS || entry->protocol == ENTRY_HTTP) && !is_name)
		return err_set(err, EINVAL, "/tls and /http look for a name: write /tcp for an address");
	if ((entry->kind == ENTRY_NETWORK || entry->kind == ENTRY_PUBLIC) && !entry->has_port &&
	    entry->protocol != ENTRY_ICMP)
		return err_set(err, EINVAL, "an address, a network and @public must say the port (':443', or ':*' for all)");
	return 0;
}

int entry_parse(const char *text, struct entry *entry, struct err *err)
{
	cleanup_free char *copy = alloc_copy(text);
	struct parts parts;
	int r;

	*entry = (struct entry){ .kind = ENTRY_NAME };
	r = parts_cut(copy, &parts, err);
	if (!r)
		r = read_what(parts.what, entry, err);
	if (!r)
		r = read_port(parts.port, entry, err);
	if (!r)
		r = read_protocol(parts.protocol, entry, err);
	if (!r)
		r = read_at(parts.at, entry, err);
	if (!r)
		r = check_entry(entry, err);
	if (r) {
		entry_release(entry);
		return r;
	}
	entry->text = alloc_copy(text);
	return 0;
}

void entry_copy(const struct entry *from, struct entry *to)
{
	*to = *from;
	to->text = from->text ? alloc_copy(from->text) : NULL;
	to->name = from->name ? alloc_copy(from->name) : NULL;
	to->group = from->group ? alloc_copy(from->group) : NULL;
	to->place = from->place ? alloc_copy(from->place) : NULL;
}

void entry_release(struct entry *entry)
{
	free(entry->text);
	free(entry->name);
	free(entry->group);
	free(entry->place);
	*entry = (struct entry){ .kind = ENTRY_NAME };
}

bool entry_is_name(const struct entry *entry)
{
	return entry->kind == ENTRY_NAME || entry->kind == ENTRY_ONE_LABEL || entry->kind == ENTRY_ANY_LABELS;
}

bool entry_matches_name(const struct entry *entry, const char *name)
{
	return entry->name && name_is_matched(entry->kind, entry->name, name);
}

/* Every name that `inner` matches is matched by `outer`. */
static bool names_cover(const struct entry *outer, const struct entry *inner)
{
	if (outer->kind != ENTRY_NAME && name_is_matched(ENTRY_ANY_LABELS, outer->name, inner->name))
		return outer->kind == ENTRY_ANY_LABELS || (inner->kind == ENTRY_NAME && entry_matches_name(outer, inner->name));
	if (strcmp(outer->name, inner->name) != 0)
		return false;
	return outer->kind == inner->kind || (outer->kind == ENTRY_ANY_LABELS && inner->kind == ENTRY_ONE_LABEL);
}

bool network_is_public(const struct network *network)
{
	size_t count;
	const struct network *special = special_purpose(&count);

	for (size_t i = 0; i < count; i++)
		if (network_covers(&special[i], network) || network_covers(network, &special[i]))
			return false;
	return true;
}

bool entry_covers_what(const struct entry *outer, const struct entry *inner)
{
	if (entry_is_name(outer) && entry_is_name(inner))
		return names_cover(outer, inner);
	if (outer->kind == ENTRY_NETWORK && inner->kind == ENTRY_NETWORK)
		return network_covers(&outer->network, &inner->network);
	if (outer->kind == ENTRY_PUBLIC)
		return inner->kind == ENTRY_PUBLIC ||
		       (inner->kind == ENTRY_NETWORK && network_is_public(&inner->network));
	return outer->kind == ENTRY_GROUP && inner->kind == ENTRY_GROUP && !strcmp(outer->name, inner->name);
}

unsigned entry_protocols(const struct entry *entry, bool denies)
{
	switch (entry->protocol) {
	case ENTRY_ANY_PROTOCOL:
		if (denies)
			return ON_TCP | ON_UDP | ON_ICMP;
		return entry->any_port ? ON_TCP | ON_UDP : ON_TCP;
	case ENTRY_UDP:
		return ON_UDP;
	case ENTRY_ICMP:
		return ON_ICMP;
	default:
		return ON_TCP;
	}
}

static bool is_within(const struct entry *entry, uint16_t port)
{
	return entry->port_first <= port && port <= entry->port_last;
}

enum entry_bound entry_bound_by(const struct entry *entry, bool verify_name)
{
	unsigned looked_at;

	if (!verify_name || !entry_is_name(entry) || !(entry_protocols(entry, false) & ON_TCP))
		return BOUND_BY_ADDRESS;
	if (!entry->has_port || entry->protocol == ENTRY_TLS || entry->protocol == ENTRY_HTTP)
		return BOUND_IN_CONNECTION;
	looked_at = (unsigned)is_within(entry, 443) + is_within(entry, 80);
	if (!looked_at)
		return BOUND_BY_ADDRESS;
	return entry->port_last - entry->port_first + 1u == looked_at ? BOUND_IN_CONNECTION : BOUND_ON_SOME_PORTS;
}

/* Without a port there are 80 and 443; ICMP has none. */
static bool ports_cover(const struct entry *outer, const struct entry *inner)
{
	if (inner->protocol == ENTRY_ICMP)
		return true;
	if (outer->has_port && inner->has_port)
		return outer->port_first <= inner->port_first && outer->port_last >= inner->port_last;
	if (outer->has_port)
		return outer->port_first <= 80 && outer->port_last >= 443;
	return !inner->has_port ||
	       (inner->port_first == inner->port_last && (inner->port_first == 443 || inner->port_first == 80));
}

bool entry_covers(const struct entry *outer, const struct entry *inner)
{
	if (!entry_covers_what(outer, inner) || !ports_cover(outer, inner))
		return false;
	if (entry_protocols(inner, false) & ~entry_protocols(outer, false))
		return false;
	/* An address on its own opens what is never reachable: a network around it does not. */
	if (inner->kind == ENTRY_NETWORK && inner->is_single_address && !outer->is_single_address)
		return false;
	/* With @NETWORK a name may lead into a private range, without it may not: neither covers the other. */
	return outer->has_at ? inner->has_at && network_covers(&outer->at, &inner->at) : !inner->has_at;
}
