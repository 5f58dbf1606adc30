/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of a profile that can never take effect: allowed and denied at once, never reachable, capped but not allowed. Such
 * an entry is a mistake of who wrote it, and quod says so before anything starts. Judges entry against entry: what only
 * several of them cover together is left alone.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/caps.h"
#include "shim/policy/profile.h"

static void __attribute__((format(printf, 3, 4))) add_text(struct strings *texts, const struct entry *entry,
							     const char *format, ...)
{
	cleanup_free char *text = NULL, *placed = NULL;
	va_list args;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	if (entry->place)
		placed = alloc_printf("%s: %s", entry->place, text);
	strings_add(texts, placed ? placed : text);
}

static bool denies_port(const struct entry *deny, uint16_t first, uint16_t last)
{
	return !deny->has_port || deny->any_port || (deny->port_first <= first && deny->port_last >= last);
}

static bool ports_are_denied(const struct entry *deny, const struct entry *entry)
{
	if (entry->has_port || entry->protocol == ENTRY_ICMP)
		return denies_port(deny, entry->port_first, entry->port_last);
	return denies_port(deny, 443, 443) && denies_port(deny, 80, 80);
}

static bool is_denied_by(const struct deny_rule *deny, const struct entry *entry)
{
	if (!entry_covers_what(&deny->of, entry) || !ports_are_denied(&deny->of, entry) ||
	    (entry_protocols(entry, false) & ~entry_protocols(&deny->of, true)))
		return false;
	if (deny->of.has_at && !(entry->has_at && network_covers(&deny->of.at, &entry->at)))
		return false;
	for (size_t i = 0; i < deny->except_count; i++)
		if (entry_covers_what(&deny->except[i], entry) || entry_covers_what(entry, &deny->except[i]))
			return false;
	return true;
}

static bool is_never_reachable(const struct network *network)
{
	size_t count;
	const struct network *never = never_reachable(&count);

	for (size_t i = 0; i < count; i++)
		if (network_covers(&never[i], network))
			return true;
	return false;
}

/* Names that resolve to loopback or to nothing, by RFC 6761 and 7686. */
static bool resolves_nowhere(const struct entry *entry)
{
	static const char *const tops[] = { "localhost", "invalid", "onion" };
	const char *dot = strrchr(entry->name, '.');

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		if (!strcmp(dot ? dot + 1 : entry->name, tops[i]))
			return true;
	return false;
}

/* Clouds' names of their metadata service, which is reached by its address alone. */
static bool leads_to_metadata(const struct profile *profile, const struct entry *entry)
{
	static const char *const names[] = { "metadata.google.internal", "instance-data.ec2.internal" };
	bool is_one = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		is_one = is_one || (entry->kind == ENTRY_NAME && !strcmp(entry->name, names[i]));
	for (size_t i = 0; is_one && i < profile->egress.allow_count; i++)
		if (profile->egress.allow[i].kind == ENTRY_NETWORK && profile->egress.allow[i].is_single_address)
			return false;
	return is_one;
}

/* Why it can never take effect, malloc'ed; NULL when it can. */
static char *why_dead(const struct profile *profile, const struct entry *entry)
{
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		if (profile->egress.deny[i].of.depth <= entry->depth && is_denied_by(&profile->egress.deny[i], entry))
			return alloc_printf("egress.deny has '%s'", profile->egress.deny[i].of.text);
	if (entry->kind == ENTRY_NETWORK && !entry->is_single_address && is_never_reachable(&entry->network))
		return alloc_copy("only an entry that is exactly one address of it opens it");
	if (!entry_is_name(entry))
		return NULL;
	if (entry->has_at && is_never_reachable(&entry->at))
		return alloc_copy("its network is never reachable by name");
	if (resolves_nowhere(entry))
		return alloc_copy("such a name never leads outside");
	if (leads_to_metadata(profile, entry))
		return alloc_copy("it leads to 169.254.169.254, which only an entry of that address opens");
	return NULL;
}

/* The entries that one item of the list stands for, from `first`: itself, or a group's. */
static size_t count_item(const struct profile *profile, size_t first)
{
	const struct entry *entry = &profile->egress.allow[first];
	size_t count = 1;

	while (entry->group && entry->place && first + count < profile->egress.allow_count) {
		const struct entry *next = &profile->egress.allow[first + count];

		if (!next->group || strcmp(next->group, entry->group) != 0 || !next->place || strcmp(next->place, entry->place) != 0)
			break;
		count++;
	}
	return count;
}

static void check_item(const struct profile *profile, size_t first, size_t count, struct strings *texts)
{
	const struct entry *entry = &profile->egress.allow[first];
	cleanup_free char *why = why_dead(profile, entry);

	for (size_t i = 1; i < count && why; i++) {
		cleanup_free char *next = why_dead(profile, entry + i);

		if (!next)
			return;
	}
	if (why)
		add_text(texts, entry, "egress.allow: '%s%s' can never take effect: %s", entry->group ? "@" : "",
			 entry->group ? entry->group : entry->text, why);
}

static void check_excepts(const struct deny_rule *deny, struct strings *texts)
{
	for (size_t i = 0; i < deny->except_count; i++)
		if (!entry_covers_what(&deny->of, &deny->except[i]))
			add_text(texts, &deny->except[i], "egress.deny: the exception '%s' is not within '%s'", deny->except[i].text, deny->of.text);
}

/* Some of its addresses are @public's. */
static bool has_public(const struct entry *entry)
{
	size_t count;
	const struct network *special = special_purpose(&count);

	for (size_t i = 0; entry->kind == ENTRY_NETWORK && i < count; i++)
		if (network_covers(&special[i], &entry->network))
			return false;
	return true;
}

/* Where a name leads isn't known: to public addresses, or into its "@NETWORK". */
static bool may_be_same_place(const struct entry *cap, const struct entry *entry)
{
	if (!entry_is_name(cap) && entry_is_name(entry) && entry->has_at)
		return cap->kind == ENTRY_PUBLIC || network_covers(&cap->network, &entry->at) || network_covers(&entry->at, &cap->network);
	if (!entry_is_name(cap) && cap->kind != entry->kind)
		return has_public(cap) && (entry_is_name(entry) || has_public(entry));
	return entry_covers_what(cap, entry) || entry_covers_what(entry, cap);
}

static bool ports_overlap(const struct entry *cap, const struct entry *entry)
{
	if (!cap->has_port || entry->protocol == ENTRY_ICMP)
		return true;
	if (entry->has_port)
		return cap->port_first <= entry->port_last && entry->port_first <= cap->port_last;
	return (cap->port_first <= 443 && cap->port_last >= 443) || (cap->port_first <= 80 && cap->port_last >= 80);
}

static bool counts_any(const struct profile *profile, const struct entry *cap)
{
	for (size_t i = 0; i < profile->egress.allow_count; i++) {
		const struct entry *entry = &profile->egress.allow[i];

		if (may_be_same_place(cap, entry) && ports_overlap(cap, entry) &&
		    (entry_protocols(cap, true) & entry_protocols(entry, false)))
			return true;
	}
	return false;
}

/* Who dials an address without a name is let out by that entry, and nobody knows whose it is. */
static const struct entry *find_uncounted(const struct profile *profile, const struct entry *cap)
{
	for (size_t i = 0; i < profile->egress.allow_count && entry_is_name(cap); i++) {
		const struct entry *entry = &profile->egress.allow[i];

		if (entry->kind == ENTRY_PUBLIC && ports_overlap(cap, entry) && (entry_protocols(cap, true) & entry_protocols(entry, false)))
			return entry;
	}
	return NULL;
}

static void check_uncounted(const struct profile *profile, const struct cap_rule *cap, struct strings *texts)
{
	const struct entry *entry = NULL;

	for (size_t i = 0; i < cap_member_count(cap) && !entry; i++)
		entry = find_uncounted(profile, cap_member(cap, i));
	if (entry)
		add_text(texts, &cap->entry,
			 "egress.caps: '%s' can't hold: '%s' lets the same places out by address, uncounted; allow names alone",
			 cap->entry.text, entry->text);
}

static void check_cap(const struct profile *profile, const struct cap_rule *cap, struct strings *texts)
{
	bool counts = cap->bytes == LIMIT_UNLIMITED;

	for (size_t i = 0; i < cap_member_count(cap) && !counts; i++)
		counts = counts_any(profile, cap_member(cap, i));
	if (!counts)
		add_text(texts, &cap->entry, "egress.caps: '%s' caps what egress.allow does not allow", cap->entry.text);
	else if (cap->bytes != LIMIT_UNLIMITED)
		check_uncounted(profile, cap, texts);
}

size_t profile_find_dead_entries(const struct profile *profile, struct strings *texts)
{
	size_t before = texts->count;

	/* in a meet one input may well forbid what another allows: that is what it is for */
	if (profile->layer_count)
		return 0;
	for (size_t i = 0, count; i < profile->egress.allow_count; i += count) {
		count = count_item(profile, i);
		check_item(profile, i, count, texts);
	}
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		check_excepts(&profile->egress.deny[i], texts);
	for (size_t i = 0; i < profile->egress.caps_count; i++)
		check_cap(profile, &profile->egress.caps[i], texts);
	return texts->count - before;
}
