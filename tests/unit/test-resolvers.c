/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which resolvers the warden is given: the profile's, the engine's, in what forms they come. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/resolvers.h"
#include "tests/unit/tap.h"

/* The resolvers of a resolv.conf with this text, separated by spaces. */
static const char *resolvers_of(const char *text, const struct profile *profile)
{
	static char out[512];
	char path[] = "/tmp/quod-resolvers-XXXXXX";
	struct buf buf = buf_fixed(out, sizeof(out));
	struct warden_settings settings = { .resolver_count = 3 };
	cleanup_close int fd = mkstemp(path);

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0)
		return "no file";
	resolvers_find(profile, path, &settings);
	unlink(path);
	for (uint32_t i = 0; i < settings.resolver_count; i++) {
		buf_puts(&buf, i ? " " : "");
		address_print(&buf, &settings.resolvers[i]);
	}
	return out;
}

int main(void)
{
	static char *given[] = { (char *)"10.0.0.53", (char *)"127.0.0.1" };
	struct profile none = { .name = (char *)"web" }, with = none;

	with.egress.dns_upstream = (struct strings){ given, 2 };
	IS_STR(resolvers_of("nameserver 10.1.1.1\nnameserver 10.1.1.2\n", &none), "10.1.1.1 10.1.1.2", "resolvers: the engine's, in order");
	IS_STR(resolvers_of("# a\n; b\nsearch x\nnameserver\t2001:db8::1 # c\nnameserver 10.1.1.1\r\noptions ndots:0", &none),
	       "2001:db8::1 10.1.1.1", "resolvers: whatever else stands in the file");
	IS_STR(resolvers_of("nameserver 10.1.1.1\nnameserver 10.1.1.1\nnameservers 10.1.1.3\nnameserver x.test\nnameserver fe80::1%eth0\n", &none),
	       "10.1.1.1", "resolvers: each once, and addresses alone");
	IS_STR(resolvers_of("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\nnameserver 1.1.1.5\n", &none),
	       "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4", "resolvers: four at most");
	IS_STR(resolvers_of("nameserver 127.0.0.11\nnameserver 127.0.0.53\nnameserver 10.1.1.1\n", &none), "10.1.1.1",
	       "resolvers: the container's loopback is not the host's");
	IS_STR(resolvers_of("nameserver 127.0.0.11\noptions ndots:0\n# ExtServers: [10.1.1.1 host(10.1.1.2) host(127.0.0.53) 127.0.0.5]\n", &none),
	       "10.1.1.1 10.1.1.2 127.0.0.53", "resolvers: those behind Docker's own");
	IS_STR(resolvers_of("nameserver 10.1.1.1\n", &with), "10.0.0.53 127.0.0.1", "resolvers: the profile's come instead");
	return tap_done();
}
