/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of the audit trail (shim/state/audit*.c): what is written, and that verify sees each way to tamper with it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/json.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/state/audit-chain.h"
#include "shim/state/audit.h"
#include "shim/state/sha256.h"
#include "tests/unit/tap.h"

#define ROOM (4u << 20)

static char dir[64], file[96], head_file[96];
static struct audit_settings settings = { .file = file, .head_file = head_file, .keep_files = 3 };

static void start_trail(void)
{
	strcpy(dir, "/tmp/quod-test-audit.XXXXXX");
	if (!mkdtemp(dir))
		exit(99);
	snprintf(file, sizeof(file), "%s/log/quod/audit.jsonl", dir);
	snprintf(head_file, sizeof(head_file), "%s/lib/audit.head", dir);
	settings.rotate_bytes = 0;
}

static void end_trail(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		exit(99);
}

static int put(const char *event, const char *members)
{
	struct audit_record record = { event, "c1", "docker", "web", "d1", members };
	struct err err = ERR_INIT;

	return audit_write(&settings, &record, &err);
}

static char *slurp(const char *path, size_t *len)
{
	cleanup_close int fd = open(path, O_RDONLY);
	struct err err = ERR_INIT;
	char *text = NULL;

	if (fd < 0 || file_read_all(fd, ROOM, &text, len, &err))
		return NULL;
	return text;
}

static void spill(const char *path, const char *text, size_t len)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || file_write_all(fd, text, len))
		exit(99);
}

/* What verify says: "" when the chain is whole. */
static const char *verdict(const char *expect, struct audit_check *check)
{
	static char text[512];
	struct err err = ERR_INIT;
	int r = audit_verify(&settings, expect, check, &err);

	snprintf(text, sizeof(text), "%s", r ? err.text : check->first_bad ? check->first_bad : "");
	free(check->first_bad);
	return text;
}

static void test_form(void)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *text = NULL;
	struct audit_check check;
	struct err err = ERR_INIT;
	struct stat st;
	size_t len = 0;

	start_trail();
	umask(0);
	IS_STR(verdict(NULL, &check), "", "audit: no trail and no head are a whole chain");
	OK(put("create", "") == 0, "audit: directories are made");
	text = slurp(file, &len);
	OK(text && !json_parse(text, len - 1, JSON_PLAIN, NULL, &tree, &err), "audit: a line is JSON");
	IS_STR(json_root(tree)->members[0].name, "v", "audit: the version comes first");
	IS_STR(json_string(json_get(json_root(tree), "container")), "c1", "audit: the container is named");
	IS_STR(json_string(json_get(json_root(tree), "prev")), AUDIT_ZERO, "audit: the first record has no previous one");
	OK(!stat(file, &st) && (st.st_mode & 0777) == 0600, "audit: the file is the owner's whatever the umask");
	*strrchr(file, '/') = '\0';
	OK(!stat(file, &st) && (st.st_mode & 0777) == 0700, "audit: so is its directory");
	file[strlen(file)] = '/';
	umask(022);
	end_trail();
}

static void test_hostile(void)
{
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *text = NULL, *big = alloc_zeroed(1, 600000), *members = NULL;
	struct audit_record record = { "exec", "a\n{\"event\":\"x\"}", big, "", "", "" };
	struct err err = ERR_INIT;
	struct audit_check check;
	size_t len = 0;

	start_trail();
	memset(big, 'x', 5000);
	OK(audit_write(&settings, &record, &err) == 0, "audit: a hostile name is recorded");
	text = slurp(file, &len);
	OK(strchr(text, '\n') == text + len - 1, "audit: a newline in a name does not start another record");
	OK(!json_parse(text, len - 1, JSON_PLAIN, NULL, &tree, &err), "audit: the line with a hostile name is JSON");
	len = strlen(json_string(json_get(json_root(tree), "engine")));
	OK(len == 4096 + 8, "audit: a field over 4 KiB is cut and marked");
	OK(put("x", "\"a\":\"b\n\"") == -EINVAL, "audit: members with a newline are refused");
	OK(put("x", "\"a\":1}{\"b\":2") == -EINVAL, "audit: members that close the record are refused");
	OK(put("x", "\"a\":[1") == -EINVAL && put("x", "\"a") == -EINVAL && put("x", "\"a\\") == -EINVAL,
	   "audit: members that stay open are refused");
	IS_STR(verdict(NULL, &check), "", "audit: refused members leave nothing behind");
	memset(big, 'x', 4094);
	members = alloc_printf("\"a\":\"%.4090s\\\\u0041\\u00e4\xc3\xa4%s\"", big, big);
	OK(put("x", members) == 0, "audit: a long member is recorded");
	memset(big, 'x', 599999);
	for (size_t i = 0; i < 599999; i += 8)
		memcpy(big + i, "1,2,3,4,", 7);
	free(members);
	members = alloc_printf("\"a\":[%.599990s1]", big);
	OK(put("x", members) == -EINVAL || put("x", "\"last\":1") == 0, "audit: members that don't fit do not tear the trail");
	IS_STR(verdict(NULL, &check), "", "audit: the chain holds over cut members");
	end_trail();
}

/* Each line of the trail, and of what is cut, is JSON. */
static void test_cut_members(void)
{
	cleanup_buf struct buf members = BUF_INIT;
	struct err err = ERR_INIT;
	bool all_json = true;

	start_trail();
	for (size_t filler = 4085; filler < 4100; filler++) {
		members.len = 0;
		buf_puts(&members, "\"a\":\"");
		for (size_t i = 0; i < filler; i++)
			buf_putc(&members, 'x');
		buf_puts(&members, "\\\\u00e4\\u00e4\xc3\xa4\\\"end\",\"b\":1");
		put("x", members.data);
	}
	members.len = 0;
	buf_puts(&members, "\"n\":[1");
	while (members.len < 300000)
		buf_puts(&members, ",22222222");
	buf_puts(&members, "]");
	put("big", members.data);
	{
		cleanup_free char *text = NULL;
		size_t len = 0, lines = 0;

		text = slurp(file, &len);
		for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1, lines++) {
			cleanup_json_tree struct json_tree *tree = NULL;

			all_json &= !json_parse(at, (size_t)(end - at), JSON_PLAIN, NULL, &tree, &err);
		}
		OK(lines == 16, "audit: each record with cut members was written");
		OK(strstr(text, "\"cut\":300"), "audit: members that don't fit a line are left out and their length said");
	}
	OK(all_json, "audit: wherever a member is cut, the line stays JSON");
	end_trail();
}

static void make_five(void)
{
	start_trail();
	for (int i = 0; i < 5; i++)
		put("exec", i % 2 ? "\"n\":1" : "");
}

static void test_tamper(void)
{
	cleanup_free char *text = NULL, *copy = NULL;
	struct audit_check check;
	size_t len = 0, line_len;
	char *second, *third;

	make_five();
	IS_STR(verdict(NULL, &check), "", "audit: five records are a whole chain");
	OK(check.records == 5, "audit: verify counts the records");
	text = slurp(file, &len);
	copy = alloc_zeroed(1, len + 1);
	memcpy(copy, text, len);
	second = strchr(text, '\n') + 1;
	third = strchr(second, '\n') + 1;

	copy[second - text + 70] ^= 1;
	spill(file, copy, len);
	IS_STR(verdict(NULL, &check), "audit.jsonl:2: hash does not match", "audit: an altered record is found");
	memcpy(copy, text, len);
	memmove(copy + (second - text), third, len - (size_t)(third - text));
	spill(file, copy, len - (size_t)(third - second));
	IS_STR(verdict(NULL, &check), "audit.jsonl:2: record 3 where 2 belongs", "audit: a removed record is found");
	spill(file, second, len - (size_t)(second - text));
	IS_STR(verdict(NULL, &check), "audit.jsonl:1: records 1 to 1 are missing before it", "audit: a removed first record is found");
	line_len = (size_t)(strchr(text, '\n') + 1 - text);
	memcpy(copy, second, line_len);
	memcpy(copy + line_len, text, line_len);
	memcpy(copy + 2 * line_len, text + 2 * line_len, len - 2 * line_len);
	spill(file, copy, len);
	OK(verdict(NULL, &check)[0], "audit: reordered records are found");
	spill(file, text, (size_t)(third - text));
	OK(strstr(verdict(NULL, &check), "audit.jsonl: ends at record 2 without the head "), "audit: a cut tail is found");
	OK(put("exec", "") == 0, "audit: writing goes on over a cut tail");
	IS_STR(verdict(NULL, &check), "audit.jsonl:3: record 6 where 3 belongs", "audit: a cut tail stays visible for good");
	spill(file, text, len - 3);
	OK(verdict(NULL, &check)[0], "audit: a torn last record is found");
	unlink(file);
	OK(verdict(NULL, &check)[0], "audit: a removed trail is found");
	end_trail();
}

static void test_crash(void)
{
	cleanup_free char *head = NULL, *text = NULL;
	struct audit_check check;
	size_t head_len = 0, len = 0;

	make_five();
	head = slurp(head_file, &head_len);
	put("exec", "");
	spill(head_file, head, head_len);
	IS_STR(verdict(NULL, &check), "", "audit: a record behind the head is no damage");
	put("exec", "");
	IS_STR(verdict(NULL, &check), "", "audit: a writer that died before the head is followed on");
	OK(check.records == 7, "audit: and its record stays");
	text = slurp(file, &len);
	spill(file, text, len - 1);
	free(steal_ptr(&head));
	head = slurp(head_file, &head_len);
	/* The writer of the seventh died within its line: the head is still at the sixth. */
	memset(head + AUDIT_SLOT, ' ', AUDIT_SLOT);
	spill(head_file, head, head_len);
	put("exec", "");
	IS_STR(verdict(NULL, &check), "", "audit: half a record at the end is replaced by the next one");
	OK(check.records == 7, "audit: half a record does not count");
	free(steal_ptr(&head));
	head = slurp(head_file, &head_len);
	head[AUDIT_SLOT + 20] ^= 1;
	spill(head_file, head, head_len);
	put("exec", "");
	IS_STR(verdict(NULL, &check), "", "audit: a torn slot of the head leaves the other");
	unlink(head_file);
	OK(strstr(verdict(NULL, &check), "head file is missing"), "audit: verify tells that the head is missing");
	put("exec", "");
	IS_STR(verdict(NULL, &check), "audit.jsonl:9: the head file was missing when this was written: what stood before it is unproven",
	       "audit: a head that was removed stays visible");
	end_trail();
}

static void test_rotate(void)
{
	struct audit_check check;
	char path[128], middle[65];
	struct stat st;

	start_trail();
	settings.rotate_bytes = 700;
	for (int i = 0; i < 6; i++)
		put("exec", "");
	verdict(NULL, &check);
	memcpy(middle, check.head, sizeof(middle));
	for (int i = 0; i < 4; i++)
		put("exec", "");
	IS_STR(verdict(NULL, &check), "", "audit: the chain goes through rotated files whose oldest were dropped");
	OK(check.records > 3 && check.records < 10, "audit: what is beyond keep is dropped");
	snprintf(path, sizeof(path), "%s.4", file);
	OK(stat(path, &st) < 0 && errno == ENOENT, "audit: no more than keep rotated files are left");
	IS_STR(verdict(middle, &check), "", "audit: a head noted earlier is found in the chain");
	IS_STR(check.head, middle, "audit: and verify walks up to it");
	memset(middle, 'a', 64);
	OK(strstr(verdict(middle, &check), "without the head aaaa"), "audit: a head that isn't in the chain is missed");
	snprintf(path, sizeof(path), "%s.3", file);
	unlink(path);
	OK(strstr(verdict(NULL, &check), "are missing before it"), "audit: a removed rotated file is found");
	end_trail();

	start_trail();
	settings.rotate_bytes = 700;
	settings.keep_files = 0;
	for (int i = 0; i < 10; i++)
		put("exec", "");
	IS_STR(verdict(NULL, &check), "", "audit: without rotated files the chain starts at the file's first record");
	settings.keep_files = 3;
	end_trail();
}

static void test_parallel(void)
{
	struct audit_check check;
	int failed = 0;

	start_trail();
	settings.rotate_bytes = 20000;
	settings.keep_files = 100;
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			int r = 0;

			for (int n = 0; n < 20; n++)
				r |= put("exec", "\"who\":\"parallel\"");
			_exit(r ? 1 : 0);
		}
	}
	for (int i = 0, status; i < 50; i++)
		failed += wait(&status) < 0 || status != 0;
	OK(failed == 0, "audit: none of 50 parallel writers fails");
	IS_STR(verdict(NULL, &check), "", "audit: 50 parallel writers make one chain");
	OK(check.records == 1000, "audit: and no record is lost");
	settings.keep_files = 3;
	end_trail();
}

static void test_full(void)
{
	struct rlimit before, small = { 0, 0 };
	struct audit_check check;
	struct stat st;

	start_trail();
	for (int i = 0; i < 5; i++)
		put("exec", "");
	if (stat(file, &st) || getrlimit(RLIMIT_FSIZE, &before))
		exit(99);
	small.rlim_cur = (rlim_t)st.st_size + 100;
	small.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	OK(put("exec", "") == -ENOSPC || put("exec", "") == -EFBIG, "audit: a record that does not fit is an error");
	setrlimit(RLIMIT_FSIZE, &before);
	IS_STR(verdict(NULL, &check), "", "audit: a record that does not fit leaves no torn line");
	OK(check.records == 5, "audit: nor half a record");
	OK(put("exec", "") == 0 && !verdict(NULL, &check)[0], "audit: and writing goes on afterwards");
	unlink(file);
	OK(symlink("/dev/null", file) == 0 && put("exec", "") == -ELOOP, "audit: a link in the trail's place is not followed");
	end_trail();
}

int main(void)
{
	char hex[SHA256_HEX];

	sha256_hex("abc", 3, hex);
	IS_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "sha256: the standard's example");
	test_form();
	test_hostile();
	test_cut_members();
	test_tamper();
	test_crash();
	test_rotate();
	test_parallel();
	test_full();
	return tap_done();
}
