/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking a guardian: see control.h. The socket is found by the directory's descriptor: its path may be longer than an address. */
#include "shim/warden/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shim/base/beside.h"
#include "shim/base/cleanup.h"

int control_connect(int state_dir_fd, struct err *err)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0)
		return err_set_errno(err, errno, "guardian");
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", state_dir_fd, CONTROL_SOCKET);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set_errno(err, errno, "guardian");
	return steal_fd(&fd);
}

int control_send(int fd, enum control_word word, struct err *err)
{
	struct control_order order = { CONTROL_VERSION, word };

	return send(fd, &order, sizeof(order), MSG_NOSIGNAL) == (ssize_t)sizeof(order) ? 0 : err_set_errno(err, errno, "guardian");
}

int control_send_change(int fd, struct control_change *change, int names_fd, struct err *err)
{
	change->version = CONTROL_VERSION;
	change->word = CONTROL_CHANGE;
	return beside_send(fd, change, sizeof(*change), names_fd, 0) ? 0 : err_set_errno(err, errno, "guardian");
}

int control_receive(int fd, int timeout_ms, struct control_answer *answer, struct err *err)
{
	struct pollfd end = { .fd = fd, .events = POLLIN };
	ssize_t got;
	int r;

	while ((r = poll(&end, 1, timeout_ms)) < 0 && errno == EINTR)
		;
	if (r == 0)
		return err_set(err, ETIMEDOUT, "the guardian does not answer");
	got = r < 0 ? -1 : recv(fd, answer, sizeof(*answer), MSG_TRUNC);
	if (got <= 0)
		return err_set(err, EPIPE, "the guardian has gone, or takes no orders of this user");
	if (got != (ssize_t)sizeof(*answer) || answer->version != CONTROL_VERSION)
		return err_set(err, EPROTO, "the guardian is of another version of quod");
	return answer->error ? err_set_errno(err, answer->error, "guardian") : 0;
}
