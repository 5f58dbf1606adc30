/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod-hook STATE-DIR: the createRuntime hook (OCI runtime spec, "createRuntime Hooks"), which the runtime runs when the
 * namespaces are made and before the container's first instruction. It puts the table into the container's network
 * namespace, starts the helpers, and takes the cloned mounts off the host again; with "poststop" it is the poststop hook. Any failure ends it with status 1, and the
 * runtime then gives the container up: must never end with 0 when something isn't in force.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "oci/state.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/clones.h"
#include "shim/egress/netns.h"
#include "shim/placeholders.h"
#include "shim/policy/caps.h"
#include "shim/policy/name-rules.h"
#include "shim/policy/profile.h"
#include "shim/resolvers.h"
#include "shim/ruleset-json.h"
#include "shim/sealed.h"
#include "shim/state/audit.h"
#include "shim/state/ledger.h"
#include "shim/state/record.h"
#include "shim/state/spaces.h"
#include "shim/warden/start.h"

/* What a name led to may be connected to for so long; the warden lets no answer live half as long. */
#define LEARN_MS 600000u

#define LAST_GATE_TRIES 40

struct hook {
	const char *state_dir;
	int state_fd;
	struct state_places places;
	struct oci_state state;
	struct record record;
	struct profile *profile;
	int netns_fd, nl_fd, names_fd;
	bool owned;
	unsigned filters;		/* over the runtime, and so over this process */
	struct audit_settings audit;	/* borrowed from the record */
};

static void hook_release(struct hook *hook)
{
	profile_free(hook->profile);
	record_release(&hook->record);
	oci_state_release(&hook->state);
	for (size_t i = 0; i < 4; i++) {
		int fd = (const int[]){ hook->state_fd, hook->netns_fd, hook->nl_fd, hook->names_fd }[i];

		if (fd >= 0)
			close(fd);
	}
}

static int read_audit(struct hook *hook, struct err *err)
{
	const struct json *node = json_get(hook->record.root, "audit");
	uint64_t keep = 0;

	hook->audit.file = json_string(json_get(node, "file"));
	hook->audit.head_file = json_string(json_get(node, "head_file"));
	hook->audit.anchor_syslog = json_bool(json_get(node, "anchor_syslog"), false);
	if (!hook->audit.file || !hook->audit.head_file || !json_uint(json_get(node, "rotate_bytes"), &hook->audit.rotate_bytes) ||
	    !json_uint(json_get(node, "keep_files"), &keep) || keep > UINT32_MAX)
		return err_set(err, EPROTO, "record: where the audit trail lies is missing");
	hook->audit.keep_files = (uint32_t)keep;
	return 0;
}

static int read_input(struct hook *hook, struct err *err)
{
	int r;

	hook->state_fd = open(hook->state_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (hook->state_fd < 0)
		return err_set_errno(err, errno, "%s", hook->state_dir);
	r = oci_state_read(STDIN_FILENO, &hook->state, err);
	if (r)
		return err_wrap(err, "the container's state on standard input");
	r = record_read(hook->state_fd, &hook->record, err);
	if (r)
		return r;
	if (strcmp(hook->record.id, hook->state.id) || hook->state.pid <= 0)
		return err_set(err, EINVAL, "the runtime's state is of container %s, the record of %s", hook->state.id,
			       hook->record.id);
	r = read_audit(hook, err);
	return r ? r : profile_from_json(hook->record.profile_json, hook->record.profile, &hook->profile, err);
}

/* The runtime's filters, as its child has them; 0 where the kernel doesn't count (before 5.9). */
static unsigned count_filters(void)
{
	cleanup_fclose FILE *status = fopen("/proc/self/status", "re");
	cleanup_free char *line = NULL;
	unsigned count = 0;
	size_t room = 0;

	while (status && getline(&line, &room, status) > 0)
		if (sscanf(line, "Seccomp_filters: %u", &count) == 1)
			break;
	return count;
}

/* What another container made is its own, and stays so: a pod's network is the sandbox's, not each container's. */
static int write_spaces(struct hook *hook, struct err *err)
{
	struct spaces spaces;
	int r = spaces_look(hook->record.id, hook->state.pid, &spaces, err);

	spaces.filters = hook->filters = count_filters();
	if (!r && json_bool(json_get(hook->record.plan, "joins"), false))
		r = spaces_leave_to_owners(&hook->places, hook->record.key, &spaces, err);
	return r ? r : spaces_write(hook->state_fd, &spaces, err);
}

/* Without an entry there is none to be recorded. */
static bool records_connections(const struct hook *hook)
{
	const struct json *ruleset = json_get(hook->record.plan, "ruleset");

	return (hook->profile->audit_record & AUDIT_CONNECTIONS) &&
	       (json_get(ruleset, "allow")->count || json_get(ruleset, "exact")->count || json_bool(json_get(ruleset, "has_names"), false));
}

/* The names for the warden, in a file that nobody can change. */
static int make_names(struct hook *hook, const struct ruleset *ruleset, struct err *err)
{
	cleanup_buf struct buf block = BUF_INIT;
	int r = name_rules_make(hook->profile, &ruleset->never, NULL, &block, err);

	if (r)
		return r;
	hook->names_fd = sealed_make("quod-names", block.data, block.len, STDERR_FILENO + 1, err);
	return hook->names_fd < 0 ? hook->names_fd : 0;
}

/* What the profile says and what was planned must be the same caps. */
static int fill_caps(const struct hook *hook, const struct ledger *ledger, struct ruleset *ruleset, struct err *err)
{
	const struct cap_rule *caps[RULESET_CAPS_MAX];
	size_t count = caps_list(hook->profile, caps);

	if (count != ruleset->cap_count)
		return err_set(err, EPROTO, "record: %zu caps are planned, the profile has %zu", ruleset->cap_count, count);
	for (size_t i = 0; i < count; i++)
		ruleset->caps[i].spent = ledger_cap_spent(ledger, ledger_cap_id(caps[i]->entry.text));
	return 0;
}

/* A namespace that was made before, and stays after, keeps the table of its last container: closed, for the gate has gone. Where
 * nobody lives in it but this container, which stands still, it is taken over; that gate may be about to end. */
static int adopt_left_table(const struct hook *hook, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	int r = netns_is_inhabited(hook->netns_fd, hook->state.pid, err);

	if (r)
		return r < 0 ? r : -EEXIST;	/* the error stands: another container's */
	for (int i = 0; (r = ruleset_adopt(hook->nl_fd, err)) == -EPERM && i < LAST_GATE_TRIES; i++)
		nanosleep(&pause, NULL);
	return r;
}

/* Who lived there may have left a socket with somebody elsewhere: there is no moment between the two tables. */
static int install_table(struct hook *hook, struct ruleset *ruleset, struct err *err)
{
	struct err problem = ERR_INIT;
	int r = ruleset_install(hook->nl_fd, ruleset, &hook->owned, &problem);

	if (r == -EEXIST) {
		r = adopt_left_table(hook, &problem);
		ruleset->replaces = true;
		if (!r)
			r = ruleset_install(hook->nl_fd, ruleset, &hook->owned, &problem);
	}
	if (r)
		*err = problem;
	return r;
}

/* The container's own namespace gets the table; one that it joins must have it already. */
static int install_rules_inside(struct hook *hook, const struct ledger *ledger, struct err *err)
{
	bool has = json_bool(json_get(hook->record.plan, "has_network"), false);
	struct ruleset ruleset;
	int r;

	hook->netns_fd = netns_open(hook->state.pid, err);
	if (hook->netns_fd < 0)
		return hook->netns_fd;
	r = netns_enter(hook->netns_fd, err);
	if (r)
		return r;
	hook->nl_fd = nft_open(err);
	if (hook->nl_fd < 0)
		return hook->nl_fd;
	if (!has) {
		r = ruleset_is_there(hook->nl_fd, err);
		return r == 1 ? 0 : r < 0 ? r : err_set(err, EPERM, "the network namespace that it joins has no rules of quod's");
	}
	r = ruleset_from_json(json_get(hook->record.plan, "ruleset"), &ruleset, err);
	ruleset.egress_spent = ledger->egress_bytes;
	if (!r)
		r = fill_caps(hook, ledger, &ruleset, err);
	if (!r)
		r = install_table(hook, &ruleset, err);
	if (!r && (ruleset.has_names || records_connections(hook)))
		r = make_names(hook, &ruleset, err);
	ruleset_release(&ruleset);
	return r ? err_wrap(err, "egress rules") : 0;
}

struct inside {
	struct hook *hook;
	const struct ledger *ledger;
	struct err *err;
};

static int run_inside(void *data)
{
	struct inside *inside = data;

	return install_rules_inside(inside->hook, inside->ledger, inside->err);
}

static int install_rules(struct hook *hook, const struct ledger *ledger, struct err *err)
{
	struct inside inside = { hook, ledger, err };

	return netns_run_aside(run_inside, &inside, err);
}

static void fill_settings(const struct hook *hook, const struct ledger *ledger, struct warden_settings *settings)
{
	const struct profile *profile = hook->profile;
	bool has_table = json_bool(json_get(hook->record.plan, "has_network"), false);
	bool is_sandbox = json_bool(json_get(hook->record.plan, "is_sandbox"), false);

	*settings = (struct warden_settings){
		.magic = WARDEN_MAGIC,
		.version = WARDEN_VERSION,
		.pid = hook->state.pid,
		.guard = profile->guard,
		.allowed_capabilities = profile->process.capabilities,
		.must_have_no_new_privs = profile->process.no_new_privs,
		.must_have_filters = profile->seccomp.floor ? hook->filters + 1 : 0,
		.wall_ms = is_sandbox ? UINT64_MAX : profile->budgets.wall_ms,
		.cpu_ms = is_sandbox ? UINT64_MAX : profile->budgets.cpu_ms,
		.egress_bytes = profile->budgets.egress,
		.wall_spent_ms = ledger->wall_ms,
		.cpu_spent_us = ledger->cpu_us,
		.egress_spent = ledger->egress_bytes,
		.reset_period_ms = profile->budgets.reset == RESET_PERIOD ? profile->budgets.reset_period_ms : 0,
		.period_start_s = ledger->period_start_s,
		.is_shared = profile->budgets.scope != SCOPE_CONTAINER,
		.counts_only_egress = is_sandbox,
		.grace_ms = profile->budgets.grace_ms,
		.freeze_when_spent = profile->budgets.on_exhausted == EXHAUSTED_FREEZE,
		.stop_when_egress_spent = profile->budgets.egress_stops,
		.has_table = has_table,
		.table_is_owned = hook->owned,
		.alive_ms = 10000,
		.cpus_milli = profile->resources.cpus_milli > UINT32_MAX ? 0 : (uint32_t)profile->resources.cpus_milli,
		.audit_rotate = hook->audit.rotate_bytes,
		.audit_keep = hook->audit.keep_files,
		.audit_syslog = hook->audit.anchor_syslog,
		.observes = profile->egress.mode == EGRESS_OBSERVE,
		.record_refusals = (profile->audit_record & AUDIT_REFUSALS) != 0,
	};
	settings->record_connections = has_table && hook->names_fd >= 0 && (profile->audit_record & AUDIT_CONNECTIONS);
	if (hook->names_fd >= 0 && json_bool(json_get(json_get(hook->record.plan, "ruleset"), "has_names"), false)) {
		const char *resolv_conf = json_string(json_get(hook->record.plan, "resolv_conf"));

		settings->has_names = true;
		settings->record_dns = (profile->audit_record & AUDIT_DNS) != 0;
		settings->learn_ms = LEARN_MS;
		settings->only_services_embedded = profile->egress.dns_upstream.count != 0;
		resolvers_find(profile, resolv_conf ? resolv_conf : "", settings);
	}
	snprintf(settings->key, sizeof(settings->key), "%s", hook->record.key);
	if (json_bool(json_get(hook->record.root, "is_run"), false))
		snprintf(settings->remove_dir, sizeof(settings->remove_dir), "%s", hook->state_dir);
	snprintf(settings->ledger_key, sizeof(settings->ledger_key), "%s", hook->record.ledger_key);
	snprintf(settings->container, sizeof(settings->container), "%s", hook->record.id);
	snprintf(settings->engine, sizeof(settings->engine), "%s", hook->record.engine);
	snprintf(settings->profile, sizeof(settings->profile), "%s", hook->record.profile);
	snprintf(settings->digest, sizeof(settings->digest), "%s", hook->record.digest);
	snprintf(settings->audit_file, sizeof(settings->audit_file), "%s", hook->audit.file);
	snprintf(settings->audit_head, sizeof(settings->audit_head), "%s", hook->audit.head_file);
	snprintf(settings->ledger_dir, sizeof(settings->ledger_dir), "%s", hook->places.ledger_dir);
}

static void fill_cap_settings(const struct hook *hook, const struct ledger *ledger, struct warden_settings *settings)
{
	const struct cap_rule *caps[RULESET_CAPS_MAX];
	size_t count = settings->has_table ? caps_list(hook->profile, caps) : 0;

	settings->told_head = hook->profile->egress.caps_count ? WARDEN_TOLD_HEAD_CAPS : WARDEN_TOLD_HEAD;
	settings->cap_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		struct warden_cap *cap = &settings->caps[i];

		cap->id = ledger_cap_id(caps[i]->entry.text);
		cap->bytes = caps[i]->bytes;
		cap->spent = ledger_cap_spent(ledger, cap->id);
		snprintf(cap->text, sizeof(cap->text), "%s", caps[i]->entry.text);
	}
}

static int start_helpers(struct hook *hook, const struct ledger *ledger, struct err *err)
{
	struct warden_settings settings;
	struct helper_fds fds;
	pid_t guardian_pid = 0;
	int r;

	fill_settings(hook, ledger, &settings);
	fill_cap_settings(hook, ledger, &settings);
	fds = (struct helper_fds){ hook->state_fd, settings.has_table ? hook->nl_fd : -1,
				   settings.has_table ? hook->netns_fd : -1, hook->names_fd };
	r = helpers_start(QUOD_LIBEXECDIR "/quod-warden", &settings, &fds, &guardian_pid, err);
	return r ? err_wrap(err, "helpers") : 0;
}

static int begin_ledger(const struct hook *hook, struct ledger *ledger, struct err *err)
{
	const struct profile *profile = hook->profile;
	const struct ledger_reset reset = {
		.at_restart = profile->budgets.reset == RESET_RESTART && profile->budgets.scope == SCOPE_CONTAINER,
		.period_ms = profile->budgets.reset == RESET_PERIOD ? profile->budgets.reset_period_ms : 0,
	};

	return ledger_begin(hook->places.ledger_dir, hook->record.ledger_key, &reset, ledger, err);
}

/* Whoever halts marks first and asks for a guardian then: now that there is one, one of the two sees the other. */
static int check_halted(const struct hook *hook, struct err *err)
{
	if (faccessat(hook->state_fd, "halted", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return err_set(err, EPERM, "container %s is halted (quodctl release %s)", hook->record.id, hook->record.id);
}

static int run(struct hook *hook, struct err *err)
{
	struct ledger ledger;
	int r;

	state_places_init(&hook->places);
	r = read_input(hook, err);
	if (!r)
		r = write_spaces(hook, err);
	if (!r)
		r = begin_ledger(hook, &ledger, err);
	if (!r)
		r = clones_detach(hook->state_dir, err);
	if (!r)
		r = install_rules(hook, &ledger, err);
	if (!r)
		r = start_helpers(hook, &ledger, err);
	return r ? r : check_halted(hook, err);
}

/* crun keeps what a hook says to itself. */
static void audit_failure(const struct hook *hook, const char *text)
{
	cleanup_buf struct buf members = BUF_INIT;
	struct audit_record line = { .event = "refuse" };
	struct err ignored = ERR_INIT;

	if (!hook->audit.file)
		return;
	line.container = hook->record.id;
	line.engine = hook->record.engine;
	line.profile = hook->record.profile;
	line.digest = hook->record.digest;
	buf_puts(&members, "\"reason\":");
	buf_put_json(&members, text);
	line.members = members.data;
	audit_write(&hook->audit, &line, &ignored);
}

static void remove_state(const struct hook *hook)
{
	const char *key = strrchr(hook->state_dir, '/');
	struct err ignored = ERR_INIT;

	if (key)
		record_remove(&hook->places, key + 1, &ignored);
	placeholders_release(&hook->places, NULL, &ignored);
}

/* poststop, where there are placeholders: of a `run` nobody else learns at once that its container is gone. Its state is left:
 * crun still works in it. */
static int clean_up(const char *state_dir)
{
	const char *key = strrchr(state_dir, '/');
	struct state_places places;
	struct err err = ERR_INIT;

	state_places_init(&places);
	if (key && placeholders_release(&places, key + 1, &err) < 0)
		fprintf(stderr, "quod: %s\n", err.text);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct rlimit no_core = { 0, 0 };
	struct hook hook = { .state_fd = -1, .netns_fd = -1, .nl_fd = -1, .names_fd = -1 };
	struct err err = ERR_INIT, ignored = ERR_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	umask(077);
	if (argc == 3 && !strcmp(argv[2], "poststop"))
		return clean_up(argv[1]);
	if (argc != 2) {
		fprintf(stderr, "quod-hook: is started by the runtime, as a createRuntime hook\n");
		return 1;
	}
	hook.state_dir = argv[1];
	r = run(&hook, &err);
	if (r) {
		/* the runtime gives the container up, and need not tell anybody */
		clones_detach(hook.state_dir, &ignored);
		audit_failure(&hook, err.text);
		remove_state(&hook);
		buf_put_plain(&text, err.text);
		fprintf(stderr, "quod: %s\n", text.data);
	}
	hook_release(&hook);
	return r ? 1 : 0;
}
