/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl halt, quodctl release: the big red button, and back. First the marks, so that nothing begins meanwhile, then every
 * guardian at once, then what was done is written down. Must never say "halted" of what still moves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/table.h"
#include "shim/ctl/targets.h"
#include "shim/policy/selection.h"
#include "shim/state/halts.h"
#include "shim/warden/cgroup.h"

#define FREEZE_TRIES 200

/* What the words behind the command choose. */
struct choice {
	enum halt_scope scope;
	const char *name;	/* of the container, or the profile; NULL of all */
};

static int read_choice(struct ctl *ctl, struct choice *choice)
{
	char **words = ctl->argv + 1;

	if (ctl->argc == 2 && !strcmp(words[0], "--all"))
		*choice = (struct choice){ HALT_ALL, NULL };
	else if (ctl->argc == 3 && !strcmp(words[0], "--profile"))
		*choice = (struct choice){ HALT_PROFILE, words[1] };
	else if (ctl->argc == 2 && !strncmp(words[0], "--profile=", 10))
		*choice = (struct choice){ HALT_PROFILE, words[0] + 10 };
	else if (ctl->argc == 2 && words[0][0] != '-')
		*choice = (struct choice){ HALT_CONTAINER, words[0] };
	else
		return ctl_fail_usage(ctl, "'%s' takes one container, --profile NAME, or --all", ctl->argv[0]);
	if (choice->scope == HALT_PROFILE && (!profile_name_is_valid(choice->name) || !strcmp(choice->name, PROFILE_UNMANAGED)))
		return ctl_fail("'%s' is not the name of a profile", choice->name);
	return CTL_YES;
}

static int find_targets(const struct ctl *ctl, const struct choice *choice, struct targets *targets, struct err *err)
{
	if (choice->scope == HALT_CONTAINER)
		return targets_find(ctl, choice->name, targets, err);
	return targets_collect(ctl, choice->scope == HALT_PROFILE ? choice->name : NULL, targets, err);
}

/* A slip of the pen must not look like a halt. */
static int check_profile(const struct ctl *ctl, const char *name, struct err *err)
{
	struct strings names = { NULL, 0 };
	struct targets targets = { NULL };
	int r = profile_list(&ctl->paths, &names, err);

	if (!r && !strings_has(&names, name)) {
		r = targets_collect(ctl, name, &targets, err);
		if (!r && !targets.count)
			r = err_set(err, ENOENT, "there is no profile '%s' (quodctl profile list), and no container of one", name);
	}
	targets_release(&targets);
	strings_free(&names);
	return r;
}

/* What stands for the container in the marks: the id for people, and the profile by which it may be released. */
static int mark(const struct ctl *ctl, const struct target *target, struct err *err)
{
	const struct halt_mark halted = { HALT_CONTAINER, target->record.identity };
	cleanup_free char *text = alloc_printf("%s %s", target->record.id, target->record.profile);
	int r = halts_set(&ctl->places, &halted, text, err);
	int own = file_replace(target->dir_fd, "halted", "", 0, 0600, err);

	return r ? r : own;
}

/* Without a guardian (guard "network", and it was killed) the table has closed or closes by itself within its ten seconds. */
static bool freeze_here(const struct target *target)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct cgroup cgroup = CGROUP_INIT;
	struct err ignored = ERR_INIT;
	bool is_frozen = false;

	if (cgroup_open(target->pid, &cgroup, &ignored) == 0 && cgroup_freeze(&cgroup, true) == 0)
		for (int i = 0; i < FREEZE_TRIES && !is_frozen; i++) {
			is_frozen = cgroup_is_frozen(&cgroup);
			if (!is_frozen)
				nanosleep(&pause, NULL);
		}
	cgroup_close(&cgroup);
	return is_frozen;
}

struct outcome {
	const char *processes, *network;
	bool is_whole;
};

static struct outcome judge_halt(const struct target *target)
{
	const struct control_answer *answer = &target->answer;
	struct outcome outcome = { "none", "none", true };

	if (!target->pid)
		return outcome;
	if (target->error) {
		outcome.processes = freeze_here(target) ? "frozen, unguarded" : "RUNNING";
		outcome.network = "closes within 10 s";
		outcome.is_whole = false;
		return outcome;
	}
	outcome.processes = answer->is_frozen ? "frozen" : answer->may_freeze ? "RUNNING" : "RUNNING: no freezer";
	outcome.network = !answer->has_network ? "another's" : answer->is_closed ? "closed" : "closes within 10 s";
	outcome.is_whole = answer->is_halted && answer->is_frozen && (!answer->has_network || answer->is_closed);
	return outcome;
}

static struct outcome judge_release(const struct target *target)
{
	const struct control_answer *answer = &target->answer;
	struct outcome outcome = { "none", "none", true };

	if (!target->pid)
		return outcome;
	if (target->error) {
		outcome.processes = "as they were: no guardian";
		outcome.network = "closed: no guardian";
		outcome.is_whole = false;
		return outcome;
	}
	outcome.processes = answer->is_frozen ? "paused" : "running";
	outcome.network = !answer->has_network ? "another's" : answer->is_closed ? "CLOSED" : "open";
	outcome.is_whole = !answer->is_halted && (!answer->has_network || !answer->is_closed);
	return outcome;
}

static int audit_one(const struct ctl *ctl, const struct choice *choice, const struct record *record, const struct outcome *outcome,
		     struct err *err)
{
	static const char *const scopes[] = { "all", "profile", "container" };
	cleanup_buf struct buf members = BUF_INIT;

	ctl_put_who(&members);
	buf_printf(&members, ",\"scope\":\"%s\"", scopes[choice->scope]);
	if (choice->scope == HALT_PROFILE && !record) {
		buf_puts(&members, ",\"name\":");
		buf_put_json(&members, choice->name);
	}
	if (outcome)
		buf_printf(&members, ",\"processes\":\"%s\",\"network\":\"%s\"", outcome->processes, outcome->network);
	return ctl_audit(ctl, strcmp(ctl->argv[0], "halt") ? "release" : "halt", record, members.data, err);
}

static void add_json(struct json_tree *tree, struct json *list, const struct target *target, const struct outcome *outcome)
{
	struct json *node = json_make_object(tree);

	json_set(tree, node, "id", json_make_string(tree, target->record.id));
	json_set(tree, node, "key", json_make_string(tree, target->record.key));
	json_set(tree, node, "profile", json_make_string(tree, target->record.profile));
	json_set(tree, node, "processes", json_make_string(tree, outcome->processes));
	json_set(tree, node, "network", json_make_string(tree, outcome->network));
	json_set(tree, node, "done", json_make_bool(tree, outcome->is_whole));
	json_append(tree, list, node);
}

static void print(const struct ctl *ctl, const struct targets *targets, const struct outcome *outcomes)
{
	static const char *const heads[] = { "ID", "PROFILE", "PROCESSES", "NETWORK", NULL };
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *list = json_make_array(tree);
	struct table table;

	table_init(&table, heads);
	for (size_t i = 0; i < targets->count; i++) {
		enum tone tone = outcomes[i].is_whole ? TONE_PLAIN : TONE_BAD;

		table_addf(&table, TONE_PLAIN, "%.12s", targets->items[i].record.id);
		table_add(&table, TONE_PLAIN, targets->items[i].record.profile);
		table_add(&table, tone, outcomes[i].processes);
		table_add(&table, tone, outcomes[i].network);
		add_json(tree, list, &targets->items[i], &outcomes[i]);
	}
	if (ctl->json)
		ctl_print_json(list);
	else
		table_print(&table, stdout);
	table_release(&table);
}

/* Each guardian has got its word when its container was found; the marks come then, and who had no guardian before his mark is
 * asked once more: a container that is just being made sees one of the two. The words come last: a full disk must not keep
 * anybody running. */
static int halt_all(const struct ctl *ctl, const struct choice *choice, struct targets *targets)
{
	cleanup_free struct outcome *outcomes = NULL;
	struct err err = ERR_INIT;
	int status = CTL_YES;

	for (size_t i = 0; i < targets->count; i++)
		if (mark(ctl, &targets->items[i], &err) < 0)
			status = ctl_fail("%s: it is halted now, but may be started again: %s", targets->items[i].record.id, err.text);
	targets_ask(targets, CONTROL_HALT);
	outcomes = alloc_zeroed(targets->count + 1, sizeof(*outcomes));
	for (size_t i = 0; i < targets->count; i++) {
		outcomes[i] = judge_halt(&targets->items[i]);
		if (!outcomes[i].is_whole && status == CTL_YES)
			status = CTL_NO;
	}
	for (size_t i = 0; i < targets->count; i++)
		if (audit_one(ctl, choice, &targets->items[i].record, &outcomes[i], &err) < 0)
			status = ctl_fail("%s: halted, but not written down: %s", targets->items[i].record.id, err.text);
	print(ctl, targets, outcomes);
	return status;
}

int halt_main(struct ctl *ctl)
{
	struct targets targets = { .at_once = CONTROL_HALT };
	struct err err = ERR_INIT;
	struct choice choice;
	int status = read_choice(ctl, &choice);
	int r = 0;

	if (status)
		return status;
	/* The machine may be busy with what is to be halted. */
	setpriority(PRIO_PROCESS, 0, -20);
	if (choice.scope == HALT_PROFILE)
		r = check_profile(ctl, choice.name, &err);
	if (!r && choice.scope != HALT_CONTAINER)
		r = halts_set(&ctl->places, &(struct halt_mark){ choice.scope, choice.name }, choice.name ? choice.name : "", &err);
	if (!r)
		r = find_targets(ctl, &choice, &targets, &err);
	if (r < 0)
		status = ctl_fail("%s", err.text);
	else
		status = halt_all(ctl, &choice, &targets);
	if (!r && choice.scope != HALT_CONTAINER && audit_one(ctl, &choice, NULL, NULL, &err) < 0)
		status = ctl_fail("halted, but not written down: %s", err.text);
	targets_release(&targets);
	return status;
}

/* --- release --- */

struct clearing {
	const struct ctl *ctl;
	const struct choice *choice;
	size_t count;
	struct err err;
};

/* Marks of containers that have ended, too: of the id, of the profile, or all. */
static int clear_one(const struct halt_mark *found, const char *text, void *data)
{
	struct clearing *clearing = data;
	const struct choice *choice = clearing->choice;
	const char *space = strchr(text, ' ');
	bool is_meant = choice->scope == HALT_ALL;
	int r;

	if (choice->scope == HALT_PROFILE)
		is_meant = found->scope == HALT_PROFILE ? !strcmp(found->name, choice->name) :
			   found->scope == HALT_CONTAINER && space && !strcmp(space + 1, choice->name);
	if (choice->scope == HALT_CONTAINER)
		is_meant = found->scope == HALT_CONTAINER && space && strlen(choice->name) == (size_t)(space - text) &&
			   !strncmp(text, choice->name, (size_t)(space - text));
	if (!is_meant)
		return 0;
	r = halts_clear(&clearing->ctl->places, found, &clearing->err);
	clearing->count += r > 0;
	return r < 0 ? r : 0;
}

static int unmark(const struct ctl *ctl, const struct target *target, size_t *count, struct err *err)
{
	const struct halt_mark halted = { HALT_CONTAINER, target->record.identity };
	int r = halts_clear(&ctl->places, &halted, err);

	if (r < 0)
		return r;
	*count += r > 0;
	if (unlinkat(target->dir_fd, "halted", 0) == 0)
		*count += 1;
	else if (errno != ENOENT)
		return err_set_errno(err, errno, "%s: halted", target->record.id);
	return 0;
}

static bool is_marked(const struct target *target)
{
	return faccessat(target->dir_fd, "halted", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Those of them that are halted. */
static void keep_marked(struct targets *targets)
{
	size_t kept = 0;

	for (size_t i = 0; i < targets->count; i++) {
		struct target target = targets->items[i];

		if (is_marked(&target)) {
			targets->items[kept++] = target;
			continue;
		}
		record_release(&target.record);
		cleanup_close_at(&target.dir_fd);
	}
	targets->count = kept;
}

/* What can't be written down is not released. */
static int audit_release(const struct ctl *ctl, const struct choice *choice, const struct targets *targets, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < targets->count && !r; i++)
		r = audit_one(ctl, choice, &targets->items[i].record, NULL, err);
	if (!r && (choice->scope != HALT_CONTAINER || !targets->count))
		r = audit_one(ctl, choice, NULL, NULL, err);
	return r;
}

static int release_all(const struct ctl *ctl, const struct choice *choice, struct targets *targets, struct err *err)
{
	struct clearing clearing = { ctl, choice, 0, ERR_INIT };
	cleanup_free struct outcome *outcomes = alloc_zeroed(targets->count + 1, sizeof(*outcomes));
	int r = audit_release(ctl, choice, targets, err), status = CTL_YES;

	for (size_t i = 0; i < targets->count && !r; i++)
		r = unmark(ctl, &targets->items[i], &clearing.count, err);
	if (!r)
		r = halts_each(&ctl->places, clear_one, &clearing, err);
	if (r < 0)
		return ctl_fail("%s", clearing.err.code ? clearing.err.text : err->text);
	targets_ask(targets, CONTROL_RELEASE);
	for (size_t i = 0; i < targets->count; i++) {
		outcomes[i] = judge_release(&targets->items[i]);
		status = outcomes[i].is_whole ? status : CTL_NO;
	}
	if (!clearing.count && choice->scope == HALT_CONTAINER) {
		ctl_fail("%s is not halted", choice->name);
		return CTL_NO;
	}
	print(ctl, targets, outcomes);
	return status;
}

/* Of a container that has gone, only its mark is left. */
static int find_mark(const struct halt_mark *found, const char *text, void *data)
{
	const char *name = data, *space = strchr(text, ' ');
	size_t len = strlen(name);

	return found->scope == HALT_CONTAINER && space && len == (size_t)(space - text) && !strncmp(text, name, len);
}

int release_main(struct ctl *ctl)
{
	struct targets targets = { NULL };
	struct err err = ERR_INIT, ignored = ERR_INIT;
	struct choice choice;
	int status = read_choice(ctl, &choice);
	int r;

	if (status)
		return status;
	r = find_targets(ctl, &choice, &targets, &err);
	if (r == -ENOENT && halts_each(&ctl->places, find_mark, (void *)choice.name, &ignored) == 1)
		r = 0;
	if (r < 0) {
		status = ctl_fail("%s", err.text);
	} else if (choice.scope == HALT_CONTAINER && targets.count && !is_marked(&targets.items[0])) {
		ctl_fail("%s is not halted", choice.name);
		status = CTL_NO;
	} else {
		keep_marked(&targets);
		status = release_all(ctl, &choice, &targets, &err);
	}
	targets_release(&targets);
	return status;
}
