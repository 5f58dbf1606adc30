/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Totals of quodctl metrics: counted from the audit trail, which loses its oldest files while a counter may never fall. So the
 * sums, and the place up to which the trail was counted, are kept in a file beside the ledger; who removes that file makes
 * them begin anew with what the trail still has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/metrics.h"
#include "shim/ctl/trail.h"

#define TOTALS_NAME "metrics.json"
#define TOTALS_MAX (1u << 20)
#define LOCK_WAIT_MS 10000

static const char *const events[] = {
	"create", "refuse", "exec", "update", "exit", "dns.answer", "dns.refuse", "connect.open", "connect.close", "connect.refuse",
	"budget.warn", "budget.spent", "budget.reset", "limit.memory", "limit.pids", "warden.lost", "warden.back", "table.changed",
	"verify", "halt", "release", "allow", "tighten", "reload",
};

static const char *known_event(const struct audit_fields *fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (audit_event_is(fields, events[i]))
			return events[i];
	return "other";
}

/* One of `known` that the member says; "other" for any other word, `otherwise` when it isn't there. Within a string its quotes
 * would be escaped. */
static const char *member_of(const char *line, const char *name, const char *const *known, const char *otherwise)
{
	cleanup_free char *begin = alloc_printf(",\"%s\":\"", name);
	const char *at = strstr(line, begin);

	if (!at)
		return otherwise;
	at += strlen(begin);
	for (; *known; known++)
		if (!strncmp(at, *known, strlen(*known)) && at[strlen(*known)] == '"')
			return *known;
	return "other";
}

static void count(struct metrics *metrics, const char *line, const struct audit_fields *fields)
{
	static const char *const commands[] = { "create", "exec", "update", NULL }, *const budgets[] = { "wall", "cpu", "egress", "egress.caps", NULL };
	static const char *const helpers[] = { "gate", "warden", "nursery", NULL };
	cleanup_free char *profile = alloc_printf("%.*s", fields->profile_len ? (int)fields->profile_len : 4,
						  fields->profile_len ? fields->profile : "none");
	double times = (double)fields->repeated;

	metrics_add(metrics, 1, "quod_audit_records_total", "event", known_event(fields), NULL);
	if (audit_event_is(fields, "refuse"))
		metrics_add(metrics, 1, "quod_refusals_total", "profile", profile, "command", member_of(line, "command", commands, "create"),
			    NULL);
	else if (fields->is_observed)
		metrics_add(metrics, times, "quod_observed_total", "profile", profile, "kind",
			    audit_event_is(fields, "dns.refuse") ? "name" : "connection", NULL);
	else if (audit_event_is(fields, "dns.refuse"))
		metrics_add(metrics, times, "quod_denials_total", "profile", profile, "kind", "name", NULL);
	else if (audit_event_is(fields, "connect.refuse"))
		metrics_add(metrics, times, "quod_denials_total", "profile", profile, "kind", "connection", NULL);
	else if (audit_event_is(fields, "budget.spent"))
		metrics_add(metrics, 1, "quod_budgets_spent_total", "profile", profile, "budget", member_of(line, "budget", budgets, "other"),
			    NULL);
	else if (audit_event_is(fields, "limit.memory") || audit_event_is(fields, "limit.pids"))
		metrics_add(metrics, times, "quod_limit_hits_total", "profile", profile, "limit",
			    audit_event_is(fields, "limit.pids") ? "pids" : "memory", NULL);
	else if (audit_event_is(fields, "warden.lost"))
		metrics_add(metrics, 1, "quod_helper_losses_total", "helper", member_of(line, "helper", helpers, "other"), NULL);
	else if (audit_event_is(fields, "warden.back"))
		metrics_add(metrics, 1, "quod_helper_restarts_total", "helper", member_of(line, "helper", helpers, "other"), NULL);
	else if (audit_event_is(fields, "table.changed"))
		metrics_add(metrics, 1, "quod_table_changes_total", "profile", profile, NULL);
}

/* What is kept, or nothing: a file of another form is as good as none. */
static bool read_totals(int dir_fd, const char *file, struct metrics *metrics, struct audit_place *place)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *text = NULL;
	struct err ignored = ERR_INIT;
	cleanup_close int fd = file_open_regular(dir_fd, TOTALS_NAME, &ignored);
	const struct json *root, *at, *list;
	const char *of, *time;
	size_t len;

	if (fd < 0 || file_read_all(fd, TOTALS_MAX, &text, &len, &ignored) < 0 ||
	    json_parse(text, len, JSON_PLAIN, NULL, &tree, &ignored) < 0)
		return false;
	root = json_root(tree);
	of = json_string(json_get(root, "file"));
	at = json_get(root, "place");
	list = json_get(root, "totals");
	time = json_string(json_get(at, "time"));
	if (!of || strcmp(of, file) || !time || !json_is(list, JSON_ARRAY) || !json_uint(json_get(at, "device"), &place->device) ||
	    !json_uint(json_get(at, "inode"), &place->inode) || !json_uint(json_get(at, "offset"), &place->offset) ||
	    !json_uint(json_get(at, "seq"), &place->seq))
		return false;
	snprintf(place->time, sizeof(place->time), "%s", time);
	for (size_t i = 0; i < list->count; i++) {
		const char *name = json_string(json_get(list->items[i], "name")), *labels = json_string(json_get(list->items[i], "labels"));
		const struct json *value = json_get(list->items[i], "value");

		if (name && labels && json_is(value, JSON_NUMBER))
			metrics_restore(metrics, name, labels, strtod(value->text, NULL));
	}
	return true;
}

static int write_totals(int dir_fd, const char *file, const struct metrics *totals, const struct audit_place *place, struct err *err)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *root = json_make_object(tree), *at = json_make_object(tree);
	cleanup_buf struct buf text = BUF_INIT;

	json_set(tree, at, "device", json_make_uint(tree, place->device));
	json_set(tree, at, "inode", json_make_uint(tree, place->inode));
	json_set(tree, at, "offset", json_make_uint(tree, place->offset));
	json_set(tree, at, "seq", json_make_uint(tree, place->seq));
	json_set(tree, at, "time", json_make_string(tree, place->time));
	json_set(tree, root, "file", json_make_string(tree, file));
	json_set(tree, root, "place", at);
	json_set(tree, root, "totals", metrics_to_json(totals, tree));
	json_print(&text, root, 0);
	buf_putc(&text, '\n');
	return file_replace(dir_fd, TOTALS_NAME, text.data, text.len, 0600, err);
}

static int count_on(struct trail *trail, struct metrics *totals, struct err *err)
{
	const struct audit_reader_losses *losses = audit_reader_losses(trail->reader);
	struct audit_fields fields;
	const char *line;
	size_t len;
	int r;

	while ((r = trail_next(trail, &line, &len, &fields, err)) == 1)
		count(totals, line, &fields);
	metrics_add(totals, (double)losses->missed, "quod_audit_records_missed_total", NULL);
	metrics_add(totals, (double)losses->foreign, "quod_audit_foreign_lines_total", NULL);
	return r;
}

static void add_last_time(struct metrics *metrics, const struct audit_place *place)
{
	struct audit_fields last = { .time = place->time };

	if (place->time[0])
		metrics_add(metrics, (double)audit_time_s(&last), "quod_audit_last_record_timestamp_seconds", NULL);
}

/* The directory of the state, or -1 where quod has never run: then there is nothing to be kept either. */
static int lock_state(const struct ctl *ctl, struct err *err)
{
	cleanup_free char *dir = alloc_copy(ctl->places.audit_head);
	cleanup_close int fd = -1;

	*strrchr(dir, '/') = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -1 : err_set_errno(err, errno, "%s", dir);
	return record_lock(fd, LOCK_WAIT_MS, err) < 0 ? -err->code : steal_fd(&fd);
}

int metrics_count_trail(const struct ctl *ctl, struct metrics *metrics, struct err *err)
{
	cleanup_close int dir_fd = lock_state(ctl, err);
	struct audit_place place = { .seq = 0 };
	struct metrics totals = { NULL, 0 };
	struct trail trail = { .reader = NULL };
	int r = err->code ? -err->code : trail_open(ctl, &trail, err);

	if (!r && dir_fd >= 0 && read_totals(dir_fd, trail.shim.audit.file, &totals, &place))
		r = audit_reader_go_to(trail.reader, &place, err);
	if (!r)
		r = count_on(&trail, &totals, err);
	if (!r) {
		audit_reader_place(trail.reader, &place);
		add_last_time(metrics, &place);
		for (size_t i = 0; i < totals.count; i++)
			metrics_restore(metrics, totals.items[i].name, totals.items[i].labels, totals.items[i].value);
	}
	if (!r && dir_fd >= 0)
		r = write_totals(dir_fd, trail.shim.audit.file, &totals, &place, err);
	metrics_release(&totals);
	trail_release(&trail);
	return r;
}
