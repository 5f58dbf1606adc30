/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The root file system: read-only, its tmpfs places, what of the kernel's is masked. Pure; asked by plan_mounts. */
#ifndef QUOD_POLICY_ROOTFS_H
#define QUOD_POLICY_ROOTFS_H

#include "shim/policy/plan.h"

/* Where the container reads what it is told. */
#define QUOD_TOLD "/run/quod"

/* Edits for root.readonly, the profile's tmpfs places (in front of all mounts), quod's own directory and the masks. */
void rootfs_plan(const struct plan_input *input, struct plan *plan);

/* The most bytes that a tmpfs at `destination` may hold. */
uint64_t rootfs_tmpfs_bound(const struct plan_input *input, const char *destination);

/* A mount of a tmpfs: nosuid, nodev, 1777, with that many bytes and a bound on inodes. */
struct json *rootfs_make_tmpfs(struct json_tree *tree, const char *destination, uint64_t bytes);

/* maskedPaths or readonlyPaths hold `path`, or a directory above it. */
bool rootfs_list_has(const struct json *list, const char *path);

/* A file system that holds files of people and programs, not the kernel's own interfaces. */
bool fs_is_storage(uint64_t fs_magic);

#endif
