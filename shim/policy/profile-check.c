/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of a profile that can never take effect: allowed and denied at once, never reachable, capped but not allowed. Such
 * an entry is a mistake of who wrote it, and quod says so before anything starts. Judges entry against entry: what only
 * several of them cover together is left alone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile.h"

static void __attribute__((format(printf, 2, 3))) add_text(struct strings *texts, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = alloc_copy("an entry can never take effect (out of memory for its name)");
	va_end(args);
	strings_add(texts, text);
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

/* Names that resolve to loopback or to nothing, by RFC 6761. */
static bool resolves_nowhere(const struct entry *entry)
{
	static const char *const tops[] = { "localhost", "invalid" };
	const char *dot = strrchr(entry->name, '.');

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		if (!strcmp(dot ? dot + 1 : entry->name, tops[i]))
			return true;
	return false;
}

static void check_allowed(const struct profile *profile, const struct entry *entry, struct strings *texts)
{
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		if (is_denied_by(&profile->egress.deny[i], entry)) {
			add_text(texts, "egress.allow: '%s' can never take effect: egress.deny has '%s'", entry->text,
				 profile->egress.deny[i].of.text);
			return;
		}
	if (entry->kind == ENTRY_NETWORK && !entry->is_single_address && is_never_reachable(&entry->network))
		add_text(texts, "egress.allow: '%s' can never take effect: only an entry that is exactly one address of it opens it",
			 entry->text);
	if (entry_is_name(entry) && entry->has_at && is_never_reachable(&entry->at))
		add_text(texts, "egress.allow: '%s' can never take effect: its network is never reachable by name", entry->text);
	else if (entry_is_name(entry) && resolves_nowhere(entry))
		add_text(texts, "egress.allow: '%s' can never take effect: such a name never leads outside", entry->text);
}

static void check_excepts(const struct deny_rule *deny, struct strings *texts)
{
	for (size_t i = 0; i < deny->except_count; i++)
		if (!entry_covers_what(&deny->of, &deny->except[i]))
			add_text(texts, "egress.deny: the exception '%s' is not within '%s'", deny->except[i].text, deny->of.text);
}

/* A group's cap is left alone: its entries are among the allowed ones without its name. */
static void check_cap(const struct profile *profile, const struct entry *cap, struct strings *texts)
{
	for (size_t i = 0; i < profile->egress.allow_count; i++)
		if (cap->kind == ENTRY_GROUP || entry_covers_what(cap, &profile->egress.allow[i]) ||
		    entry_covers_what(&profile->egress.allow[i], cap))
			return;
	add_text(texts, "egress.caps: '%s' caps what egress.allow does not allow", cap->text);
}

size_t profile_find_dead_entries(const struct profile *profile, struct strings *texts)
{
	size_t before = texts->count;

	/* in a meet one input may well forbid what another allows: that is what it is for */
	if (profile->layer_count)
		return 0;
	for (size_t i = 0; i < profile->egress.allow_count; i++)
		check_allowed(profile, &profile->egress.allow[i], texts);
	for (size_t i = 0; i < profile->egress.deny_count; i++)
		check_excepts(&profile->egress.deny[i], texts);
	for (size_t i = 0; i < profile->egress.caps_count; i++)
		check_cap(profile, &profile->egress.caps[i].entry, texts);
	return texts->count - before;
}
