/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The project's own file: what is taken for one, and what a workspace's owner can put in its place. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/project-word.h"
#include "tests/unit/tap.h"

static char root[] = "/tmp/quod-word.XXXXXX";

static void write_word(const char *bytes, size_t len)
{
	FILE *file = fopen(".quod.json", "w");

	if (!file || fwrite(bytes, 1, len, file) != len || fclose(file))
		exit(99);
}

/* "word", "none", or the error. */
static const char *outcome(void)
{
	static struct err err;
	cleanup_close int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct profile *word = NULL;

	err = (struct err)ERR_INIT;
	if (fd < 0)
		exit(99);
	if (project_word_read(fd, "/w/.quod.json", NULL, &word, &err) < 0)
		return err.text;
	profile_free(word);
	return word ? "word" : "none";
}

int main(void)
{
	static char large[65536 + 1];
	static const char good[] = "{ \"version\": 1, /* ours */ \"budgets\": { \"wall\": \"10m\" } }";

	if (!mkdtemp(root) || chdir(root) < 0)
		return 99;
	IS_STR(outcome(), "none", "word: a project without a file says nothing");
	write_word(good, strlen(good));
	IS_STR(outcome(), "word", "word: a file at the root of the project is its word");
	memset(large, ' ', sizeof(large));
	memcpy(large, good, strlen(good));
	write_word(large, sizeof(large) - 1);
	IS_STR(outcome(), "word", "word: 64 KiB are read");
	write_word(large, sizeof(large));
	IS_STR(outcome(), "/w/.quod.json: longer than 65536 bytes", "word: a byte more is refused");
	write_word("{", 1);
	OK(strstr(outcome(), "/w/.quod.json:"), "word: what is no JSON is refused");
	unlink(".quod.json");
	if (symlink("/etc/passwd", ".quod.json") < 0)
		return 99;
	OK(strstr(outcome(), "/w/.quod.json"), "word: a link is refused, wherever it leads");
	unlink(".quod.json");
	if (symlink("nowhere", ".quod.json") < 0)
		return 99;
	OK(strstr(outcome(), "/w/.quod.json"), "word: a link that leads nowhere is not the same as none");
	unlink(".quod.json");
	if (mkfifo(".quod.json", 0666) < 0)
		return 99;
	IS_STR(outcome(), "/w/.quod.json is no regular file (a link is not followed)", "word: a FIFO is refused, and nobody waits for it");
	unlink(".quod.json");
	if (mkdir(".quod.json", 0755) < 0)
		return 99;
	IS_STR(outcome(), "/w/.quod.json is no regular file (a link is not followed)", "word: a directory is refused");
	rmdir(".quod.json");
	if (chdir("/") < 0 || rmdir(root) < 0)
		return 99;
	return tap_done();
}
