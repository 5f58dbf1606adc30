/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judging a name and what it leads to: see name-rules.h. Runs in the warden: no allocation, no recursion, and every loop is
 * bounded by the block, which was checked once. Must never take a name that fits no rule for allowed.
 */
#include "shim/policy/name-rules.h"

#include <netinet/in.h>
#include <string.h>

#include "shim/base/cleanup.h"

static const struct name_rule *rules_of(const struct name_rules *rules)
{
	return (const struct name_rule *)(rules + 1);
}

static const struct rule_range *never_of(const struct name_rules *rules)
{
	return (const struct rule_range *)(rules_of(rules) + rules->rule_count);
}

static const char *text_of(const struct name_rules *rules, uint32_t offset)
{
	return (const char *)(never_of(rules) + rules->never_count) + offset;
}

static bool is_sound_network(const struct network *network)
{
	return (network->base.family == 4 && network->prefix <= 32) || (network->base.family == 6 && network->prefix <= 128);
}

static bool is_name_rule(const struct name_rule *rule)
{
	return rule->kind == ENTRY_NAME || rule->kind == ENTRY_ONE_LABEL || rule->kind == ENTRY_ANY_LABELS;
}

static bool is_sound_rule(const struct name_rules *rules, const struct name_rule *rule)
{
	if (rule->name >= rules->text_bytes || rule->text >= rules->text_bytes || rule->role > NAME_CAPS || rule->cap >= RULESET_CAPS_MAX ||
	    rule->port_first > rule->port_last ||
	    rule->layer >= rules->layer_count || (rule->says && rule->says != NAME_TLS && rule->says != NAME_HTTP))
		return false;
	if (is_name_rule(rule)) {
		if (rule->role == NAME_ALLOWS && rule->port_last - rule->port_first >= (int)NAME_PORTS_MAX)
			return false;
		return !rule->has_at || is_sound_network(&rule->network);
	}
	if ((rule->role != NAME_ALLOWS && rule->role != NAME_CAPS) || rule->has_at)
		return false;
	return rule->kind == ENTRY_PUBLIC || (rule->kind == ENTRY_NETWORK && is_sound_network(&rule->network));
}

const struct name_rules *name_rules_check(const void *memory, size_t size)
{
	const struct name_rules *rules = memory;
	size_t wanted = sizeof(*rules);

	if (size < wanted || rules->magic != NAME_RULES_MAGIC || rules->size != size || rules->rule_count > NAME_RULES_MAX ||
	    rules->never_count > UINT16_MAX || rules->layer_count > NAME_LAYERS_MAX || rules->text_bytes > size || !rules->text_bytes ||
	    !memchr(rules->profile, '\0', sizeof(rules->profile)))
		return NULL;
	wanted += rules->rule_count * sizeof(struct name_rule) + rules->never_count * sizeof(struct rule_range) +
		  rules->text_bytes;
	if (wanted != size || text_of(rules, 0)[rules->text_bytes - 1])
		return NULL;
	for (uint32_t i = 0; i < rules->rule_count; i++)
		if (!is_sound_rule(rules, &rules_of(rules)[i]))
			return NULL;
	return rules;
}

static bool is_matched(const struct name_rules *rules, const struct name_rule *rule, const char *name)
{
	return is_name_rule(rule) && name_is_matched((enum entry_kind)rule->kind, text_of(rules, rule->name), name);
}

void name_rules_end(struct name_rules *rules, uint64_t boot_ms)
{
	struct name_rule *items = (struct name_rule *)(rules + 1);

	for (uint32_t i = 0; i < rules->rule_count; i++)
		if (items[i].until_ms && items[i].until_ms <= boot_ms)
			items[i].protocols = 0;
}

/* The exceptions behind a denying rule that have to do with the name lie behind it in `denies`, in the same order. */
static void find(const struct name_rules *rules, const char *name, struct name_found *found)
{
	bool is_denied = false;

	*found = (struct name_found){ .allow_count = 0 };
	for (uint32_t i = 0; i < rules->rule_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[i];
		bool matched = rule->role != NAME_CAPS && is_matched(rules, rule, name);

		if (rule->role == NAME_DENIES)
			is_denied = matched;
		if (!matched || (rule->role == NAME_EXCEPTS && !is_denied))
			continue;
		if (rule->role == NAME_ALLOWS) {
			if (found->allow_count < ARRAY_SIZE(found->allows))
				found->allows[found->allow_count++] = (uint16_t)i;
		} else if (found->deny_count < ARRAY_SIZE(found->denies)) {
			found->denies[found->deny_count++] = (uint16_t)i;
		} else {
			found->is_cut = true;
		}
	}
}

/* One way out: where to (NULL: anywhere), by which protocol, on which port. */
struct way {
	const struct address *address;
	unsigned protocol;	/* one of ON_* */
	uint16_t port;
	bool lasts;		/* by what lasts alone */
};

static bool covers(const struct name_rule *rule, const struct way *way)
{
	return !(way->lasts && rule->until_ms) && (rule->protocols & way->protocol) &&
	       (way->protocol == ON_ICMP || (rule->port_first <= way->port && rule->port_last >= way->port));
}

/* A deny that names a network denies only what lies in it. Where the address isn't known yet such a deny doesn't hit, and
 * such an exception does: the address will be judged. */
static bool is_denied(const struct name_rules *rules, const struct name_found *found, const struct way *way)
{
	bool denied = false;

	if (found->is_cut)
		return true;
	for (size_t i = 0; i < found->deny_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[found->denies[i]];
		bool hits = covers(rule, way);

		if (hits && rule->has_at)
			hits = way->address ? network_has(&rule->network, way->address) : rule->role == NAME_EXCEPTS;
		if (rule->role == NAME_DENIES && denied)
			return true;
		if (rule->role == NAME_DENIES)
			denied = hits;
		else if (hits)
			denied = false;
	}
	return denied;
}

static const unsigned each_protocol[] = { ON_TCP, ON_UDP, ON_ICMP };

/* How an address stands; unknown: as far as it matters, whatever would help. */
enum standing { STANDS_UNKNOWN, STANDS_PUBLIC, STANDS_SPECIAL, STANDS_NEVER };

static bool opens_by_address(const struct name_rule *rule, const struct way *way, enum standing standing)
{
	if (standing == STANDS_UNKNOWN)
		return true;
	if (rule->kind == ENTRY_PUBLIC)
		return standing == STANDS_PUBLIC;
	return (standing != STANDS_NEVER || rule->is_single_address) && network_has(&rule->network, way->address);
}

static bool opens_by_name(const struct name_rule *rule, const struct way *way, enum standing standing)
{
	if (standing == STANDS_UNKNOWN)
		return true;
	if (rule->has_at)
		return standing != STANDS_NEVER && network_has(&rule->network, way->address);
	return standing == STANDS_PUBLIC;
}

/* QUIC says its name where only the two ends can read it. */
static unsigned ways_of(const struct name_rules *rules, const struct name_rule *rule, const struct way *way)
{
	if (!rules->verify_name || way->protocol == ON_ICMP)
		return NAME_ANY_WAY;
	if (way->protocol == ON_UDP)
		return way->port == 443 ? 0 : NAME_ANY_WAY;
	if (rule->says)
		return rule->says;
	return way->port == 443 ? NAME_TLS : way->port == 80 ? NAME_HTTP : NAME_ANY_WAY;
}

/* What is open by its address is open in any way. */
static unsigned layer_opens(const struct name_rules *rules, const struct name_found *found, uint32_t layer, const struct way *way,
			    enum standing standing)
{
	unsigned ways = 0;

	for (size_t i = 0; i < found->allow_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[found->allows[i]];

		if (rule->layer == layer && covers(rule, way) && opens_by_name(rule, way, standing))
			ways |= ways_of(rules, rule, way);
	}
	for (uint32_t i = 0; i < rules->rule_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[i];

		if (rule->layer == layer && rule->role == NAME_ALLOWS && !is_name_rule(rule) && covers(rule, way) &&
		    opens_by_address(rule, way, standing))
			return NAME_ANY_WAY;
	}
	return ways;
}

/* NAME_*; 0: not open. */
static unsigned is_open(const struct name_rules *rules, const struct name_found *found, const struct way *way, enum standing standing)
{
	unsigned ways = NAME_ANY_WAY;

	for (uint32_t layer = 0; layer < rules->layer_count && ways; layer++)
		ways &= layer_opens(rules, found, layer, way, standing);
	return ways && !is_denied(rules, found, way) ? ways : 0;
}

bool name_rules_find(const struct name_rules *rules, const char *name, struct name_found *found)
{
	find(rules, name, found);
	for (size_t i = 0; i < found->allow_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[found->allows[i]];

		for (size_t k = 0; k < ARRAY_SIZE(each_protocol); k++)
			for (uint32_t port = rule->port_first; port <= rule->port_last; port++) {
				struct way way = { NULL, each_protocol[k], (uint16_t)port, false };

				if (covers(rule, &way) && is_open(rules, found, &way, STANDS_UNKNOWN))
					return true;
			}
	}
	return false;
}

bool name_rules_deny(const struct name_rules *rules, const char *name)
{
	struct name_found found;

	find(rules, name, &found);
	for (size_t i = 0; i < found.deny_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[found.denies[i]];
		bool is_excepted = i + 1 < found.deny_count && rules_of(rules)[found.denies[i + 1]].role == NAME_EXCEPTS;

		if (rule->role == NAME_DENIES && !is_excepted && !rule->has_at && !rule->port_first &&
		    rule->port_last == UINT16_MAX && rule->protocols == (ON_TCP | ON_UDP | ON_ICMP))
			return true;
	}
	return found.is_cut;
}

static bool is_in_range(const struct rule_range *range, const struct address *address)
{
	size_t len = address->family == 4 ? 4 : 16;

	return range->family == address->family && memcmp(range->first, address->bytes, len) <= 0 &&
	       memcmp(address->bytes, range->last, len) <= 0;
}

static bool is_never_reachable(const struct name_rules *rules, const struct address *address)
{
	for (uint32_t i = 0; i < rules->never_count; i++)
		if (is_in_range(&never_of(rules)[i], address))
			return true;
	return false;
}

static bool is_listed(const struct name_opening *openings, size_t count, const struct name_opening *opening)
{
	for (size_t i = 0; i < count; i++)
		if (openings[i].protocol == opening->protocol && openings[i].port == opening->port)
			return true;
	return false;
}

/* Until when a way is open that is open now. */
static uint64_t open_until(const struct name_rules *rules, const struct name_found *found, const struct way *way, enum standing standing)
{
	struct way lasting = *way;
	uint64_t until_ms = 0;

	lasting.lasts = true;
	if (is_open(rules, found, &lasting, standing) == is_open(rules, found, way, standing))
		return 0;
	for (uint32_t i = 0; i < rules->rule_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[i];
		bool opens = rule->until_ms > until_ms && covers(rule, way) && !is_name_rule(rule) && opens_by_address(rule, way, standing);

		for (size_t k = 0; k < found->allow_count && !opens; k++)
			opens = found->allows[k] == i && rule->until_ms > until_ms && covers(rule, way) && opens_by_name(rule, way, standing);
		until_ms = opens ? rule->until_ms : until_ms;
	}
	return until_ms == UINT64_MAX ? 0 : until_ms;
}

static uint8_t ip_protocol(unsigned protocol)
{
	return protocol == ON_TCP ? IPPROTO_TCP : protocol == ON_UDP ? IPPROTO_UDP : IPPROTO_ICMP;
}

size_t name_rules_open(const struct name_rules *rules, const struct name_found *found, const struct address *address,
		       struct name_opening *openings, size_t room)
{
	enum standing standing = is_never_reachable(rules, address) ? STANDS_NEVER :
				 address_is_public(address) ? STANDS_PUBLIC : STANDS_SPECIAL;
	size_t count = 0;

	for (size_t i = 0; i < found->allow_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[found->allows[i]];

		for (size_t k = 0; k < ARRAY_SIZE(each_protocol); k++)
			for (uint32_t port = rule->port_first; port <= rule->port_last; port++) {
				struct way way = { address, each_protocol[k], (uint16_t)port, false };
				struct name_opening opening = { ip_protocol(way.protocol), 0, way.protocol == ON_ICMP ? 0 : way.port, 0 };

				if (!covers(rule, &way) || is_listed(openings, count, &opening))
					continue;
				opening.ways = (uint8_t)is_open(rules, found, &way, standing);
				if (!opening.ways)
					continue;
				if (count == room)
					return 0;
				opening.until_ms = open_until(rules, found, &way, standing);
				openings[count++] = opening;
			}
	}
	return count;
}

static unsigned on_protocol(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? ON_TCP : protocol == IPPROTO_UDP ? ON_UDP : protocol == IPPROTO_ICMP ? ON_ICMP : 0;
}

int32_t name_rules_entry(const struct name_rules *rules, const char *name, const struct name_place *place)
{
	enum standing standing = is_never_reachable(rules, place->address) ? STANDS_NEVER :
				 address_is_public(place->address) ? STANDS_PUBLIC : STANDS_SPECIAL;
	struct way way = { place->address, on_protocol(place->protocol), place->port, false };
	struct name_found found = { .allow_count = 0 };

	if (name)
		find(rules, name, &found);
	for (size_t i = 0; i < found.allow_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[found.allows[i]];

		if (covers(rule, &way) && opens_by_name(rule, &way, standing))
			return found.allows[i];
	}
	for (uint32_t i = 0; i < rules->rule_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[i];

		if (rule->role == NAME_ALLOWS && !is_name_rule(rule) && covers(rule, &way) && opens_by_address(rule, &way, standing))
			return (int32_t)i;
	}
	return found.allow_count ? found.allows[0] : -1;
}

uint32_t name_rules_caps(const struct name_rules *rules, const char *name, const struct name_place *place)
{
	struct way way = { place->address, on_protocol(place->protocol), place->port };
	uint32_t caps = 0;

	for (uint32_t i = 0; i < rules->rule_count; i++) {
		const struct name_rule *rule = &rules_of(rules)[i];
		bool counts;

		if (rule->role != NAME_CAPS || !covers(rule, &way))
			continue;
		if (is_name_rule(rule))
			counts = is_matched(rules, rule, name) && (!rule->has_at || network_has(&rule->network, place->address));
		else
			counts = rule->kind == ENTRY_PUBLIC ? address_is_public(place->address) : network_has(&rule->network, place->address);
		caps |= (uint32_t)counts << rule->cap;
	}
	return caps;
}

const char *name_rules_text(const struct name_rules *rules, int32_t rule)
{
	return rule >= 0 && (uint32_t)rule < rules->rule_count ? text_of(rules, rules_of(rules)[rule].text) : NULL;
}
