/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands here until the floor is merged into the document: says that it isn't in force. */
#include "shim/policy/plan.h"

void plan_seccomp(const struct plan_input *input, struct plan *plan)
{
	if (input->profile->seccomp.floor)
		plan_note(plan, "seccomp.floor: not merged yet");
}
