/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * egress-load COMMAND...: calls shim/egress in the current network namespace, for tests/live/egress.bats.
 *
 *   install [KEY=VALUE]...  allow=, exact=, deny=, never=, ingress= "PROTOCOL FIRST[-LAST] [PORT[-PORT]]" (protocol tcp, udp,
 *                           icmp, any), bytes=, spent=, rate=, alive= (ms), many=N (N more allowed networks), nested=N (N
 *                           allowed networks one within the other, the smaller the more ports). Prints "owned" or "free". With hold=1 the socket stays
 *                           open until the standard input ends; renew=MS renews the switch meanwhile.
 *                           names=1, learn="[turned |CAP ]PROTOCOL ADDRESS [PORT]" what is learnt, for lifetime= (ms);
 *                           cap=BYTES[+SPENT] the next cap, and reach=RANGE of the one named last.
 *                           replaces=1 a table that was left.
 *   adopt, renew MS, counters, caps COUNT, move CAP BYTES, inspect, enter PID
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/egress/inspect.h"
#include "shim/egress/netns.h"
#include "shim/egress/ruleset.h"

static int fail(const struct err *err)
{
	printf("error %d: %s\n", err->code, err->text);
	return 1;
}

static int parse_address(const char *text, uint8_t *family, uint8_t bytes[16])
{
	*family = strchr(text, ':') ? 6 : 4;
	memset(bytes, 0, 16);
	return inet_pton(*family == 6 ? AF_INET6 : AF_INET, text, bytes) == 1 ? 0 : -1;
}

static int parse_range(const char *text, struct rule_range *range)
{
	char protocol[8], addresses[128], ports[16] = "0-65535", *dash;
	uint8_t family;

	memset(range, 0, sizeof(*range));
	if (sscanf(text, "%7s %127s %15s", protocol, addresses, ports) < 2)
		return -1;
	range->protocol = !strcmp(protocol, "tcp") ? IPPROTO_TCP : !strcmp(protocol, "udp") ? IPPROTO_UDP :
			  !strcmp(protocol, "icmp") ? IPPROTO_ICMP : 0;
	dash = strchr(addresses, '-');
	if (dash)
		*dash++ = '\0';
	if (parse_address(addresses, &range->family, range->first) ||
	    parse_address(dash ? dash : addresses, &family, range->last) || family != range->family)
		return -1;
	range->port_first = (uint16_t)atoi(ports);
	dash = strchr(ports, '-');
	range->port_last = (uint16_t)atoi(dash ? dash + 1 : ports);
	return 0;
}

static int parse_opening(const char *text, struct ruleset_opening *opening)
{
	struct rule_range range;
	bool is_turned = !strncmp(text, "turned ", 7), is_capped = text[0] >= '0' && text[0] <= '9';

	if (parse_range(is_turned ? text + 7 : is_capped ? strchr(text, ' ') + 1 : text, &range))
		return -1;
	*opening = (struct ruleset_opening){ range.family, range.protocol, range.protocol == IPPROTO_ICMP ? 0 : range.port_first, { 0 }, is_turned };
	memcpy(opening->address, range.first, sizeof(opening->address));
	opening->caps = is_capped ? 1u << atoi(text) : 0;
	return 0;
}

static void add_cap(struct ruleset *ruleset, const char *text)
{
	const char *plus = strchr(text, '+');

	ruleset->caps[ruleset->cap_count].bytes = strtoull(text, NULL, 10);
	ruleset->caps[ruleset->cap_count++].spent = plus ? strtoull(plus + 1, NULL, 10) : 0;
}

static void add_many(struct rule_ranges *ranges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct rule_range range = { .family = 4, .protocol = IPPROTO_TCP, .port_first = 443, .port_last = 443 };
		uint32_t first = htonl(0x0b000000u + i * 16), last = htonl(0x0b000000u + i * 16 + 7);

		memcpy(range.first, &first, 4);
		memcpy(range.last, &last, 4);
		rule_ranges_add(ranges, &range);
	}
}

static void add_nested(struct rule_ranges *ranges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct rule_range range = { .family = 4, .protocol = IPPROTO_TCP };
		uint32_t first = htonl(0x14000000u + i), last = htonl(0x14100000u - i);

		range.port_first = (uint16_t)(30000 - i);
		range.port_last = (uint16_t)(30000 + i);
		memcpy(range.first, &first, 4);
		memcpy(range.last, &last, 4);
		rule_ranges_add(ranges, &range);
	}
}

struct options {
	struct ruleset ruleset;
	bool hold;
	int renew_ms;
	struct ruleset_opening openings[8];
	struct ruleset_learning learning;
};

static int parse_option(const char *argument, struct options *options)
{
	static const struct {
		const char *key;
		size_t offset;
	} lists[] = {
		{ "allow=", offsetof(struct ruleset, allow) }, { "exact=", offsetof(struct ruleset, exact) },
		{ "deny=", offsetof(struct ruleset, deny) }, { "never=", offsetof(struct ruleset, never) },
		{ "ingress=", offsetof(struct ruleset, ingress) },
	};
	const char *value = strchr(argument, '=');
	struct rule_range range;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (strncmp(argument, lists[i].key, strlen(lists[i].key)))
			continue;
		if (parse_range(value + 1, &range))
			return -1;
		rule_ranges_add((struct rule_ranges *)((char *)&options->ruleset + lists[i].offset), &range);
		return 0;
	}
	if (!strncmp(argument, "reach=", 6) && options->ruleset.cap_count) {
		if (parse_range(value + 1, &range))
			return -1;
		rule_ranges_add(&options->ruleset.caps[options->ruleset.cap_count - 1].reach, &range);
		return 0;
	}
	if (!strncmp(argument, "cap=", 4) && options->ruleset.cap_count < RULESET_CAPS_MAX)
		add_cap(&options->ruleset, value + 1);
	else if (!strncmp(argument, "bytes=", 6))
		options->ruleset.egress_bytes = strtoull(value + 1, NULL, 10);
	else if (!strncmp(argument, "spent=", 6))
		options->ruleset.egress_spent = strtoull(value + 1, NULL, 10);
	else if (!strncmp(argument, "rate=", 5))
		options->ruleset.rate = strtoull(value + 1, NULL, 10);
	else if (!strncmp(argument, "alive=", 6))
		options->ruleset.alive_ms = (uint32_t)atoi(value + 1);
	else if (!strncmp(argument, "many=", 5))
		add_many(&options->ruleset.allow, (uint32_t)atoi(value + 1));
	else if (!strncmp(argument, "nested=", 7))
		add_nested(&options->ruleset.allow, (uint32_t)atoi(value + 1));
	else if (!strncmp(argument, "names=", 6))
		options->ruleset.has_names = true;
	else if (!strncmp(argument, "learn=", 6))
		return parse_opening(value + 1, &options->openings[options->learning.count++]);
	else if (!strncmp(argument, "lifetime=", 9))
		options->learning.lifetime_ms = (uint32_t)atoi(value + 1);
	else if (!strncmp(argument, "replaces=", 9))
		options->ruleset.replaces = true;
	else if (!strncmp(argument, "hold=", 5))
		options->hold = true;
	else if (!strncmp(argument, "renew=", 6))
		options->renew_ms = atoi(value + 1);
	else
		return -1;
	return 0;
}

/* Until the standard input ends. */
static int hold(int nl_fd, const struct options *options, struct err *err)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char bytes[64];

	for (;;) {
		int n = poll(&input, 1, options->renew_ms ? options->renew_ms : -1);

		if (n > 0 && read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0)
			return 0;
		if (n == 0 && ruleset_renew_alive(nl_fd, options->ruleset.alive_ms, err))
			return fail(err);
	}
}

static int install(const struct options *options, struct err *err)
{
	cleanup_close int nl_fd = nft_open(err);
	bool owned;

	if (nl_fd < 0 || (options->ruleset.replaces && ruleset_adopt(nl_fd, err)) || ruleset_install(nl_fd, &options->ruleset, &owned, err))
		return fail(err);
	if (options->learning.count && ruleset_learn(nl_fd, options->openings, &options->learning, err))
		return fail(err);
	puts(owned ? "owned" : "free");
	fflush(stdout);
	return options->hold || options->renew_ms ? hold(nl_fd, options, err) : 0;
}

static int install_main(int count, char **arguments, struct err *err)
{
	struct options options = { .ruleset = { .egress_bytes = UINT64_MAX, .rate = UINT64_MAX, .alive_ms = 60000 },
				   .learning = { .lifetime_ms = 60000 } };
	int r = 0;

	for (int i = 0; i < count && !r; i++) {
		r = parse_option(arguments[i], &options) ? 2 : 0;
		if (r)
			fprintf(stderr, "egress-load: %s\n", arguments[i]);
	}
	if (!r)
		r = install(&options, err);
	ruleset_release(&options.ruleset);
	return r;
}

static int counters_main(int nl_fd, struct err *err)
{
	struct ruleset_counters c;

	if (ruleset_read_counters(nl_fd, &c, err))
		return fail(err);
	printf("out=%llu out_packets=%llu in=%llu denied_packets=%llu\n", (unsigned long long)c.out_bytes,
	       (unsigned long long)c.out_packets, (unsigned long long)c.in_bytes, (unsigned long long)c.denied_packets);
	return 0;
}

static int caps_main(int nl_fd, size_t count, struct err *err)
{
	struct ruleset_caps caps;

	if (ruleset_read_caps(nl_fd, count, &caps, err))
		return fail(err);
	for (size_t i = 0; i < count; i++)
		printf("cap%zu=%llu%s\n", i, (unsigned long long)caps.bytes[i], caps.spent >> i & 1 ? " spent" : "");
	return 0;
}

static int inspect_main(int nl_fd, struct err *err)
{
	struct ruleset_inspection seen;

	if (ruleset_inspect(nl_fd, &seen, err))
		return fail(err);
	printf("table=%d dormant=%d owned=%d persistent=%d whole=%d alive=%d\n", seen.has_table, seen.is_dormant,
	       seen.is_owned, seen.is_persistent, seen.is_whole, seen.is_alive);
	for (size_t i = 0; i < seen.chain_count; i++)
		printf("chain %s: base=%d there=%d wanted=%d rules=%u\n", seen.chains[i].name, seen.chains[i].is_base,
		       seen.chains[i].is_there, seen.chains[i].is_as_wanted, seen.chains[i].rules);
	for (size_t i = 0; i < seen.set_count; i++)
		printf("set %s: there=%d elements=%u\n", seen.sets[i].name, seen.sets[i].is_there, seen.sets[i].elements);
	return 0;
}

static int enter_main(pid_t pid, struct err *err)
{
	cleanup_close int netns_fd = netns_open(pid, err);

	if (netns_fd < 0 || netns_enter(netns_fd, err))
		return fail(err);
	puts("entered");
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	const char *command = argc > 1 ? argv[1] : "";
	cleanup_close int nl_fd = -1;

	if (!strcmp(command, "install"))
		return install_main(argc - 2, argv + 2, &err);
	if (!strcmp(command, "enter") && argc > 2)
		return enter_main(atoi(argv[2]), &err);
	nl_fd = nft_open(&err);
	if (nl_fd < 0)
		return fail(&err);
	if (!strcmp(command, "counters"))
		return counters_main(nl_fd, &err);
	if (!strcmp(command, "inspect"))
		return inspect_main(nl_fd, &err);
	if (!strcmp(command, "adopt"))
		return ruleset_adopt(nl_fd, &err) ? fail(&err) : 0;
	if (!strcmp(command, "renew") && argc > 2)
		return ruleset_renew_alive(nl_fd, (uint32_t)atoi(argv[2]), &err) ? fail(&err) : 0;
	if (!strcmp(command, "caps") && argc > 2)
		return caps_main(nl_fd, (size_t)atoi(argv[2]), &err);
	if (!strcmp(command, "move") && argc > 3)
		return ruleset_set_cap_left(nl_fd, (size_t)atoi(argv[2]), strtoull(argv[3], NULL, 10), &err) ? fail(&err) : 0;
	fprintf(stderr, "egress-load: %s?\n", command);
	return 2;
}
