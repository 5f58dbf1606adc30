/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzz target of shim/egress/denials: the head of a refused packet, as the kernel hands it over. */
#include <stdint.h>
#include <stdlib.h>

#include "shim/egress/denials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct denial denial;

	if (denial_parse(data, size, &denial) && denial.family != 4 && denial.family != 6)
		abort();
	if (!denial.has_port && denial.port)
		abort();
	return 0;
}
