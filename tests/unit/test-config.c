/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host configuration: its defaults, every key, each class of bad file. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/policy/config.h"
#include "tests/unit/tap.h"

static char dir[64], path[96];

static struct host_config *load(const char *text, struct err *err)
{
	struct host_config *config = NULL;
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		exit(99);
	*err = (struct err)ERR_INIT;
	return host_config_load(path, NULL, &config, err) ? NULL : config;
}

static void test_defaults(void)
{
	struct host_config *config = NULL;
	struct err err = ERR_INIT;

	OK(!host_config_load(NULL, "/nonexistent/quod.json", &config, &err) && config && !err.code,
	   "config: without a file there are defaults");
	if (!config)
		return;
	OK(!config->file && config->runtime.count == 2 && !strcmp(config->runtime.items[0], "runc"), "config: runc, then crun");
	IS_STR(config->default_profile, "balanced", "config: balanced is the default");
	IS_STR(config->audit_file, QUOD_LOGDIR "/audit.jsonl", "config: the audit trail has its place");
	OK(!config->rule_count && !config->selectable.count && !config->audit_continue && config->audit_anchor_syslog &&
		   config->audit_rotate == 64 << 20 && config->audit_keep == 16 && config->ledger_keep_ms == 2592000000ull &&
		   config->containers_max == 256 && config->creates_per_minute == 600 && config->prove &&
		   config->config_bytes == 4194304 && config->mounts_max == 1024,
	   "config: no rules, nothing selectable, refuse what can't be recorded");
	host_config_free(config);
	config = NULL;
	OK(host_config_load("/nonexistent/quod.json", NULL, &config, &err) == -ENOENT && !config,
	   "config: a file that is named must be there");
}

static void test_every_key(void)
{
	struct err err;
	struct host_config *config = load(
		"{ \"version\": 1, \"runtime\": [\"/usr/bin/crun\"], \"require_safe_runtime\": true, \"default_profile\": \"locked\",\n"
		"\"rules\": [ { \"match\": { \"namespace\": \"payments-*\" }, \"profile\": \"payments\" }, // first match wins\n"
		"  { \"match\": { \"engine\": \"podman\", \"user\": 1000 }, \"profile\": \"locked\" },\n"
		"  { \"match\": { \"workspace\": \"/srv/agents/web/**\" }, \"profile\": \"unmanaged\" } ],\n"
		"\"selectable\": [\"locked\", \"web\"], \"audit\": { \"file\": \"/var/log/a.jsonl\", \"on_error\": \"continue\",\n"
		"  \"rotate\": \"1M\", \"keep\": 3, \"anchor\": \"none\" }, \"ledger\": { \"keep\": \"7d\" },\n"
		"\"containers\": { \"max\": 0, \"creates_per_minute\": 5 }, \"prove\": \"off\",\n"
		"\"limits\": { \"config_bytes\": 65536, \"mounts\": 10 } }",
		&err);

	OK(config, "config: a file with every key loads (%s)", err.text);
	if (!config)
		return;
	IS_STR(config->file, path, "config: knows its file");
	OK(config->runtime.count == 1 && config->require_safe_runtime && !strcmp(config->default_profile, "locked"),
	   "config: a list of runtimes replaces the default");
	OK(config->rule_count == 3 && !strcmp(config->rules[0].namespace_pattern, "payments-*") && !config->rules[0].engine &&
		   !config->rules[0].has_user && config->rules[1].user == 1000 && config->rules[1].has_user &&
		   !strcmp(config->rules[1].engine, "podman") && !strcmp(config->rules[2].profile, "unmanaged"),
	   "config: rules in their order");
	OK(config->selectable.count == 2 && config->audit_continue && config->audit_rotate == 1 << 20 && config->audit_keep == 3 &&
		   !config->audit_anchor_syslog && config->ledger_keep_ms == 604800000 && !config->containers_max &&
		   config->creates_per_minute == 5 && !config->prove && config->config_bytes == 65536 && config->mounts_max == 10,
	   "config: all the rest");
	host_config_free(config);
}

static void test_bad_files(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "{}", ":1: the key 'version' is missing" },
		{ "{ \"version\": 1,\n \"default\": \"x\" }", ":2: /default: unknown key 'default': the nearest known one is 'default_profile'" },
		{ "{ \"version\": 1, \"runtime\": [] }", "/runtime: must name at least one" },
		{ "{ \"version\": 1, \"runtime\": \"runc\" }", "/runtime: must be an array" },
		{ "{ \"version\": 1, \"runtime\": [\"./runc\"] }", "/runtime/0: './runc' is not" },
		{ "{ \"version\": 1, \"default_profile\": \"unmanaged\" }", "only a rule may leave a container unmanaged" },
		{ "{ \"version\": 1, \"selectable\": [\"unmanaged\"] }", "only a rule may leave a container unmanaged" },
		{ "{ \"version\": 1, \"rules\": [ { \"profile\": \"x\" } ] }", "/rules/0/match: is missing" },
		{ "{ \"version\": 1, \"rules\": [ { \"match\": {}, \"profile\": \"x\" } ] }", "/rules/0/match: is empty" },
		{ "{ \"version\": 1, \"rules\": [ { \"match\": { \"user\": 1 } } ] }", "/rules/0/profile: is missing" },
		{ "{ \"version\": 1, \"rules\": [ { \"match\": { \"user\": -1 }, \"profile\": \"x\" } ] }", "must be a user id" },
		{ "{ \"version\": 1, \"rules\": [ { \"match\": { \"engine\": \"lxc\" }, \"profile\": \"x\" } ] }", "'lxc' is none of \"docker\"" },
		{ "{ \"version\": 1, \"rules\": [ { \"match\": { \"namespce\": \"a\" }, \"profile\": \"x\" } ] }", "nearest known one is 'namespace'" },
		{ "{ \"version\": 1, \"rules\": [ { \"match\": { \"workspace\": \"srv\" }, \"profile\": \"x\" } ] }", "'srv' is not an absolute path" },
		{ "{ \"version\": 1, \"audit\": { \"file\": \"audit\" } }", "/audit/file: 'audit' is not an absolute path" },
		{ "{ \"version\": 1, \"audit\": { \"rotate\": 1 } }", "must be from 64K to 1024T" },
		{ "{ \"version\": 1, \"containers\": { \"max\": \"many\" } }", "/containers/max: must be a whole number" },
		{ "{ \"version\": 1, \"prove\": true }", "/prove: must be a string" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err;
		struct host_config *config = load(bad[i].text, &err);

		OK(!config && strstr(err.text, bad[i].why) && !strncmp(err.text, path, strlen(path)),
		   "config: refused with '%s' (%s)", bad[i].why, err.text);
		host_config_free(config);
	}
}

static void test_owners(void)
{
	struct host_config *config = NULL;
	struct err err;

	host_config_free(load("{ \"version\": 1 }", &err));
	chmod(path, 0666);
	OK(host_config_load(path, NULL, &config, &err) == -EPERM && !config, "config: refused when others may write it");
	OK(host_config_load(NULL, path, &config, &err) == -EPERM && !config, "config: a bad file in the default place isn't skipped");
	chmod(path, 0644);
}

int main(void)
{
	snprintf(dir, sizeof(dir), "/var/tmp/quod-test-config-XXXXXX");
	umask(022);
	if (!mkdtemp(dir))
		return 99;
	snprintf(path, sizeof(path), "%s/quod.json", dir);
	test_defaults();
	test_every_key();
	test_bad_files();
	test_owners();
	unlink(path);
	rmdir(dir);
	return tap_done();
}
