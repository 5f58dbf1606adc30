/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filter of system calls as the kernel takes it (seccomp(2), struct seccomp_data): a list of what stays possible, in the
 * order in which it is asked. Pure, and without an allocation: a helper that has built it holds no more memory than before.
 * The numbers and the shape of a comparison are those of libseccomp's header; nothing of its library is needed.
 */
#ifndef QUOD_WARDEN_CALL_FILTER_H
#define QUOD_WARDEN_CALL_FILTER_H

#include <linux/filter.h>
#include <seccomp.h>
#include <stddef.h>

/* Argument `number` is `value`, in all 64 bits. */
#define LOCKDOWN_IS(number, value) SCMP_CMP((number), SCMP_CMP_EQ, (scmp_datum_t)(value), 0)

/* One system call that stays possible, with what its arguments must be. */
struct lockdown_call {
	int number;			/* SCMP_SYS(name); one that this machine doesn't have is passed over */
	unsigned count;			/* of `arguments` */
	struct scmp_arg_cmp arguments[2];	/* SCMP_CMP_EQ or SCMP_CMP_MASKED_EQ */
};

#define CALL_FILTER_MAX 1024	/* instructions: room enough for a hundred calls */

/* Fills `code`; the count of instructions, or -E2BIG, or -EINVAL for another comparison. What isn't listed, and every call of
 * another architecture, kills the process. */
int call_filter_make(const struct lockdown_call *calls, size_t count, struct sock_filter code[CALL_FILTER_MAX]);

#endif
