/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl ps: containers under quod, what is left of their budgets, what was refused; with --ended, how the ended ones ended;
 * with --all, those of the same engines, too, that are not under quod.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/foreign.h"
#include "shim/ctl/live.h"
#include "shim/ctl/table.h"
#include "shim/state/ledger.h"

struct listing {
	struct table table;
	struct json_tree *tree;
	struct json *list;
};

/* To a person's eye: whole seconds, or whole MiB. */
static void put_left(struct table *table, uint64_t left, bool is_time)
{
	cleanup_buf struct buf buf = BUF_INIT;

	if (left == LIMIT_UNLIMITED)
		buf_puts(&buf, "unlimited");
	else if (is_time)
		buf_printf(&buf, "%lluh%02llum%02llus", (unsigned long long)left / 3600000, (unsigned long long)left / 60000 % 60,
			   (unsigned long long)left / 1000 % 60);
	else
		buf_printf(&buf, "%lluM", (unsigned long long)left >> 20);
	table_add(table, left == 0 ? TONE_BAD : TONE_PLAIN, buf.data);
}

static struct json *left_to_json(struct json_tree *tree, uint64_t left)
{
	return left == LIMIT_UNLIMITED ? json_make_string(tree, "unlimited") : json_make_uint(tree, left);
}

static void set_text(struct listing *listing, struct json *node, const char *name, const char *text)
{
	json_set(listing->tree, node, name, json_make_string(listing->tree, text));
}

static void list_live(struct listing *listing, const struct live *live)
{
	static const char *const names[LIVE_BUDGETS] = { "wall_ms", "cpu_ms", "egress" };
	const struct record *record = &live->record;
	const char *status = live->is_halted ? "halted" : live->pid ? "running" : "stopped";
	struct json_tree *tree = listing->tree;
	struct json *node = json_make_object(tree), *left = json_make_object(tree);

	table_addf(&listing->table, TONE_PLAIN, "%.12s", record->id);
	table_add(&listing->table, TONE_PLAIN, record->profile);
	table_add(&listing->table, TONE_PLAIN, record->engine);
	table_add(&listing->table, TONE_PLAIN, status);
	table_addf(&listing->table, TONE_PLAIN, "%llds", (long long)(time(NULL) - record->created_s));
	for (size_t i = 0; i < LIVE_BUDGETS; i++) {
		put_left(&listing->table, live->budgets[i].left, i != LIVE_EGRESS);
		json_set(tree, left, names[i], left_to_json(tree, live->budgets[i].left));
	}
	table_addf(&listing->table, live->denied ? TONE_DOUBT : TONE_PLAIN, "%llu", (unsigned long long)live->denied);
	set_text(listing, node, "id", record->id);
	set_text(listing, node, "key", record->key);
	json_set(tree, node, "under_quod", json_make_bool(tree, true));
	set_text(listing, node, "profile", record->profile);
	set_text(listing, node, "digest", record->digest);
	set_text(listing, node, "engine", record->engine);
	set_text(listing, node, "status", status);
	json_set(tree, node, "created", json_make_int(tree, record->created_s));
	if (live->pid)
		json_set(tree, node, "pid", json_make_int(tree, live->pid));
	json_set(tree, node, "left", left);
	json_set(tree, node, "denied", json_make_uint(tree, live->denied));
	json_append(tree, listing->list, node);
}

static void list_foreign(struct listing *listing, const struct foreign *foreign)
{
	struct json_tree *tree = listing->tree;
	struct json *node = json_make_object(tree);

	table_addf(&listing->table, TONE_PLAIN, "%.12s", foreign->id);
	table_add(&listing->table, TONE_PLAIN, foreign->engine);
	table_add(&listing->table, TONE_PLAIN, foreign->runtime);
	table_addf(&listing->table, TONE_PLAIN, foreign->pid ? "%d" : "?", (int)foreign->pid);
	table_addf(&listing->table, TONE_PLAIN, foreign->since_s ? "%llds" : "?", (long long)(time(NULL) - foreign->since_s));
	table_add(&listing->table, TONE_PLAIN, foreign->place);
	set_text(listing, node, "id", foreign->id);
	json_set(tree, node, "under_quod", json_make_bool(tree, false));
	set_text(listing, node, "engine", foreign->engine);
	set_text(listing, node, "runtime", foreign->runtime);
	if (foreign->pid)
		json_set(tree, node, "pid", json_make_int(tree, foreign->pid));
	if (foreign->since_s)
		json_set(tree, node, "created", json_make_int(tree, foreign->since_s));
	set_text(listing, node, "seen", foreign->place);
	json_append(tree, listing->list, node);
}

static int list_ended(const char *key, const struct ledger *ledger, void *data)
{
	struct listing *listing = data;
	struct json_tree *tree = listing->tree;
	struct json *node = json_make_object(tree);
	char when[32] = "";
	time_t at = ledger->updated_s;
	struct tm tm;

	if (!ledger->ended[0])
		return 0;
	if (gmtime_r(&at, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	table_addf(&listing->table, TONE_PLAIN, "%.12s", ledger->container);
	table_add(&listing->table, TONE_PLAIN, ledger->profile);
	table_add(&listing->table, TONE_PLAIN, ledger->engine);
	table_add(&listing->table, TONE_PLAIN, when);
	table_add(&listing->table, TONE_PLAIN, ledger->ended);
	json_set(tree, node, "id", json_make_string(tree, ledger->container));
	json_set(tree, node, "profile", json_make_string(tree, ledger->profile));
	json_set(tree, node, "engine", json_make_string(tree, ledger->engine));
	json_set(tree, node, "ended_at", json_make_string(tree, when));
	json_set(tree, node, "ended", json_make_string(tree, ledger->ended));
	json_set(tree, node, "wall_ms", json_make_uint(tree, ledger->wall_ms));
	json_set(tree, node, "cpu_ms", json_make_uint(tree, ledger->cpu_us / 1000));
	json_set(tree, node, "egress", json_make_uint(tree, ledger->egress_bytes));
	json_append(tree, listing->list, node);
	return 0;
}

/* Those that are not under quod, behind the others. */
static void list_all_foreign(struct listing *listing, const struct ctl *ctl, const struct live_list *live)
{
	static const char *const heads[] = { "ID", "ENGINE", "RUNTIME", "PID", "SINCE", "SEEN IN", NULL };
	struct foreign_list foreign;

	foreign_find(live, &foreign);
	if (!ctl->json && foreign.count) {
		table_print(&listing->table, stdout);
		puts("\nNot under quod:");
		table_release(&listing->table);
		table_init(&listing->table, heads);
	}
	for (size_t i = 0; i < foreign.count; i++)
		list_foreign(listing, &foreign.items[i]);
	if (foreign.unreadable)
		ctl_fail("%zu places of runtimes could not be read: ask as root", foreign.unreadable);
	foreign_release(&foreign);
}

static int list_all_live(struct listing *listing, const struct ctl *ctl, bool all, struct err *err)
{
	static const char *const heads[] = { "ID", "PROFILE", "ENGINE", "STATUS", "AGE", "WALL LEFT", "CPU LEFT", "EGRESS LEFT",
					     "DENIED", NULL };
	struct live_list live;
	int r = live_read(ctl, &live, err);

	if (!r)
		r = live_read_denied(ctl, &live, err);
	table_init(&listing->table, heads);
	for (size_t i = 0; !r && i < live.count; i++)
		list_live(listing, &live.items[i]);
	if (!r && all)
		list_all_foreign(listing, ctl, &live);
	live_release(&live);
	return r;
}

int ps_main(struct ctl *ctl)
{
	static const char *const ended_heads[] = { "ID", "PROFILE", "ENGINE", "ENDED AT", "HOW", NULL };
	bool ended = ctl->argc == 2 && !strcmp(ctl->argv[1], "--ended"), all = ctl->argc == 2 && !strcmp(ctl->argv[1], "--all");
	struct listing listing = { .tree = NULL };
	struct err err = ERR_INIT;
	int r;

	if (ctl->argc != 1 && !ended && !all)
		return ctl_fail_usage(ctl, "ps takes --ended, --all or nothing");
	listing.tree = json_tree_new();
	listing.list = json_make_array(listing.tree);
	if (ended) {
		table_init(&listing.table, ended_heads);
		r = ledger_each(ctl->places.ledger_dir, list_ended, &listing, &err);
	} else {
		r = list_all_live(&listing, ctl, all, &err);
	}
	if (r < 0)
		ctl_fail("%s", err.text);
	else if (ctl->json)
		ctl_print_json(listing.list);
	else
		table_print(&listing.table, stdout);
	table_release(&listing.table);
	json_tree_free(listing.tree);
	return r < 0 ? CTL_FAILED : CTL_YES;
}
