/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quodctl setup kubernetes: this node's handlers, and the cluster's RuntimeClasses. */
#ifndef QUOD_CTL_SETUP_KUBERNETES_H
#define QUOD_CTL_SETUP_KUBERNETES_H

#include "shim/ctl/setup.h"

/* CRI-O where it is configured, else containerd. */
const struct setup_engine *kubernetes_node_engine(struct setup *setup);

/* A RuntimeClass for each handler that is set up: YAML documents. */
void kubernetes_put_classes(const struct setup *setup, struct buf *text);

/* On stdout, or into --output FILE. */
int kubernetes_show_classes(const struct setup *setup);

#endif
