/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bundle (OCI runtime spec, "Filesystem Bundle") by descriptor: it is opened once, its config.json is read once, and it
 * is never written to.
 */
#ifndef QUOD_OCI_BUNDLE_H
#define QUOD_OCI_BUNDLE_H

#include "oci/json.h"

struct oci_bundle {
	int dir_fd;
	char *path;		/* absolute, resolved; for messages and for `state` */
	int config_fd;		/* config.json, opened once */
	struct json_tree *tree;	/* after oci_bundle_read_config */
	char *config_bytes;	/* the document as it was read, NUL-terminated */
	size_t config_len;
};

/* `path` relative to the working directory. Opens the directory and its config.json (a regular file, no link, no FIFO). */
int oci_bundle_open(const char *path, struct oci_bundle *bundle, struct err *err);

/* Reads at most `limit` bytes, strictly (json_parse with oci_config_free_form). */
int oci_bundle_read_config(struct oci_bundle *bundle, size_t limit, struct err *err);
void oci_bundle_close(struct oci_bundle *bundle);	/* accepts a half-opened one that started as OCI_BUNDLE_INIT */

#define OCI_BUNDLE_INIT { -1, NULL, -1, NULL, NULL, 0 }

#endif
