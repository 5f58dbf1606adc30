/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl allow CONTAINER ENTRY [--for TIME]: the administrator lets a running container out to one more place for a while
 * (openings.h). Written down first, then opened: by the gate what is an address, by the warden what is a name.
 */
#include <errno.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/openings.h"
#include "shim/ctl/targets.h"
#include "shim/policy/units.h"
#include "shim/ruleset-json.h"

#define DEFAULT_MS 600000u
#define LOCK_MS 5000

struct request {
	const char *container, *entry;
	uint64_t for_ms;	/* LIMIT_UNLIMITED: as long as the container runs */
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
	*request = (struct request){ words[0], words[1], DEFAULT_MS };
	if (time && (duration_parse(time, &request->for_ms) || !request->for_ms))
		return ctl_fail("--for: '%s' is no time: 90s, 15m, 8h, or unlimited", time);
	return CTL_YES;
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

static int send_change(const struct target *target, struct control_change *change, int names_fd, struct err *err)
{
	struct control_answer answer;
	cleanup_close int fd = control_connect(target->dir_fd, err);
	int r = fd < 0 ? fd : control_send_change(fd, change, names_fd, err);

	return r ? r : control_receive(fd, CONTROL_CHANGE_MS + 1000, &answer, err);
}

struct rules {
	struct profile *profile;
	struct ruleset base;
	struct openings openings;
};

static int read_rules(const struct target *target, struct rules *rules, struct err *err)
{
	const struct record *record = &target->record;
	int r;

	if (!target->pid)
		return err_set(err, ESRCH, "%s: it does not run", record->id);
	if (!json_bool(json_get(record->plan, "has_network"), false))
		return err_set(err, EOPNOTSUPP, "%s: its network namespace is another container's: open it there", record->id);
	r = profile_from_json(record->profile_json, record->profile, &rules->profile, err);
	return r ? r : ruleset_from_json(json_get(record->plan, "ruleset"), &rules->base, err);
}

static int check_new(const struct rules *rules, const char *entry, struct err *err)
{
	for (size_t i = 0; i < rules->openings.count; i++)
		if (!strcmp(rules->openings.items[i].text, entry))
			return opening_check(rules->profile, &rules->base, &rules->openings.items[i], err);
	return 0;
}

static uint64_t until_of(const struct request *request)
{
	uint64_t until_ms;

	if (request->for_ms == LIMIT_UNLIMITED || __builtin_add_overflow(openings_now_ms(), request->for_ms, &until_ms))
		return LIMIT_UNLIMITED;
	return until_ms;
}

static int open_all(const struct ctl *ctl, const struct target *target, const struct request *request, const struct rules *rules,
		    struct err *err)
{
	struct control_change change = { .parts = 0 };
	cleanup_close int names_fd = -1;
	int r = openings_make_ranges(&rules->openings, rules->profile, &rules->base, &change, err);

	if (!r && rules->base.has_names) {
		names_fd = openings_make_names(&rules->openings, rules->profile, &rules->base, err);
		change.parts |= CONTROL_NAMES;
		r = names_fd < 0 ? names_fd : 0;
	}
	if (!r)
		r = audit(ctl, target, request, err);
	if (!r)
		r = send_change(target, &change, names_fd, err);
	return r ? r : openings_write(target->dir_fd, &rules->openings, err);
}

static int enact(const struct ctl *ctl, const struct target *target, const struct request *request, struct err *err)
{
	struct rules rules = { NULL };
	int r = read_rules(target, &rules, err);

	if (!r)
		r = record_lock(target->dir_fd, LOCK_MS, err);
	if (!r) {
		openings_read(ctl, target->dir_fd, &rules.openings);
		r = openings_add(ctl, request->entry, until_of(request), &rules.openings, err);
	}
	if (!r)
		r = check_new(&rules, request->entry, err);
	if (!r)
		r = open_all(ctl, target, request, &rules, err);
	openings_release(&rules.openings);
	ruleset_release(&rules.base);
	profile_free(rules.profile);
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
