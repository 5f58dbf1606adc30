/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an engine itself puts into a container: its /etc files, its shared memory, its init, its volumes. Known by where the
 * resolved source lies and by the ids in that path, never by the destination alone. Pure.
 */
#ifndef QUOD_POLICY_ENGINE_FILES_H
#define QUOD_POLICY_ENGINE_FILES_H

#include "shim/policy/plan.h"

enum engine_file {
	ENGINE_FILE_NONE,	/* a host path */
	ENGINE_FILE_ETC,	/* hosts, hostname, resolv.conf, .containerenv, termination log */
	ENGINE_FILE_SHM,	/* shared memory of this container or its pod */
	ENGINE_FILE_INIT,	/* the engine's init, read-only */
	ENGINE_FILE_VOLUME,	/* a volume that the engine keeps itself */
	ENGINE_FILE_IMAGE,	/* an image mounted as a volume, read-only */
	ENGINE_FILE_TOKEN,	/* Kubernetes' service account, where each pod has it */
	ENGINE_FILE_TOKEN_ASKED,	/* the same in a volume that the pod has asked for */
	ENGINE_FILE_DISGUISE,	/* lies where the engine's volumes lie, but is a mount of something else */
};

enum engine_file engine_file_kind(const struct plan_input *input, const struct fact_mount *fact);

/* Of an ENGINE_FILE_VOLUME: nobody named it (an image's VOLUME, `docker run -v /path`), and all of it is mounted. */
bool engine_volume_is_anonymous(const struct plan_input *input, const struct fact_mount *fact);

#endif
