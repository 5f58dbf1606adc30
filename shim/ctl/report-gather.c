/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl report, gathering: records become rows of a container, the same thing one row. See report.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/report.h"
#include "shim/state/ledger.h"
#include "shim/state/sha256.h"

static void release_container(struct report_container *container)
{
	for (size_t i = 0; i < container->count; i++) {
		free(container->rows[i].what);
		free(container->rows[i].detail);
	}
	for (size_t i = 0; i < LIVE_BUDGETS; i++)
		free(container->budgets[i].points);
	free(container->rows);
	free(container->id);
	free(container->engine);
	free(container->profile);
	free(container->digest);
	free(container->chosen_by);
	free(container->ended);
	free(container);
}

void report_release(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		release_container(report->containers[i]);
	free(report->containers);
	free(report->title);
	*report = (struct report){ NULL, 0, 0, 0, NULL };
}

static const char *text_of(const struct json *record, const char *name)
{
	const char *text = json_string(json_get(record, name));

	return text ? text : "";
}

static void replace(char **text, const char *with)
{
	if (!*with)
		return;
	free(*text);
	*text = alloc_copy(with);
}

static struct report_container *container_of(struct report *report, const char *id)
{
	struct report_container *container;

	/* the newest are asked for most */
	for (size_t i = report->count; i-- > 0;)
		if (!strcmp(report->containers[i]->id, id))
			return report->containers[i];
	if (report->count >= REPORT_CONTAINERS_MAX) {
		release_container(report->containers[0]);
		memmove(report->containers, report->containers + 1, --report->count * sizeof(*report->containers));
		report->dropped++;
	}
	container = alloc_zeroed(1, sizeof(*container));
	container->id = alloc_copy(id);
	for (size_t i = 0; i < LIVE_BUDGETS; i++)
		container->budgets[i].limit = LIMIT_UNLIMITED;
	report->containers = alloc_grow(report->containers, report->count + 1, sizeof(*report->containers));
	report->containers[report->count++] = container;
	return container;
}

static struct report_row *row_of(struct report_container *container, enum report_kind kind, const char *what, const char *detail)
{
	struct report_row *row;
	size_t others = 0;

	for (size_t i = 0; i < container->count; i++) {
		row = &container->rows[i];
		if (row->kind != kind)
			continue;
		others++;
		if (kind != REPORT_EVENTS && !strcmp(row->what, what) && !strcmp(row->detail, detail))
			return row;
	}
	if (others >= REPORT_ROWS_MAX) {
		container->dropped[kind]++;
		return NULL;
	}
	container->rows = alloc_grow(container->rows, container->count + 1, sizeof(*container->rows));
	row = &container->rows[container->count++];
	*row = (struct report_row){ .kind = kind, .what = alloc_copy(what), .detail = alloc_copy(detail) };
	return row;
}

static void add_row(struct report_container *container, enum report_kind kind, const char *what, const char *detail,
		    const struct audit_fields *fields)
{
	struct report_row *row = row_of(container, kind, what, detail);

	if (!row)
		return;
	row->times += fields->repeated;
	if (!row->first[0])
		memcpy(row->first, fields->time, sizeof(row->first) - 1);
	memcpy(row->last, fields->time, sizeof(row->last) - 1);
}

/* "name (address) port 443/tcp"; a flood's sum has none of it. */
static char *place_text(const struct json *record)
{
	cleanup_buf struct buf buf = BUF_INIT;
	const char *name = text_of(record, "name"), *address = text_of(record, "address"), *protocol = text_of(record, "protocol");
	uint64_t port;

	buf_puts(&buf, name);
	if (*address)
		buf_printf(&buf, "%s%s%s", *name ? " (" : "", address, *name ? ")" : "");
	if (json_uint(json_get(record, "port"), &port))
		buf_printf(&buf, " port %llu", (unsigned long long)port);
	if (*protocol)
		buf_printf(&buf, "%s%s", json_get(record, "port") ? "/" : " ", protocol);
	if (!buf.len)
		buf_puts(&buf, "a flood, summed up");
	return buf_steal(&buf);
}

static char *joined(const struct json *array, const char *between)
{
	cleanup_buf struct buf buf = BUF_INIT;

	for (size_t i = 0; json_is(array, JSON_ARRAY) && i < array->count; i++)
		if (json_string(array->items[i]))
			buf_printf(&buf, "%s%s", buf.len ? between : "", json_string(array->items[i]));
	return buf_steal(&buf);
}

static void add_point(struct report_budget *budget, int64_t at_s, uint64_t spent)
{
	budget->points = alloc_grow(budget->points, budget->count + 1, sizeof(*budget->points));
	budget->points[budget->count++] = (struct report_point){ at_s, spent };
}

/* A record's own unit of a budget: CPU in microseconds. */
static uint64_t in_own_unit(size_t which, uint64_t value)
{
	return which == LIVE_CPU && value != LIMIT_UNLIMITED ? value / 1000 : value;
}

static void take_mark(struct report_container *container, const struct json *record, int64_t at_s)
{
	for (size_t i = 0; i < LIVE_BUDGETS; i++) {
		uint64_t limit, spent;

		if (strcmp(text_of(record, "budget"), live_budget_names[i]) || !json_uint(json_get(record, "limit"), &limit) ||
		    !json_uint(json_get(record, "spent"), &spent))
			continue;
		container->budgets[i].limit = in_own_unit(i, limit);
		add_point(&container->budgets[i], at_s, in_own_unit(i, spent));
	}
}

static void take_exit(struct report_container *container, const struct json *record, int64_t at_s)
{
	static const char *const names[LIVE_BUDGETS] = { "wall_ms", "cpu_us", "egress_bytes" };

	replace(&container->ended, text_of(record, "cause"));
	for (size_t i = 0; i < LIVE_BUDGETS; i++) {
		struct report_budget *budget = &container->budgets[i];
		uint64_t spent;

		if (!json_uint(json_get(record, names[i]), &spent) ||
		    __builtin_add_overflow(budget->base, in_own_unit(i, spent), &budget->base))
			continue;
		add_point(budget, at_s, budget->base);
	}
}

static void take_create(struct report_container *container, const struct json *record, int64_t at_s)
{
	replace(&container->chosen_by, text_of(record, "chosen_by"));
	free(steal_ptr(&container->ended));
	for (size_t i = 0; i < LIVE_BUDGETS; i++)
		add_point(&container->budgets[i], at_s, container->budgets[i].base);
}

static void take_reset(struct report_container *container, int64_t at_s)
{
	for (size_t i = 0; i < LIVE_BUDGETS; i++) {
		container->budgets[i].base = 0;
		add_point(&container->budgets[i], at_s, 0);
	}
}

/* The members of an event, as events shows them. */
static char *members_text(const struct json *record)
{
	cleanup_buf struct buf buf = BUF_INIT;

	ctl_put_members(&buf, record);
	return buf_steal(&buf);
}

static void add_bytes(struct report_container *container, const struct json *record, const char *what, const char *detail,
		      const struct audit_fields *fields)
{
	struct report_row *row;
	uint64_t out_bytes = 0, in_bytes = 0;

	json_uint(json_get(record, "out_bytes"), &out_bytes);
	json_uint(json_get(record, "in_bytes"), &in_bytes);
	if (audit_event_is(fields, "connect.open")) {
		add_row(container, REPORT_REACHED, what, detail, fields);
		return;
	}
	row = row_of(container, REPORT_REACHED, what, detail);
	if (row && !row->first[0])
		memcpy(row->first, fields->time, sizeof(row->first) - 1);
	if (row) {
		row->out_bytes += out_bytes;
		row->in_bytes += in_bytes;
		memcpy(row->last, fields->time, sizeof(row->last) - 1);
	}
}

static void take_event(struct report_container *container, const struct json *record, const struct audit_fields *fields)
{
	enum report_kind refused = fields->is_observed ? REPORT_OBSERVED : REPORT_REFUSED;
	int64_t at_s = audit_time_s(fields);
	cleanup_free char *place = place_text(record), *list = NULL;

	if (audit_event_is(fields, "dns.answer")) {
		list = joined(json_get(record, "addresses"), " ");
		add_row(container, REPORT_NAMES, text_of(record, "name"), list, fields);
	} else if (audit_event_is(fields, "connect.open") || audit_event_is(fields, "connect.close")) {
		add_bytes(container, record, place, text_of(record, "entry"), fields);
	} else if (audit_event_is(fields, "dns.refuse") || audit_event_is(fields, "connect.refuse")) {
		add_row(container, refused, place, text_of(record, "reason"), fields);
	} else if (audit_event_is(fields, "refuse")) {
		add_row(container, REPORT_REFUSED, *text_of(record, "command") ? text_of(record, "command") : "create",
			text_of(record, "reason"), fields);
	} else if (audit_event_is(fields, "exec")) {
		list = joined(json_get(record, "args"), " ");
		add_row(container, REPORT_EXEC, list, "", fields);
	} else {
		list = members_text(record);
		add_row(container, REPORT_EVENTS, text_of(record, "event"), list, fields);
	}
	if (audit_event_is(fields, "create"))
		take_create(container, record, at_s);
	else if (audit_event_is(fields, "budget.warn") || audit_event_is(fields, "budget.spent"))
		take_mark(container, record, at_s);
	else if (audit_event_is(fields, "budget.reset"))
		take_reset(container, at_s);
	else if (audit_event_is(fields, "exit"))
		take_exit(container, record, at_s);
}

void report_take(struct report *report, const char *line, size_t len, const struct audit_fields *fields)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	struct report_container *container;
	struct err ignored = ERR_INIT;
	const struct json *record;

	if (json_parse(line, len, JSON_PLAIN, NULL, &tree, &ignored) < 0)
		return;
	record = json_root(tree);
	report->records++;
	container = container_of(report, text_of(record, "container"));
	replace(&container->engine, text_of(record, "engine"));
	replace(&container->profile, text_of(record, "profile"));
	replace(&container->digest, text_of(record, "digest"));
	if (!container->first[0])
		memcpy(container->first, fields->time, sizeof(container->first) - 1);
	memcpy(container->last, fields->time, sizeof(container->last) - 1);
	take_event(container, record, fields);
}

/* The limits of a profile that is still the one it ran under: its digest says so. */
static void take_profile(const struct ctl *ctl, struct report_container *container)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	cleanup_buf struct buf text = BUF_INIT;
	struct profile *profile = NULL;
	struct err ignored = ERR_INIT;
	char digest[SHA256_HEX];

	if (!container->profile || !container->digest || profile_load(container->profile, &ctl->paths, &profile, &ignored) < 0)
		return;
	json_print(&text, profile_to_json(profile, tree), 0);
	sha256_hex(text.data, text.len, digest);
	if (!strcmp(digest, container->digest)) {
		container->budgets[LIVE_WALL].limit = profile->budgets.wall_ms;
		container->budgets[LIVE_CPU].limit = profile->budgets.cpu_ms;
		container->budgets[LIVE_EGRESS].limit = profile->budgets.egress;
	}
	profile_free(profile);
}

static int take_ledger(const char *key, const struct ledger *ledger, void *data)
{
	struct report *report = data;

	(void)key;
	for (size_t i = 0; i < report->count; i++)
		if (!strcmp(report->containers[i]->id, ledger->container) && !report->containers[i]->ended && ledger->ended[0])
			report->containers[i]->ended = alloc_copy(ledger->ended);
	return 0;
}

int report_take_live(const struct ctl *ctl, struct report *report, struct err *err)
{
	struct live_list live;
	int r = live_read(ctl, &live, err);

	for (size_t i = 0; i < report->count; i++)
		take_profile(ctl, report->containers[i]);
	for (size_t i = 0; !r && i < live.count; i++)
		for (size_t k = 0; k < report->count; k++) {
			struct report_container *container = report->containers[k];

			if (strcmp(container->id, live.items[i].record.id))
				continue;
			container->is_live = live.items[i].pid > 0;
			for (size_t b = 0; b < LIVE_BUDGETS; b++) {
				const struct live_budget *budget = &live.items[i].budgets[b];

				container->budgets[b].limit = budget->limit;
				if (budget->limit != LIMIT_UNLIMITED && container->is_live)
					add_point(&container->budgets[b], (int64_t)time(NULL), budget->limit - budget->left);
			}
		}
	live_release(&live);
	return r ? r : ledger_each(ctl->places.ledger_dir, take_ledger, report, err);
}
