/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, host names and egress entries: how they are read, what they cover, what is never reachable. */
#include <errno.h>
#include <stdlib.h>

#include "shim/policy/profile.h"
#include "tests/unit/tap.h"

static void test_addresses(void)
{
	static const char *const bad[] = { "", "1.2.3", "01.2.3.4", "1.2.3.4.5", "256.1.1.1", "0x7f.0.0.1", "2130706433", "::g",
					   "fe80::1%eth0", "1.2.3.4 ", "[::1]", "1.2.3.4/32" };
	cleanup_buf struct buf buf = BUF_INIT;
	struct address address, other;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		OK(address_parse(bad[i], &address) == -EINVAL, "address: '%s' is none", bad[i]);
	OK(!address_parse("::ffff:10.1.2.3", &address) && address.family == 4 && address.bytes[0] == 10 && !address.bytes[4],
	   "address: a v4-mapped address is the v4 address");
	OK(!address_parse("::ffff:a01:203", &other) && !memcmp(&address, &other, sizeof(address)),
	   "address: a v4-mapped address in hexadecimal is the same");
	address_print(&buf, &address);
	IS_STR(buf.data, "10.1.2.3", "address: v4 prints as dotted quad");
}

static bool in_table(const struct network *table, size_t count, const char *text)
{
	struct address address = { 0 };

	if (address_parse(text, &address) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (network_has(&table[i], &address))
			return true;
	return false;
}

static void test_networks(void)
{
	static const char *const bad[] = { "", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/+8",
					   "10.0.0.0/8/8", "2001:db8::1/32", "::/129", "::ffff:0:0/95", "/8", "10.0.0.0/-1" };
	struct network network, inner;
	struct address address;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		OK(network_parse(bad[i], &network) == -EINVAL, "network: '%s' is none", bad[i]);
	OK(!network_parse("::ffff:10.0.0.0/104", &network) && network.base.family == 4 && network.prefix == 8,
	   "network: a v4-mapped network is the v4 network");
	OK(!network_parse("10.20.0.0/15", &network) && !address_parse("10.21.255.255", &address) &&
		   network_has(&network, &address),
	   "network: has its last address");
	address_parse("10.22.0.0", &address);
	OK(!network_has(&network, &address), "network: doesn't have the address behind its last");
	address_parse("::a15:1", &address);
	OK(!network_has(&network, &address), "network: has no address of another family");
	OK(!network_parse("10.20.5.0/24", &inner) && network_covers(&network, &inner) && !network_covers(&inner, &network),
	   "network: covers a smaller one, not the other way round");
	OK(!network_parse("0.0.0.0/0", &network) && network_covers(&network, &inner), "network: /0 covers all of its family");
}

static void test_never_reachable(void)
{
	static const char *const never[] = {
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192",
		"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:100::100:200", "fd00:42::42",
		"fd00:a9fe:a9fe::1", "127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "224.0.0.251", "239.255.255.255",
		"255.255.255.255", "::", "::1", "::7f00:1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "::ffff:0:a9fe:a9fe",
		"64:ff9b::169.254.169.254", "64:ff9b::127.0.0.1", "64:ff9b::100.100.100.200", "2002:a9fe:a9fe::1",
		"2002:7f00:1::", "2002:a83f:8110::1", "64:ff9b::255.255.255.255", "2002:e000:1::",
	};
	static const char *const reachable[] = { "1.1.1.1", "10.0.0.1", "192.168.1.1", "100.100.100.201", "168.63.129.17",
						 "2606:4700::1111", "fd00:1::1", "64:ff9b::1.1.1.1", "2002:101:101::1",
						 "fd20:ce::253", "240.0.0.1" };
	size_t count;
	const struct network *table = never_reachable(&count);

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		OK(in_table(table, count, never[i]), "never reachable: %s", never[i]);
	for (size_t i = 0; i < sizeof(reachable) / sizeof(reachable[0]); i++)
		OK(!in_table(table, count, reachable[i]), "never reachable: not %s", reachable[i]);
	OK(network_has(&(struct network){ { 6, { [10] = 0xff, [11] = 0xff } }, 96 },
		       &(struct address){ 6, { [10] = 0xff, [11] = 0xff, 127 } }),
	   "never reachable: the mapped form is an IPv6 network");
}

static void test_public(void)
{
	static const char *const special[] = {
		"0.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "169.254.0.1", "172.16.0.0",
		"172.31.255.255", "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.255.255", "198.18.0.0", "198.19.255.255",
		"198.51.100.7", "203.0.113.255", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::8.8.8.8",
		"64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "200::1", "2001::1", "2001:2::1", "2001:10::1",
		"2001:20::1", "2001:db8::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1",
		"fec0::1", "ff0e::1", "64:ff99::1", "64:ffff::1", "65::1", "60::1",
	};
	static const char *const public[] = { "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
					      "172.15.255.255", "172.32.0.0", "192.0.1.0", "198.17.255.255", "198.20.0.0",
					      "223.255.255.255", "2001:200::1", "2606:4700::1111", "2a00:1450::1", "2000::1",
					      "2620:4f:8000::1", "64:ff9b::8.8.8.8", "3ffe::1" };
	size_t count;
	const struct network *table = special_purpose(&count);
	struct address address;
	bool sorted = true;

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		OK(!address_parse(special[i], &address) && !address_is_public(&address), "public: not %s", special[i]);
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
		OK(!address_parse(public[i], &address) && address_is_public(&address), "public: %s", public[i]);
	for (size_t i = 1; i < count; i++)
		if (memcmp(&table[i - 1].base, &table[i].base, sizeof(table[i].base)) >= 0 ||
		    network_has(&table[i - 1], &table[i].base))
			sorted = false;
	OK(sorted, "public: the special networks are sorted and no two overlap");
	OK(!address_is_public(&(struct address){ 0 }), "public: no address is not public");
}

static void test_host_names(void)
{
	static const char *const bad[] = { "", ".", "a..b", ".a", "a b", "a/b", "a*b", "b\xc3\xbc.de", "1.2.3.4", "1.2", "a.1",
					   "a.0x7f", "0x7f000001", "a:b", "a@b", "a..", "x,y" };
	char name[NAME_SIZE], longest[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		OK(name_normalize(bad[i], name) == -EINVAL, "host name: '%s' is none", bad[i]);
	OK(!name_normalize("API.Example.COM.", name), "host name: a final dot and capitals are fine");
	IS_STR(name, "api.example.com", "host name: compared in lower case without the final dot");
	OK(!name_normalize("_sip._tcp.x-y.example", name), "host name: underscores and hyphens are fine");
	OK(!name_normalize("0x7g.com", name) && !name_normalize("1.2.3.com", name), "host name: digits before the end are fine");
	memset(longest, 'a', 63);
	longest[63] = '\0';
	OK(!name_normalize(longest, name), "host name: a label of 63 is fine");
	longest[63] = 'a';
	longest[64] = '\0';
	OK(name_normalize(longest, name) == -EINVAL, "host name: a label of 64 is none");
	for (size_t i = 0; i < 254; i++)
		longest[i] = i % 2 ? '.' : 'a';
	longest[253] = '\0';
	OK(!name_normalize(longest, name), "host name: 253 characters are fine");
	memcpy(longest + 253, "a", 2);
	OK(name_normalize(longest, name) == -EINVAL, "host name: 254 characters are none");
}

static void test_entries_refused(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "no name" }, { "10.0.0.1", "must say the port" }, { "10.0.0.0/8", "must say the port" },
		{ "@public", "must say the port" }, { "10.0.0.1/8:80", "host bits" }, { "*.com:443", "top-level" },
		{ "**.com", "top-level" }, { "*", "pattern" }, { "a.*.com", "pattern" }, { "***.a.com", "pattern" },
		{ "a.com:0", "port '0'" }, { "a.com:65536", "port" }, { "a.com:80-", "port" }, { "a.com:90-80", "port" },
		{ "a.com:080", "port" }, { "a.com:", "port ''" }, { "a.com:*-80", "port" }, { "a.com:80-90-100", "port" },
		{ "a.com/sctp", "protocol" }, { "a.com/", "protocol" }, { "a.com/TCP", "protocol" }, { "a.com:80/icmp", "ICMP" },
		{ "10.0.0.1:80/tls", "look for a name" }, { "2001:db8::1:443", "brackets" }, { "2001:db8::/32:443", "brackets" },
		{ "[10.0.0.1]:80", "brackets" }, { "[2001:db8::1:443", "bracket" }, { "[2001:db8::1]443", "can't be read" },
		{ "[]:1", "brackets" }, { "@npm:443", "write '@npm' alone" }, { "@npm/udp", "alone" }, { "@.x", "group" },
		{ "@", "group" }, { "@a/b", "protocol" }, { "a.com@", "not a network" }, { "a.com@10.0.0.1/8", "not a network" },
		{ "a.com@x", "not a network" }, { "10.0.0.1:80@10.0.0.0/8", "a name only" },
		{ "a.com@10.0.0.0/8@10.0.0.0/8", "not a network" }, { "a.com:80@10.0.0.0/8:80", "not a network" },
		{ "http://a.com", "port" }, { "b\xc3\xbc.de", "IDN as xn--" }, { "1.2.3:80", "no address" },
		{ "0177.0.0.1:80", "no address" }, { "2130706433:80", "no address" }, { "0x7f.1:80", "neither" },
		{ "a.com :80", "neither" }, { "a.com:443/tcp/udp", "protocol" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct entry entry;
		struct err err = ERR_INIT;

		OK(entry_parse(bad[i].text, &entry, &err) == -EINVAL && strstr(err.text, bad[i].why),
		   "entry: '%s' is refused: %s (%s)", bad[i].text, bad[i].why, err.text);
		OK(!entry.text && !entry.name, "entry: nothing is left of '%s'", bad[i].text);
	}
}

static struct entry parse(const char *text)
{
	struct entry entry;
	struct err err = ERR_INIT;

	if (entry_parse(text, &entry, &err) < 0)
		printf("# %s: %s\n", text, err.text);
	return entry;
}

static void test_entries(void)
{
	struct entry entry = parse("API.example.com");
	struct entry copy;

	OK(entry.kind == ENTRY_NAME && !entry.has_port && !entry.has_at && entry.protocol == ENTRY_ANY_PROTOCOL,
	   "entry: a bare name has no port and no protocol");
	IS_STR(entry.name, "api.example.com", "entry: a name is kept in lower case");
	IS_STR(entry.text, "API.example.com", "entry: the text is kept as written");
	entry_copy(&entry, &copy);
	OK(copy.name != entry.name && !strcmp(copy.name, entry.name), "entry: a copy is deep");
	entry_release(&copy);
	entry_release(&entry);
	entry = parse("*.svc.example.com:8443/tls");
	OK(entry.kind == ENTRY_ONE_LABEL && entry.port_first == 8443 && entry.port_last == 8443 && entry.protocol == ENTRY_TLS,
	   "entry: a pattern with port and protocol");
	entry_release(&entry);
	entry = parse("**.example.com:8000-8099/udp@[fd00:1::/32]");
	OK(entry.kind == ENTRY_ANY_LABELS && entry.port_first == 8000 && entry.port_last == 8099 && entry.has_at &&
		   entry.at.base.family == 6 && entry.at.prefix == 32,
	   "entry: a pattern with a port range and a network in brackets");
	entry_release(&entry);
	entry = parse("db.prod.svc.cluster.local:5432@10.96.0.0/12");
	OK(entry.has_at && entry.at.prefix == 12 && entry.port_first == 5432, "entry: a cluster's service by name and network");
	entry_release(&entry);
	entry = parse("10.20.0.0/16:5432");
	OK(entry.kind == ENTRY_NETWORK && entry.network.prefix == 16 && !entry.is_single_address, "entry: a network");
	entry_release(&entry);
	entry = parse("203.0.113.9:123/udp");
	OK(entry.is_single_address && entry.network.prefix == 32 && entry.protocol == ENTRY_UDP, "entry: a single address");
	entry_release(&entry);
	entry = parse("169.254.169.254/32:80");
	OK(!entry.is_single_address, "entry: a network of one address doesn't name exactly that address");
	entry_release(&entry);
	entry = parse("[2001:db8::/32]:443");
	OK(entry.network.base.family == 6 && entry.network.prefix == 32 && entry.port_first == 443, "entry: an IPv6 network");
	entry_release(&entry);
	entry = parse("[::ffff:10.0.0.1]:*");
	OK(entry.network.base.family == 4 && entry.any_port && entry.has_port && entry.port_last == 65535,
	   "entry: a mapped address is IPv4; every port");
	entry_release(&entry);
	entry = parse("10.0.0.0/8/icmp");
	OK(entry.protocol == ENTRY_ICMP && entry.network.prefix == 8 && !entry.has_port, "entry: ICMP to a network");
	entry_release(&entry);
	entry = parse("@public:*");
	OK(entry.kind == ENTRY_PUBLIC && entry.any_port, "entry: all that is public");
	entry_release(&entry);
	entry = parse("@npm");
	OK(entry.kind == ENTRY_GROUP && !strcmp(entry.name, "npm"), "entry: a group");
	entry_release(&entry);
}

static bool matches(const char *pattern, const char *name)
{
	struct entry entry = parse(pattern);
	bool match = entry_matches_name(&entry, name);

	entry_release(&entry);
	return match;
}

static bool covers(const char *outer_text, const char *inner_text)
{
	struct entry outer = parse(outer_text), inner = parse(inner_text);
	bool cover = entry_covers_what(&outer, &inner);

	entry_release(&outer);
	entry_release(&inner);
	return cover;
}

static void test_matching(void)
{
	OK(matches("a.example", "a.example"), "match: a name matches itself");
	OK(!matches("a.example", "b.a.example"), "match: a name doesn't match what lies below it");
	OK(matches("*.a.example", "b.a.example"), "match: one star is one label");
	OK(!matches("*.a.example", "c.b.a.example"), "match: one star isn't two labels");
	OK(!matches("*.a.example", "a.example"), "match: one star isn't no label");
	OK(!matches("*.a.example", "ba.example"), "match: a star ends at a dot");
	OK(matches("**.a.example", "c.b.a.example"), "match: two stars are two labels");
	OK(matches("**.a.example", "b.a.example"), "match: two stars are one label");
	OK(!matches("**.a.example", "a.example"), "match: two stars aren't no label");
	OK(!matches("**.a.example", "xa.example"), "match: two stars end at a dot");
	OK(!matches("10.0.0.1:*", "a.example"), "match: an address matches no name");
}

static void test_covering(void)
{
	OK(covers("**.corp.example", "jira.corp.example"), "cover: **.x covers a name below x");
	OK(covers("**.corp.example", "*.corp.example"), "cover: **.x covers *.x");
	OK(covers("**.corp.example", "*.a.corp.example"), "cover: **.x covers *.a.x");
	OK(covers("**.corp.example", "**.a.corp.example"), "cover: **.x covers **.a.x");
	OK(!covers("**.corp.example", "corp.example"), "cover: **.x doesn't cover x");
	OK(!covers("*.corp.example", "**.corp.example"), "cover: *.x doesn't cover **.x");
	OK(!covers("*.corp.example", "*.a.corp.example"), "cover: *.x doesn't cover *.a.x");
	OK(!covers("a.corp.example", "*.corp.example"), "cover: a name covers no pattern");
	OK(covers("10.0.0.0/8:*", "10.1.0.0/16:443"), "cover: a network covers a smaller one");
	OK(!covers("10.0.0.0/8:*", "a.example"), "cover: a network covers no name");
	OK(covers("@public:*", "1.1.1.0/24:53") && !covers("@public:*", "10.0.0.0/8:53"), "cover: @public covers public networks");
	OK(!covers("@public:*", "0.0.0.0/0:53"), "cover: @public doesn't cover a network that holds special ones");
	OK(covers("@npm", "@npm") && !covers("@npm", "@pypi"), "cover: a group covers itself");
}

static void test_strings(void)
{
	struct strings strings = { NULL, 0 };

	strings_add(&strings, "a");
	strings_add(&strings, "b");
	OK(strings.count == 2 && strings_has(&strings, "b") && !strings_has(&strings, "c"), "strings: what was added is there");
	strings_free(&strings);
	OK(!strings.items && !strings.count, "strings: empty after free");
	OK(pattern_matches("AWS_*", "AWS_KEY") && !pattern_matches("AWS_*", "XAWS_KEY"), "pattern: a star at the end");
	OK(pattern_matches("*_TOKEN", "A_TOKEN_TOKEN") && !pattern_matches("*_TOKEN", "A_TOKENS"), "pattern: a star in front");
	OK(pattern_matches("a*b*c", "aXbbYc") && !pattern_matches("a*b*c", "aXYc"), "pattern: stars between");
	OK(pattern_matches("*", "") && pattern_matches("", "") && !pattern_matches("", "a"), "pattern: nothing");
	OK(!pattern_matches("abc", "ABC") && pattern_matches("**", "x"), "pattern: case counts, stars in a row are one");
	OK(profile_name_is_valid("web-1.2_x") && !profile_name_is_valid("") && !profile_name_is_valid(".x") &&
		   !profile_name_is_valid("..") && !profile_name_is_valid("a/b") && !profile_name_is_valid("a b"),
	   "profile name: letters, digits, '_', '.', '-', no dot in front");
}

static void test_bound(void)
{
	static const struct {
		const char *text;
		enum entry_bound wanted;
	} entries[] = { { "a.test", BOUND_IN_CONNECTION }, { "a.test:443", BOUND_IN_CONNECTION }, { "*.a.test:80", BOUND_IN_CONNECTION },
			{ "a.test:22", BOUND_BY_ADDRESS }, { "a.test:8443/tls", BOUND_IN_CONNECTION }, { "a.test:8080-8081/http", BOUND_IN_CONNECTION },
			{ "a.test:440-450", BOUND_ON_SOME_PORTS }, { "a.test:443/udp", BOUND_BY_ADDRESS }, { "a.test/icmp", BOUND_BY_ADDRESS },
			{ "10.0.0.1:443", BOUND_BY_ADDRESS } };

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct entry entry;
		struct err err = ERR_INIT;

		if (entry_parse(entries[i].text, &entry, &err)) {
			OK(0, "bound: %s: %s", entries[i].text, err.text);
			continue;
		}
		OK(entry_bound_by(&entry, true) == entries[i].wanted && entry_bound_by(&entry, false) == BOUND_BY_ADDRESS, "bound: %s",
		   entries[i].text);
		entry_release(&entry);
	}
}

int main(void)
{
	test_addresses();
	test_networks();
	test_never_reachable();
	test_public();
	test_host_names();
	test_entries_refused();
	test_entries();
	test_matching();
	test_covering();
	test_bound();
	test_strings();
	return tap_done();
}
