/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of system calls: see seccomp-names.h. The only file of policy that asks libseccomp, and only for its tables: no
 * filter is ever built or loaded here.
 */
#include "shim/policy/seccomp-names.h"

#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/seccomp-floor.h"

#define NUMBER_MAX 1024		/* beyond what any 64-bit architecture has */
#define GAP_MAX 200		/* numbers without a name between two with one: the widest is 129, on 64-bit ARM */

static const struct {
	uint32_t token;
	const char *name;
	bool arguments_are_known;
} architectures[] = {
	{ SCMP_ARCH_X86_64, "SCMP_ARCH_X86_64", true },	  { SCMP_ARCH_AARCH64, "SCMP_ARCH_AARCH64", true },
	{ SCMP_ARCH_RISCV64, "SCMP_ARCH_RISCV64", true }, { SCMP_ARCH_PPC64LE, "SCMP_ARCH_PPC64LE", false },
	{ SCMP_ARCH_S390X, "SCMP_ARCH_S390X", false },	  { SCMP_ARCH_X86, "SCMP_ARCH_X86", false },
	{ SCMP_ARCH_ARM, "SCMP_ARCH_ARM", false },
};

bool syscall_is_in_library(const char *name)
{
	return seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR;
}

bool syscall_is_known(const char *name)
{
	for (size_t i = 0; i < seccomp_floor_count; i++)
		if (!strcmp(seccomp_floor[i].name, name))
			return true;
	return syscall_is_in_library(name);
}

bool syscall_is_native(const char *name)
{
	return seccomp_syscall_resolve_name(name) >= 0;
}

static bool add_matching(uint32_t architecture, const char *pattern, struct strings *names)
{
	bool found = false;

	for (int number = 0, gap = 0; number < NUMBER_MAX && gap < GAP_MAX; number++) {
		cleanup_free char *name = seccomp_syscall_resolve_num_arch(architecture, number);

		gap = name ? 0 : gap + 1;
		if (!name || !pattern_matches(pattern, name))
			continue;
		found = true;
		if (names)
			strings_add(names, name);
	}
	return found;
}

void syscall_list(struct strings *names)
{
	add_matching(SCMP_ARCH_NATIVE, "*", names);
}

bool syscall_resolve_pattern(const char *pattern, struct strings *names)
{
	if (!strchr(pattern, '*')) {
		if (syscall_is_native(pattern))
			strings_add(names, pattern);
		return syscall_is_known(pattern);
	}
	return add_matching(SCMP_ARCH_NATIVE, pattern, names) || add_matching(SCMP_ARCH_X86, pattern, NULL) ||
	       add_matching(SCMP_ARCH_ARM, pattern, NULL);
}

const char *syscall_native_architecture(void)
{
	uint32_t token = seccomp_arch_native();

	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].token == token)
			return architectures[i].name;
	return NULL;
}

bool syscall_arguments_are_known(void)
{
	uint32_t token = seccomp_arch_native();

	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (architectures[i].token == token)
			return architectures[i].arguments_are_known;
	return false;
}
