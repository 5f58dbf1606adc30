/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bundle: see bundle.h. Everything goes through the descriptors that were opened first, so that what is read is what was
 * there then; the whole document is in memory before its first byte is looked at.
 */
#include "oci/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "oci/spec.h"
#include "shim/base/file.h"

int oci_bundle_open(const char *path, struct oci_bundle *bundle, struct err *err)
{
	bundle->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bundle->dir_fd < 0)
		return err_set_errno(err, errno, "bundle %s", path);
	bundle->path = file_fd_path(bundle->dir_fd);
	if (!bundle->path)
		return err_set_errno(err, errno, "bundle %s", path);
	bundle->config_fd = file_open_regular(bundle->dir_fd, "config.json", err);
	if (bundle->config_fd < 0)
		return err_wrap(err, "bundle %s", path);
	return 0;
}

int oci_bundle_read_config(struct oci_bundle *bundle, size_t limit, struct err *err)
{
	if (bundle->config_bytes)
		return err_set(err, EALREADY, "config.json: read already");
	if (file_read_all(bundle->config_fd, limit, &bundle->config_bytes, &bundle->config_len, err) ||
	    json_parse(bundle->config_bytes, bundle->config_len, JSON_PLAIN, oci_config_free_form, &bundle->tree, err))
		return err_wrap(err, "config.json");
	if (!json_is(json_root(bundle->tree), JSON_OBJECT))
		return err_set(err, EINVAL, "config.json: line 1: the document is %s, not an object",
			       json_type_name(json_root(bundle->tree)->type));
	return 0;
}

void oci_bundle_close(struct oci_bundle *bundle)
{
	if (bundle->dir_fd >= 0)
		close(bundle->dir_fd);
	if (bundle->config_fd >= 0)
		close(bundle->config_fd);
	free(bundle->path);
	json_tree_free(bundle->tree);
	free(bundle->config_bytes);
	*bundle = (struct oci_bundle)OCI_BUNDLE_INIT;
}
