/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runtimes with known escapes: see runtime-safety.h. A version that can't be read is never called safe. */
#include "shim/runtime-safety.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/shim.h"

struct version {
	unsigned number[3];
	bool is_release;	/* a candidate comes before its release */
};

/* Those from `since` on and before `fixed`. */
static const struct escape {
	const char *runtime, *advisories;
	struct version since, fixed;
} escapes[] = {
	{ "runc", "CVE-2024-21626", { { 0, 0, 0 }, false }, { { 1, 1, 12 }, true } },
	{ "runc", "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881", { { 0, 0, 0 }, false }, { { 1, 2, 8 }, true } },
	{ "runc", "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881", { { 1, 3, 0 }, false }, { { 1, 3, 3 }, true } },
	{ "runc", "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881", { { 1, 4, 0 }, false }, { { 1, 4, 0 }, true } },
	{ "crun", "CVE-2019-18837", { { 0, 0, 0 }, false }, { { 0, 10, 5 }, true } },
	{ "crun", "CVE-2025-24965", { { 0, 0, 0 }, false }, { { 1, 20, 0 }, true } },
};

static bool is_before(const struct version *a, const struct version *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(a->number); i++)
		if (a->number[i] != b->number[i])
			return a->number[i] < b->number[i];
	return !a->is_release && b->is_release;
}

/* "1.1.5+ds1", "1.8.1", "1.28", "1.4.0-rc.2": what stands behind a plus is how it was built. */
static int parse_version(const char *text, struct version *version)
{
	int used = 0;

	*version = (struct version){ .is_release = true };
	if (sscanf(text, "%4u.%4u%n", &version->number[0], &version->number[1], &used) != 2)
		return -EINVAL;
	text += used;
	if (sscanf(text, ".%4u%n", &version->number[2], &used) == 1)
		text += used;
	version->is_release = *text != '-' && *text != '~';
	return *text && !strchr(" +-~\n", *text) ? -EINVAL : 0;
}

int runtime_find_escapes(const char *output, struct buf *found, struct err *err)
{
	static const char *const runtimes[] = { "runc", "crun" };
	struct version version;

	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++) {
		cleanup_free char *begin = alloc_printf("%s version ", runtimes[i]);

		if (strncmp(output, begin, strlen(begin)))
			continue;
		if (parse_version(output + strlen(begin), &version) < 0)
			break;
		for (size_t k = 0; k < ARRAY_SIZE(escapes); k++)
			if (!strcmp(escapes[k].runtime, runtimes[i]) && !is_before(&version, &escapes[k].since) &&
			    is_before(&version, &escapes[k].fixed))
				buf_printf(found, "%s%s", found->len ? ", " : "", escapes[k].advisories);
		return 0;
	}
	return err_set(err, EINVAL, "it names no version of runc or crun");
}

int runtime_check_safe(const char *path, struct err *err)
{
	char *argv[] = { (char *)path, (char *)"--version", NULL };
	cleanup_buf struct buf output = BUF_INIT, found = BUF_INIT;
	struct err why = ERR_INIT;

	if (runtime_run(path, argv, &output, &why) != 0 || runtime_find_escapes(output.data ? output.data : "", &found, &why) < 0)
		return err_set(err, EPERM, "runtime %s: its version can't be told%s%s (require_safe_runtime)", path,
			       why.code ? ": " : "", why.text);
	if (!found.len)
		return 0;
	return err_set(err, EPERM, "runtime %s, %.*s, has known escapes: %s (require_safe_runtime)", path,
		       (int)strcspn(output.data, "\n"), output.data, found.data);
}
