/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/report: where a refusal is written, and in what form. */
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/shim.h"
#include "tests/unit/tap.h"

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool found;

	if (!text || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

static char *read_whole(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t len;

	if (fd < 0 || file_read_all(fd, 65536, &text, &len, &err) < 0)
		return NULL;
	return text;
}

/* Reports `text` for a command line; what went to stderr, the log is at its place. malloc'ed. */
static char *report(const char *const argv[], const char *text, bool parsed, const char *stderr_file)
{
	struct shim shim = { .argv = (char **)argv };
	struct err err = ERR_INIT;
	int saved = dup(STDERR_FILENO), fd = open(stderr_file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), status;

	while (argv[shim.argc])
		shim.argc++;
	if (parsed)
		oci_cmdline_parse(OCI_DIALECT_CRUN, shim.argc, shim.argv, &shim.line, &err);
	dup2(fd, STDERR_FILENO);
	status = report_failure(&shim, text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd);
	oci_cmdline_free(&shim.line);
	OK(status == 1, "report: a failure is exit status 1");
	return read_whole(stderr_file);
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"

static void test_forms(const char *dir)
{
	cleanup_free char *errors = alloc_printf("%s/stderr", dir), *log = alloc_printf("%s/log", dir);
	cleanup_free char *file_log = alloc_printf("file:%s/log2", dir), *log2 = alloc_printf("%s/log2", dir);
	const char *const json[] = { "quod", "--log", log, "--log-format=json", "create", "id", NULL };
	const char *const plain[] = { "quod", "--log", log, "create", "id", NULL };
	const char *const crun[] = { "quod", "--log", file_log, "create", "id", NULL };
	cleanup_free char *first = report(json, "no \"/etc\"\x1b[31m\nhere", false, errors), *text = read_whole(log);

	IS_STR(first, "quod: no \"/etc\"\\x1b[31m\\x0ahere\n", "report: stderr has one line, with escapes as text");
	OK(matches(text, "^\\{\"level\":\"error\",\"msg\":\"quod: no \\\\\"/etc\\\\\"\\\\\\\\x1b\\[31m\\\\\\\\x0ahere\",\"time\":\"" STAMP "\"\\}\n$"),
	   "report: the log has one JSON object, as runc writes it");
	unlink(log);
	free(report(plain, "no", false, errors));
	cleanup_free char *logrus = read_whole(log);
	OK(matches(logrus, "^time=\"" STAMP "\" level=error msg=\"quod: no\"\n$"), "report: without a format the log is runc's text");
	free(report(plain, "again", true, errors));
	cleanup_free char *both = read_whole(log);
	OK(matches(both, "msg=\"quod: no\"\n.*msg=\"quod: again\"\n$"), "report: a log is added to");
	free(report(crun, "no", true, errors));
	cleanup_free char *of_crun = read_whole(log2);
	OK(matches(of_crun, "msg=\"quod: no\""), "report: crun's file:PATH is a log");
	unlink(log);
	unlink(log2);
	unlink(errors);
}

static void test_places(const char *dir)
{
	cleanup_free char *errors = alloc_printf("%s/stderr", dir), *fifo = alloc_printf("%s/fifo", dir);
	cleanup_free char *link = alloc_printf("%s/link", dir), *target = alloc_printf("%s/target", dir);
	const char *const to_fifo[] = { "quod", "--log", fifo, "create", "id", NULL };
	const char *const to_link[] = { "quod", "--log", link, "create", "id", NULL };
	const char *const to_dir[] = { "quod", "--log", dir, "create", "id", NULL };
	const char *const to_journal[] = { "quod", "--log", "journald:x", "create", "id", NULL };
	const char *const nothing[] = { NULL };

	OK(mkfifo(fifo, 0600) == 0 && symlink(target, link) == 0, "report: a FIFO and a link are there");
	cleanup_free char *first = report(to_fifo, "no", false, errors);
	IS_STR(first, "quod: no\n", "report: a FIFO that nobody reads doesn't hold quod up");
	cleanup_free char *second = report(to_link, "no", false, errors);
	OK(second && access(target, F_OK) < 0, "report: a link is not followed");
	cleanup_free char *third = report(to_dir, "no", false, errors);
	IS_STR(third, "quod: no\n", "report: a directory is no log");
	cleanup_free char *fourth = report(to_journal, "no", true, errors);
	OK(fourth && access("journald:x", F_OK) < 0, "report: crun's journal is no file");
	cleanup_free char *fifth = report(nothing, "no", false, errors);
	IS_STR(fifth, "quod: no\n", "report: without any command line stderr is enough");
	unlink(fifo);
	unlink(link);
	unlink(errors);
}

int main(void)
{
	char dir[] = "/tmp/quod-test-report.XXXXXX";

	if (!mkdtemp(dir))
		return 1;
	test_forms(dir);
	test_places(dir);
	OK(rmdir(dir) == 0, "report: nothing else was written");
	return tap_done();
}
