/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of a profile's keys, and what the files that load profiles share. Nobody outside shim/policy includes it. */
#ifndef QUOD_POLICY_PROFILE_KEYS_H
#define QUOD_POLICY_PROFILE_KEYS_H

#include <sys/types.h>

#include "shim/policy/keys.h"

const struct key *profile_keys(size_t *count);

/* A zeroed element more at the end of a list that the profile owns; its address. */
#define list_add(list, count)                                                 \
	({                                                                    \
		(list) = alloc_grow(list, (count) + 1, sizeof(*(list)));      \
		memset(&(list)[count], 0, sizeof(*(list)));                   \
		&(list)[(count)++];                                           \
	})

/* Keys whose values have a form of their own: profile-values.c. */
int read_extends(const struct reader *reader, const struct spot *spot);
int read_mounts_allow(const struct reader *reader, const struct spot *spot);
int read_volumes(const struct reader *reader, const struct spot *spot);
int read_tmpfs(const struct reader *reader, const struct spot *spot);
int read_capabilities(const struct reader *reader, const struct spot *spot);
int read_env_set(const struct reader *reader, const struct spot *spot);
int read_rlimits(const struct reader *reader, const struct spot *spot);
int read_devices(const struct reader *reader, const struct spot *spot);
int read_on_exhausted(const struct reader *reader, const struct spot *spot);
int read_reset(const struct reader *reader, const struct spot *spot);

/* profile-network.c */
int read_egress_allow(const struct reader *reader, const struct spot *spot);
int read_egress_deny(const struct reader *reader, const struct spot *spot);
int read_caps(const struct reader *reader, const struct spot *spot);
int read_via(const struct reader *reader, const struct spot *spot);
int read_ingress(const struct reader *reader, const struct spot *spot);

/* profile-layers.c */
int read_layers(const struct reader *reader, const struct spot *spot);

/* profile-print.c */
struct json *print_mounts_allow(struct json_tree *tree, const void *target);
struct json *print_volumes(struct json_tree *tree, const void *target);
struct json *print_tmpfs(struct json_tree *tree, const void *target);
struct json *print_capabilities(struct json_tree *tree, const void *target);
struct json *print_env_set(struct json_tree *tree, const void *target);
struct json *print_rlimits(struct json_tree *tree, const void *target);
struct json *print_devices(struct json_tree *tree, const void *target);
struct json *print_on_exhausted(struct json_tree *tree, const void *target);
struct json *print_reset(struct json_tree *tree, const void *target);
struct json *print_egress_allow(struct json_tree *tree, const void *target);
struct json *print_egress_deny(struct json_tree *tree, const void *target);
struct json *print_caps(struct json_tree *tree, const void *target);
struct json *print_via(struct json_tree *tree, const void *target);
struct json *print_ingress(struct json_tree *tree, const void *target);
struct json *print_layers(struct json_tree *tree, const void *target);

extern const char *const volumes_words[];	/* NULL-terminated; "tmpfs" alone: the others are booleans */
extern const char *const exhausted_words[];
extern const char *const egress_exhausted_words[];

/* The strictest profile there is: what a document that says nothing gives. Free with profile_free. */
struct profile *profile_make_strict(const char *name);

/* The layers: a copy of `lists` of one behind what another has; all of a profile's own taken as a layer's; what a layer's
 * list looks like as text; freeing. `list` and `lists` are list_bit. */
#define LIST_COUNT 6
void layer_copy(const struct profile_layer *from, unsigned lists, struct profile_layer *to);
void layer_give(struct profile_layer *layer, struct profile *profile);	/* moves all its lists into the profile's fields */
void layer_print(struct buf *buf, const struct profile_layer *layer, unsigned list);
void layer_release(struct profile_layer *layer);
const char *list_name(unsigned list);	/* "mounts.allow" */

/* The entries of a group, from the first directory that has it. -ENOENT when none has. */
int group_load(const char *name, const struct profile_paths *paths, struct entry **entries, size_t *count, struct err *err);

/* Who else may own quod's own files: rootless, the user himself, and the host's root as the overflow uid. */
struct owners {
	uid_t also_uid;
	bool overflow_ok;
};

/* What one load has found to be root's alone: directories, each as it was given and without links, and all above them. Groups
 * lie side by side: they need not be found so for each. Never kept for longer: a directory can be given away. */
struct trusted_dirs {
	struct {
		char *given, *resolved;
	} dirs[4];
	size_t count;
	struct owners owners;	/* when there is a directory */
};

void trusted_dirs_release(struct trusted_dirs *trusted);

/* One of quod's own files: opened without following a link at its end, held to the owner chain unless `paths` (NULL: none) say
 * otherwise, parsed. *resolved is its path without links, malloc'ed. -ENOENT when there is no such file. */
int policy_file_read(const char *path, const struct profile_paths *paths, struct json_tree **tree, char **resolved,
		     struct err *err);

#endif
