/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl audit verify [--head HASH]: is the audit trail whole, up to the kept head or to one that syslog has? Reads only;
 * exit status 1 and the first wrong record when it isn't.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/trail.h"
#include "shim/invocation.h"
#include "shim/state/ledger.h"
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

struct witness {
	const struct ctl *ctl;
	int64_t before_s;	/* a trace of a container older than this means that records are missing */
	char *text;
};

#define APART_S 60	/* two clocks are read one after the other */

/* RFC 3339 as the trail has it; the fraction is left out. */
static int64_t seconds_of(const char *time)
{
	struct tm tm = { 0 };

	return strptime(time, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : INT64_MIN;
}

/* A clock that was set back makes later traces look older than the trail. Once it is recorded under, that is the trail's own
 * least time; until then nothing can be told by times. */
static int64_t oldest_trace_s(const struct audit_check *check)
{
	int64_t least_s = seconds_of(check->least_time);

	if (least_s < INT64_MIN + APART_S || (int64_t)time(NULL) < seconds_of(check->most_time) - APART_S)
		return INT64_MIN;
	return least_s - APART_S;
}

static int see_ledger(const char *key, const struct ledger *ledger, void *data)
{
	struct witness *witness = data;

	if (ledger->updated_s >= witness->before_s)
		return 0;
	witness->text = alloc_printf("the ledger knows of container %s (%.12s)", ledger->container, key);
	return 1;
}

static int see_container(const char *key, void *data)
{
	struct witness *witness = data;
	struct err ignored = ERR_INIT;
	cleanup_close int dir_fd = record_open_dir(&witness->ctl->places, key, false, &ignored);
	struct record record = { .tree = NULL };

	if (dir_fd >= 0 && !record_read(dir_fd, &record, &ignored) && record.created_s < witness->before_s)
		witness->text = alloc_printf("container %s is there", record.id);
	record_release(&record);
	return witness->text != NULL;
}

/* A trail that was taken away with its head looks like one that never was, and one begun anew like a first one. What else
 * quod leaves on disk says that there were records; who removes that, too, is found out by a head that is kept elsewhere. */
static void ask_witnesses(const struct ctl *ctl, const char *file, struct audit_check *check)
{
	cleanup_free char *lock = alloc_printf("%s.lock", file);
	struct witness witness = { .ctl = ctl, .before_s = INT64_MAX };
	struct err ignored = ERR_INIT;

	if (check->records)
		witness.before_s = oldest_trace_s(check);
	else if (access(lock, F_OK) == 0)
		witness.text = alloc_printf("%s was made for it", lock);
	if (!witness.text)
		ledger_each(ctl->places.ledger_dir, see_ledger, &witness, &ignored);
	if (!witness.text)
		record_each(&ctl->places, see_container, &witness, &ignored);
	if (witness.text && check->records)
		check->first_bad = alloc_printf("the trail begins anew at %s, but %s since before: what stood before it is missing",
						check->first_time, witness.text);
	else if (witness.text)
		check->first_bad = alloc_printf("the trail and its head are missing, but %s", witness.text);
	free(witness.text);
}

int ctl_audit_check(const struct ctl *ctl, const struct audit_settings *settings, const char *head, struct audit_check *check,
		    struct err *err)
{
	int r = audit_verify(settings, head, check, err);

	if (!r && !check->first_bad && !head && check->first_seq <= 1)
		ask_witnesses(ctl, settings->file, check);
	return r;
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
	if (invocation_load_config(&shim, &err) < 0 || ctl_audit_check(ctl, &shim.audit, head, &check, &err) < 0)
		status = ctl_fail("%s", err.text);
	if (status == CTL_YES && ctl->json)
		print_as_json(shim.audit.file, &check);
	else if (status == CTL_YES)
		print_for_people(shim.audit.file, &check);
	if (status == CTL_YES && check.first_bad)
		status = CTL_NO;
	free(check.first_bad);
	host_config_free(shim.config);
	return status;
}
