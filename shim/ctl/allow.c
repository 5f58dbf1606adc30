/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl allow CONTAINER ENTRY [--for TIME]: the administrator lets a running container out to one more place for a while. The
 * profile's own compiler makes the ranges, the kernel ends them. What is denied stays denied, and what is never reachable
 * opens to an entry alone that names exactly that address.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/targets.h"
#include "shim/policy/plan.h"
#include "shim/policy/ranges.h"
#include "shim/policy/units.h"
#include "shim/ruleset-json.h"

#define FILE_NAME "opened.json"
#define FILE_LIMIT (1u << 20)
#define DEFAULT_MS 600000u
#define LOCK_MS 5000

struct request {
	const char *container, *entry;
	uint64_t for_ms;	/* LIMIT_UNLIMITED: as long as the container runs */
	uint64_t now_ms;	/* CLOCK_BOOTTIME, as all `until_ms` */
};

static int read_words(struct ctl *ctl, struct request *request)
{
	const char *words[2] = { NULL, NULL }, *time = NULL;
	int count = 0;

	for (int i = 1; i < ctl->argc; i++) {
		if (!strcmp(ctl->argv[i], "--for") && i + 1 < ctl->argc && !time)
			time = ctl->argv[++i];
		else if (!strncmp(ctl->argv[i], "--for=", 6) && !time)
			time = ctl->argv[i] + 6;
		else if (ctl->argv[i][0] == '-' || count == 2)
			return ctl_fail_usage(ctl, "allow takes a container, an entry and --for TIME");
		else
			words[count++] = ctl->argv[i];
	}
	if (count != 2)
		return ctl_fail_usage(ctl, "allow takes a container and an entry");
	*request = (struct request){ words[0], words[1], DEFAULT_MS, 0 };
	if (time && (duration_parse(time, &request->for_ms) || !request->for_ms))
		return ctl_fail("--for: '%s' is no time: 90s, 15m, 8h, or unlimited", time);
	return CTL_YES;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A profile that allows just this. */
static int load_entry(const char *entry, struct profile **profile, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *root = json_make_object(tree), *egress = json_make_object(tree), *allow = json_make_array(tree);

	json_set(tree, root, "version", json_make_int(tree, 1));
	json_append(tree, allow, json_make_string(tree, entry));
	json_set(tree, egress, "allow", allow);
	json_set(tree, root, "egress", egress);
	return profile_from_json(root, "entry", profile, err);
}

static int check_entry(const char *text, struct err *err)
{
	struct entry entry;
	int r = entry_parse(text, &entry, err);

	if (r)
		return r;
	if (entry_is_name(&entry) || entry.kind == ENTRY_GROUP)
		r = err_set(err, EOPNOTSUPP, "%s: at run time addresses and networks are opened, names are the profile's (egress.allow)", text);
	entry_release(&entry);
	return r;
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

/* What an entry opens beside `base`, the container's own rules. */
static int compile(const char *entry, const struct ruleset *base, struct rule_ranges *ranges, struct err *err)
{
	struct facts facts = { .mounts = NULL };
	struct profile *profile = NULL;
	struct plan plan;
	int r = load_entry(entry, &profile, err);

	if (r)
		return r;
	plan_init(&plan);
	plan_network(&(struct plan_input){ .profile = profile, .facts = &facts }, &plan);
	subtract_all(&plan.ruleset.allow, &base->never);
	add_all(ranges, &plan.ruleset.exact);
	add_all(ranges, &plan.ruleset.allow);
	if (!ranges->count)
		r = err_set(err, EPERM, "%s: never reachable, but by an entry that names exactly that address", entry);
	plan_release(&plan);
	profile_free(profile);
	return r;
}

/* Deny wins: an entry that can never take effect is a mistake. */
static int check_denied(const char *entry, const struct rule_ranges *ranges, const struct ruleset *base, struct err *err)
{
	struct rule_ranges left = { NULL, 0 };
	bool is_denied;

	add_all(&left, ranges);
	subtract_all(&left, &base->deny);
	is_denied = !left.count;
	free(left.items);
	return is_denied ? err_set(err, EPERM, "%s: the profile denies all of it (egress.deny)", entry) : 0;
}

struct batch {
	struct ruleset_opened opened[RULESET_OPENED_MAX];
	size_t count;
	struct rule_ranges placed;
};

/* Of ranges that overlap the one stands that is open longest: they come in that order. */
static int place(struct batch *batch, struct rule_ranges *ranges, uint64_t timeout_ms, struct err *err)
{
	subtract_all(ranges, &batch->placed);
	if (batch->count + ranges->count > RULESET_OPENED_MAX)
		return err_set(err, E2BIG, "all that is open together has more than %u pieces", RULESET_OPENED_MAX);
	for (size_t i = 0; i < ranges->count; i++) {
		batch->opened[batch->count++] = (struct ruleset_opened){ ranges->items[i], timeout_ms };
		rule_ranges_add(&batch->placed, &ranges->items[i]);
	}
	return 0;
}

static uint64_t until_of(const struct json *node)
{
	uint64_t until_ms = 0;

	return json_uint(json_get(node, "until_ms"), &until_ms) ? until_ms : 0;
}

static int by_until(const void *a, const void *b)
{
	uint64_t one = until_of(*(struct json *const *)a), other = until_of(*(struct json *const *)b);

	return one == other ? 0 : one > other ? -1 : 1;
}

static int make_batch(const struct json *list, const struct ruleset *base, uint64_t now, struct batch *batch, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < list->count && !r; i++) {
		const char *entry = json_string(json_get(list->items[i], "entry"));
		uint64_t until_ms = until_of(list->items[i]);
		struct rule_ranges ranges = { NULL, 0 };

		r = entry ? compile(entry, base, &ranges, err) : err_set(err, EPROTO, FILE_NAME ": an entry is missing");
		if (!r)
			r = place(batch, &ranges, until_ms == LIMIT_UNLIMITED ? 0 : until_ms - now, err);
		free(ranges.items);
	}
	return r;
}

/* What is still open, and the new one. */
static struct json *read_list(const struct target *target, const struct request *request, struct json_tree *tree)
{
	struct json *list = json_make_array(tree), *node;
	struct err ignored = ERR_INIT;
	cleanup_close int fd = file_open_regular(target->dir_fd, FILE_NAME, &ignored);
	cleanup_json_tree struct json_tree *old = NULL;
	cleanup_free char *text = NULL;
	uint64_t until_ms;
	size_t len;

	if (fd >= 0 && file_read_all(fd, FILE_LIMIT, &text, &len, &ignored) == 0 &&
	    json_parse(text, len, JSON_PLAIN, NULL, &old, &ignored) == 0)
		for (size_t i = 0; i < json_root(old)->count; i++) {
			const struct json *one = json_root(old)->items[i];
			const char *entry = json_string(json_get(one, "entry"));

			if (!entry || until_of(one) <= request->now_ms || !strcmp(entry, request->entry))
				continue;
			node = json_make_object(tree);
			json_set(tree, node, "entry", json_make_string(tree, entry));
			json_set(tree, node, "until_ms", json_make_uint(tree, until_of(one)));
			json_append(tree, list, node);
		}
	node = json_make_object(tree);
	if (request->for_ms == LIMIT_UNLIMITED || __builtin_add_overflow(request->now_ms, request->for_ms, &until_ms))
		until_ms = LIMIT_UNLIMITED;
	json_set(tree, node, "entry", json_make_string(tree, request->entry));
	json_set(tree, node, "until_ms", json_make_uint(tree, until_ms));
	json_append(tree, list, node);
	qsort(list->items, list->count, sizeof(*list->items), by_until);
	return list;
}

static int audit(const struct ctl *ctl, const struct target *target, const struct request *request, struct err *err)
{
	cleanup_buf struct buf members = BUF_INIT;

	ctl_put_who(&members);
	buf_puts(&members, ",\"entry\":");
	buf_put_json(&members, request->entry);
	if (request->for_ms != LIMIT_UNLIMITED)
		buf_printf(&members, ",\"for_ms\":%llu", (unsigned long long)request->for_ms);
	return ctl_audit(ctl, "allow", &target->record, members.data, err);
}

static int send_batch(const struct target *target, const struct batch *batch, struct err *err)
{
	struct control_answer answer;
	cleanup_close int fd = control_connect(target->dir_fd, err);
	int r = fd < 0 ? fd : control_send_open(fd, batch->opened, batch->count, err);

	return r ? r : control_receive(fd, CONTROL_WAIT_MS + 1000, &answer, err);
}

static int read_rules(const struct target *target, struct ruleset *base, struct err *err)
{
	const struct record *record = &target->record;

	if (!target->pid)
		return err_set(err, ESRCH, "%s: it does not run", record->id);
	if (!json_bool(json_get(record->plan, "has_network"), false))
		return err_set(err, EOPNOTSUPP, "%s: its network namespace is another container's: open it there", record->id);
	return ruleset_from_json(json_get(record->plan, "ruleset"), base, err);
}

/* Written down first, then opened. */
static int enact(const struct ctl *ctl, const struct target *target, const struct request *request, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct ruleset base = { .exact = { NULL, 0 } };
	struct rule_ranges ranges = { NULL, 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct batch batch = { .count = 0 };
	struct json *list;
	int r = read_rules(target, &base, err);

	if (!r)
		r = compile(request->entry, &base, &ranges, err);
	if (!r)
		r = check_denied(request->entry, &ranges, &base, err);
	if (!r)
		r = record_lock(target->dir_fd, LOCK_MS, err);
	list = r ? NULL : read_list(target, request, tree);
	if (!r)
		r = make_batch(list, &base, request->now_ms, &batch, err);
	if (!r)
		r = audit(ctl, target, request, err);
	if (!r)
		r = send_batch(target, &batch, err);
	if (!r) {
		json_print(&text, list, 0);
		r = file_replace(target->dir_fd, FILE_NAME, text.data, text.len, 0600, err);
	}
	free(batch.placed.items);
	free(ranges.items);
	ruleset_release(&base);
	return r;
}

static void print(const struct ctl *ctl, const struct target *target, const struct request *request)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *node = json_make_object(tree);
	cleanup_buf struct buf time = BUF_INIT;

	if (request->for_ms == LIMIT_UNLIMITED)
		buf_puts(&time, "as long as it runs");
	else
		duration_print(&time, request->for_ms);
	if (ctl->json) {
		json_set(tree, node, "id", json_make_string(tree, target->record.id));
		json_set(tree, node, "entry", json_make_string(tree, request->entry));
		json_set(tree, node, "for", json_make_string(tree, time.data));
		ctl_print_json(node);
		return;
	}
	ctl_put(target->record.id);
	fputs(": ", stdout);
	ctl_put(request->entry);
	printf(" is open %s%s\n", request->for_ms == LIMIT_UNLIMITED ? "" : "for ", time.data);
}

int allow_main(struct ctl *ctl)
{
	struct targets targets = { NULL };
	struct err err = ERR_INIT;
	struct request request;
	int status = read_words(ctl, &request);
	int r;

	if (status)
		return status;
	request.now_ms = now_ms();
	r = check_entry(request.entry, &err);
	if (!r)
		r = targets_find(ctl, request.container, &targets, &err);
	if (!r)
		r = enact(ctl, &targets.items[0], &request, &err);
	if (r < 0)
		status = ctl_fail("%s", err.text);
	else
		print(ctl, &targets.items[0], &request);
	targets_release(&targets);
	return status;
}
