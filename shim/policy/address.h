/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses and networks, v4 and v6, as the policy and the rules share them. Pure. */
#ifndef QUOD_POLICY_ADDRESS_H
#define QUOD_POLICY_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

struct address {
	uint8_t family;		/* 4 or 6; 0 = none */
	uint8_t bytes[16];	/* network order; v4 in the first four, rest zero */
};

struct network {
	struct address base;	/* host bits are zero */
	uint8_t prefix;		/* bits */
};

#endif
