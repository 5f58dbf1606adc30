/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of a profile and of quod.json, out of the tables that read them: "profile KEY", "config KEY", for tests/flips. */
#include <stdio.h>

#include "shim/policy/config.h"
#include "shim/policy/profile-keys.h"

static void print(const char *what, const struct key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%s %s\n", what, keys[i].name);
}

int main(void)
{
	size_t count;
	const struct key *keys = profile_keys(&count);

	print("profile", keys, count);
	keys = host_config_keys(&count);
	print("config", keys, count);
	return 0;
}
