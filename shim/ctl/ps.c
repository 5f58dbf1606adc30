/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl ps: containers under quod and what is left of their budgets; with --ended, how the ended ones ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/budgets.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/table.h"
#include "shim/policy/selection.h"
#include "shim/policy/units.h"
#include "shim/state/ledger.h"
#include "shim/state/spaces.h"

struct listing {
	const struct ctl *ctl;
	struct table table;
	struct json_tree *tree;
	struct json *list;
};

static uint64_t left_of(uint64_t budget, uint64_t spent)
{
	return budget == LIMIT_UNLIMITED ? LIMIT_UNLIMITED : budget > spent ? budget - spent : 0;
}

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

static bool is_alive(const struct state_places *places, const char *key)
{
	struct spaces spaces;
	struct err ignored = ERR_INIT;
	cleanup_free char *path = NULL;

	if (spaces_read(places, key, &spaces, &ignored) < 0)
		return false;
	path = alloc_printf("/proc/%d", (int)spaces.pid);
	return access(path, F_OK) == 0;
}

/* `profile` is NULL for a container that a rule leaves as it is. */
static void add_row(struct listing *listing, const struct record *record, const struct profile *profile,
		    const struct ledger *ledger)
{
	const struct {
		const char *name;
		uint64_t left;
		bool is_time;
	} budgets[] = {
		{ "wall_ms", profile ? left_of(profile->budgets.wall_ms, ledger->wall_ms) : LIMIT_UNLIMITED, true },
		{ "cpu_ms", profile ? left_of(profile->budgets.cpu_ms, ledger->cpu_us / 1000) : LIMIT_UNLIMITED, true },
		{ "egress", profile ? left_of(profile->budgets.egress, ledger->egress_bytes) : LIMIT_UNLIMITED, false },
	};
	const char *status = is_alive(&listing->ctl->places, record->key) ? "running" : "stopped";
	long long age_s = (long long)(time(NULL) - record->created_s);
	struct json_tree *tree = listing->tree;
	struct json *node = json_make_object(tree), *left = json_make_object(tree);

	table_addf(&listing->table, TONE_PLAIN, "%.12s", record->id);
	table_add(&listing->table, TONE_PLAIN, record->profile);
	table_add(&listing->table, TONE_PLAIN, record->engine);
	table_add(&listing->table, TONE_PLAIN, status);
	table_addf(&listing->table, TONE_PLAIN, "%llds", age_s);
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
		put_left(&listing->table, budgets[i].left, budgets[i].is_time);
		json_set(tree, left, budgets[i].name, left_to_json(tree, budgets[i].left));
	}
	json_set(tree, node, "id", json_make_string(tree, record->id));
	json_set(tree, node, "key", json_make_string(tree, record->key));
	json_set(tree, node, "profile", json_make_string(tree, record->profile));
	json_set(tree, node, "digest", json_make_string(tree, record->digest));
	json_set(tree, node, "engine", json_make_string(tree, record->engine));
	json_set(tree, node, "status", json_make_string(tree, status));
	json_set(tree, node, "created", json_make_int(tree, record->created_s));
	json_set(tree, node, "left", left);
	json_append(tree, listing->list, node);
}

static int list_live(const char *key, void *data)
{
	struct listing *listing = data;
	const struct state_places *places = &listing->ctl->places;
	struct err err = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(places, key, false, &err);
	struct record record = { .tree = NULL };
	struct profile *profile = NULL;
	struct ledger ledger;

	if (dir_fd < 0 || record_read(dir_fd, &record, &err) < 0)
		return 0;	/* between create and delete: none yet, or none any more */
	if ((strcmp(record.profile, PROFILE_UNMANAGED) &&
	     profile_from_json(record.profile_json, record.profile, &profile, &err) < 0) ||
	    ledger_read(places->ledger_dir, record.ledger_key, &ledger, &err) < 0)
		ctl_fail("%s: %s", record.id, err.text);
	else {
		if (profile)
			budgets_forget(profile, false, &ledger);
		add_row(listing, &record, profile, &ledger);
	}
	profile_free(profile);
	record_release(&record);
	return 0;
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

int ps_main(struct ctl *ctl)
{
	static const char *const live_heads[] = { "ID", "PROFILE", "ENGINE", "STATUS", "AGE", "WALL LEFT", "CPU LEFT",
						  "EGRESS LEFT", NULL };
	static const char *const ended_heads[] = { "ID", "PROFILE", "ENGINE", "ENDED AT", "HOW", NULL };
	bool ended = ctl->argc == 2 && !strcmp(ctl->argv[1], "--ended");
	struct listing listing = { .ctl = ctl, .tree = json_tree_new() };
	struct err err = ERR_INIT;
	int r;

	if (ctl->argc != 1 && !ended) {
		json_tree_free(listing.tree);
		return ctl_fail_usage(ctl, "ps takes --ended or nothing");
	}
	listing.list = json_make_array(listing.tree);
	table_init(&listing.table, ended ? ended_heads : live_heads);
	r = ended ? ledger_each(ctl->places.ledger_dir, list_ended, &listing, &err) :
		    record_each(&ctl->places, list_live, &listing, &err);
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
