/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl audit verify [--head HASH]: is the audit trail whole, up to the kept head or to one that syslog has? Reads only;
 * exit status 1 and the first wrong record when it isn't.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/ctl.h"
#include "shim/invocation.h"
#include "shim/state/sha256.h"

static bool is_hash(const char *text)
{
	return strlen(text) == SHA256_HEX - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX - 1;
}

/* --head HASH or --head=HASH behind "verify", or nothing. */
static int read_words(struct ctl *ctl, const char **head)
{
	char **words = ctl->argv + 2;

	*head = NULL;
	if (ctl->argc < 2 || strcmp(ctl->argv[1], "verify"))
		return ctl_fail_usage(ctl, "'audit' knows 'verify'");
	if (ctl->argc == 2)
		return CTL_YES;
	if (ctl->argc == 4 && !strcmp(words[0], "--head"))
		*head = words[1];
	else if (ctl->argc == 3 && !strncmp(words[0], "--head=", 7))
		*head = words[0] + 7;
	else
		return ctl_fail_usage(ctl, "'audit verify' takes --head HASH or nothing");
	return is_hash(*head) ? CTL_YES : ctl_fail_usage(ctl, "--head: 64 hexadecimal digits in lower case are wanted");
}

static void print_as_json(const char *file, const struct audit_check *check)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *object = json_make_object(tree);

	json_set(tree, object, "file", json_make_string(tree, file));
	json_set(tree, object, "ok", json_make_bool(tree, !check->first_bad));
	json_set(tree, object, "records", json_make_uint(tree, check->records));
	json_set(tree, object, "head", json_make_string(tree, check->head));
	json_set(tree, object, "first_bad",
		 check->first_bad ? json_make_string(tree, check->first_bad) : json_make_null(tree));
	ctl_print_json(object);
}

static void print_for_people(const char *file, const struct audit_check *check)
{
	ctl_put(file);
	fputs(": ", stdout);
	if (check->first_bad) {
		ctl_put(check->first_bad);
		printf(" (%llu records before it are whole)\n", (unsigned long long)check->records);
	} else if (check->records) {
		printf("ok, %llu records, head %s\n", (unsigned long long)check->records, check->head);
	} else {
		puts("ok, no records");
	}
}

int audit_main(struct ctl *ctl)
{
	struct shim shim = { .config_file = ctl->config_file };
	struct audit_check check = { 0 };
	struct err err = ERR_INIT;
	const char *head;
	int status = read_words(ctl, &head);

	if (status != CTL_YES)
		return status;
	if (invocation_load_config(&shim, &err) < 0 || audit_verify(&shim.audit, head, &check, &err) < 0)
		status = ctl_fail("%s", err.text);
	else if (ctl->json)
		print_as_json(shim.audit.file, &check);
	else
		print_for_people(shim.audit.file, &check);
	if (status == CTL_YES && check.first_bad)
		status = CTL_NO;
	free(check.first_bad);
	host_config_free(shim.config);
	return status;
}
