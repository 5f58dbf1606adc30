/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running engines: see setup-run.h. Looks and asks; must never start anything that quod would let run. */
#include "shim/ctl/setup-run.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"

#define OUTPUT_MAX (64u << 10)
#define COMMAND_LINE_MAX (1u << 20)

static int read_proc(const char *pid, const char *name, char **text, size_t *len)
{
	cleanup_free char *path = alloc_printf("/proc/%s/%s", pid, name);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err ignored = ERR_INIT;

	return fd < 0 ? -errno : file_read_all(fd, COMMAND_LINE_MAX, text, len, &ignored);
}

static void add_value(const char *word, const char *next, const char *name, struct strings *values)
{
	size_t name_len = name ? strlen(name) : 0;

	if (!name || strncmp(word, name, name_len) != 0)
		return;
	if (word[name_len] == '=')
		strings_add(values, word + name_len + 1);
	else if (!word[name_len] && next)
		strings_add(values, next);
}

void setup_running_values(const char *program, const char *name, const char *alias, struct strings *values)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		cleanup_free char *comm = NULL, *line = NULL;
		size_t comm_len = 0, len = 0;

		if (!isdigit((unsigned char)entry->d_name[0]) || read_proc(entry->d_name, "comm", &comm, &comm_len) < 0)
			continue;
		comm[strcspn(comm, "\n")] = '\0';
		if (strcmp(comm, program) || read_proc(entry->d_name, "cmdline", &line, &len) < 0)
			continue;
		for (const char *word = line; word < line + len; word += strlen(word) + 1) {
			const char *next = word + strlen(word) + 1 < line + len ? word + strlen(word) + 1 : NULL;

			add_value(word, next, name, values);
			add_value(word, next, alias, values);
		}
	}
	if (proc)
		closedir(proc);
}

int setup_program_started(const char *program, struct timespec *started)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool any = false;

	while (proc && (entry = readdir(proc))) {
		cleanup_free char *comm = NULL;
		struct stat st;
		size_t len = 0;

		if (!isdigit((unsigned char)entry->d_name[0]) || read_proc(entry->d_name, "comm", &comm, &len) < 0)
			continue;
		comm[strcspn(comm, "\n")] = '\0';
		if (strcmp(comm, program) || fstatat(dirfd(proc), entry->d_name, &st, 0) < 0 ||
		    (any && st.st_ctim.tv_sec < started->tv_sec))
			continue;
		*started = st.st_ctim;
		any = true;
	}
	if (proc)
		closedir(proc);
	return any ? 0 : -ESRCH;
}

static void __attribute__((noreturn)) become(const char *const *argv, int input_fd, int output_fd)
{
	signal(SIGPIPE, SIG_DFL);
	if (dup2(input_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0)
		_exit(126);
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static char *read_output(int fd)
{
	cleanup_buf struct buf text = BUF_INIT;
	char chunk[4096];
	ssize_t got;

	while ((got = read(fd, chunk, sizeof(chunk))) > 0 || (got < 0 && errno == EINTR))
		if (got > 0 && text.len < OUTPUT_MAX)
			buf_put(&text, chunk, (size_t)got);
	while (text.len && isspace((unsigned char)text.data[text.len - 1]))
		text.data[--text.len] = '\0';
	return buf_steal(&text);
}

/* A pipe holds it: inputs are small. */
static int open_input(const struct setup_input *input)
{
	cleanup_close int write_fd = -1;
	int ends[2];

	if (!input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	write_fd = ends[1];
	if (file_write_all(write_fd, input->bytes, input->len) < 0) {
		close(ends[0]);
		return -1;
	}
	return ends[0];
}

int setup_run(const char *const *argv, const struct setup_input *input, char **printed, struct err *err)
{
	cleanup_close int read_fd = -1, write_fd = -1, input_fd = open_input(input);
	cleanup_free char *output = NULL;
	int ends[2], status;
	pid_t pid;

	if (input_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "run %s", argv[0]);
	read_fd = ends[0];
	write_fd = ends[1];
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return err_set_errno(err, errno, "run %s", argv[0]);
	if (pid == 0)
		become(argv, input_fd, write_fd);
	cleanup_close_at(&write_fd);
	output = read_output(read_fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (printed)
		*printed = steal_ptr(&output);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int setup_judge(const char *runtime, char **says)
{
	char *refused = *says ? strstr(*says, "refused by profile '") : NULL;
	bool proven = refused && strstr(refused, SETUP_CHECK_NAME);
	char *sentence = proven ? alloc_printf("a container of runtime %s was refused by quod, as it had to be", runtime) :
				  alloc_printf("quod was not heard from a container of runtime %s: %.600s", runtime, *says ? *says : "");

	free(*says);
	*says = sentence;
	return !proven;
}
