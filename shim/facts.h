/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts: what the host shows about a configuration. Looks, changes nothing; what was looked at is held by descriptor. */
#ifndef QUOD_SHIM_FACTS_H
#define QUOD_SHIM_FACTS_H

#include "oci/bundle.h"
#include "shim/shim.h"

/* O_PATH descriptors of what was judged: the runtime is given clones of these, not the paths. */
struct facts_held {
	int rootfs_fd;
	int *mount_fds;		/* one per mount, -1 where it is no bind or was not found */
	size_t count;
	int *protected_fds;	/* one per facts.protected; -1 where it is absent, until its placeholder is made */
	size_t protected_count;
};

/* Fills facts (free with facts_release) and held (facts_held_close). `id`, `state_dir` and `key` are borrowed for the life
 * of facts. What can't be looked at is a fact too (fact_mount.error), not a failure. */
int facts_gather(const struct shim *shim, const struct oci_bundle *bundle, const struct oci_config *config,
		 struct facts *facts, struct facts_held *held, struct err *err);
void facts_held_close(struct facts_held *held);

/* The parts, each in its own file. */
int facts_gather_mounts(const struct oci_bundle *bundle, const struct oci_config *config, struct facts *facts,
			struct facts_held *held, struct err *err);
int facts_gather_namespaces(const struct shim *shim, const struct oci_config *config, struct facts *facts, struct err *err);
int facts_gather_host(const struct shim *shim, const struct oci_config *config, struct facts *facts, struct err *err);

/* The host's own addresses: facts->host_addresses. */
int facts_gather_addresses(struct facts *facts, struct err *err);
/* A pod's volume that is a mount of something which the host shows elsewhere (a hostPath's part, a local volume) becomes that:
 * source and owner are of the other place. What only the kubelet's directory shows stays as it is. */
void facts_find_origins(struct facts *facts, const struct facts_held *held);
/* Which of a pod's volumes hold a token of a service account; after the origins. */
void facts_find_tokens(struct facts *facts, const struct facts_held *held);
/* What the file says is such a token, or begins as one does that is longer than what was read. A NUL stands behind `len`. */
bool is_service_account_token(const char *bytes, size_t len);

/* A process is in the cgroup `path` (cgroupfs: absolute, or below the caller's own), or in one below it. */
bool cgroup_is_taken(const char *path);

/* enum cgroup_part: what a cgroup made at `path` can't bound or count when this process, which isn't the host's root, makes it.
 * `is_absolute`: below the root, whatever the path says. */
unsigned cgroup_lacks(const char *path, bool is_absolute);
/* The same where the systemd of `user` makes it. */
unsigned cgroup_lacks_systemd(uint32_t user);

/* Once the mounts are known: what the profile protects inside those of them that are workspaces. */
void facts_gather_protected(const struct plan_input *input, const struct state_places *places, struct facts *facts,
			    struct facts_held *held);

/* In a user namespace, or not uid 0. */
bool host_is_rootless(void);

/* Nobody but root (rootless: or the user) can change what the path leads to. */
bool is_root_only(const struct facts *facts, const char *path);

/* Where `path` really lies inside the root file system: links are resolved within it, what is missing at the end is kept.
 * Absolute and normalised, malloc'ed; NULL for a relative path, "..", a dangling link, a loop. */
char *rootfs_resolve(int rootfs_fd, const char *path);

/* The engine's name as rules and records say it. */
const char *engine_name(enum engine engine);

#endif
