/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A profile's names as the warden judges them: which name, and what of that to which it leads. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "shim/base/cleanup.h"
#include "shim/policy/name-rules.h"
#include "shim/policy/profile.h"
#include "tests/unit/tap.h"

static struct profile *load(const char *egress)
{
	cleanup_free char *text = alloc_printf("{ \"version\": 1, \"egress\": %s }", egress);
	cleanup_json_tree struct json_tree *tree = NULL;
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	if (json_parse(text, strlen(text), JSON_PLAIN, NULL, &tree, &err) || profile_from_json(json_root(tree), "web", &profile, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return profile;
}

/* What is never reachable in these tests: link-local. */
static const struct name_rules *make(const char *egress, struct buf *block)
{
	struct rule_range never = { .family = 4, .first = { 169, 254 }, .last = { 169, 254, 255, 255 }, .port_last = 65535 };
	struct rule_ranges ranges = { &never, 1 };
	struct profile *profile = load(egress);
	struct err err = ERR_INIT;
	const struct name_rules *rules;

	name_rules_make(profile, &ranges, NULL, block, &err);
	rules = name_rules_check(block->data, block->len);
	profile_free(profile);
	return rules;
}

/* "tcp/443 tcp/80", sorted as they came; "" for an address that isn't told; "refused" for a name that isn't allowed. */
static const char *judge(const struct name_rules *rules, const char *name, const char *address_text)
{
	static char text[1024];
	struct buf out = buf_fixed(text, sizeof(text));
	struct name_opening openings[32];
	struct name_found found;
	struct address address;
	size_t count;

	if (!name_rules_find(rules, name, &found))
		return "refused";
	if (address_parse(address_text, &address))
		return "no address";
	count = name_rules_open(rules, &found, &address, openings, 32);
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "%s%s/%u", i ? " " : "", openings[i].protocol == IPPROTO_TCP ? "tcp" : openings[i].protocol == IPPROTO_UDP ? "udp" : "icmp",
			   openings[i].port);
	return text;
}

struct rule_case {
	const char *egress, *name, *address, *wanted, *what;
};

static const struct rule_case cases[] = {
	{ "{\"allow\": [\"a.test\"]}", "a.test", "11.0.0.1", "tcp/443 tcp/80", "a name means 443 and 80" },
	{ "{\"allow\": [\"a.test\"]}", "b.test", "11.0.0.1", "refused", "another name is refused" },
	{ "{\"allow\": [\"a.test\"]}", "x.a.test", "11.0.0.1", "refused", "a name below is another name" },
	{ "{\"allow\": [\"a.test:22\", \"a.test:123/udp\"]}", "a.test", "2a00::1", "tcp/22 udp/123", "several entries of a name add up" },
	{ "{\"allow\": [\"a.test:8000-8003\"]}", "a.test", "11.0.0.1", "tcp/8000 tcp/8001 tcp/8002 tcp/8003", "each port of a range is opened" },
	{ "{\"allow\": [\"a.test/icmp\"]}", "a.test", "11.0.0.1", "icmp/0", "ping by name" },
	{ "{\"allow\": [\"*.a.test\"]}", "x.a.test", "11.0.0.1", "tcp/443 tcp/80", "a pattern of one label" },
	{ "{\"allow\": [\"*.a.test\"]}", "y.x.a.test", "11.0.0.1", "refused", "a pattern of one label takes one label" },
	{ "{\"allow\": [\"**.a.test\"]}", "y.x.a.test", "11.0.0.1", "tcp/443 tcp/80", "a pattern of any labels" },
	{ "{\"allow\": [\"**.a.test\"]}", "a.test", "11.0.0.1", "refused", "a pattern is not its own base" },
	{ "{\"allow\": [\"a.test\"]}", "a.test", "10.0.0.1", "", "a private address is not told" },
	{ "{\"allow\": [\"a.test\"]}", "a.test", "::1", "", "loopback is not told" },
	{ "{\"allow\": [\"a.test\"]}", "a.test", "64:ff9b::a00:1", "", "a private address behind NAT64 is not told" },
	{ "{\"allow\": [\"a.test:5432@10.0.0.0/8\"]}", "a.test", "10.0.0.1", "tcp/5432", "@NETWORK opens what lies in it" },
	{ "{\"allow\": [\"a.test:5432@10.0.0.0/8\"]}", "a.test", "11.0.0.1", "", "@NETWORK opens nothing outside it" },
	{ "{\"allow\": [\"a.test:5432@169.254.0.0/16\"]}", "a.test", "169.254.1.1", "", "@NETWORK opens nothing that is never reachable" },
	{ "{\"allow\": [\"a.test\", \"10.0.0.0/24:443\"]}", "a.test", "10.0.0.1", "tcp/443", "another entry for that address opens its port alone" },
	{ "{\"allow\": [\"a.test\", \"169.254.0.0/16:443\"]}", "a.test", "169.254.1.1", "", "a network opens nothing that is never reachable" },
	{ "{\"allow\": [\"a.test\", \"169.254.1.1:443\"]}", "a.test", "169.254.1.1", "tcp/443", "an entry of exactly that address does" },
	{ "{\"allow\": [\"**.a.test\"], \"deny\": [\"x.a.test\"]}", "x.a.test", "11.0.0.1", "refused", "deny wins" },
	{ "{\"allow\": [\"**.a.test\"], \"deny\": [\"x.a.test\"]}", "y.a.test", "11.0.0.1", "tcp/443 tcp/80", "deny wins only where it matches" },
	{ "{\"allow\": [\"a.test\"], \"deny\": [\"a.test:80\"]}", "a.test", "11.0.0.1", "tcp/443", "a denied port" },
	{ "{\"allow\": [\"a.test:80\"], \"deny\": [\"a.test:80\"]}", "a.test", "11.0.0.1", "refused", "a name without an open port is refused" },
	{ "{\"allow\": [\"a.test:443/udp\", \"a.test:443\"], \"deny\": [\"a.test:443/udp\"]}", "a.test", "11.0.0.1", "tcp/443", "a denied protocol" },
	{ "{\"allow\": [\"**.a.test\"], \"deny\": [{\"of\": \"**.b.a.test\", \"except\": [\"j.b.a.test\"]}]}", "j.b.a.test", "11.0.0.1", "tcp/443 tcp/80",
	  "an exception of a deny" },
	{ "{\"allow\": [\"**.a.test\"], \"deny\": [{\"of\": \"**.b.a.test\", \"except\": [\"j.b.a.test\"]}]}", "k.b.a.test", "11.0.0.1", "refused",
	  "an exception excepts nothing else" },
	{ "{\"allow\": [\"**.a.test\"], \"deny\": [{\"of\": \"**.b.a.test\", \"except\": [\"j.b.a.test\"]}, \"j.b.a.test:80\"]}", "j.b.a.test", "11.0.0.1",
	  "tcp/443", "an exception doesn't weaken another deny" },
	{ "{\"allow\": [\"**.a.test\"], \"deny\": [\"j.b.a.test\", {\"of\": \"**.b.a.test\", \"except\": [\"j.b.a.test\"]}]}", "j.b.a.test", "11.0.0.1",
	  "refused", "nor a deny before it" },
	{ "{\"allow\": [\"a.test\"], \"deny\": [\"a.test@11.0.0.0/8\"]}", "a.test", "11.0.0.1", "", "a deny with a network denies in it" },
	{ "{\"allow\": [\"a.test\"], \"deny\": [\"a.test@11.0.0.0/8\"]}", "a.test", "12.0.0.1", "tcp/443 tcp/80", "and nothing outside it" },
	{ "{\"allow\": [\"a.test\", \"*.b.test\"]}", "a.b.test", "11.0.0.1", "tcp/443 tcp/80", "the second entry counts as the first" },
};

static void test_cases(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_buf struct buf block = BUF_INIT;
		const struct name_rules *rules = make(cases[i].egress, &block);

		OK(rules != NULL, "names: the block of '%s' is whole", cases[i].what);
		if (rules)
			IS_STR(judge(rules, cases[i].name, cases[i].address), cases[i].wanted, "names: %s", cases[i].what);
	}
}

/* As a meet writes them. */
static void test_layers(void)
{
	static const char *const text =
		"{ \"version\": 1, \"layers\": [ { \"egress\": {\"allow\": [\"a.test\", \"b.test\", \"c.test:22\"]} },"
		" { \"egress\": {\"allow\": [\"a.test:443\", \"10.0.0.0/8:80\", \"@public:22\"]} } ] }";
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf block = BUF_INIT;
	struct rule_ranges none = { NULL, 0 };
	struct profile *profile = NULL;
	const struct name_rules *rules;
	struct err err = ERR_INIT;
	int r = json_parse(text, strlen(text), JSON_PLAIN, NULL, &tree, &err);

	if (!r)
		r = profile_from_json(json_root(tree), "met", &profile, &err);
	OK(!r, "names: a profile of two layers is read (%s)", err.text);
	if (r)
		return;
	OK(profile_has_names(profile), "names: a layer's name is one of the profile's");
	r = name_rules_make(profile, &none, NULL, &block, &err);
	rules = r ? NULL : name_rules_check(block.data, block.len);
	OK(rules != NULL, "names: the block of two layers is whole");
	if (rules) {
		IS_STR(judge(rules, "a.test", "11.0.0.1"), "tcp/443", "names: of two layers both must open the port");
		IS_STR(judge(rules, "c.test", "11.0.0.1"), "tcp/22", "names: one by the name, the other by @public");
		IS_STR(judge(rules, "c.test", "10.0.0.1"), "", "names: @public opens no private address");
		IS_STR(judge(rules, "b.test", "11.0.0.1"), "", "names: what only one layer opens is not open");
	}
	profile_free(profile);
}

static void test_alias(void)
{
	cleanup_buf struct buf block = BUF_INIT;
	const struct name_rules *rules =
		make("{\"allow\": [\"a.test\"], \"deny\": [\"evil.test\", \"half.test:80\", {\"of\": \"**.c.test\", \"except\": [\"x.c.test\"]}]}", &block);

	OK(rules && name_rules_deny(rules, "evil.test"), "names: an alias of a denied name is denied");
	OK(rules && !name_rules_deny(rules, "cdn.foreign"), "names: an alias of a name of which nothing is said is not");
	OK(rules && !name_rules_deny(rules, "half.test"), "names: nor of one that is denied on a port alone");
	OK(rules && name_rules_deny(rules, "y.c.test") && !name_rules_deny(rules, "x.c.test"), "names: exceptions count for aliases too");
}

static void test_many(void)
{
	cleanup_buf struct buf text = BUF_INIT, block = BUF_INIT;
	const struct name_rules *rules;

	buf_puts(&text, "{\"allow\": [\"a.test:1-16\"");
	for (int i = 0; i < 100; i++)
		buf_printf(&text, ", \"a.test:%d\"", 1000 + i);
	buf_puts(&text, "]}");
	rules = make(text.data, &block);
	IS_STR(rules ? judge(rules, "a.test", "11.0.0.1") : NULL, "", "names: more openings than there is room for are none");
}

static void test_many_denied(void)
{
	cleanup_buf struct buf text = BUF_INIT, block = BUF_INIT;
	const struct name_rules *rules;

	buf_puts(&text, "{\"allow\": [\"a.test\"], \"deny\": [\"a.test:1\"");
	for (int i = 0; i < 100; i++)
		buf_printf(&text, ", \"a.test:%d\"", 1000 + i);
	buf_puts(&text, "]}");
	rules = make(text.data, &block);
	IS_STR(rules ? judge(rules, "a.test", "11.0.0.1") : NULL, "refused", "names: more denying rules than there is room for deny all");
}

static void test_block(void)
{
	cleanup_buf struct buf block = BUF_INIT;
	const struct name_rules *rules = make("{\"allow\": [\"a.test\", \"b.test:22@10.0.0.0/8\"], \"deny\": [\"c.test\"]}", &block);
	size_t refused = 0;

	OK(rules != NULL, "names: a whole block is taken");
	for (size_t len = 0; len < block.len; len++)
		refused += !name_rules_check(block.data, len);
	OK(refused == block.len, "names: a block that is cut anywhere is not");
	for (size_t i = 0; i < block.len; i++) {
		char was = block.data[i];

		block.data[i] = (char)~was;
		rules = name_rules_check(block.data, block.len);
		if (rules)
			judge(rules, "b.test", "10.0.0.1");
		block.data[i] = was;
	}
	OK(name_rules_check(block.data, block.len) != NULL, "names: one with a byte changed is refused or judged within its bounds");
}

/* "tcp/443 tls, tcp/80 http, udp/123 bare" */
static const char *judge_ways(const struct name_rules *rules, const char *name, const char *address_text)
{
	static char text[1024];
	struct buf out = buf_fixed(text, sizeof(text));
	struct name_opening openings[32];
	struct name_found found;
	struct address address;
	size_t count;

	if (!rules || !name_rules_find(rules, name, &found) || address_parse(address_text, &address))
		return "refused";
	count = name_rules_open(rules, &found, &address, openings, 32);
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "%s%s/%u%s%s%s", i ? ", " : "", openings[i].protocol == IPPROTO_TCP ? "tcp" : "udp", openings[i].port,
			   openings[i].ways & NAME_BARE ? " bare" : "", !(openings[i].ways & NAME_BARE) && openings[i].ways & NAME_TLS ? " tls" : "",
			   !(openings[i].ways & NAME_BARE) && openings[i].ways & NAME_HTTP ? " http" : "");
	return text;
}

static void test_ways(void)
{
	static const struct rule_case ways[] = {
		{ "{\"allow\": [\"a.test\"]}", "a.test", "11.0.0.1", "tcp/443 tls, tcp/80 http", "443 is TLS, 80 is HTTP" },
		{ "{\"allow\": [\"a.test\"], \"verify_name\": false}", "a.test", "11.0.0.1", "tcp/443 bare, tcp/80 bare", "nothing is looked at when it is off" },
		{ "{\"allow\": [\"a.test\"], \"mode\": \"observe\"}", "a.test", "11.0.0.1", "tcp/443 bare, tcp/80 bare", "nor where all passes" },
		{ "{\"allow\": [\"a.test:22\"]}", "a.test", "11.0.0.1", "tcp/22 bare", "other ports say no name" },
		{ "{\"allow\": [\"a.test:8443/tls\", \"a.test:8080/http\"]}", "a.test", "11.0.0.1", "tcp/8443 tls, tcp/8080 http", "unless the entry says so" },
		{ "{\"allow\": [\"a.test:443/tcp\"]}", "a.test", "11.0.0.1", "tcp/443 tls", "/tcp is no way out" },
		{ "{\"allow\": [\"a.test:443/http\"]}", "a.test", "11.0.0.1", "tcp/443 http", "another protocol on a usual port" },
		{ "{\"allow\": [\"a.test:9000/tls\", \"a.test:9000/http\"]}", "a.test", "11.0.0.1", "tcp/9000 tls http", "either" },
		{ "{\"allow\": [\"a.test:9000/tls\", \"a.test:9000\"]}", "a.test", "11.0.0.1", "tcp/9000 bare", "what one entry lets out bare is not looked at" },
		{ "{\"allow\": [\"a.test:440-444/udp\"]}", "a.test", "11.0.0.1", "udp/440 bare, udp/441 bare, udp/442 bare, udp/444 bare", "QUIC is not opened" },
		{ "{\"allow\": [\"a.test@10.0.0.0/8\", \"10.0.0.1:443\"]}", "a.test", "10.0.0.1", "tcp/443 bare, tcp/80 http", "what is open by its address is bound to no name" },
	};
	const char *met =
		"{ \"version\": 1, \"layers\": [ { \"egress\": {\"allow\": [\"a.test:9000\", \"b.test:9000/tls\"]} },"
		" { \"egress\": {\"allow\": [\"a.test:9000/tls\", \"b.test:9000/http\"]} } ] }";
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf met_block = BUF_INIT;
	struct rule_ranges none = { NULL, 0 };
	struct profile *profile = NULL;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		cleanup_buf struct buf block = BUF_INIT;

		IS_STR(judge_ways(make(ways[i].egress, &block), ways[i].name, ways[i].address), ways[i].wanted, "names: %s", ways[i].what);
	}
	if (json_parse(met, strlen(met), JSON_PLAIN, NULL, &tree, &err) || profile_from_json(json_root(tree), "met", &profile, &err) ||
	    name_rules_make(profile, &none, NULL, &met_block, &err)) {
		OK(false, "names: two layers that say how: %s", err.text);
	} else {
		const struct name_rules *rules = name_rules_check(met_block.data, met_block.len);

		IS_STR(judge_ways(rules, "a.test", "11.0.0.1"), "tcp/9000 tls", "names: of two layers the stricter way");
		IS_STR(judge_ways(rules, "b.test", "11.0.0.1"), "refused", "names: of two layers that want different things nothing");
	}
	profile_free(profile);
}

/* "tcp/443@1000 tcp/80@0": until when each is open */
static const char *judge_ends(const struct name_rules *rules, const char *name)
{
	static char text[1024];
	struct buf out = buf_fixed(text, sizeof(text));
	struct name_opening openings[32];
	struct name_found found;
	struct address address;
	size_t count;

	if (!rules || !name_rules_find(rules, name, &found) || address_parse("11.0.0.1", &address))
		return "refused";
	count = name_rules_open(rules, &found, &address, openings, 32);
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "%s%u@%llu", i ? " " : "", openings[i].port, (unsigned long long)openings[i].until_ms);
	return text;
}

/* In both of two layers, for a while; what lasts is not shortened. */
static void test_additions(void)
{
	const char *met = "{ \"version\": 1, \"layers\": [ { \"egress\": {\"allow\": [\"a.test:22\", \"a.test:443\"]} },"
			  " { \"egress\": {\"allow\": [\"a.test:22\"]} } ], \"egress\": {\"deny\": [\"c.test\"]} }";
	const char *const texts[] = { "a.test:22", "b.test", "b.test:443", "c.test", "a.test:443/http" };
	const uint64_t ends[] = { 500, 1000, 2000, UINT64_MAX, UINT64_MAX };
	struct name_addition items[5];
	const struct name_additions additions = { items, 5 };
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_buf struct buf block = BUF_INIT;
	struct rule_ranges none = { NULL, 0 };
	struct profile *profile = NULL;
	struct name_rules *rules = NULL;
	struct entry entries[5];
	struct err err = ERR_INIT;
	int r = json_parse(met, strlen(met), JSON_PLAIN, NULL, &tree, &err);

	for (size_t i = 0; i < 5; i++) {
		r = r ? r : entry_parse(texts[i], &entries[i], &err);
		items[i] = (struct name_addition){ &entries[i], ends[i] };
	}
	if (!r)
		r = profile_from_json(json_root(tree), "met", &profile, &err);
	if (!r)
		r = name_rules_make(profile, &none, &additions, &block, &err);
	rules = r || !name_rules_check(block.data, block.len) ? NULL : (struct name_rules *)(void *)block.data;
	OK(rules != NULL, "names: a block with what is opened for a while is whole (%s)", err.text);
	if (!rules)
		return;
	IS_STR(judge_ends(rules, "a.test"), "22@0 443@0", "names: what lasts is not shortened, what has no end has none");
	IS_STR(judge_ends(rules, "b.test"), "443@2000 80@1000", "names: what is opened for a while says until when");
	IS_STR(judge_ends(rules, "c.test"), "refused", "names: what is denied is not opened");
	name_rules_end(rules, 1000);
	IS_STR(judge_ends(rules, "b.test"), "443@2000", "names: what has run out is not open");
	name_rules_end(rules, 2000);
	IS_STR(judge_ends(rules, "b.test"), "refused", "names: when all of it has, the name is none");
	IS_STR(judge_ends(rules, "a.test"), "22@0 443@0", "names: what lasts stays");
	for (size_t i = 0; i < 5; i++)
		entry_release(&entries[i]);
	profile_free(profile);
}

static void test_none(void)
{
	struct profile *profile = load("{\"allow\": [\"10.0.0.0/8:443\"]}");

	OK(!profile_has_names(profile), "names: addresses need no warden");
	profile_free(profile);
}

static uint32_t caps_of(const struct name_rules *rules, const char *name, const char *address_text, uint16_t port, uint8_t protocol)
{
	struct address address;
	struct name_place place = { &address, protocol, port };

	return address_parse(address_text, &address) ? ~0u : name_rules_caps(rules, name, &place);
}

/* The smaller is before the larger: the bits are in that order. */
static void test_caps(void)
{
	static const struct {
		const char *name, *address;
		uint16_t port;
		uint8_t protocol;
		uint32_t wanted;
		const char *what;
	} samples[] = {
		{ "a.test", "11.0.0.1", 443, IPPROTO_TCP, 1 | 8, "by the name, and by the address" },
		{ "a.test", "11.0.0.1", 22, IPPROTO_TCP, 1 | 8, "without a port it is every port" },
		{ "a.test", "11.0.0.1", 53, IPPROTO_UDP, 1 | 8, "without a protocol every protocol" },
		{ "a.test", "11.0.0.1", 0, IPPROTO_ICMP, 1 | 8, "ICMP too" },
		{ "x.b.test", "11.0.0.1", 443, IPPROTO_TCP, 2 | 8, "by a pattern, on its port" },
		{ "x.b.test", "11.0.0.1", 80, IPPROTO_TCP, 8, "and on no other" },
		{ "x.b.test", "10.1.0.1", 443, IPPROTO_TCP, 2 | 4, "by a network" },
		{ "x.b.test", "10.1.0.1", 443, IPPROTO_UDP, 0, "by none: of another protocol" },
		{ "n.test", "10.2.0.1", 443, IPPROTO_TCP, 4 | 16, "by a name that leads into a network" },
		{ "n.test", "11.0.0.1", 443, IPPROTO_TCP, 8, "and not where it leads elsewhere" },
		{ "deny.test", "11.0.0.1", 443, IPPROTO_TCP, 8, "another name by its address alone" },
	};
	cleanup_buf struct buf block = BUF_INIT;
	const struct name_rules *rules = make("{ \"allow\": [\"**.b.test\", \"a.test:443\", \"n.test\"], \"deny\": [\"deny.test\"], \"caps\": { "
		"\"@public:*\": \"4M\", \"a.test\": \"1M\", \"**.b.test:443/tcp\": \"2M\", \"10.0.0.0/8:443/tcp\": \"3M\", "
		"\"n.test@10.0.0.0/8\": \"5M\", \"z.test\": \"unlimited\" } }", &block);

	OK(rules != NULL, "caps: the block is whole");
	for (size_t i = 0; rules && i < ARRAY_SIZE(samples); i++)
		OK(caps_of(rules, samples[i].name, samples[i].address, samples[i].port, samples[i].protocol) == samples[i].wanted, "caps: %s", samples[i].what);
	IS_STR(rules ? judge(rules, "deny.test", "11.0.0.1") : "", "refused", "caps: they allow nothing");
	IS_STR(rules ? judge(rules, "z.test", "11.0.0.1") : "", "refused", "caps: nor does one that bounds nothing");
}

int main(void)
{
	test_cases();
	test_layers();
	test_alias();
	test_many();
	test_many_denied();
	test_block();
	test_none();
	test_ways();
	test_additions();
	test_caps();
	return tap_done();
}
