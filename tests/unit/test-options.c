/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/options: what is quod's own on the command line, and what must stay the runtime's. */
#include <stdlib.h>

#include "shim/base/cleanup.h"
#include "shim/options.h"
#include "tests/unit/tap.h"

/* "PROFILE CONFIG RUNTIME | ARGUMENTS", with - for what isn't given; the error's text when there is one. */
static char *take(const char *line)
{
	cleanup_free char *copy = alloc_copy(line);
	struct buf buf = BUF_INIT;
	struct shim shim = { NULL };
	struct err err = ERR_INIT;
	char *argv[32];
	int argc = 0;

	for (char *save = NULL, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(word, "''") ? word : (char *)"";
	argv[argc] = NULL;
	if (options_take(&shim, argc, argv, &err) < 0) {
		buf_puts(&buf, err.text);
	} else {
		buf_printf(&buf, "%s %s %s |", shim.profile_name ? shim.profile_name : "-", shim.config_file ? shim.config_file : "-",
			   shim.runtime_name ? shim.runtime_name : "-");
		for (int i = 1; i < shim.argc; i++)
			buf_printf(&buf, " %s", shim.argv[i]);
		if (shim.argv[shim.argc])
			buf_puts(&buf, " (no end)");
	}
	free(shim.argv);
	return buf_steal(&buf);
}

static const struct {
	const char *line, *wanted, *what;
} rows[] = {
	{ "quod", "- - - |", "a line without arguments" },
	{ "", "- - - |", "a line without even a program name" },
	{ "quod --profile=web --root /r create id", "web - - | --root /r create id", "what Docker's script puts in front" },
	{ "quod --root /r --profile web --log-format json create id", "web - - | --root /r --log-format json create id",
	  "an option among the runtime's" },
	{ "quod --config /c --runtime crun --profile p state id", "p /c crun | state id", "all three" },
	{ "quod --root --profile=web create id", "- - - | --root --profile=web create id",
	  "what is another option's value isn't quod's" },
	{ "quod --log --config create id", "- - - | --log --config create id", "nor in the form of two arguments" },
	{ "quod --cgroup-manager --profile=x state id", "- - - | --cgroup-manager --profile=x state id", "crun's options count" },
	{ "quod --log-level --profile=x state id", "- - - | --log-level --profile=x state id", "also newer ones" },
	{ "quod --debug --profile=x state id", "x - - | --debug state id", "a switch has no value" },
	{ "quod --log=/l --profile=x state id", "x - - | --log=/l state id", "a value behind = is no argument" },
	{ "quod create --profile=x id", "- - - | create --profile=x id", "behind the command nothing is quod's" },
	{ "quod -- --profile=x create id", "- - - | -- --profile=x create id", "nor behind two dashes" },
	{ "quod create -f --config id", "- - - | create -f --config id", "nor behind crun's create" },
	{ "quod -profile=x create id", "- - - | -profile=x create id", "one dash is not enough" },
	{ "quod --profiles x create", "- - - | --profiles x create", "a longer name is another option" },
	{ "quod --profile", "--profile: a value is missing", "a value is needed" },
	{ "quod --profile --log /l create id", "--profile: a value is missing", "an option is no value" },
	{ "quod --profile= create id", "--profile: a value is missing", "an empty value is none" },
	{ "quod --profile '' create id", "--profile: a value is missing", "in either form" },
	{ "quod --profile a --profile a create id", "a - - | create id", "the same twice" },
	{ "quod --profile a --profile=b create id", "--profile is given twice: 'a' and 'b'", "two that differ" },
	{ "/usr/bin/quod-web create id", "web - - | create id", "a link's name is the profile" },
	{ "quod-web --profile=web create id", "web - - | create id", "a link and the same profile" },
	{ "quod-web --profile=none create id", "--profile none: quod-web has chosen the profile", "a link and another one" },
	{ "quod- create id", "quod-: a profile's name is missing behind 'quod-'", "a link without a name" },
	{ "/opt/quod-web/quod create id", "- - - | create id", "a directory's name is no link's" },
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *got = take(rows[i].line);

		IS_STR(got, rows[i].wanted, "options: %s", rows[i].what);
	}
	return tap_done();
}
