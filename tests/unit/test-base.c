/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/base. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/beside.h"
#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/base/err.h"
#include "shim/base/file.h"
#include "tests/unit/tap.h"

static void test_err(void)
{
	struct err err = ERR_INIT;

	OK(err_set(&err, EINVAL, "key '%s'", "hots") == -EINVAL, "err: err_set returns the negative code");
	OK(err_wrap(&err, "profile 'web'") == -EINVAL, "err: err_wrap keeps the code");
	IS_STR(err.text, "profile 'web': key 'hots'", "err: a wrap stands in front");
	err_set_errno(&err, ENOENT, "open x");
	IS_STR(err.text, "open x: No such file or directory", "err: errno's text stands behind");
}

static void is_json(const char *text, const char *wanted, const char *what)
{
	cleanup_buf struct buf buf = BUF_INIT;

	buf_put_json(&buf, text);
	IS_STR(buf.data, wanted, "buf: %s", what);
}

static void test_escapes(void)
{
	cleanup_buf struct buf plain = BUF_INIT;

	is_json("a\"b\\c", "\"a\\\"b\\\\c\"", "quote and backslash are escaped in JSON");
	is_json("\x1b[31m\n\t\x7f", "\"\\u001b[31m\\n\\u0009\\u007f\"", "control characters are escaped in JSON");
	is_json("\xc3\xa4\xe2\x80\xae", "\"\xc3\xa4\\u202e\"", "letters stay, a bidi override is escaped");
	is_json("\xc0\x80\xff", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "invalid UTF-8 becomes U+FFFD");
	buf_put_plain(&plain, "x\x1b]0;t\a\xc2\x9b\xff");
	IS_STR(plain.data, "x\\x1b]0;t\\x07\\u009b\\xff", "buf: a terminal escape is printed as text");
}

static void test_fixed(void)
{
	char memory[8];
	struct buf buf = buf_fixed(memory, sizeof(memory));

	buf_printf(&buf, "%d", 12345);
	OK(!buf.is_cut && buf.len == 5, "buf: a fixed buffer takes what fits");
	buf_puts(&buf, "678");
	OK(buf.is_cut, "buf: a fixed buffer says that it was too small");
	buf_putc(&buf, '6');
	IS_STR(buf.data, "12345", "buf: a fixed buffer that was cut takes nothing more");
	buf_printf(&buf, "%d", 6);
	IS_STR(buf.data, "12345", "buf: nor does it by a format");
	buf_free(&buf);
	buf = buf_fixed(memory, sizeof(memory));
	buf_printf(&buf, "%s", "12345678");
	OK(buf.is_cut && !strcmp(buf.data, ""), "buf: a format that doesn't fit leaves nothing of it");
}

static void test_numbers(void)
{
	cleanup_buf struct buf buf = BUF_INIT;
	char wanted[96] = "";

	buf_put_uint(&buf, 0);
	buf_putc(&buf, ' ');
	buf_put_uint(&buf, UINT64_MAX);
	IS_STR(buf.data, "0 18446744073709551615", "buf: numbers are written in decimal");
	for (int i = 0; i < 8; i++) {
		buf_printf(&buf, "%s", "0123456789");
		strcat(wanted, "0123456789");
	}
	IS_STR(buf.data + strlen("0 18446744073709551615"), wanted, "buf: a format makes it grow");
}

static void test_file(void)
{
	char dir[] = "/tmp/quod-test-base.XXXXXX";
	struct err err = ERR_INIT;
	cleanup_close int dir_fd = -1;
	cleanup_free char *data = NULL;
	cleanup_close int fd = -1;
	size_t len = 0;

	if (!mkdtemp(dir))
		return;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OK(file_replace(dir_fd, "a", "hello", 5, 0600, &err) == 0, "file: a file is replaced");
	fd = file_open_regular(dir_fd, "a", &err);
	OK(fd >= 0 && file_read_all(fd, 5, &data, &len, &err) == 0 && len == 5, "file: and read back within the bound");
	lseek(fd, 0, SEEK_SET);
	cleanup_free char *more = NULL;
	OK(file_read_all(fd, 4, &more, &len, &err) == -EFBIG, "file: one byte over the bound is refused");
	OK(mkfifoat(dir_fd, "fifo", 0600) == 0 && file_open_regular(dir_fd, "fifo", &err) == -EINVAL,
	   "file: a FIFO is refused without blocking");
	OK(symlinkat("a", dir_fd, "link") == 0 && file_open_regular(dir_fd, "link", &err) == -ELOOP,
	   "file: a link is not followed");
	cleanup_free char *path = alloc_printf("%s/a", dir);
	OK(file_check_owner_chain(path, 0, false, &err) == 0, "file: root's file below /tmp is trusted");
	OK(chmod(dir, 0777) == 0 && file_check_owner_chain(path, 0, false, &err) == -EPERM,
	   "file: one below a directory that all may write is not");
	chmod(dir, 0700);
	OK(chown(path, 1000, 0) == 0 && file_check_owner_chain(path, 0, false, &err) == -EPERM,
	   "file: one that belongs to a user is not");
	OK(file_check_owner_chain(path, 1000, false, &err) == 0, "file: unless that user is the one who is asked for");
	unlinkat(dir_fd, "a", 0);
	unlinkat(dir_fd, "fifo", 0);
	unlinkat(dir_fd, "link", 0);
	rmdir(dir);
}

static void test_beside(void)
{
	int pair[2], got_fd = 7, null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char word[8] = "";
	struct stat sent, got;

	OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 && null_fd >= 0, "beside: a pair of sockets");
	OK(beside_send(pair[0], "word", 5, null_fd, 0), "beside: a message and a descriptor are sent");
	OK(beside_receive(pair[1], word, sizeof(word), &got_fd, 0) == 5 && !strcmp(word, "word"), "beside: the message comes");
	OK(got_fd != null_fd && fstat(got_fd, &got) == 0 && fstat(null_fd, &sent) == 0 && got.st_rdev == sent.st_rdev,
	   "beside: and a descriptor of the same file");
	OK(fcntl(got_fd, F_GETFD) == FD_CLOEXEC, "beside: which is no exec'ed program's");
	close(got_fd);
	OK(beside_send(pair[0], "x", 2, -1, 0) && beside_receive(pair[1], word, sizeof(word), &got_fd, 0) == 2 && got_fd == -1,
	   "beside: a message without one brings none");
	OK(beside_receive(pair[1], word, sizeof(word), &got_fd, MSG_DONTWAIT) < 0 && errno == EAGAIN && got_fd == -1,
	   "beside: nothing there brings none");
	close(pair[1]);
	OK(!beside_send(pair[0], "x", 2, -1, 0) && errno == EPIPE, "beside: to nobody is an error and no signal");
	close(pair[0]);
	close(null_fd);
}

int main(void)
{
	test_err();
	test_escapes();
	test_fixed();
	test_numbers();
	test_file();
	test_beside();
	return tap_done();
}
