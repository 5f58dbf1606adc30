/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kubernetes: the handlers of this node's containerd or CRI-O, and for the cluster a RuntimeClass for each. All that is
 * printed on stdout is YAML, so that it can go to `kubectl apply -f -`; what was done on this node is told on stderr.
 */
#include "shim/ctl/setup-kubernetes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"

const struct setup_engine *kubernetes_node_engine(struct setup *setup)
{
	static const char *const signs[] = { "/etc/crio/crio.conf.d/x", "/etc/crio/crio.conf/x" };

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		struct err ignored = ERR_INIT;
		cleanup_close int fd = setup_open_dir(setup, signs[i], false, &ignored);

		if (fd >= 0 || ignored.code == ENOTDIR)
			return &setup_crio;
	}
	return &setup_containerd;
}

/* The helpers beside a sandbox and three containers: 0.6 MiB each (tests/bench/create). */
static void put_class(struct buf *text, const char *name)
{
	buf_printf(text,
		   "---\n"
		   "apiVersion: node.k8s.io/v1\n"
		   "kind: RuntimeClass\n"
		   "metadata:\n"
		   "  name: %s\n"
		   "  labels:\n"
		   "    app.kubernetes.io/part-of: quod\n"
		   "handler: %s\n"
		   "overhead:\n"
		   "  podFixed:\n"
		   "    memory: 4Mi\n"
		   "scheduling:\n"
		   "  nodeSelector:\n"
		   "    quod.dev/ready: \"true\"\n",
		   name, name);
}

void kubernetes_put_classes(const struct setup *setup, struct buf *text)
{
	struct strings names = { NULL, 0 };

	for (size_t i = 0; i < setup->record.added.count; i++)
		if (!strncmp(setup->record.added.items[i], "quod", 4) && !strings_has(&names, setup->record.added.items[i]))
			strings_add(&names, setup->record.added.items[i]);
	setup_runtimes(setup, &names);
	for (size_t i = 0; i < names.count; i++)
		put_class(text, names.items[i]);
	strings_free(&names);
}

int kubernetes_show_classes(const struct setup *setup)
{
	const char *slash = setup->output ? strrchr(setup->output, '/') : NULL;
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	cleanup_free char *dir = NULL;
	cleanup_close int dir_fd = -1;

	kubernetes_put_classes(setup, &text);
	if (!setup->output)
		return fputs(text.data, stdout) < 0 ? CTL_FAILED : CTL_YES;
	dir = alloc_printf("%.*s", slash ? (int)(slash - setup->output) + 1 : 1, slash ? setup->output : ".");
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return ctl_fail("--output %s: %s", setup->output, strerror(errno));
	if (file_replace(dir_fd, slash ? slash + 1 : setup->output, text.data, text.len, 0644, &err) < 0)
		return ctl_fail("--output %s: %s", setup->output, err.text);
	return CTL_YES;
}
