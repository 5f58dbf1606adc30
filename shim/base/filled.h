/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `filled_by_kernel char text[16384];`: a large buffer on the stack that a system call fills and whose length it says, so that
 * nothing of it is looked at before. The compiler zeroes every other variable (-ftrivial-auto-var-init); of such a buffer that
 * would touch each page, and a helper keeps its stack's pages as long as the container lives.
 */
#ifndef QUOD_BASE_FILLED_H
#define QUOD_BASE_FILLED_H

#ifdef __has_attribute
#if __has_attribute(uninitialized)
#define filled_by_kernel __attribute__((uninitialized))
#endif
#endif
#ifndef filled_by_kernel
#define filled_by_kernel
#endif

#endif
