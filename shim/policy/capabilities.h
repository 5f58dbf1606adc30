/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities by name and number (linux/capability.h), as configurations and profiles write them: "CAP_CHOWN". Pure. */
#ifndef QUOD_POLICY_CAPABILITIES_H
#define QUOD_POLICY_CAPABILITIES_H

#include <stdint.h>

/* Its number, or -1 for a name that no kernel up to 6.18 knows. Upper case with "CAP_" only, as the specification has it. */
int capability_parse(const char *name);

/* "CAP_CHOWN" for 0; NULL beyond the last. */
const char *capability_name(unsigned number);

#define CAPABILITY_BIT(number) (UINT64_C(1) << (number))

#endif
