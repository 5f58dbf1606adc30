/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Planners and lists that a test of one planner links but never asks: weak, so that the real ones win where they are built. */
#ifndef QUOD_TESTS_UNIT_PLAN_STUBS_H
#define QUOD_TESTS_UNIT_PLAN_STUBS_H

#include "shim/policy/plan.h"

#define STUB __attribute__((weak)) void

STUB plan_seccomp(const struct plan_input *input, struct plan *plan)
{
}

#endif
