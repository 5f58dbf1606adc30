/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/warden/call-filter.c: its programs are run by an interpreter of their few instructions, and their answers
 * compared with what the lists say, over many lists and calls. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/warden/call-filter.h"
#include "tests/unit/tap.h"

#define ROUNDS 2000
#define CALLS 24

/* The answer, or UINT32_MAX for a program that the kernel wouldn't take. */
static uint32_t run(const struct sock_filter *code, int count, const struct seccomp_data *data)
{
	uint32_t accumulator = 0;

	for (int at = 0; at < count; at++) {
		const struct sock_filter *one = &code[at];

		switch (one->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (one->k % 4 || one->k + 4 > sizeof(*data))
				return UINT32_MAX;
			memcpy(&accumulator, (const char *)data + one->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			accumulator &= one->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += accumulator == one->k ? one->jt : one->jf;
			break;
		case BPF_RET | BPF_K:
			return one->k;
		default:
			return UINT32_MAX;
		}
	}
	return UINT32_MAX;
}

static bool holds(const struct scmp_arg_cmp *argument, uint64_t value)
{
	return argument->op == SCMP_CMP_EQ ? value == argument->datum_a : (value & argument->datum_a) == argument->datum_b;
}

static bool is_listed(const struct lockdown_call *calls, size_t count, const struct seccomp_data *data)
{
	for (size_t i = 0; i < count; i++) {
		bool is_it = calls[i].number == data->nr;

		for (unsigned j = 0; is_it && j < calls[i].count; j++)
			is_it = holds(&calls[i].arguments[j], data->args[calls[i].arguments[j].arg]);
		if (is_it)
			return true;
	}
	return false;
}

/* Few values, in either half, so that they meet. */
static uint64_t some_value(void)
{
	static const uint64_t values[] = { 0, 1, 4, 5, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000001, UINT64_MAX };

	return values[(size_t)random() % ARRAY_SIZE(values)];
}

static struct scmp_arg_cmp some_argument(void)
{
	struct scmp_arg_cmp argument = { (unsigned)random() % 6, SCMP_CMP_EQ, some_value(), 0 };

	if (random() % 2) {
		argument.op = SCMP_CMP_MASKED_EQ;
		argument.datum_b = some_value() & argument.datum_a;
	}
	return argument;
}

static uint32_t native(const struct sock_filter *code)
{
	return code[1].k;
}

static bool answers_agree(void)
{
	struct lockdown_call calls[CALLS];
	struct sock_filter code[CALL_FILTER_MAX];
	size_t count = (size_t)random() % CALLS;
	int len;

	for (size_t i = 0; i < count; i++)
		calls[i] = (struct lockdown_call){ (int)(random() % 12) - 1, (unsigned)random() % 3, { some_argument(), some_argument() } };
	len = call_filter_make(calls, count, code);
	if (len <= 0)
		return false;
	for (int i = 0; i < 200; i++) {
		struct seccomp_data data = { .nr = (int)(random() % 12), .arch = native(code) };
		uint32_t wanted;

		for (size_t j = 0; j < 6; j++)
			data.args[j] = some_value();
		wanted = is_listed(calls, count, &data) ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;
		if (run(code, len, &data) != wanted)
			return false;
		data.arch ^= 1;
		if (run(code, len, &data) != SECCOMP_RET_KILL_PROCESS)
			return false;
	}
	return true;
}

static void test_refused(void)
{
	const struct lockdown_call greater[] = { { 1, 1, { { 0, SCMP_CMP_GT, 3, 0 } } } };
	const struct lockdown_call beyond[] = { { 1, 1, { { 6, SCMP_CMP_EQ, 3, 0 } } } };
	const struct lockdown_call never[] = { { 1, 1, { { 0, SCMP_CMP_MASKED_EQ, 1, 2 } } } };
	struct lockdown_call many[CALL_FILTER_MAX / 2];
	struct sock_filter code[CALL_FILTER_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct lockdown_call){ (int)i, 0, { { 0 } } };
	OK(call_filter_make(greater, 1, code) == -EINVAL, "call-filter: a comparison that it doesn't know is refused");
	OK(call_filter_make(beyond, 1, code) == -EINVAL, "call-filter: so is an argument that no call has");
	OK(call_filter_make(never, 1, code) == -EINVAL, "call-filter: so is a value outside of its mask");
	OK(call_filter_make(many, ARRAY_SIZE(many), code) == -E2BIG, "call-filter: too long a list is refused whole");
}

int main(void)
{
	bool agree = true;

	srandom(4711);
	for (int i = 0; i < ROUNDS && agree; i++)
		agree = answers_agree();
	OK(agree, "call-filter: allows what is listed and kills what is not, of this architecture and of others");
	test_refused();
	return tap_done();
}
