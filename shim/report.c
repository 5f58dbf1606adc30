/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why quod refused, or what it held to the profile: on stderr, and in the runtime's --log file, which is what Docker,
 * containerd and Podman show to the user. Must work when nothing else does: an unreadable command line, no configuration, a
 * full disk; and never block.
 */
/*
 * Why quod refused, or what it held to the profile: on stderr, and in the runtime's --log file, which is what Docker, containerd and Podman show to the
 * user. Must work when nothing else does: an unreadable command line, no configuration, a full disk; and never block.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/shim.h"

/* One line in logrus' formats, as the runtime itself would write it. */
static void put_log_line(struct buf *buf, const char *level, const char *text, bool is_json)
{
	time_t now = time(NULL);
	char stamp[32] = "1970-01-01T00:00:00Z";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (is_json)
		buf_printf(buf, "{\"level\":\"%s\",\"msg\":", level);
	else
		buf_printf(buf, "time=\"%s\" level=%s msg=", stamp, level);
	buf_put_json(buf, text);
	if (is_json)
		buf_printf(buf, ",\"time\":\"%s\"}", stamp);
	buf_putc(buf, '\n');
}

/* The file that a --log value means, or NULL when it means none. crun has "file:PATH", "journald:ID" and "syslog:ID". */
static const char *log_path(const struct oci_cmdline *line)
{
	const struct oci_option *option = oci_cmdline_global(line, "log");

	if (!option || !option->value || !option->value[0])
		return NULL;
	if (line->dialect == OCI_DIALECT_RUNC)
		return option->value;
	if (!strncmp(option->value, "journald:", 9) || !strncmp(option->value, "syslog:", 7))
		return NULL;
	return strncmp(option->value, "file:", 5) ? option->value : option->value + 5;
}

/* Without O_NOFOLLOW a link in a directory of somebody else's would lead root's write anywhere; without O_NONBLOCK a FIFO
 * that nobody reads would hold the engine up. */
static void write_log(const struct oci_cmdline *line, const char *level, const char *text)
{
	const struct oci_option *format = oci_cmdline_global(line, "log-format");
	const char *path = log_path(line);
	cleanup_buf struct buf buf = BUF_INIT;
	cleanup_close int fd = -1;
	struct stat st;

	if (!path)
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	if (fd < 0 || fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)))
		return;
	put_log_line(&buf, level, text, format && format->value && !strcmp(format->value, "json"));
	file_write_all(fd, buf.data, buf.len);
}

static void report(const struct shim *shim, const char *level, const char *text)
{
	cleanup_buf struct buf line = BUF_INIT, plain = BUF_INIT;
	struct oci_cmdline parsed = { 0 };
	struct err ignored = ERR_INIT;

	buf_puts(&plain, "quod: ");
	buf_put_plain(&plain, text && *text ? text : "unknown failure");
	buf_printf(&line, "%s\n", plain.data);
	file_write_all(STDERR_FILENO, line.data, line.len);
	if (!shim->line.argv && shim->argv)
		oci_cmdline_parse(OCI_DIALECT_RUNC, shim->argc, shim->argv, &parsed, &ignored);
	write_log(shim->line.argv ? &shim->line : &parsed, level, plain.data);
	oci_cmdline_free(&parsed);
}

int report_failure(const struct shim *shim, const char *text)
{
	report(shim, "error", text);
	return 1;
}

void report_warning(const struct shim *shim, const char *text)
{
	report(shim, "warning", text);
}
