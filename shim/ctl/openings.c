/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is open for a while: see openings.h. */
#include "shim/ctl/openings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/policy/name-rules.h"
#include "shim/policy/ranges.h"
#include "shim/policy/units.h"
#include "shim/sealed.h"

#define FILE_NAME "opened.json"
#define FILE_LIMIT (1u << 20)

uint64_t openings_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void opening_release(struct opening *opening)
{
	for (size_t i = 0; i < opening->entry_count; i++)
		entry_release(&opening->entries[i]);
	free(opening->entries);
	free(opening->text);
}

void openings_release(struct openings *openings)
{
	for (size_t i = 0; i < openings->count; i++)
		opening_release(&openings->items[i]);
	free(openings->items);
	*openings = (struct openings){ NULL, 0 };
}

static int by_until(const void *a, const void *b)
{
	const struct opening *one = a, *other = b;

	return one->until_ms == other->until_ms ? 0 : one->until_ms > other->until_ms ? -1 : 1;
}

static struct entry *add_entry(struct opening *opening)
{
	opening->entries = alloc_grow(opening->entries, opening->entry_count + 1, sizeof(*opening->entries));
	return &opening->entries[opening->entry_count++];
}

static int parse(const struct ctl *ctl, const char *text, struct opening *opening, struct err *err)
{
	struct host_group group;
	struct entry entry;
	int r = entry_parse(text, &entry, err);

	if (r)
		return r;
	opening->text = alloc_copy(text);
	if (entry.kind != ENTRY_GROUP) {
		*add_entry(opening) = entry;
		return 0;
	}
	r = group_find(entry.name, &ctl->paths, &group, err);
	entry_release(&entry);
	if (r)
		return r;
	for (size_t i = 0; i < group.count; i++)
		entry_copy(&group.hosts[i], add_entry(opening));
	group_release(&group);
	return 0;
}

int openings_add(const struct ctl *ctl, const char *text, uint64_t until_ms, struct openings *openings, struct err *err)
{
	struct opening opening = { .until_ms = until_ms };
	int r = parse(ctl, text, &opening, err);

	if (r) {
		opening_release(&opening);
		return r;
	}
	for (size_t i = 0; i < openings->count; i++)
		if (!strcmp(openings->items[i].text, text)) {
			opening_release(&openings->items[i]);
			openings->items[i] = openings->items[--openings->count];
			break;
		}
	openings->items = alloc_grow(openings->items, openings->count + 1, sizeof(*openings->items));
	openings->items[openings->count++] = opening;
	qsort(openings->items, openings->count, sizeof(*openings->items), by_until);
	return 0;
}

void openings_read(const struct ctl *ctl, int state_fd, struct openings *openings)
{
	struct err ignored = ERR_INIT;
	cleanup_close int fd = file_open_regular(state_fd, FILE_NAME, &ignored);
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *text = NULL;
	uint64_t now_ms = openings_now_ms();
	size_t len;

	*openings = (struct openings){ NULL, 0 };
	if (fd < 0 || file_read_all(fd, FILE_LIMIT, &text, &len, &ignored) < 0 ||
	    json_parse(text, len, JSON_PLAIN, NULL, &tree, &ignored) < 0)
		return;
	for (size_t i = 0; i < json_root(tree)->count; i++) {
		const struct json *one = json_root(tree)->items[i];
		const char *entry = json_string(json_get(one, "entry"));
		uint64_t until_ms = 0;

		if (entry && json_uint(json_get(one, "until_ms"), &until_ms) && until_ms > now_ms)
			openings_add(ctl, entry, until_ms, openings, &ignored);
	}
}

int openings_write(int state_fd, const struct openings *openings, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *list = json_make_array(tree);
	cleanup_buf struct buf text = BUF_INIT;

	for (size_t i = 0; i < openings->count; i++) {
		struct json *node = json_make_object(tree);

		json_set(tree, node, "entry", json_make_string(tree, openings->items[i].text));
		json_set(tree, node, "until_ms", json_make_uint(tree, openings->items[i].until_ms));
		json_append(tree, list, node);
	}
	json_print(&text, list, 0);
	return file_replace(state_fd, FILE_NAME, text.data, text.len, 0600, err);
}

struct profile opening_part(const struct profile *profile, const struct opening *opening)
{
	struct profile part = *profile;

	part.layers = NULL;
	part.layer_count = 0;
	part.egress.allow = opening->entries;
	part.egress.allow_count = opening->entry_count;
	part.egress.caps = NULL;
	part.egress.caps_count = 0;
	return part;
}

static void subtract_all(struct rule_ranges *ranges, const struct rule_ranges *cuts)
{
	for (size_t i = 0; i < cuts->count; i++)
		ranges_subtract(ranges, &cuts->items[i]);
}

static void add_all(struct rule_ranges *to, const struct rule_ranges *from)
{
	for (size_t i = 0; i < from->count; i++)
		rule_ranges_add(to, &from->items[i]);
}

static void compile(const struct profile *part, struct plan *plan)
{
	static const struct facts nothing;
	const struct plan_input input = { .profile = part, .facts = &nothing };

	plan_init(plan);
	plan_network(&input, plan);
	plan_unenforced(&input, plan);
}

/* What an entry opens beside `base`; of a name nothing. */
static void find_ranges(const struct plan *plan, const struct ruleset *base, struct rule_ranges *ranges)
{
	struct rule_ranges allowed = { NULL, 0 };

	add_all(&allowed, &plan->ruleset.allow);
	subtract_all(&allowed, &base->never);
	add_all(ranges, &plan->ruleset.exact);
	add_all(ranges, &allowed);
	free(allowed.items);
}

static size_t count_names(const struct opening *opening)
{
	size_t count = 0;

	for (size_t i = 0; i < opening->entry_count; i++)
		count += entry_is_name(&opening->entries[i]);
	return count;
}

/* Deny wins: an entry that can never take effect is a mistake. */
static int check_effect(const struct profile *part, const struct plan *plan, const struct ruleset *base, const struct opening *opening,
			struct err *err)
{
	struct strings dead = { NULL, 0 };
	struct rule_ranges ranges = { NULL, 0 };
	int r = 0;

	find_ranges(plan, base, &ranges);
	if (!ranges.count)
		r = err_set(err, EPERM, "%s: never reachable, but by an entry that names exactly that address", opening->text);
	subtract_all(&ranges, &base->deny);
	if (!r && !ranges.count)
		r = err_set(err, EPERM, "%s: the profile denies all of it (egress.deny)", opening->text);
	if (count_names(opening))
		r = profile_find_dead_entries(part, &dead) < opening->entry_count ? 0 :
			err_set(err, EPERM, "%s: the profile denies all of it (egress.deny)", opening->text);
	strings_free(&dead);
	free(ranges.items);
	return r;
}

int opening_check(const struct profile *profile, const struct ruleset *base, const struct opening *opening, struct err *err)
{
	struct profile part = opening_part(profile, opening);
	struct plan plan;
	int r = 0;

	if (count_names(opening) && !base->has_names)
		return err_set(err, EOPNOTSUPP, "%s: its profile allows no name, so nobody answers for names: addresses can be opened", opening->text);
	compile(&part, &plan);
	if (plan.refusal_count)
		r = err_set(err, EPERM, "%s: %s (%s)", opening->text, plan.refusals[0].text, plan.refusals[0].key);
	else
		r = check_effect(&part, &plan, base, opening, err);
	plan_release(&plan);
	return r;
}

struct batch {
	struct control_change *change;
	uint64_t now_ms;
	struct rule_ranges placed;
};

/* Of ranges that overlap the one stands that is open longest: they come in that order. */
static int place(struct batch *batch, struct rule_ranges *ranges, uint64_t until_ms, struct err *err)
{
	struct control_change *change = batch->change;

	subtract_all(ranges, &batch->placed);
	if (change->count + ranges->count > RULESET_OPENED_MAX)
		return err_set(err, E2BIG, "all that is open together has more than %u pieces", RULESET_OPENED_MAX);
	for (size_t i = 0; i < ranges->count; i++) {
		change->opened[change->count++] =
			(struct ruleset_opened){ ranges->items[i], until_ms == LIMIT_UNLIMITED ? 0 : until_ms - batch->now_ms };
		rule_ranges_add(&batch->placed, &ranges->items[i]);
	}
	return 0;
}

int openings_make_ranges(const struct openings *openings, const struct profile *profile, const struct ruleset *base,
			 struct control_change *change, struct err *err)
{
	struct batch batch = { change, openings_now_ms(), { NULL, 0 } };
	int r = 0;

	change->count = 0;
	change->parts |= CONTROL_OPENED;
	for (size_t i = 0; i < openings->count && !r; i++) {
		struct profile part = opening_part(profile, &openings->items[i]);
		struct rule_ranges ranges = { NULL, 0 };
		struct plan plan;

		if (openings->items[i].until_ms <= batch.now_ms)
			continue;
		compile(&part, &plan);
		find_ranges(&plan, base, &ranges);
		plan_release(&plan);
		r = place(&batch, &ranges, openings->items[i].until_ms, err);
		free(ranges.items);
	}
	free(batch.placed.items);
	return r;
}

int openings_make_names(const struct openings *openings, const struct profile *profile, const struct ruleset *base, struct err *err)
{
	cleanup_buf struct buf block = BUF_INIT;
	struct name_addition *items = NULL;
	struct name_additions additions;
	size_t count = 0;
	int r;

	for (size_t i = 0; i < openings->count; i++)
		for (size_t k = 0; k < openings->items[i].entry_count; k++) {
			items = alloc_grow(items, count + 1, sizeof(*items));
			items[count++] = (struct name_addition){ &openings->items[i].entries[k], openings->items[i].until_ms };
		}
	additions = (struct name_additions){ items, count };
	r = name_rules_make(profile, &base->never, &additions, &block, err);
	free(items);
	if (!r && (block.len > NAME_RULES_BYTES_MAX || !name_rules_check(block.data, block.len)))
		r = err_set(err, E2BIG, "all names together are more than can be held");
	return r ? r : sealed_make("quod-names", block.data, block.len, 3, err);
}

bool opening_reaches(const struct profile *profile, const struct ruleset *base, const struct opening *opening,
		     const struct reach_question *question)
{
	struct profile part = opening_part(profile, opening);
	struct reach_answer answer;
	struct ruleset rules;
	struct plan plan;
	bool reaches;

	if (question->name && !profile_has_names(&part))
		return false;	/* where a name leads is not known here */
	compile(&part, &plan);
	rules = plan.ruleset;
	rules.never = base->never;
	reach_judge(&part, &rules, question, &answer);
	reaches = answer.is_allowed;
	reach_release(&answer);
	plan_release(&plan);
	return reaches;
}

void opening_print_left(struct buf *buf, const struct opening *opening)
{
	uint64_t now_ms = openings_now_ms();

	if (opening->until_ms == LIMIT_UNLIMITED) {
		buf_puts(buf, "as long as it runs");
		return;
	}
	duration_print(buf, opening->until_ms > now_ms ? opening->until_ms - now_ms : 0);
	buf_puts(buf, " left");
}
