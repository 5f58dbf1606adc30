/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quod-warden: the helpers beside a container. Started by the hook with descriptors at fixed numbers (settings.h), never by
 * hand; checks what it was given, and becomes the guardian, which starts the gate and the warden. Parses no JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/syscalls.h"
#include "shim/warden/guardian.h"

#define OOM_SCORE "-900"

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* Sealed, of this version, and every text ended. */
static bool read_settings(struct warden_settings *settings)
{
	const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct stat st;

	if (fcntl(WARDEN_FD_SETTINGS, F_GET_SEALS) != wanted || fstat(WARDEN_FD_SETTINGS, &st) < 0 ||
	    st.st_size != (off_t)sizeof(*settings) ||
	    pread(WARDEN_FD_SETTINGS, settings, sizeof(*settings), 0) != (ssize_t)sizeof(*settings))
		return false;
	return settings->magic == WARDEN_MAGIC && settings->version == WARDEN_VERSION && settings->pid > 1 &&
	       settings->guard <= 1 && is_text(settings->key, sizeof(settings->key)) &&
	       is_text(settings->ledger_key, sizeof(settings->ledger_key)) &&
	       is_text(settings->container, sizeof(settings->container)) && is_text(settings->engine, sizeof(settings->engine)) &&
	       is_text(settings->profile, sizeof(settings->profile)) && is_text(settings->digest, sizeof(settings->digest)) &&
	       is_text(settings->audit_file, sizeof(settings->audit_file)) &&
	       is_text(settings->audit_head, sizeof(settings->audit_head)) &&
	       is_text(settings->ledger_dir, sizeof(settings->ledger_dir)) && (!settings->has_table || settings->alive_ms) &&
	       (!settings->has_names || (settings->has_table && settings->learn_ms && settings->resolver_count <= WARDEN_RESOLVERS));
}

/* The host's out-of-memory killer should take others first. Only a wish: without CAP_SYS_RESOURCE it can't be lowered. */
static void lower_oom_score(void)
{
	cleanup_close int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, OOM_SCORE, strlen(OOM_SCORE)) < 0)
		return;
}

int main(int argc, char **argv)
{
	static struct warden_settings settings;

	for (int fd = 0; fd <= WARDEN_FD_NAMES; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			argc = 0;
	if (argc != 1 || !read_settings(&settings)) {
		fputs("quod-warden: is started by quod's hook, with what it needs at descriptors 3 to 8\n", stderr);
		return 2;
	}
	for (int fd = WARDEN_FD_SETTINGS; fd <= WARDEN_FD_NAMES; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	close(WARDEN_FD_SETTINGS);
	sys_close_range(WARDEN_FD_NAMES + 1, ~0u, 0);
	prctl(PR_SET_NAME, "quod-guardian", 0, 0, 0);
	lower_oom_score();
	return guardian_main(&settings, argv[0]);
}
