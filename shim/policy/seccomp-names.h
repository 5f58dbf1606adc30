/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of system calls as this machine's libseccomp knows them, which is what the runtimes use too. */
#ifndef QUOD_POLICY_SECCOMP_NAMES_H
#define QUOD_POLICY_SECCOMP_NAMES_H

#include "shim/policy/profile.h"

bool syscall_is_in_library(const char *name);	/* on any architecture */
bool syscall_is_known(const char *name);	/* that, or in the floor: it may be newer than the library */
bool syscall_is_native(const char *name);

/* All names of this architecture, by number. Free with strings_free. */
void syscall_list(struct strings *names);

/* Appends the native names that the pattern matches. False when it matches nothing on any architecture either: misspelt. */
bool syscall_resolve_pattern(const char *pattern, struct strings *names);

/* "SCMP_ARCH_X86_64"; NULL where it has no name in the specification. */
const char *syscall_native_architecture(void);

/* Do the argument positions of the guarded calls hold here? (s390 has clone's flags elsewhere, 32-bit ones socketcall.) */
bool syscall_arguments_are_known(void);

#endif
