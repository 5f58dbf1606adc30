/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of strings, the shell-like match and the names of profiles: see profile.h. Knows nothing of what they mean. */
#include <stdlib.h>
#include <string.h>

#include "shim/policy/profile.h"

void strings_add(struct strings *strings, const char *text)
{
	strings->items = alloc_grow(strings->items, strings->count + 1, sizeof(*strings->items));
	strings->items[strings->count++] = alloc_copy(text);
}

bool strings_has(const struct strings *strings, const char *text)
{
	for (size_t i = 0; i < strings->count; i++)
		if (!strcmp(strings->items[i], text))
			return true;
	return false;
}

void strings_free(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){ NULL, 0 };
}

/* On a mismatch only the last star is tried again: linear in practice, at worst length times length. */
bool pattern_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			retry = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool strings_match(const struct strings *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (pattern_matches(patterns->items[i], text))
			return true;
	return false;
}

bool profile_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len && len <= PROFILE_NAME_MAX && name[0] != '.' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == len;
}
