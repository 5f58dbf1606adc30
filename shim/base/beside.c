/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages with a descriptor beside them: see beside.h. */
#include "shim/base/beside.h"

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

union room {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

bool beside_send(int socket_fd, const void *message, size_t len, int beside_fd, int flags)
{
	struct iovec part = { (void *)(uintptr_t)message, len };
	union room room = { { 0 } };
	struct msghdr whole = { .msg_iov = &part, .msg_iovlen = 1 };

	if (beside_fd >= 0) {
		whole.msg_control = &room;
		whole.msg_controllen = sizeof(room.bytes);
		room.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&room.head), &beside_fd, sizeof(beside_fd));
	}
	return sendmsg(socket_fd, &whole, flags | MSG_NOSIGNAL) == (ssize_t)len;
}

ssize_t beside_receive(int socket_fd, void *message, size_t room, int *beside_fd, int flags)
{
	struct iovec part = { message, room };
	union room beside = { { 0 } };
	struct msghdr whole = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = sizeof(beside) };
	ssize_t got = recvmsg(socket_fd, &whole, flags | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = got >= 0 ? CMSG_FIRSTHDR(&whole) : NULL;

	*beside_fd = -1;
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(beside_fd, CMSG_DATA(head), sizeof(int));
	return got;
}
