/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host names: what is one, and which pattern matches it. The one comparison that the profile's checks, the rules and the
 * warden share; it allocates nothing and includes nothing that would bring a parser into the warden.
 */
#include <errno.h>
#include <string.h>

#include "shim/policy/names.h"

#define NAME_MAX_LEN 253
#define LABEL_MAX_LEN 63

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* A last label of digits only, or 0x and hex digits: resolvers and libcs take such a name for an address. */
static bool ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.'), *label = dot ? dot + 1 : name;

	if (label[0] == '0' && label[1] == 'x')
		return strspn(label + 2, "0123456789abcdef") == strlen(label + 2);
	return strspn(label, "0123456789") == strlen(label);
}

int name_normalize(const char *text, char name[NAME_SIZE])
{
	size_t len = strlen(text), label = 0;

	if (len && text[len - 1] == '.')
		len--;
	if (!len || len > NAME_MAX_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '.' ? !label : !is_label_char(c))
			return -EINVAL;
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX_LEN)
			return -EINVAL;
		name[i] = c;
	}
	name[len] = '\0';
	return label && !ends_in_number(name) ? 0 : -EINVAL;
}

/* How many labels `name` has in front of ".base"; 0 when it doesn't end in that. */
static size_t labels_before(const char *name, const char *base)
{
	size_t name_len = strlen(name), base_len = strlen(base), labels = 1;

	if (name_len < base_len + 2 || name[name_len - base_len - 1] != '.' ||
	    strcmp(name + name_len - base_len, base) != 0)
		return 0;
	for (size_t i = 0; i < name_len - base_len - 1; i++)
		labels += name[i] == '.';
	return labels;
}

bool name_is_matched(enum entry_kind kind, const char *base, const char *name)
{
	switch (kind) {
	case ENTRY_NAME:
		return !strcmp(base, name);
	case ENTRY_ONE_LABEL:
		return labels_before(name, base) == 1;
	case ENTRY_ANY_LABELS:
		return labels_before(name, base) >= 1;
	default:
		return false;
	}
}
