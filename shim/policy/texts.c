/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a text in quod's own files must look like: see texts.h. Control characters are refused before these are asked. */
#include "shim/policy/texts.h"

#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/policy/profile.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool is_of(const char *text, const char *characters)
{
	return text[0] && strspn(text, characters) == strlen(text);
}

/* Components of a path behind its leading slash: none empty, none "." or "..". */
static bool has_plain_components(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!len || (len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

static bool is_absolute(const char *path)
{
	return path[0] == '/' && (!path[1] || has_plain_components(path + 1));
}

const char *want_profile_name(const char *text)
{
	return profile_name_is_valid(text) ? NULL : "a profile's name (letters, digits, '_', '.', '-', no dot in front)";
}

const char *want_runtime(const char *text)
{
	return is_absolute(text) || profile_name_is_valid(text) ? NULL : "a program's name or an absolute path";
}

const char *want_absolute_path(const char *text)
{
	return is_absolute(text) && !strchr(text, '*') ? NULL
						       : "an absolute path (without //, ., .., * or a slash at the end)";
}

const char *want_path_pattern(const char *text)
{
	return is_absolute(text) ? NULL : "an absolute path or a pattern of one (without //, ., .. or a slash at the end)";
}

const char *want_mount_pattern(const char *text)
{
	const char *stars = strstr(text, "**");

	if (!is_absolute(text))
		return "an absolute path or a pattern of one (without //, ., .. or a slash at the end)";
	return stars && (stars[-1] != '/' || stars[2]) ? "a pattern whose ** is the whole last component" : NULL;
}

const char *want_relative_path(const char *text)
{
	return text[0] != '/' && has_plain_components(text) && !strchr(text, '*')
		       ? NULL
		       : "a path below the workspace (relative, without //, ., .., * or a slash at the end)";
}

const char *want_env_name(const char *text)
{
	if (!strncmp(text, "QUOD_", 5))
		return "a variable that a profile may set (QUOD_* is quod's own)";
	return is_of(text, LETTERS DIGITS "_") ? NULL : "a variable's name (letters, digits, '_')";
}

const char *want_env_pattern(const char *text)
{
	return text[0] && !strchr(text, '=') ? NULL : "a variable's name or a pattern of one (without '=')";
}

const char *want_syscall_pattern(const char *text)
{
	return is_of(text, "abcdefghijklmnopqrstuvwxyz" DIGITS "_*") ? NULL
								      : "a system call's name or a pattern of one (io_uring_*)";
}

const char *want_socket_family(const char *text)
{
	static const char *const families[] = { "unix", "inet", "inet6", "netlink", "packet", "vsock", "alg", "can",
						"bluetooth", "key", "tipc", "rds", "smc", "xdp", "kcm", "qipcrtr", "nfc" };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (!strcmp(families[i], text))
			return NULL;
	return "a socket family (unix, inet, inet6, netlink, packet, vsock, alg, can, bluetooth, key, tipc, rds, smc, xdp, "
	       "kcm, qipcrtr, nfc)";
}

const char *want_sysctl_pattern(const char *text)
{
	return is_of(text, LETTERS DIGITS "_.-/*") ? NULL : "a sysctl's name or a pattern of one (net.ipv4.tcp_*)";
}

const char *want_address(const char *text)
{
	struct address address;

	return address_parse(text, &address) ? "an IP address" : NULL;
}
