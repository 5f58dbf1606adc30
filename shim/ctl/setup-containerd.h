/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking a running containerd: setup_engine.check. */
#ifndef QUOD_CTL_SETUP_CONTAINERD_H
#define QUOD_CTL_SETUP_CONTAINERD_H

#include "shim/ctl/setup.h"

int containerd_check(struct setup *setup, char **says, struct err *err);

#endif
