/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays a fuzz target's corpus without a fuzzer: every file of the directories given is handed to the target once, as is
 * and cut short at a few places. One TAP line a directory; the input at which the target died is named on stderr. The same
 * target links with libFuzzer (clang -fsanitize=fuzzer) instead of this file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (8u << 20)

static char current[4096];

static void on_death(int number)
{
	if (write(STDERR_FILENO, current, strlen(current)) < 0)
		_exit(1);
	signal(number, SIG_DFL);
	raise(number);
}

/* The input in a buffer of exactly its size, so that a sanitizer sees the first byte read beyond it. */
static void feed(const char *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int replay_file(int dir_fd, const char *dir, const char *name, struct err *err)
{
	cleanup_free char *data = NULL;
	cleanup_close int fd = -1;
	size_t len = 0;
	int ret;

	fd = file_open_regular(dir_fd, name, err);
	if (fd < 0)
		return fd;
	ret = file_read_all(fd, INPUT_MAX, &data, &len, err);
	if (ret < 0)
		return ret;
	snprintf(current, sizeof(current), "# died at input %s/%s\n", dir, name);
	feed(data, len);
	for (size_t cut = 1; cut < 64 && cut < len; cut *= 2) {
		feed(data, len - cut);
		feed(data, cut);
	}
	return 0;
}

static int replay_dir(const char *path, struct err *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0, ret = 0;

	if (!dir)
		return err_set_errno(err, errno, "open %s", path);
	while (ret >= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		ret = replay_file(dirfd(dir), path, entry->d_name, err);
		count++;
	}
	closedir(dir);
	return ret < 0 ? ret : count;
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');
	const char *program = base ? base + 1 : argv[0];
	int failed = 0;

	signal(SIGABRT, on_death);
	signal(SIGSEGV, on_death);
	signal(SIGBUS, on_death);
	for (int i = 1; i < argc; i++) {
		struct err err = ERR_INIT;
		int count = replay_dir(argv[i], &err);

		if (count > 0) {
			printf("ok %d - %s: %d inputs are read without harm\n", i, program, count);
		} else {
			printf("not ok %d - %s: inputs are read without harm\n# %s\n", i, program,
			       count ? err.text : "no input there");
			failed++;
		}
	}
	printf("1..%d\n", argc - 1);
	return failed ? 1 : 0;
}
