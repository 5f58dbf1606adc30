/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files by descriptor: whole reads with a bound, atomic writes, and the question "who else can change this path?".
 * Every descriptor returned is O_CLOEXEC and owned by the caller.
 */
#ifndef QUOD_BASE_FILE_H
#define QUOD_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "shim/base/err.h"

/* Opens a regular file for reading, following no symbolic link in its last component and never blocking on a FIFO.
 * dir_fd may be AT_FDCWD. Returns a descriptor or a negative errno (err set). */
int file_open_regular(int dir_fd, const char *path, struct err *err);

/* Reads all of a regular file or pipe into a malloc'ed, NUL-terminated buffer; EFBIG when it is longer than `limit` bytes. */
int file_read_all(int fd, size_t limit, char **data, size_t *len, struct err *err);

/* Writes all bytes; negative errno on failure (a short write is continued). */
int file_write_all(int fd, const void *data, size_t len);

/* Replaces dir_fd/name atomically: temporary file of mode `mode`, write, rename. Nothing is left on failure. The durable form
 * has it on the disk (fsync) before the rename; the other is for what does not outlive the boot. */
int file_replace(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, struct err *err);
int file_replace_durable(int dir_fd, const char *name, const void *data, size_t len, mode_t mode, struct err *err);

/* mkdir -p with mode for each directory that is missing. An existing one must be a directory. */
int file_make_dirs(const char *path, mode_t mode, struct err *err);

/* 0 when neither `path` (absolute, resolved) nor any directory above it can be changed by anyone but uid 0 and `also_uid`
 * (give 0 for none); else -EPERM with the culprit in err. `overflow_ok`: files of the overflow uid count as root's
 * (rootless: the host's root shows up as 65534). Sticky directories (/tmp) count as writable by others unless the
 * entry below is owned by a trusted uid. */
int file_check_owner_chain(const char *path, uid_t also_uid, bool overflow_ok, struct err *err);

/* The same of `path` alone, where the directory it lies in is known to be so. */
int file_check_owner(const char *path, uid_t also_uid, bool overflow_ok, struct err *err);

/* A path as mountinfo writes it, in place: space, tab, newline and backslash are \NNN there. */
void file_decode_mountinfo(char *text);

/* /proc/self/fd/N resolved; malloc'ed, or NULL with errno. */
char *file_fd_path(int fd);

#endif
