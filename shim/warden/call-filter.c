/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters of system calls: see call-filter.h. Linear: a call that is allowed whatever its arguments costs nothing at run time
 * (the kernel keeps a bitmap of those), and the others are few.
 */
#include "shim/warden/call-filter.h"

#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdint.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define NATIVE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define NATIVE AUDIT_ARCH_S390X
#elif defined(__i386__)
#define NATIVE AUDIT_ARCH_I386
#elif defined(__arm__)
#define NATIVE AUDIT_ARCH_ARM
#else
#error "the helpers' filters of system calls don't know this architecture"
#endif

struct program {
	struct sock_filter *code;
	size_t count;
};

static void put(struct program *program, struct sock_filter instruction)
{
	if (program->count < CALL_FILTER_MAX)
		program->code[program->count] = instruction;
	program->count++;
}

static void load(struct program *program, size_t offset)
{
	put(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void answer(struct program *program, uint32_t action)
{
	put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Skips one instruction when it differs, or as many as end_call says. */
static void expect(struct program *program, uint32_t value)
{
	put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
}

/* Half of an argument; what follows it is skipped to the end of its call (see end_call) when it differs. */
static void compare_half(struct program *program, size_t offset, uint32_t mask, uint32_t value)
{
	if (!mask)
		return;
	load(program, offset);
	if (mask != UINT32_MAX)
		put(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	expect(program, value);
}

static int compare(struct program *program, const struct scmp_arg_cmp *argument)
{
	size_t offset = offsetof(struct seccomp_data, args) + argument->arg * sizeof(uint64_t);
	size_t low = __BYTE_ORDER == __LITTLE_ENDIAN ? 0 : sizeof(uint32_t);
	uint64_t mask, value;

	switch (argument->op) {
	case SCMP_CMP_EQ:
		mask = UINT64_MAX;
		value = argument->datum_a;
		break;
	case SCMP_CMP_MASKED_EQ:
		mask = argument->datum_a;
		value = argument->datum_b;
		break;
	default:
		return -EINVAL;
	}
	if (argument->arg >= 6 || (value & ~mask))
		return -EINVAL;
	compare_half(program, offset + low, (uint32_t)mask, (uint32_t)value);
	compare_half(program, offset + sizeof(uint32_t) - low, (uint32_t)(mask >> 32), (uint32_t)(value >> 32));
	return 0;
}

/* All comparisons since `from` that fail lead behind the call's answer, where its number is loaded again. */
static void end_call(struct program *program, size_t from)
{
	answer(program, SECCOMP_RET_ALLOW);
	for (size_t i = from; i < program->count && i < CALL_FILTER_MAX; i++)
		if (program->code[i].jf)
			program->code[i].jf = (uint8_t)(program->count - i - 1);
}

static int put_call(struct program *program, const struct lockdown_call *call)
{
	size_t from = program->count;
	int r = 0;

	expect(program, (uint32_t)call->number);
	for (unsigned i = 0; i < call->count && !r; i++)
		r = compare(program, &call->arguments[i]);
	end_call(program, from);
	if (call->count)
		load(program, offsetof(struct seccomp_data, nr));
	return r;
}

int call_filter_make(const struct lockdown_call *calls, size_t count, struct sock_filter code[CALL_FILTER_MAX])
{
	struct program program = { code, 0 };
	int r = 0;

	load(&program, offsetof(struct seccomp_data, arch));
	put(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0));
	answer(&program, SECCOMP_RET_KILL_PROCESS);
	load(&program, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count && !r; i++)
		if (calls[i].number >= 0)
			r = put_call(&program, &calls[i]);
	answer(&program, SECCOMP_RET_KILL_PROCESS);
	if (!r && program.count > CALL_FILTER_MAX)
		r = -E2BIG;
	return r ? r : (int)program.count;
}
