/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of the trail's reader (shim/state/audit-read.c): each record once, whatever is rotated meanwhile. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/state/audit-read.h"
#include "shim/state/audit.h"
#include "tests/unit/tap.h"

static char dir[64], file[96], head_file[96];
static struct audit_settings settings = { .file = file, .head_file = head_file, .keep_files = 3 };

static void start_trail(void)
{
	strcpy(dir, "/tmp/quod-test-audit.XXXXXX");
	if (!mkdtemp(dir))
		exit(99);
	snprintf(file, sizeof(file), "%s/audit.jsonl", dir);
	snprintf(head_file, sizeof(head_file), "%s/audit.head", dir);
	settings.rotate_bytes = 0;
	settings.keep_files = 3;
}

static void end_trail(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		exit(99);
}

static void put(const char *container, const char *members)
{
	struct audit_record record = { "dns.refuse", container, "docker", "web", "d1", members };
	struct err err = ERR_INIT;

	if (audit_write(&settings, &record, &err))
		exit(99);
}

static struct audit_reader *start_reader(void)
{
	struct audit_reader *reader = NULL;
	struct err err = ERR_INIT;

	if (audit_reader_new(file, &reader, &err))
		exit(99);
	return reader;
}

/* Sequence numbers of what the reader has now: "1 2 3". */
static const char *read_all(struct audit_reader *reader)
{
	static char text[16384];
	static struct err err;
	struct audit_fields fields;
	const char *line;
	size_t len, used = 0;

	text[0] = '\0';
	err.code = 0;
	while (audit_reader_next(reader, &line, &len, &err) == 1) {
		if (!audit_fields_parse(line, len, &fields))
			exit(99);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%llu", used ? " " : "", (unsigned long long)fields.seq);
	}
	return err.code ? err.text : text;
}

static void append(const char *text)
{
	cleanup_close int fd = open(file, O_WRONLY | O_APPEND);

	if (fd < 0 || file_write_all(fd, text, strlen(text)))
		exit(99);
}

static void test_grows(void)
{
	struct audit_reader *reader;

	start_trail();
	reader = start_reader();
	IS_STR(read_all(reader), "", "audit-read: a trail that is not there has no records");
	put("c1", "");
	put("c1", "");
	IS_STR(read_all(reader), "1 2", "audit-read: it is found when it comes");
	IS_STR(read_all(reader), "", "audit-read: nothing is read twice");
	put("c1", "");
	IS_STR(read_all(reader), "3", "audit-read: what comes later is read then");
	append("{\"half");
	IS_STR(read_all(reader), "", "audit-read: half a line is none");
	append("\n");
	IS_STR(read_all(reader), "", "audit-read: a line that is no record is left out");
	OK(audit_reader_losses(reader)->foreign == 1, "audit-read: and counted");
	put("c1", "");
	IS_STR(read_all(reader), "4", "audit-read: what stands behind it is read");
	audit_reader_free(reader);
	end_trail();
}

static void test_rotations(void)
{
	struct audit_reader *reader, *late;

	start_trail();
	put("c1", "");
	put("c1", "");
	reader = start_reader();
	IS_STR(read_all(reader), "1 2", "audit-read: those before a rotation");
	put("c1", "");
	settings.rotate_bytes = 1;	/* each record its own file from now on */
	put("c1", "");
	IS_STR(read_all(reader), "3 4", "audit-read: the rest of a rotated file, then the next one");
	put("c1", "");
	put("c1", "");
	IS_STR(read_all(reader), "5 6", "audit-read: two rotations at once");
	late = start_reader();
	IS_STR(read_all(late), "1 2 3 4 5 6", "audit-read: a new reader begins with the oldest file that is kept");
	for (int i = 0; i < 6; i++)
		put("c1", "");
	IS_STR(read_all(reader), "9 10 11 12", "audit-read: what was rotated away is gone");
	OK(audit_reader_losses(reader)->missed == 2, "audit-read: and counted");
	settings.keep_files = 0;
	put("c1", "");
	IS_STR(read_all(reader), "13", "audit-read: a file that was begun anew with nothing kept");
	audit_reader_free(reader);
	audit_reader_free(late);
	end_trail();
}

static void test_removed(void)
{
	struct audit_reader *reader;
	char command[512];

	start_trail();
	put("c1", "");
	settings.rotate_bytes = 1;
	put("c1", "");
	put("c1", "");
	reader = start_reader();
	IS_STR(read_all(reader), "1 2 3", "audit-read: three files");
	unlink(file);
	put("c1", "");
	IS_STR(read_all(reader), "4", "audit-read: the newest file was removed: the older ones are not read again");
	snprintf(command, sizeof(command), "rm -f %s %s.* %s", file, file, head_file);
	if (system(command))
		exit(99);
	put("c1", "");
	IS_STR(read_all(reader), "1", "audit-read: a trail that begins anew is followed");
	audit_reader_free(reader);
	end_trail();
}

/* One process writes, with a rotation every few records; the other must see each once. */
static void test_race(void)
{
	const int records = 400;
	struct audit_reader *reader;
	uint64_t expected = 1, wrong = 0;
	pid_t writer;

	start_trail();
	settings.rotate_bytes = 700;
	settings.keep_files = 1000;
	reader = start_reader();
	writer = fork();
	if (writer == 0) {
		for (int i = 0; i < records; i++)
			put("c1", "");
		_exit(0);
	}
	for (bool is_over = false; expected <= (uint64_t)records;) {
		struct audit_fields fields;
		struct err err = ERR_INIT;
		const char *line;
		size_t len;
		int r = audit_reader_next(reader, &line, &len, &err);

		if (r == 1 && audit_fields_parse(line, len, &fields))
			wrong += fields.seq != expected++;
		else if (r < 0 || (!r && is_over))
			break;
		else
			is_over = waitpid(writer, NULL, WNOHANG) == writer;
	}
	waitpid(writer, NULL, 0);
	OK(expected == (uint64_t)records + 1 && !wrong, "audit-read: each of 400 records once, in order, over a rotation each second one");
	audit_reader_free(reader);
	end_trail();
}

static void test_place(void)
{
	struct audit_reader *reader;
	struct audit_place place;
	struct err err = ERR_INIT;
	const char *line;
	size_t len;

	start_trail();
	for (int i = 0; i < 3; i++)
		put("c1", "");
	reader = start_reader();
	OK(audit_reader_next(reader, &line, &len, &err) == 1 && audit_reader_next(reader, &line, &len, &err) == 1, "audit-read: two of three");
	audit_reader_place(reader, &place);
	audit_reader_free(reader);
	reader = start_reader();
	OK(!audit_reader_go_to(reader, &place, &err), "audit-read: another reader goes on from there");
	IS_STR(read_all(reader), "3", "audit-read: with the third");
	audit_reader_free(reader);
	settings.rotate_bytes = 1;
	put("c1", "");
	reader = start_reader();
	OK(!audit_reader_go_to(reader, &place, &err), "audit-read: also after a rotation");
	IS_STR(read_all(reader), "3 4", "audit-read: with the third and the fourth");
	audit_reader_free(reader);
	place.inode++;
	reader = start_reader();
	OK(!audit_reader_go_to(reader, &place, &err), "audit-read: and when the file is gone");
	IS_STR(read_all(reader), "3 4", "audit-read: without what was read before");
	audit_reader_free(reader);
	end_trail();
}

static void test_fields(void)
{
	struct audit_fields fields;
	struct audit_reader *reader;
	struct err err = ERR_INIT;
	const char *line;
	size_t len;

	start_trail();
	put("c\"1", "\"name\":\"x\\\"repeated\\\":9\",\"repeated\":41");
	put("c1", "\"name\":\"\\\"repeated\\\":9\"");
	reader = start_reader();
	OK(audit_reader_next(reader, &line, &len, &err) == 1 && audit_fields_parse(line, len, &fields) && fields.repeated == 41 &&
		   audit_event_is(&fields, "dns.refuse") && !audit_event_is(&fields, "dns.refus") && fields.container_len == 4 &&
		   !memcmp(fields.container, "c\\\"1", 4),
	   "audit-read: fields, and how often something was repeated");
	OK(audit_reader_next(reader, &line, &len, &err) == 1 && audit_fields_parse(line, len, &fields) && fields.repeated == 1,
	   "audit-read: what a name says of repetitions is not believed");
	audit_reader_free(reader);
	end_trail();
}

static void test_form(void)
{
	static const char line[] = "{\"v\":1,\"time\":\"2026-01-02T03:04:05.000000006Z\",\"seq\":7,\"event\":\"exit\",\"container\":\"c\","
				   "\"engine\":\"e\",\"profile\":\"p\"}";
	struct audit_fields fields;
	char other[sizeof(line)];
	int taken = 0;

	OK(audit_fields_parse(line, sizeof(line) - 1, &fields) && fields.seq == 7 && audit_time_s(&fields) == 1767323045,
	   "audit-read: a record's time in seconds");
	for (size_t i = 0; i < 30; i++) {
		strcpy(other, line);
		other[15 + i] = line[15 + i] == '-' ? '0' : '-';
		taken += audit_fields_parse(other, sizeof(line) - 1, &fields);
	}
	OK(!taken, "audit-read: what has no time of that form is no record");
}

int main(void)
{
	test_grows();
	test_rotations();
	test_removed();
	test_race();
	test_place();
	test_fields();
	test_form();
	return tap_done();
}
