/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc says of processes: see process.h. */
#include "shim/ctl/process.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/base/buf.h"
#include "shim/base/cleanup.h"
#include "shim/base/file.h"

#define WORDS_MAX (1u << 20)

void process_each(int (*visit)(pid_t pid, void *data), void *data)
{
	DIR *listing = opendir("/proc");
	struct dirent *entry;

	while (listing && (entry = readdir(listing)))
		if (isdigit((unsigned char)entry->d_name[0]) && visit((pid_t)atoi(entry->d_name), data))
			break;
	if (listing)
		closedir(listing);
}

static char *read_file(pid_t pid, const char *name, size_t *len)
{
	cleanup_free char *path = alloc_printf("/proc/%d/%s", (int)pid, name);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err ignored = ERR_INIT;
	char *text = NULL;

	return fd < 0 || file_read_all(fd, WORDS_MAX, &text, len, &ignored) < 0 ? NULL : text;
}

bool process_words(pid_t pid, struct strings *words)
{
	size_t len = 0;
	cleanup_free char *text = read_file(pid, "cmdline", &len);

	for (size_t at = 0; text && at < len; at += strlen(text + at) + 1)
		strings_add(words, text + at);
	return len > 0;
}

/* "PID (NAME) STATE PPID ...": the name may hold anything, parentheses too. */
uint64_t process_start(pid_t *parent, pid_t pid)
{
	size_t len = 0;
	cleanup_free char *text = read_file(pid, "stat", &len);
	char *at = text ? strrchr(text, ')') : NULL;
	unsigned long long start = 0;
	int above = 0;

	if (!at || sscanf(at + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &above, &start) != 2)
		return 0;
	if (parent)
		*parent = (pid_t)above;
	return start;
}

int64_t process_since_s(pid_t pid)
{
	uint64_t start = process_start(NULL, pid), ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec boot, now;

	if (!start || clock_gettime(CLOCK_BOOTTIME, &boot) < 0 || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return 0;
	return (int64_t)now.tv_sec - ((int64_t)boot.tv_sec - (int64_t)(start / ticks));
}

struct family {
	pid_t parent, child;
	uint64_t start;
};

static int compare_child(pid_t pid, void *data)
{
	struct family *family = data;
	pid_t parent = 0;
	uint64_t start = process_start(&parent, pid);

	if (start && parent == family->parent && (!family->child || start < family->start)) {
		family->child = pid;
		family->start = start;
	}
	return 0;
}

pid_t process_first_child(pid_t pid)
{
	struct family family = { .parent = pid };

	process_each(compare_child, &family);
	return family.child;
}
