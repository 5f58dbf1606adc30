/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The warden's sockets, all made before it is locked down: what the kernel refuses, and for names listeners in the container's network namespace, and connected
 * ones to each resolver. Ordinary resolvers are asked from the host's namespace, where no packet of the container's comes;
 * Docker's 127.0.0.11, and one on the container's own link (which answers by who asks), from within, by marked sockets.
 * Must never bind a wildcard, nor share a port: what is bound already refuses the container.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/egress/netns.h"
#include "shim/egress/ruleset.h"
#include "shim/warden/named.h"

/* Who comes while the warden is busy waits in the kernel, not for a second try. */
#define BACKLOG 512

union place {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t place_of(const struct address *address, uint16_t port, union place *place)
{
	memset(place, 0, sizeof(*place));
	if (address->family == 4) {
		place->v4.sin_family = AF_INET;
		place->v4.sin_port = htons(port);
		memcpy(&place->v4.sin_addr, address->bytes, 4);
		return sizeof(place->v4);
	}
	place->v6.sin6_family = AF_INET6;
	place->v6.sin6_port = htons(port);
	memcpy(&place->v6.sin6_addr, address->bytes, 16);
	return sizeof(place->v6);
}

/* Free: also where the loopback isn't up yet, or has no IPv6. */
static int set_options(int fd, uint8_t family)
{
	int on = 1;

	if (family == 4)
		return setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) < 0 ? -1 : 0;
}

/* *made stays -1 on a kernel without IPv6. */
int warden_open_listener(const struct address *address, uint16_t port, int type, int *made, struct err *err)
{
	cleanup_close int fd = socket(address->family == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union place place;
	socklen_t len = place_of(address, port, &place);

	*made = -1;
	if (fd < 0 && errno == EAFNOSUPPORT && address->family == 6)
		return 0;
	if (fd < 0 || set_options(fd, address->family) < 0)
		return err_set_errno(err, errno, "warden: socket");
	if (bind(fd, &place.any, len) < 0)
		return err_set_errno(err, errno, "warden: port %u of the container's loopback", port);
	if (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		return err_set_errno(err, errno, "warden: listen");
	*made = steal_fd(&fd);
	return 0;
}

static int open_listeners(struct warden *warden, struct err *err)
{
	static const struct {
		struct address address;
		uint16_t port;
	} places[LISTENERS] = {
		[LISTEN_EMBEDDED] = { { 4, { 127, 0, 0, 1 } }, RULESET_PORT_EMBEDDED },
		[LISTEN_OTHERS] = { { 4, { 127, 0, 0, 1 } }, RULESET_PORT_OTHERS },
		[LISTEN_OTHERS6] = { { 6, { [15] = 1 } }, RULESET_PORT_OTHERS },
	};
	int r = 0;

	for (size_t i = 0; i < LISTENERS && !r; i++) {
		r = warden_open_listener(&places[i].address, places[i].port, SOCK_DGRAM, &warden->udp_fds[i], err);
		if (!r)
			r = warden_open_listener(&places[i].address, places[i].port, SOCK_STREAM, &warden->tcp_fds[i], err);
	}
	return r;
}

/* A resolver that can't be reached at all is none: a name that does not resolve never stops a start. */
static int open_resolver(struct resolver *resolver, int fixed_fds, struct err *err)
{
	union place place;
	socklen_t len = place_of(&resolver->address, 53, &place);
	uint32_t mark = RULESET_MARK;

	for (size_t i = 0; i < RESOLVER_SOCKETS; i++) {
		cleanup_close int fd = socket(place.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0)
			return errno == EAFNOSUPPORT ? 0 : err_set_errno(err, errno, "warden: socket");
		if (resolver->is_inside && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
			return err_set_errno(err, errno, "warden: mark");
		if (connect(fd, &place.any, len) < 0)
			continue;
		resolver->fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, fixed_fds);
		if (resolver->fds[i] < 0)
			return err_set_errno(err, errno, "warden: descriptors beyond %d", fixed_fds);
	}
	return 0;
}

static int open_resolvers(struct warden *warden, bool inside, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < warden->resolver_count && !r; i++)
		if (warden->resolvers[i].is_inside == inside)
			r = open_resolver(&warden->resolvers[i], warden->fixed_fds, err);
	return r;
}

static bool is_on_link(const struct ifaddrs *interface, const struct address *address)
{
	const union place *own = (const union place *)interface->ifa_addr, *mask = (const union place *)interface->ifa_netmask;
	const uint8_t *own_bytes, *mask_bytes;
	size_t len = address->family == 4 ? 4 : 16;

	if (!own || !mask || own->any.sa_family != (address->family == 4 ? AF_INET : AF_INET6))
		return false;
	own_bytes = address->family == 4 ? (const uint8_t *)&own->v4.sin_addr : own->v6.sin6_addr.s6_addr;
	mask_bytes = address->family == 4 ? (const uint8_t *)&mask->v4.sin_addr : mask->v6.sin6_addr.s6_addr;
	for (size_t i = 0; i < len; i++)
		if ((own_bytes[i] ^ address->bytes[i]) & mask_bytes[i])
			return false;
	return true;
}

static int fill_resolvers(struct warden *warden, struct err *err)
{
	static const struct address embedded = { 4, { 127, 0, 0, 11 } };
	struct ifaddrs *interfaces = NULL;

	if (getifaddrs(&interfaces) < 0)
		return err_set_errno(err, errno, "warden: the container's interfaces");
	warden->resolver_count = 1 + warden->settings->resolver_count;
	for (size_t i = 0; i < warden->resolver_count; i++) {
		struct resolver *resolver = &warden->resolvers[i];

		resolver->address = i == RESOLVER_EMBEDDED ? embedded : warden->settings->resolvers[i - 1];
		resolver->is_inside = i == RESOLVER_EMBEDDED;
		for (size_t k = 0; k < RESOLVER_SOCKETS; k++)
			resolver->fds[k] = -1;
		for (const struct ifaddrs *at = interfaces; at && i != RESOLVER_EMBEDDED; at = at->ifa_next)
			resolver->is_inside = resolver->is_inside || (strcmp(at->ifa_name, "lo") && is_on_link(at, &resolver->address));
	}
	freeifaddrs(interfaces);
	return 0;
}

static int open_for_names(struct warden *warden, struct err *err)
{
	int r = open_listeners(warden, err);

	if (!r)
		r = named_open(warden, err);
	if (!r)
		r = fill_resolvers(warden, err);
	return r ? r : open_resolvers(warden, true, err);
}

struct inside {
	struct warden *warden;
	struct err *err;
};

static int open_inside(void *data)
{
	struct warden *warden = ((struct inside *)data)->warden;
	struct err *err = ((struct inside *)data)->err;
	int r;

	if (setns(warden->netns_fd, CLONE_NEWNET) < 0)
		return err_set_errno(err, errno, "warden: the container's network namespace");
	warden->denials_fd = denials_open(err);
	r = warden->denials_fd < 0 ? warden->denials_fd : 0;
	if (!r && warden->settings->record_connections) {
		warden->tracked_fd = conntrack_open(err);
		r = warden->tracked_fd < 0 ? warden->tracked_fd : 0;
	}
	if (!r && warden->rules)
		r = open_for_names(warden, err);
	return r;
}

/* A table of descriptors that two threads share grows only after a grace period of the kernel's, ten milliseconds and more: it is
 * made large enough while there is one thread. */
static int make_room(const struct warden *warden, struct err *err)
{
	int last = warden->fixed_fds + RESOLVERS * RESOLVER_SOCKETS - 1, fd;

	if (!warden->rules)
		return 0;
	fd = fcntl(warden->netns_fd, F_DUPFD_CLOEXEC, last);
	if (fd < 0)
		return err_set_errno(err, errno, "warden: descriptors beyond %d", last);
	close(fd);
	return 0;
}

int warden_open_sockets(struct warden *warden, struct err *err)
{
	struct inside inside = { warden, err };
	int r = make_room(warden, err);

	if (!r)
		r = netns_run_aside(open_inside, &inside, err);

	return r ? r : open_resolvers(warden, false, err);
}
