/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sealed memory file: see sealed.h. */
#include "shim/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u	/* Linux 6.3 */
#endif

int sealed_make(const char *name, const char *text, size_t len, int least_fd, struct err *err)
{
	cleanup_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int kept;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set_errno(err, errno, "memory file %s", name);
	if (file_write_all(fd, text, len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_set_errno(err, errno, "write memory file %s", name);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return err_set_errno(err, errno, "seal memory file %s", name);
	kept = fcntl(fd, F_DUPFD, least_fd);
	if (kept < 0)
		return err_set_errno(err, errno, "descriptor from %d on for %s", least_fd, name);
	return kept;
}
