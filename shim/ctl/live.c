/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The containers under quod as they are now: see live.h. */
#include "shim/ctl/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/budgets.h"
#include "shim/policy/selection.h"
#include "shim/state/ledger.h"
#include "shim/state/spaces.h"

#define TOLD_MAX (1u << 20)

const char *const live_budget_names[LIVE_BUDGETS] = { "wall", "cpu", "egress" };

struct reading {
	const struct ctl *ctl;
	struct live_list *list;
};

/* Its first process, while that is still the one that the hook saw: it lives in a namespace that was its own then. */
static pid_t first_process(const struct state_places *places, const char *key)
{
	struct spaces spaces;
	struct err ignored = ERR_INIT;
	cleanup_free char *path = NULL;

	if (spaces_read(places, key, &spaces, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < spaces.count; i++) {
		struct stat seen = { .st_dev = spaces.items[i].dev, .st_ino = spaces.items[i].ino };

		if (spaces_has(&spaces, spaces.items[i].name, &seen))
			return spaces.pid;
	}
	path = alloc_printf("/proc/%d", (int)spaces.pid);
	return !spaces.count && access(path, F_OK) == 0 ? spaces.pid : 0;
}

static struct live_budget budget_of(uint64_t limit, uint64_t spent)
{
	if (limit == LIMIT_UNLIMITED)
		return (struct live_budget){ limit, limit };
	return (struct live_budget){ limit, limit > spent ? limit - spent : 0 };
}

/* limits.json, which the guardian rewrites every few seconds, is newer than the ledger. The container can't write to it. */
static void take_told(struct live *live, int dir_fd)
{
	static const char *const names[LIVE_BUDGETS] = { "wall_ms", "cpu_ms", "egress_bytes" };
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *text = NULL;
	struct err ignored = ERR_INIT;
	cleanup_close int told_fd = openat(dir_fd, "told", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_close int fd = told_fd < 0 ? -1 : file_open_regular(told_fd, "limits.json", &ignored);
	size_t len;

	if (fd < 0 || file_read_all(fd, TOLD_MAX, &text, &len, &ignored) < 0 ||
	    json_parse(text, len, JSON_PLAIN, NULL, &tree, &ignored) < 0)
		return;
	for (size_t i = 0; i < LIVE_BUDGETS; i++) {
		const struct json *budget = json_get(json_get(json_root(tree), "budgets"), names[i]);
		uint64_t left;

		if (json_uint(json_get(budget, "left"), &left) && left <= live->budgets[i].limit &&
		    live->budgets[i].limit != LIMIT_UNLIMITED)
			live->budgets[i].left = left;
	}
}

static int take_budgets(struct live *live, const struct state_places *places, int dir_fd, struct err *err)
{
	struct profile *profile = NULL;
	struct ledger ledger;
	int r;

	live->is_unmanaged = !strcmp(live->record.profile, PROFILE_UNMANAGED);
	for (size_t i = 0; i < LIVE_BUDGETS; i++)
		live->budgets[i] = budget_of(LIMIT_UNLIMITED, 0);
	if (live->is_unmanaged)
		return 0;
	r = profile_from_json(live->record.profile_json, live->record.profile, &profile, err);
	if (!r)
		r = ledger_read(places->ledger_dir, live->record.ledger_key, &ledger, err);
	if (!r) {
		budgets_forget(profile, false, &ledger);
		live->budgets[LIVE_WALL] = budget_of(profile->budgets.wall_ms, ledger.wall_ms);
		live->budgets[LIVE_CPU] = budget_of(profile->budgets.cpu_ms, ledger.cpu_us / 1000);
		live->budgets[LIVE_EGRESS] = budget_of(profile->budgets.egress, ledger.egress_bytes);
		if (live->pid)
			take_told(live, dir_fd);
	}
	profile_free(profile);
	return r;
}

static int read_one(const char *key, void *data)
{
	struct reading *reading = data;
	const struct state_places *places = &reading->ctl->places;
	struct live_list *list = reading->list;
	struct err err = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(places, key, false, &err);
	struct live live = { .pid = 0 };

	if (dir_fd < 0 || record_read(dir_fd, &live.record, &err) < 0)
		return 0;	/* between create and delete: none yet, or none any more */
	live.pid = first_process(places, key);
	live.is_halted = faccessat(dir_fd, "halted", F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
	if (take_budgets(&live, places, dir_fd, &err) < 0) {
		ctl_fail("%s: %s", live.record.id, err.text);
		record_release(&live.record);
		return 0;
	}
	list->items = alloc_grow(list->items, list->count + 1, sizeof(*list->items));
	list->items[list->count++] = live;
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct live *one = a, *other = b;
	int64_t diff = one->record.created_s - other->record.created_s;

	return diff ? (diff > 0 ? 1 : -1) : strcmp(one->record.key, other->record.key);
}

int live_read(const struct ctl *ctl, struct live_list *list, struct err *err)
{
	struct reading reading = { ctl, list };
	int r;

	*list = (struct live_list){ NULL, 0 };
	r = record_each(&ctl->places, read_one, &reading, err);
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), by_age);
	return r;
}

void live_release(struct live_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		record_release(&list->items[i].record);
	free(list->items);
	*list = (struct live_list){ NULL, 0 };
}

/* A container of the same id that lived before isn't this one: its records are older than this one's creation. */
static bool is_of(const struct live *live, const struct audit_fields *fields)
{
	size_t len = strlen(live->record.id);

	return fields->container_len == len && !memcmp(fields->container, live->record.id, len) &&
	       audit_time_s(fields) >= live->record.created_s;
}

int live_count_denied(struct live_list *list, struct trail *trail, struct err *err)
{
	struct audit_fields fields;
	const char *line;
	size_t len;
	int r;

	while ((r = trail_next(trail, &line, &len, &fields, err)) == 1) {
		if (fields.is_observed || (!audit_event_is(&fields, "dns.refuse") && !audit_event_is(&fields, "connect.refuse")))
			continue;
		for (size_t i = 0; i < list->count; i++)
			if (is_of(&list->items[i], &fields))
				list->items[i].denied += fields.repeated;
	}
	return r;
}

int live_read_denied(const struct ctl *ctl, struct live_list *list, struct err *err)
{
	struct trail trail;
	int r;

	if (!list->count)
		return 0;
	r = trail_open(ctl, &trail, err);
	if (!r) {
		audit_reader_skip_older(trail.reader, list->items[0].record.created_s);
		r = live_count_denied(list, &trail, err);
	}
	trail_release(&trail);
	return r;
}
