/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which resolvers the warden asks: see resolvers.h. Read in the hook: at that time Docker's file still names the real
 * resolvers, also of a container that will see 127.0.0.11 there; later versions keep them in a comment, "ExtServers".
 */
#include "shim/resolvers.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"

#define FILE_MOST 65536

static bool is_loopback(const struct address *address)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	return address->family == 4 ? address->bytes[0] == 127 : !memcmp(address->bytes, loopback6, sizeof(loopback6));
}

static void add(struct warden_settings *settings, const char *text, bool may_be_loopback)
{
	struct address address;

	if (settings->resolver_count == WARDEN_RESOLVERS || address_parse(text, &address) ||
	    (is_loopback(&address) && !may_be_loopback))
		return;
	for (uint32_t i = 0; i < settings->resolver_count; i++)
		if (!memcmp(&settings->resolvers[i], &address, sizeof(address)))
			return;
	settings->resolvers[settings->resolver_count++] = address;
}

/* "# ExtServers: [10.0.0.53 host(127.0.0.53)]": in the first form asked from the container's side, in the second from the
 * host's; the warden asks both from the host's. */
static void add_external(struct warden_settings *settings, char *list)
{
	char *state = NULL;

	for (char *word = strtok_r(list, " \t[]", &state); word; word = strtok_r(NULL, " \t[]", &state)) {
		bool is_host = !strncmp(word, "host(", 5);

		if (is_host)
			word[strcspn(word, ")")] = '\0';
		add(settings, is_host ? word + 5 : word, is_host);
	}
}

static void read_file(const char *path, bool is_host, struct warden_settings *settings)
{
	static const char *const server = "nameserver", *const external = "# ExtServers:";
	cleanup_free char *text = NULL;
	struct err err = ERR_INIT;
	cleanup_close int fd = file_open_regular(AT_FDCWD, path, &err);
	char *state = NULL;
	size_t len;

	if (fd < 0 || file_read_all(fd, FILE_MOST, &text, &len, &err))
		return;
	for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		if (!is_host && !strncmp(line, external, strlen(external))) {
			add_external(settings, line + strlen(external));
		} else if (!strncmp(line, server, strlen(server)) && strchr(" \t", line[strlen(server)])) {
			char *value = line + strlen(server) + strspn(line + strlen(server), " \t");

			value[strcspn(value, " \t\r#;")] = '\0';
			add(settings, value, is_host);
		}
	}
}

void resolvers_find(const struct profile *profile, const char *resolv_conf, struct warden_settings *settings)
{
	settings->resolver_count = 0;
	for (size_t i = 0; i < profile->egress.dns_upstream.count; i++)
		add(settings, profile->egress.dns_upstream.items[i], true);
	if (profile->egress.dns_upstream.count)
		return;
	if (*resolv_conf)
		read_file(resolv_conf, false, settings);
	if (!settings->resolver_count)
		read_file("/etc/resolv.conf", true, settings);
}
