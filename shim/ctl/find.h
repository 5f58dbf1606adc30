/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding a container under quod by what a person types. */
#ifndef QUOD_CTL_FIND_H
#define QUOD_CTL_FIND_H

#include "shim/state/record.h"

/* The record whose id is `name` or begins with it (at least four characters; one match only). *dir_fd is its state
 * directory. -ENOENT, -ENOTUNIQ with the candidates in err. Free with record_release and close. */
int container_find(const struct state_places *places, const char *name, struct record *record, int *dir_fd, struct err *err);

#endif
