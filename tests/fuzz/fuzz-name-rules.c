/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of shim/policy/name-rules: any bytes as the block, and a name and addresses judged by it. A block that is
 * taken must be judged within its bounds, and what is opened must be an opening.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/policy/name-rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void judge(const struct name_rules *rules, const char *name)
{
	static const struct address addresses[] = { { 4, { 11, 0, 0, 1 } }, { 4, { 10, 0, 0, 1 } }, { 4, { 169, 254, 1, 1 } },
						    { 6, { 0x2a } }, { 6, { [15] = 1 } } };
	struct name_opening openings[128];
	struct name_found found;

	name_rules_deny(rules, name);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct name_place place = { &addresses[i], IPPROTO_TCP, 443 };

		must(!(name_rules_caps(rules, name, &place) >> RULESET_CAPS_MAX));
	}
	if (!name_rules_find(rules, name, &found))
		return;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		size_t count = name_rules_open(rules, &found, &addresses[i], openings, 128);

		must(count <= 128);
		for (size_t k = 0; k < count; k++)
			must(openings[k].protocol == IPPROTO_TCP || openings[k].protocol == IPPROTO_UDP || openings[k].protocol == IPPROTO_ICMP);
	}
}

/* Its own sizes are put right, so that the rules are reached. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct name_rules head;
	uint8_t *block;

	if (size < sizeof(head) + 1 || size > 65536)
		return 0;
	block = malloc(size);
	must(block != NULL);
	memcpy(block, data, size);
	memcpy(&head, block, sizeof(head));
	head.magic = NAME_RULES_MAGIC;
	head.size = (uint32_t)size;
	head.rule_count %= (size - sizeof(head)) / sizeof(struct name_rule) + 1;
	head.never_count %= (size - sizeof(head) - head.rule_count * sizeof(struct name_rule)) / sizeof(struct rule_range) + 1;
	head.text_bytes = (uint32_t)(size - sizeof(head) - head.rule_count * sizeof(struct name_rule) - head.never_count * sizeof(struct rule_range));
	head.profile[NAME_PROFILE_SIZE - 1] = '\0';
	memcpy(block, &head, sizeof(head));
	block[size - 1] = '\0';
	if (name_rules_check(block, size)) {
		judge((const struct name_rules *)(const void *)block, "a.test");
		judge((const struct name_rules *)(const void *)block, "x.b.test");
	}
	free(block);
	return 0;
}
