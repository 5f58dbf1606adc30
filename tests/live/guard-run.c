/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plays the runtime for tests of the guardian: guard-run OPTION=VALUE... -- COMMAND...
 * Makes a first process in a pid namespace of its own (pidns=0: in this one), puts it into the given cgroups, starts the
 * helpers from a process that ends at once, as a hook does, then lets the first process execute COMMAND and says on standard
 * output what a parent sees of it: "first PID", "guardian PID", "stopped N", "continued", "exit N", "signal N".
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/egress/ruleset.h"
#include "shim/state/ledger.h"
#include "shim/warden/start.h"

struct options {
	struct warden_settings settings;
	const char *program, *state;
	const char *cgroups[16];
	size_t cgroup_count;
	bool own_pid_namespace;
	bool enters_network;	/* the hook stand-in has entered the container's network namespace */
	bool has_table, is_orphan;	/* there is a table, which (as before Linux 6.9) belongs to nobody */
	unsigned hold_ms;
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "guard-run: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void copy(char *to, size_t size, const char *text)
{
	if ((size_t)snprintf(to, size, "%s", text) >= size) {
		errno = ENAMETOOLONG;
		die(text);
	}
}

static void take_option(struct options *options, const char *name, const char *value)
{
	struct warden_settings *settings = &options->settings;
	const struct {
		const char *name;
		uint64_t *to;
	} numbers[] = { { "wall", &settings->wall_ms }, { "cpu", &settings->cpu_ms }, { "grace", &settings->grace_ms },
		      { "egress", &settings->egress_bytes }, { "period", &settings->reset_period_ms } };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(name, numbers[i].name)) {
			*numbers[i].to = strtoull(value, NULL, 10);
			return;
		}
	if (!strcmp(name, "guard"))
		settings->guard = !strcmp(value, "network");
	else if (!strcmp(name, "caps"))
		settings->allowed_capabilities = strtoull(value, NULL, 16);
	else if (!strcmp(name, "nnp"))
		settings->must_have_no_new_privs = atoi(value) != 0;
	else if (!strcmp(name, "filter"))
		settings->must_have_filters = (uint32_t)atoi(value);
	else if (!strcmp(name, "shared"))
		settings->is_shared = value[0] == '1';
	else if (!strcmp(name, "freeze"))
		settings->freeze_when_spent = value[0] == '1';
	else if (!strcmp(name, "egress_stops"))
		settings->stop_when_egress_spent = value[0] == '1';
	else if (!strcmp(name, "alive"))
		settings->alive_ms = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(name, "table"))
		options->has_table = options->enters_network = value[0] == '1';
	else if (!strcmp(name, "orphan"))
		options->is_orphan = value[0] == '1';
	else if (!strcmp(name, "cpus"))
		settings->cpus_milli = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(name, "key"))
		copy(settings->ledger_key, sizeof(settings->ledger_key), value);
	else if (!strcmp(name, "audit"))
		copy(settings->audit_file, sizeof(settings->audit_file), value);
	else if (!strcmp(name, "head"))
		copy(settings->audit_head, sizeof(settings->audit_head), value);
	else if (!strcmp(name, "ledger"))
		copy(settings->ledger_dir, sizeof(settings->ledger_dir), value);
	else if (!strcmp(name, "program"))
		options->program = value;
	else if (!strcmp(name, "state"))
		options->state = value;
	else if (!strcmp(name, "cgroup") && options->cgroup_count < ARRAY_SIZE(options->cgroups))
		options->cgroups[options->cgroup_count++] = value;
	else if (!strcmp(name, "pidns"))
		options->own_pid_namespace = value[0] == '1';
	else if (!strcmp(name, "netns"))
		options->enters_network = value[0] == '1';
	else if (!strcmp(name, "hold"))
		options->hold_ms = (unsigned)strtoul(value, NULL, 10);
	else
		die(name);
}

static char **parse(struct options *options, char **argv)
{
	*options = (struct options){
		.settings = { .magic = WARDEN_MAGIC,
			      .version = WARDEN_VERSION,
			      .allowed_capabilities = UINT64_MAX,
			      .wall_ms = UINT64_MAX,
			      .cpu_ms = UINT64_MAX,
			      .egress_bytes = UINT64_MAX,
			      .grace_ms = 1000,
			      .cpus_milli = 1000,
			      .alive_ms = 10000,
			      .key = "k",
			      .container = "c1",
			      .engine = "test",
			      .profile = "web",
			      .digest = "d" },
		.own_pid_namespace = true,
	};
	for (argv++; *argv && strcmp(*argv, "--"); argv++) {
		char *value = strchr(*argv, '=');

		if (!value)
			die(*argv);
		*value = '\0';
		take_option(options, *argv, value + 1);
	}
	return *argv ? argv + 1 : argv;
}

/* Waits to be let go, as a created container does. */
static pid_t make_first(const struct options *options, char **command, int *go_fd)
{
	int go[2], is_made[2];
	pid_t pid;
	char byte;

	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(is_made, O_CLOEXEC) < 0)
		die("pipe");
	pid = (pid_t)syscall(SYS_clone, SIGCHLD | (options->own_pid_namespace ? CLONE_NEWPID : 0), NULL, NULL, NULL, NULL);
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(go[1]);
		if (options->enters_network && unshare(CLONE_NEWNET) < 0)
			die("network namespace");
		if (write(is_made[1], "", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(98);
		execvp(command[0], command);
		die(command[0]);
	}
	close(go[0]);
	close(is_made[1]);
	if (read(is_made[0], &byte, 1) != 1)
		die("first process");
	close(is_made[0]);
	*go_fd = go[1];
	for (size_t i = 0; i < options->cgroup_count; i++) {
		char path[512];
		FILE *file;

		snprintf(path, sizeof(path), "%s/cgroup.procs", options->cgroups[i]);
		file = fopen(path, "we");
		if (!file || fprintf(file, "%d\n", (int)pid) < 0 || fclose(file))
			die(path);
	}
	return pid;
}

static void __attribute__((noreturn)) refuse(const struct err *err)
{
	printf("refused: %s\n", err->text);
	fflush(stdout);
	_exit(1);
}

/* Lets UDP and TCP to 10.9.9.0/24 out, in the namespace that was entered. */
static int install_table(struct options *options, const struct ledger *ledger)
{
	struct rule_range range = { .family = 4, .protocol = 17, .first = { 10, 9, 9, 0 }, .last = { 10, 9, 9, 255 }, .port_last = 65535 };
	struct ruleset ruleset = { .egress_bytes = options->settings.egress_bytes,
				   .egress_spent = ledger->egress_bytes,
				   .rate = UINT64_MAX,
				   .alive_ms = options->settings.alive_ms };
	struct err err = ERR_INIT;
	bool owned = false;
	int nl_fd = nft_open(&err);

	rule_ranges_add(&ruleset.allow, &range);
	range.protocol = 6;
	rule_ranges_add(&ruleset.allow, &range);
	if (nl_fd < 0 || ruleset_install(nl_fd, &ruleset, &owned, &err))
		refuse(&err);
	ruleset_release(&ruleset);
	if (options->is_orphan) {
		close(nl_fd);
		nl_fd = nft_open(&err);
		owned = false;
	}
	options->settings.has_table = 1;
	options->settings.table_is_owned = owned;
	return nl_fd;
}

static void enter_network(struct options *options, int *netns_fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", options->settings.pid);
	*netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*netns_fd < 0 || setns(*netns_fd, CLONE_NEWNET) < 0)
		die(path);
}

static void play_hook(struct options *options, int pid_fd)
{
	cleanup_close int state_fd = open(options->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), netns_fd = -1, nl_fd = -1;
	struct err err = ERR_INIT;
	struct ledger ledger;
	pid_t guardian = 0;

	if (state_fd < 0)
		die(options->state);
	if (ledger_begin(options->settings.ledger_dir, options->settings.ledger_key,
			 &(struct ledger_reset){ .period_ms = options->settings.reset_period_ms }, &ledger, &err))
		refuse(&err);
	options->settings.period_start_s = ledger.period_start_s;
	options->settings.wall_spent_ms = ledger.wall_ms;
	options->settings.cpu_spent_us = ledger.cpu_us;
	options->settings.egress_spent = ledger.egress_bytes;
	if (options->enters_network)
		enter_network(options, &netns_fd);
	if (options->has_table)
		nl_fd = install_table(options, &ledger);
	if (helpers_start(options->program, &options->settings, &(struct helper_fds){ state_fd, nl_fd, netns_fd, -1 }, &guardian, &err))
		refuse(&err);
	if (write(pid_fd, &guardian, sizeof(guardian)) != (ssize_t)sizeof(guardian))
		die("guardian's pid");
	_exit(0);
}

static pid_t run_hook(struct options *options)
{
	int status, ends[2];
	pid_t hook, guardian = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	fflush(stdout);
	hook = fork();
	if (hook == 0)
		play_hook(options, ends[1]);
	close(ends[1]);
	if (hook < 0 || waitpid(hook, &status, 0) != hook || status ||
	    read(ends[0], &guardian, sizeof(guardian)) != (ssize_t)sizeof(guardian))
		return 0;
	close(ends[0]);
	return guardian;
}

static int watch(pid_t first)
{
	int status;

	for (;;) {
		pid_t pid = waitpid(first, &status, WUNTRACED | WCONTINUED);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			die("wait");
		if (WIFSTOPPED(status))
			printf("stopped %d\n", WSTOPSIG(status));
		else if (WIFCONTINUED(status))
			printf("continued\n");
		else
			break;
		fflush(stdout);
	}
	printf("%s %d\n", WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return 0;
}

int main(int argc, char **argv)
{
	struct options options;
	char **command = parse(&options, argv);
	pid_t first, guardian;
	int go_fd;

	if (!*command || !options.program || !options.state || argc < 2)
		die("guard-run OPTION=VALUE... -- COMMAND...");
	first = make_first(&options, command, &go_fd);
	options.settings.pid = first;
	printf("first %d\n", (int)first);
	guardian = run_hook(&options);
	if (!guardian) {
		kill(first, SIGKILL);
		return 1;
	}
	printf("guardian %d\n", (int)guardian);
	fflush(stdout);
	usleep(options.hold_ms * 1000);
	if (write(go_fd, "", 1) != 1)
		die("go");
	return watch(first);
}
