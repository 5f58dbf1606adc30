/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See reach.h. Must never compare a name, a port or an address itself: it only asks, of the whole and of parts of it. */
#include "shim/policy/reach.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/name-rules.h"
#include "shim/policy/plan.h"

static void __attribute__((format(printf, 2, 3))) say(struct strings *to, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	if (!strings_has(to, text))
		strings_add(to, text);
}

static void say_entry(struct strings *to, const char *key, const struct entry *entry)
{
	cleanup_free char *group = entry->group ? alloc_printf(" of @%s", entry->group) : alloc_copy("");

	say(to, "%s '%s'%s%s%s", key, entry->text, group, entry->place ? ", " : "", entry->place ? entry->place : "");
}

/* The same profile with other lists. Borrows all; nothing of it is freed. */
static struct profile part_of(const struct profile *profile, struct entry *allow, size_t allow_count, struct deny_rule *deny,
			      size_t deny_count)
{
	struct profile part = *profile;

	part.layers = NULL;
	part.layer_count = 0;
	part.egress.has_via = false;
	part.egress.allow = allow;
	part.egress.allow_count = allow_count;
	part.egress.deny = deny;
	part.egress.deny_count = deny_count;
	return part;
}

static struct profile without_denies(const struct profile *profile)
{
	struct profile part = *profile;

	part.egress.deny = NULL;
	part.egress.deny_count = 0;
	return part;
}

/* --- names */

/* In which ways the name is open there (NAME_*); 0: it is not. */
static unsigned name_opens(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
			   const struct address *address)
{
	struct name_opening openings[RULESET_LEARN_MAX];
	cleanup_buf struct buf block = BUF_INIT;
	const struct name_rules *rules;
	struct name_found found;
	struct err ignored = ERR_INIT;
	size_t count;

	if (name_rules_make(profile, &ruleset->never, NULL, &block, &ignored) < 0 || !(rules = name_rules_check(block.data, block.len)) ||
	    !name_rules_find(rules, question->name, &found))
		return 0;
	count = name_rules_open(rules, &found, address, openings, ARRAY_SIZE(openings));
	for (size_t i = 0; i < count; i++)
		if (openings[i].protocol == question->protocol && openings[i].port == question->port)
			return openings[i].ways;
	return 0;
}

static bool name_is_found(const struct profile *profile, const struct ruleset *ruleset, const char *name)
{
	cleanup_buf struct buf block = BUF_INIT;
	const struct name_rules *rules;
	struct name_found found;
	struct err ignored = ERR_INIT;

	return name_rules_make(profile, &ruleset->never, NULL, &block, &ignored) == 0 &&
	       (rules = name_rules_check(block.data, block.len)) && name_rules_find(rules, name, &found);
}

/* Where a name may lead: the address that was asked about, else a public one of each family, and each "@NETWORK" of entries. */
struct places {
	struct network *items;
	size_t count;
};

static void add_place(struct places *places, const struct network *network)
{
	places->items = alloc_grow(places->items, places->count + 1, sizeof(*places->items));
	places->items[places->count++] = *network;
}

static void find_places(const struct profile *profile, const struct reach_question *question, struct places *places)
{
	static const char *const somewhere[] = { "8.9.10.11", "2600:809:10:11::1" };
	struct network network = { .prefix = 0 };

	if (question->has_address) {
		network.base = question->address;
		network.prefix = question->address.family == 4 ? 32 : 128;
		add_place(places, &network);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(somewhere); i++)
		if (address_parse(somewhere[i], &network.base) == 0)
			add_place(places, &network);
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		for (size_t k = 0; k < layer.egress_count; k++)
			if (layer.egress[k].has_at)
				add_place(places, &layer.egress[k].at);
	}
}

static void say_place(struct strings *why, const struct reach_question *question, const struct network *place)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (question->has_address)
		return;
	network_print(&text, place);
	if (place->prefix)
		say(why, "where it leads into %s", text.data);
	else
		say(why, "where it leads to a public address");
}

static void say_ways(struct strings *why, const struct profile *profile, const struct reach_question *question, unsigned ways)
{
	if (ways & NAME_BARE && question->protocol == IPPROTO_TCP)
		say(why, "the name is bound to its addresses alone: what the connection says is not looked at%s",
		    profile->egress.verify_name ? "" : " (egress.verify_name)");
	else if (!(ways & NAME_BARE))
		say(why, "the connection must say the name, in %s (egress.verify_name)",
		    (ways & NAME_TLS) && (ways & NAME_HTTP) ? "TLS or HTTP" : ways & NAME_TLS ? "TLS" : "HTTP");
}

/* An entry opens it when it does so beside the layer's entries for addresses. */
static void say_allowing(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
			 const struct network *place, struct reach_answer *answer)
{
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);
		cleanup_free struct entry *entries = alloc_zeroed(layer.egress_count + 1, sizeof(*entries));
		size_t count = 1;

		for (size_t k = 0; k < layer.egress_count; k++)
			if (!entry_is_name(&layer.egress[k]))
				entries[count++] = layer.egress[k];
		for (size_t k = 0; k < layer.egress_count; k++) {
			struct profile part = part_of(profile, entries, count, NULL, 0);

			entries[0] = layer.egress[k];
			if (entry_is_name(entries) && name_opens(&part, ruleset, question, &place->base))
				say_entry(&answer->by, "egress.allow", entries);
		}
	}
}

/* What the name is allowed for, if not for this. */
static void say_other_ports(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
			    struct reach_answer *answer)
{
	size_t before = answer->why.count;

	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		for (size_t k = 0; k < layer.egress_count; k++) {
			struct profile part = part_of(profile, &layer.egress[k], 1, NULL, 0);

			if (entry_is_name(&layer.egress[k]) && name_is_found(&part, ruleset, question->name))
				say_entry(&answer->why, "allowed is only", &layer.egress[k]);
		}
	}
	if (answer->why.count == before)
		say(&answer->why, "no entry of egress.allow names it");
}

static void refuse_name(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
			const struct places *places, struct reach_answer *answer)
{
	struct profile open = without_denies(profile);
	struct reach_question anywhere = *question;

	for (size_t i = 0; i < places->count; i++)
		for (size_t k = 0; name_opens(&open, ruleset, question, &places->items[i].base) && k < profile->egress.deny_count; k++) {
			struct profile part = *profile;

			part.egress.deny = &profile->egress.deny[k];
			part.egress.deny_count = 1;
			if (!name_opens(&part, ruleset, question, &places->items[i].base))
				say_entry(&answer->by, "egress.deny", &profile->egress.deny[k].of);
		}
	if (answer->by.count)
		return;
	anywhere.has_address = false;
	if (question->has_address) {
		struct reach_answer there = { .is_allowed = false };

		reach_judge(profile, ruleset, &anywhere, &there);
		if (there.is_allowed)
			say(&answer->why, "it is allowed elsewhere, but not at this address: a private or special one is told only where the "
					  "entry says @NETWORK or another entry allows that address on that port, one that is never "
					  "reachable only where an entry is exactly that address");
		reach_release(&there);
		if (answer->why.count)
			return;
	}
	say_other_ports(profile, ruleset, question, answer);
}

static void judge_name(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
		       struct reach_answer *answer)
{
	struct places places = { NULL, 0 };
	unsigned all_ways = 0;

	find_places(profile, question, &places);
	for (size_t i = 0; i < places.count; i++) {
		unsigned ways = name_opens(profile, ruleset, question, &places.items[i].base);

		if (!ways)
			continue;
		all_ways |= ways;
		say_place(&answer->why, question, &places.items[i]);
		say_allowing(profile, ruleset, question, &places.items[i], answer);
	}
	answer->is_allowed = all_ways != 0;
	if (all_ways)
		say_ways(&answer->why, profile, question, all_ways);
	else
		refuse_name(profile, ruleset, question, &places, answer);
	free(places.items);
}

/* --- addresses */

static bool is_in(const struct rule_ranges *ranges, const struct reach_question *question, bool whatever_port)
{
	size_t len = question->address.family == 4 ? 4 : 16;

	for (size_t i = 0; i < ranges->count; i++) {
		const struct rule_range *range = &ranges->items[i];

		if (range->family != question->address.family || memcmp(range->first, question->address.bytes, len) > 0 ||
		    memcmp(question->address.bytes, range->last, len) > 0)
			continue;
		if (whatever_port || !range->protocol ||
		    (range->protocol == question->protocol &&
		     (range->protocol == IPPROTO_ICMP || (range->port_first <= question->port && question->port <= range->port_last))))
			return true;
	}
	return false;
}

/* In the order of the table: what is denied, what is named exactly, what is never reachable, the rest. */
static bool address_is_open(const struct ruleset *ruleset, const struct reach_question *question)
{
	if (is_in(&ruleset->deny, question, false))
		return false;
	if (is_in(&ruleset->exact, question, false))
		return true;
	return !is_in(&ruleset->never, question, true) && is_in(&ruleset->allow, question, false);
}

/* Is it open, denied, or open on some port, by these lists alone? */
enum asked { ASK_OPEN, ASK_DENIED, ASK_SOME_PORT };

static bool part_says(const struct profile *part, const struct reach_question *question, enum asked asked)
{
	const struct facts nothing = { .mount_count = 0 };
	struct plan_input input = { .profile = part, .facts = &nothing };
	struct plan plan = { .refusal_count = 0 };
	const struct ruleset *made = &plan.ruleset;
	bool says;

	plan_network(&input, &plan);
	says = asked == ASK_DENIED    ? is_in(&made->deny, question, false) :
	       asked == ASK_SOME_PORT ? is_in(&made->exact, question, true) || is_in(&made->allow, question, true) :
					address_is_open(made, question);
	plan_release(&plan);
	return says;
}

static void say_layers(const struct profile *profile, const struct reach_question *question, enum asked asked, const char *key,
		       struct strings *to)
{
	for (size_t i = 0; i < profile_layer_count(profile); i++) {
		struct profile_layer layer = profile_layer(profile, i);

		for (size_t k = 0; k < layer.egress_count; k++) {
			struct profile part = part_of(profile, &layer.egress[k], 1, NULL, 0);

			if (!entry_is_name(&layer.egress[k]) && part_says(&part, question, asked))
				say_entry(to, key, &layer.egress[k]);
		}
	}
}

static void refuse_address(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
			   struct reach_answer *answer)
{
	for (size_t i = 0; i < profile->egress.deny_count; i++) {
		struct profile part = part_of(profile, NULL, 0, &profile->egress.deny[i], 1);

		if (part_says(&part, question, ASK_DENIED))
			say_entry(&answer->by, "egress.deny", &profile->egress.deny[i].of);
	}
	if (answer->by.count)
		return;
	if (is_in(&ruleset->never, question, true))
		say(&answer->why, "it is never reachable, but by an entry that is exactly that address%s",
		    question->address.family == 4 && question->address.bytes[0] == 127 ? " (the container's own loopback is always open)" :
											 "");
	say_layers(profile, question, ASK_SOME_PORT, "allowed is only", &answer->why);
	if (!answer->why.count)
		say(&answer->why, "no entry of egress.allow has it");
	if (profile_has_names(profile))
		say(&answer->why, "a name that is allowed opens the addresses that it leads to, on its ports, once it was asked for");
}

static void judge_address(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
			  struct reach_answer *answer)
{
	bool has_via = profile->egress.has_via;

	answer->is_allowed = address_is_open(ruleset, question);
	if (answer->is_allowed)
		say_layers(profile, question, ASK_OPEN, "egress.allow", &answer->by);
	else
		refuse_address(profile, ruleset, question, answer);
	if (has_via && answer->is_allowed && !answer->by.count)
		say(&answer->by, "egress.via");
	if (has_via && !answer->is_allowed && (question->port == 80 || question->port == 443))
		say(&answer->why, "egress.via: ports 80 and 443 only through the proxy");
}

/* Where no entry names a host there is no warden: whatever resolver the container reaches tells it what it likes. */
static void judge_unnamed(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
			  struct reach_answer *answer)
{
	struct places places = { NULL, 0 };

	find_places(profile, question, &places);
	for (size_t i = 0; i < places.count; i++) {
		struct reach_question there = *question;

		there.address = places.items[i].base;
		if (!address_is_open(ruleset, &there))
			continue;
		answer->is_allowed = true;
		say_place(&answer->why, question, &places.items[i]);
		say_layers(profile, &there, ASK_OPEN, "egress.allow", &answer->by);
	}
	if (!answer->is_allowed && question->has_address)
		refuse_address(profile, ruleset, question, answer);
	else if (!answer->is_allowed)
		say(&answer->why, "no entry of egress.allow names a host, and none opens what is public on this port; ask with @ADDRESS for "
				  "where the name leads");
	if (answer->is_allowed)
		say(&answer->why, "no entry of egress.allow names a host: names are not judged, only addresses");
	free(places.items);
}

void reach_judge(const struct profile *profile, const struct ruleset *ruleset, const struct reach_question *question,
		 struct reach_answer *answer)
{
	*answer = (struct reach_answer){ .is_allowed = false };
	if (profile->egress.mode == EGRESS_OBSERVE) {
		struct profile enforced = *profile;

		enforced.egress.mode = EGRESS_ENFORCE;
		reach_judge(&enforced, ruleset, question, answer);
		say(&answer->why, "egress.mode is \"observe\": everything passes; enforced it would be %s",
		    answer->is_allowed ? "allowed" : "denied");
		answer->is_allowed = true;
		return;
	}
	if (question->name && profile_has_names(profile))
		judge_name(profile, ruleset, question, answer);
	else if (question->name)
		judge_unnamed(profile, ruleset, question, answer);
	else
		judge_address(profile, ruleset, question, answer);
}

void reach_release(struct reach_answer *answer)
{
	strings_free(&answer->by);
	strings_free(&answer->why);
}
