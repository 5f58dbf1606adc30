/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of plan_process, by duty. Only process.c calls them; the place is that of the process object, which exists. */
#ifndef QUOD_POLICY_PROCESS_PARTS_H
#define QUOD_POLICY_PROCESS_PARTS_H

#include "shim/policy/place.h"

void process_plan_env(const struct plan_input *input, const struct place *process);
void process_plan_rlimits(const struct plan_input *input, const struct place *process);
void process_plan_scheduling(const struct place *process);	/* scheduler, ioPriority, execCPUAffinity */

#endif
