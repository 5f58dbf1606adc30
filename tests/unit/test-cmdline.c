/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of oci/cmdline. `test-cmdline --print runc|crun ARGUMENTS` prints how a line reads instead: the offline test
 * puts that beside what the real runtimes do with the same line.
 */
#include <stdlib.h>

#include "oci/cmdline-tables.h"
#include "oci/cmdline.h"
#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "tests/unit/tap.h"

static void print_options(struct buf *buf, const struct oci_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_printf(buf, " %s", options[i].name);
		if (options[i].value)
			buf_printf(buf, "=%s", options[i].value);
	}
}

/* "GLOBALS COMMAND OPTIONS : POSITIONALS", with "?ARGUMENT" for an unknown one and "(two ways)" for an error. */
static char *print_line(enum oci_dialect dialect, int argc, char **argv)
{
	struct oci_cmdline line;
	struct err err = ERR_INIT;
	struct buf buf = BUF_INIT;
	int r = oci_cmdline_parse(dialect, argc, argv, &line, &err);

	print_options(&buf, line.globals, line.global_count);
	buf_printf(&buf, " %s", line.command_index < argc ? argv[line.command_index] : "-");
	print_options(&buf, line.options, line.option_count);
	buf_puts(&buf, " :");
	for (size_t i = 0; i < line.positional_count; i++)
		buf_printf(&buf, " %s", argv[line.positionals[i]]);
	if (line.unknown)
		buf_printf(&buf, " ?%s", line.unknown);
	if (r < 0)
		buf_puts(&buf, " (two ways)");
	oci_cmdline_free(&line);
	char *text = buf_steal(&buf);

	memmove(text, text + 1, strlen(text));
	return text;
}

/* Splits at blanks; '' is an empty argument, ~ a blank. argv[0] is "quod". The arguments live in *copy. */
static int split(const char *text, char **argv, char **copy)
{
	int argc = 1;

	argv[0] = (char *)"quod";
	*copy = alloc_copy(text);
	for (char *save = NULL, *word = strtok_r(*copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (!strcmp(word, "''"))
			*word = '\0';
		for (char *at = word; *at; at++)
			*at = *at == '~' ? ' ' : *at;
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	return argc;
}

struct row {
	const char *arguments, *reading, *what;
};

static void check_rows(enum oci_dialect dialect, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *copy = NULL;
		char *argv[32];
		int argc = split(rows[i].arguments, argv, &copy);
		cleanup_free char *got = print_line(dialect, argc, argv);

		IS_STR(got, rows[i].reading, "cmdline: %s: %s", dialect == OCI_DIALECT_RUNC ? "runc" : "crun", rows[i].what);
	}
}

static const struct row runc_rows[] = {
	{ "", "- :", "no argument is no command" },
	{ "--version", "version - :", "a switch alone is no command" },
	{ "--root /r --log /l --log-format json create --bundle /b id", "root=/r log=/l log-format=json create bundle=/b : id",
	  "what containerd sends" },
	{ "-root=/r -debug create -b=/b id", "root=/r debug create bundle=/b : id", "one dash does for a long name" },
	{ "--debug=false state id", "debug=false state : id", "a switch takes =false" },
	{ "--log create state id", "log=create state : id", "an option's value is never taken for a command" },
	{ "--root create", "root=create - :", "not even at the end" },
	{ "--root", "root - : ?--root", "a missing value is reported" },
	{ "-- state id", "state : id", "two dashes end the options of the program" },
	{ "state create", "state : create", "a command's argument is no command" },
	{ "create --bundle create id", "create bundle=create : id", "nor is an option's value of a command" },
	{ "create id --bundle /b", "create bundle=/b : id", "an option may stand behind the id" },
	{ "create --no-pivot id --bundle /b", "create no-pivot bundle=/b : id (two ways)",
	  "but not where releases differ: a switch takes the id along" },
	{ "create --no-pivot=true id --bundle /b", "create no-pivot=true bundle=/b : id", "with =true it doesn't" },
	{ "create --bundle - --pid-file /p id", "create bundle=- pid-file=/p : id (two ways)", "a lone dash as a value, then options" },
	{ "update --resources - id", "update resources=- : id", "a lone dash as the last option's value" },
	{ "create - --bundle /b", "create bundle=/b : - (two ways)", "a lone dash as the id" },
	{ "create --bundle -- id", "create bundle=-- : id", "two dashes can be a value" },
	{ "create --bundle --pid-file id", "create bundle=--pid-file : id", "so can an option's name" },
	{ "create -- id", "create : id", "two dashes end the options" },
	{ "create --no-pivot -- --x", "create no-pivot : --x", "behind them nothing is an option" },
	{ "create -b/b id", "create : id ?-b/b", "no value is attached to a letter" },
	{ "create --bun /b id", "create : /b id ?--bun", "no prefix is taken" },
	{ "create --no-pivot=maybe id", "create no-pivot=maybe : id ?--no-pivot=maybe", "=BOOL is one of Go's words" },
	{ "create ---bundle=/b id", "create : id ?---bundle=/b", "three dashes are no option" },
	{ "create -=x id", "create : id ?-=x", "an option has a name" },
	{ "create --bundle= id", "create bundle= : id", "a value can be empty" },
	{ "create --bundle '' id", "create bundle= : id", "also as an argument of its own" },
	{ "create ~--bundle /b id", "create :  --bundle /b id (two ways)", "blanks in front of an option" },
	{ "create --preserve-fds -1 id", "create preserve-fds=-1 : id", "a negative number is a value" },
	{ "create --root /x id", "create : /x id ?--root", "the program's options stand in front of the command" },
	{ "exec -d -t id ls -l --bundle x", "exec detach tty : id ls -l --bundle x", "exec's options end at the id" },
	{ "exec -dt id ls", "exec : id ls ?-dt", "there are no clusters" },
	{ "exec -t=false -e A=B -e C=D id -x", "exec tty=false env=A=B env=C=D : id -x", "options that are given twice stay apart" },
	{ "exec --process /p --pid-file /q id", "exec process=/p pid-file=/q : id", "what containerd sends for exec" },
	{ "delete id --force", "delete force : id", "delete's switch may stand behind the id" },
	{ "ps id -ef", "ps : id -ef", "ps hands options on" },
	{ "frobnicate --x y", "frobnicate : --x y", "an unknown command's arguments are left alone" },
	{ "--frob create id", "create : id ?--frob", "an unknown option in front is reported" },
};

static const struct row crun_rows[] = {
	{ "--log-f json --deb state id", "log-format=json debug state : id", "a unique prefix is taken" },
	{ "--roo=/r state id", "state : id ?--roo=/r", "a prefix that some releases take isn't" },
	{ "--root /r --rootless auto state id", "root=/r rootless=auto state : id (two ways)",
	  "--rootless is --root for some releases" },
	{ "--rootless auto --root /r state id", "rootless=auto root=/r state : id", "but a --root behind it wins" },
	{ "--log /l state id", "log=/l state : id", "the exact name before longer ones" },
	{ "--log- json state id", "json : state id ?--log-", "a prefix of two options isn't" },
	{ "-vV", "version version - :", "letters come in clusters" },
	{ "create id --bundle /b", "create : id --bundle /b", "options end at the id" },
	{ "create --no-pivot --bundle /b id", "create no-pivot bundle=/b : id", "a switch takes nothing along" },
	{ "create -b/b id", "create bundle=/b : id", "a value is attached to a letter" },
	{ "create -b=/b id", "create bundle==/b : id", "an equals sign is part of it" },
	{ "create -bundle=/b id", "create bundle=undle=/b : id", "one dash is never a long name" },
	{ "create -b -- id", "create bundle=-- : id", "two dashes can be a value" },
	{ "create --no-pivot=true id", "create : id ?--no-pivot=true", "a switch takes no value" },
	{ "create --no id", "create : id ?--no", "an ambiguous prefix is reported" },
	{ "create --program-name=x --HANG=0 id", "create program-name=x HANG=0 : id", "argp's hidden options" },
	{ "exec -tdu 1:2 id ls", "exec tty=du : 1:2 id ls", "an optional value is what is attached" },
	{ "exec -dtu1 id ls", "exec detach tty=u1 : id ls", "in a cluster too" },
	{ "exec -du 1:2 -t id ls -l", "exec detach user=1:2 tty : id ls -l", "a letter with a value ends a cluster" },
	{ "exec -t false id", "exec tty : false id", "an optional value is no argument of its own" },
	{ "exec --tty=no id x", "exec tty=no : id x", "an optional value behind an equals sign" },
	{ "exec -dx id ls", "exec detach : id ls ?-dx", "an unknown letter is reported" },
	{ "delete -fr ^x", "delete force regex : ^x", "a cluster of two switches" },
	{ "mounts add id /m.json", "mounts : add id /m.json", "mounts" },
	{ "- state x", "- : state x", "a lone dash is a command" },
};

static void test_ids(void)
{
	static const struct row rows[] = {
		{ "create -b /b id", "id", "is the first positional argument" },
		{ "exec id ls", "id", "of exec too" },
		{ "list", NULL, "is not there for list" },
		{ "delete", NULL, "can be missing" },
		{ "delete ''", NULL, "is not empty" },
		{ "delete -r id", NULL, "is no regular expression" },
		{ "mounts add id /f", "id", "stands behind mounts' verb" },
		{ "frob id", NULL, "is not known for an unknown command" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *copy = NULL;
		char *argv[32];
		struct oci_cmdline line;
		struct err err = ERR_INIT;

		oci_cmdline_parse(OCI_DIALECT_CRUN, split(rows[i].arguments, argv, &copy), argv, &line, &err);
		IS_STR(oci_cmdline_id(&line), rows[i].reading, "cmdline: the id %s", rows[i].what);
		oci_cmdline_free(&line);
	}
}

static void test_questions(void)
{
	cleanup_free char *copy = NULL;
	char *argv[32];
	struct oci_cmdline line;
	struct err err = ERR_INIT;
	int argc = split("--root /a --root /b exec -t=F --no-new-privs -p /1 -p /2 id", argv, &copy);

	OK(oci_cmdline_parse(OCI_DIALECT_RUNC, argc, argv, &line, &err) == 0, "cmdline: a line with repeated options is read");
	IS_STR(oci_cmdline_value(&line, "root", "/run"), "/b", "cmdline: the last of a repeated option counts");
	IS_STR(oci_cmdline_value(&line, "process", NULL), "/2", "cmdline: of the command too");
	IS_STR(oci_cmdline_value(&line, "cwd", "/"), "/", "cmdline: an absent option has the caller's default");
	OK(!oci_cmdline_has(&line, "tty"), "cmdline: a switch given as =F is off");
	OK(oci_cmdline_has(&line, "no-new-privs"), "cmdline: a switch alone is on");
	OK(!oci_cmdline_has(&line, "detach"), "cmdline: an absent one is off");
	IS_STR(oci_command_name(line.command), "exec", "cmdline: a command has its name");
	oci_cmdline_free(&line);
}

static void check_replaced(enum oci_dialect dialect, const char *text, const char *wanted, const char *what)
{
	cleanup_free char *copy = NULL;
	cleanup_buf struct buf buf = BUF_INIT;
	char *argv[32];
	struct oci_cmdline line;
	struct err err = ERR_INIT;
	char **made;

	oci_cmdline_parse(dialect, split(text, argv, &copy), argv, &line, &err);
	made = oci_cmdline_replace(&line, "bundle", "/new");
	for (char **at = made + 1; *at; at++)
		buf_printf(&buf, "%s%s", at == made + 1 ? "" : " ", *at);
	IS_STR(buf.data, wanted, "cmdline: %s", what);
	oci_argv_free(made);
	oci_cmdline_free(&line);
}

static void test_replace(void)
{
	check_replaced(OCI_DIALECT_RUNC, "--root /b create --bundle /b id", "--root /b create --bundle /new id",
		       "a value is replaced where it stands");
	check_replaced(OCI_DIALECT_RUNC, "create -b=/b --bundle /c id", "create -b=/new --bundle /new id",
		       "every occurrence is replaced");
	check_replaced(OCI_DIALECT_RUNC, "create -- id", "create --bundle=/new -- id", "an absent option is added behind the command");
	check_replaced(OCI_DIALECT_CRUN, "create -b/b --bu=/c id", "create -b/new --bu=/new id", "attached values are replaced");
	check_replaced(OCI_DIALECT_CRUN, "run -db /b id", "run -db /new id", "so is one behind a cluster");
	check_replaced(OCI_DIALECT_CRUN, "create id", "create --bundle=/new id", "crun gets an absent option as well");
}

/* getopt takes a prefix only when it is unique, so two rows of one table must not share a name or a letter. */
static void test_tables(void)
{
	bool good = true;

	for (int d = OCI_DIALECT_RUNC; d <= OCI_DIALECT_CRUN; d++) {
		const struct oci_command_def *command = oci_command_defs((enum oci_dialect)d);

		for (; command->name; command++) {
			const struct oci_option_def *a = command->options;

			for (; a->name; a++) {
				for (const struct oci_option_def *b = a + 1; b->name; b++)
					good &= strcmp(a->name, b->name) && (!a->letter || a->letter != b->letter);
			}
		}
	}
	OK(good, "cmdline: no table has a name or a letter twice");
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "--print")) {
		bool is_crun = !strcmp(argv[2], "crun");
		cleanup_free char *text = print_line(is_crun ? OCI_DIALECT_CRUN : OCI_DIALECT_RUNC, argc - 2, argv + 2);

		printf("%s\n", text);
		return 0;
	}
	check_rows(OCI_DIALECT_RUNC, runc_rows, ARRAY_SIZE(runc_rows));
	check_rows(OCI_DIALECT_CRUN, crun_rows, ARRAY_SIZE(crun_rows));
	test_ids();
	test_questions();
	test_replace();
	test_tables();
	return tap_done();
}
