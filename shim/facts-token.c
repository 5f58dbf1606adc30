/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a pod's volume holds the token of a service account. A pod may project one under any name into any volume, so files
 * are known by what they say: a token of Kubernetes (JWT) has a claim "kubernetes.io". Must err on the side of a token.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/facts.h"

#define LOOKED_AT_MAX (64 * 1024)	/* of a file */
#define DEPTH_MAX 16
#define FILES_MAX 4096

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Base64 for URLs, without padding. */
static void decode(const char *text, size_t len, struct buf *out)
{
	unsigned bits = 0, count = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 6 | (unsigned)(strchr(alphabet, text[i]) - alphabet);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		buf_putc(out, (char)(bits >> count & 0xff));
	}
}

bool is_service_account_token(const char *bytes, size_t len)
{
	static const char claim[] = "\"kubernetes.io";
	cleanup_buf struct buf claims = BUF_INIT;
	size_t header, body;

	if (strnlen(bytes, len) < len)
		return false;
	bytes += strspn(bytes, " \t\r\n");
	header = strspn(bytes, alphabet);
	if (!header || bytes[header] != '.')
		return false;
	bytes += header + 1;
	body = strspn(bytes, alphabet);
	if (!bytes[body] && len >= LOOKED_AT_MAX)
		return true;	/* what else it claims isn't seen: an audience may be of any length */
	if (bytes[body] != '.')
		return false;
	decode(bytes, body, &claims);
	return claims.len && memmem(claims.data, claims.len, claim, sizeof(claim) - 1);
}

static bool file_holds_token(int fd)
{
	cleanup_free char *data = alloc_zeroed(LOOKED_AT_MAX + 1, 1);
	size_t len = 0;
	ssize_t got;

	while (len < LOOKED_AT_MAX && (got = read(fd, data + len, LOOKED_AT_MAX - len)) != 0) {
		if (got < 0 && errno != EINTR)
			return true;
		len += got > 0 ? (size_t)got : 0;
	}
	return is_service_account_token(data, len);
}

static bool holds_token(int fd, int depth, int *files);

/* Links inside lead to what is looked at anyway: the kubelet's "..data". What went away meanwhile was replaced by its heir. */
static bool entry_holds_token(int dir_fd, const char *name, int depth, int *files)
{
	cleanup_close int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno != ENOENT;
	return ++*files > FILES_MAX || holds_token(fd, depth + 1, files);
}

static bool dir_holds_token(int fd, int depth, int *files)
{
	DIR *dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
	struct dirent *entry;
	bool found = !dir;

	while (dir && !found && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			found = entry_holds_token(fd, entry->d_name, depth, files);
	found = found || errno;
	if (dir)
		closedir(dir);
	return found;
}

/* `fd` is of O_PATH. */
static bool holds_token(int fd, int depth, int *files)
{
	cleanup_free char *path = alloc_printf("/proc/self/fd/%d", fd);
	cleanup_close int open_fd = -1;
	struct stat st;

	if (fstat(fd, &st) < 0 || depth > DEPTH_MAX)
		return true;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return false;
	open_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (open_fd < 0)
		return true;
	return S_ISDIR(st.st_mode) ? dir_holds_token(open_fd, depth, files) : file_holds_token(open_fd);
}

/* Only the kubelet writes a token, into memory; a part of such a volume is seen at a place of its own. */
static bool may_hold_token(const struct fact_mount *fact)
{
	return strstr(fact->resolved, "/volumes/kubernetes.io~projected/") || strstr(fact->resolved, "/volumes/kubernetes.io~secret/") ||
	       (strstr(fact->resolved, "/volume-subpaths/") && fact->fs_magic == TMPFS_MAGIC);
}

void facts_find_tokens(struct facts *facts, const struct facts_held *held)
{
	for (size_t i = 0; i < facts->mount_count; i++) {
		struct fact_mount *fact = &facts->mounts[i];
		int files = 0;

		if (facts->engine == ENGINE_CRI && fact->resolved && held->mount_fds[i] >= 0 && may_hold_token(fact))
			fact->holds_token = holds_token(held->mount_fds[i], 0, &files);
	}
}
