/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container's state: see state.h. It comes from the runtime, but carries annotations that its creator wrote. */
#include "oci/state.h"

#include <errno.h>
#include <limits.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"

#define STATE_BYTES_MAX (1024 * 1024)

static int take_pid(const struct json *node, pid_t *pid)
{
	uint64_t value = 0;

	if (node && !json_is(node, JSON_NULL) && (!json_uint(node, &value) || value > INT_MAX))
		return -EINVAL;
	*pid = (pid_t)value;
	return 0;
}

int oci_state_read(int fd, struct oci_state *state, struct err *err)
{
	static const char *const free_form[] = { "/annotations", NULL };
	cleanup_json_tree struct json_tree *tree = NULL;
	cleanup_free char *bytes = NULL;
	const struct json *root;
	size_t len = 0;

	*state = (struct oci_state){ 0 };
	if (file_read_all(fd, STATE_BYTES_MAX, &bytes, &len, err) || json_parse(bytes, len, JSON_PLAIN, free_form, &tree, err))
		return err_wrap(err, "state");
	root = json_root(tree);
	state->id = json_string(json_get(root, "id"));
	state->status = json_string(json_get(root, "status"));
	state->bundle = json_string(json_get(root, "bundle"));
	if (!state->id || !*state->id || !state->status || take_pid(json_get(root, "pid"), &state->pid)) {
		*state = (struct oci_state){ 0 };
		return err_set(err, EINVAL, "state: it must have a string id, a string status and a pid that is a process id");
	}
	state->tree = steal_ptr(&tree);
	return 0;
}

void oci_state_release(struct oci_state *state)
{
	json_tree_free(state->tree);
	*state = (struct oci_state){ 0 };
}
