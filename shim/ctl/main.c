/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl, the operator's tool: a table of commands, each a query of the rooms below, or an order to a guardian. Everything that is printed for people is escaped. Exit status: 0 yes, 1 no, 2 usage or failure.
 */
#include "shim/ctl/ctl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/select.h"

struct command {
	const char *name;
	int (*main)(struct ctl *ctl);
	const char *usage;
};

static const struct command commands[] = {
	{ "profile", profile_main, "profile list | show NAME [--resolved] | check FILE... | diff A B | import FORMAT FILE" },
	{ "group", group_main, "group list | show @GROUP | test @GROUP" },
	{ "explain", explain_main, "explain [--profile NAME] BUNDLE|CONTAINER" },
	{ "doctor", doctor_main, "doctor" },
	{ "why", why_main, "why CONTAINER|--profile NAME HOST:PORT[/PROTOCOL][@ADDRESS]" },
	{ "events", events_main, "events [--follow] [--since TIME] [CONTAINER]" },
	{ "learn", learn_main, "learn [--group] [--base NAME] [--since TIME] CONTAINER|AUDIT-FILE" },
	{ "metrics", metrics_main, "metrics" },
	{ "ps", ps_main, "ps [--ended|--all]" },
	{ "report", report_main, "report CONTAINER|--since TIME [CONTAINER]" },
	{ "top", top_main, "top [--once]" },
	{ "verify", verify_main, "verify CONTAINER|--all" },
	{ "allow", allow_main, "allow CONTAINER ENTRY [--for TIME]" },
	{ "halt", halt_main, "halt CONTAINER | --profile NAME | --all" },
	{ "release", release_main, "release CONTAINER | --profile NAME | --all" },
	{ "audit", audit_main, "audit verify [--head HASH]" },
	{ "setup", setup_main, "setup docker|containerd|crio|podman|kubernetes|host|profiles [--profile NAME]... [--default[=NAME]]\n"
	  "                     [--dry-run] [--remove] [--check] [--config FILE] [--root DIR] [--output FILE] [--from DIR]" },
};

static const char options_usage[] = "options: --json, --config FILE, --profiles DIR, --help, --version\n";

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void print_usage(FILE *to)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "%s quodctl %s\n", i ? "      " : "usage:", commands[i].usage);
	fputs(options_usage, to);
}

static void __attribute__((format(printf, 1, 0))) put_failure(const char *format, va_list args)
{
	cleanup_buf struct buf buf = BUF_INIT;
	cleanup_free char *text = NULL;

	text = alloc_vprintf(format, args);
	buf_put_plain(&buf, text);
	fprintf(stderr, "quodctl: %s\n", buf.data ? buf.data : "");
}

int ctl_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_failure(format, args);
	va_end(args);
	return CTL_FAILED;
}

int ctl_fail_usage(const struct ctl *ctl, const char *format, ...)
{
	const struct command *command = ctl->argc ? command_find(ctl->argv[0]) : NULL;
	va_list args;

	va_start(args, format);
	put_failure(format, args);
	va_end(args);
	if (command)
		fprintf(stderr, "usage: quodctl %s\n", command->usage);
	else
		print_usage(stderr);
	return CTL_FAILED;
}

void ctl_print_json(const struct json *root)
{
	cleanup_buf struct buf buf = BUF_INIT;

	json_print(&buf, root, 2);
	printf("%s\n", buf.data);
}

void ctl_put(const char *text)
{
	cleanup_buf struct buf buf = BUF_INIT;

	buf_put_plain(&buf, text);
	fputs(buf.data ? buf.data : "", stdout);
}

/* A place to read from instead of the installed ones, for checks before installing: DIR/NAME.json, DIR/groups/NAME.json.
 * Who may change it is not asked. */
static void use_profiles(struct ctl *ctl, const char *dir, char **groups)
{
	free(*groups);
	*groups = alloc_printf("%s/groups", dir);
	ctl->has_profiles = true;
	ctl->paths = (struct profile_paths){ .profile_dirs = { dir }, .group_dirs = { *groups }, .skip_owner_check = true };
}

/* "--name VALUE" or "--name=VALUE" at argv[*i]: the value, or NULL when it is another word. */
static const char *option_value(char **argv, int *i, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) != 0)
		return NULL;
	if (argv[*i][len] == '=')
		return argv[*i] + len + 1;
	return argv[*i][len] || !argv[*i + 1] ? NULL : argv[++*i];
}

/* Takes quodctl's own options out of argv; what is left are the command's words. "--" ends them. */
static void take_options(struct ctl *ctl, char **argv, char **groups)
{
	int i, kept = 0;

	for (i = 0; argv[i] && strcmp(argv[i], "--"); i++) {
		const char *value;

		if (!strcmp(argv[i], "--json"))
			ctl->json = true;
		else if ((value = option_value(argv, &i, "--config")))
			ctl->config_file = value;
		else if ((value = option_value(argv, &i, "--profiles")))
			use_profiles(ctl, value, groups);
		else
			argv[kept++] = argv[i];
	}
	for (i += argv[i] != NULL; argv[i]; i++)
		argv[kept++] = argv[i];
	argv[kept] = NULL;
	ctl->argc = kept;
	ctl->argv = argv;
}

/* An option without effect would be a promise that isn't kept. */
static bool takes_profiles(const struct command *command)
{
	static const char *const names[] = { "doctor", "explain", "group", "learn", "profile", "report", "why" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], command->name))
			return true;
	return false;
}

static int dispatch(struct ctl *ctl)
{
	const struct command *command;

	if (!ctl->argc)
		return ctl_fail_usage(ctl, "a command is missing");
	if (!strcmp(ctl->argv[0], "--help") || !strcmp(ctl->argv[0], "-h") || !strcmp(ctl->argv[0], "help")) {
		print_usage(stdout);
		return CTL_YES;
	}
	if (!strcmp(ctl->argv[0], "--version")) {
		puts("quodctl " QUOD_VERSION);
		return CTL_YES;
	}
	command = command_find(ctl->argv[0]);
	if (!command)
		return ctl_fail_usage(ctl, "there is no command '%s'", ctl->argv[0]);
	if (ctl->argc == 2 && (!strcmp(ctl->argv[1], "--help") || !strcmp(ctl->argv[1], "-h"))) {
		printf("usage: quodctl %s\n%s", command->usage, options_usage);
		return CTL_YES;
	}
	if (ctl->has_profiles && !takes_profiles(command))
		return ctl_fail_usage(ctl, "--profiles says nothing to '%s'", command->name);
	return command->main(ctl);
}

int main(int argc, char **argv)
{
	cleanup_free char *groups = NULL;
	struct ctl ctl = {
		.paths = { .profile_dirs = { QUOD_SYSCONFDIR "/profiles", QUOD_DATADIR "/profiles" },
			   .group_dirs = { QUOD_SYSCONFDIR "/groups", QUOD_DATADIR "/groups" } },
	};
	int status;

	state_places_init(&ctl.places);
	take_options(&ctl, argv + (argc > 0), &groups);
	ctl.all_paths = profile_paths_with_own(&ctl.paths, ctl.has_profiles ? "" : ctl.places.profiles_dir);
	status = dispatch(&ctl);
	if (fflush(stdout) != 0 || ferror(stdout))
		return ctl_fail("the answer could not be written");
	return status;
}
