/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Release by scope, hand over by name: `cleanup_free char *p`, `cleanup_close int fd = -1`, `return steal_ptr(&p)`.
 * Descriptors start at -1.
 */
#ifndef QUOD_BASE_CLEANUP_H
#define QUOD_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_at(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_at(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void cleanup_fclose_at(FILE **file)
{
	if (*file)
		fclose(*file);
	*file = NULL;
}

#define cleanup_free __attribute__((cleanup(cleanup_free_at)))
#define cleanup_close __attribute__((cleanup(cleanup_close_at)))
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_at)))

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define steal_ptr(pointer)                         \
	({                                         \
		__typeof__(*(pointer)) taken_ = *(pointer); \
		*(pointer) = NULL;                 \
		taken_;                            \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
