/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an administrator has halted (quodctl halt): marks in /run/quod/halts, one small file each, which outlive the
 * container's own state, so that an engine's restart is no release. A container is marked by its identity, the key of its
 * state or, of Kubernetes, of its pod and name. A live one has a file `halted` in its state directory besides.
 */
#ifndef QUOD_STATE_HALTS_H
#define QUOD_STATE_HALTS_H

#include <stdbool.h>

#include "shim/base/err.h"
#include "shim/state/record.h"

enum halt_scope { HALT_ALL, HALT_PROFILE, HALT_CONTAINER };

struct halt_mark {
	enum halt_scope scope;
	const char *name;	/* of the profile; the identity; ignored of all */
};

/* `id` is what a person calls it; it is written into the mark. An existing mark stays as it is. */
int halts_set(const struct state_places *places, const struct halt_mark *mark, const char *id, struct err *err);

/* 1 when it was there, 0 when not. */
int halts_clear(const struct state_places *places, const struct halt_mark *mark, struct err *err);
int halts_has(const struct state_places *places, const struct halt_mark *mark, struct err *err);

/* Calls visit(mark, id, data) for each mark until it returns non-zero; returns that. A mark that can't be read has id "". */
int halts_each(const struct state_places *places, int (*visit)(const struct halt_mark *mark, const char *id, void *data),
	       void *data, struct err *err);

/* -EPERM, with what must be released in err, when a container of this identity and profile may not come to be. */
int halts_check(const struct state_places *places, const char *identity, const char *id, const char *profile, struct err *err);

#endif
