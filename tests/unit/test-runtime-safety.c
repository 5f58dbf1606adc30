/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Versions with known escapes, by what the runtimes say of themselves. */
#include "shim/base/cleanup.h"
#include "shim/runtime-safety.h"
#include "tests/unit/tap.h"

int main(void)
{
	static const char runc_2024[] = "CVE-2024-21626, CVE-2025-31133, CVE-2025-52565, CVE-2025-52881";
	static const char runc_2025[] = "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881";
	static const struct {
		const char *output, *found;
	} cases[] = {
		{ "runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1+deb12u1\nspec: 1.0.2-dev\n", runc_2024 },
		{ "runc version 1.1.11\n", runc_2024 },
		{ "runc version 1.1.12\n", runc_2025 },
		{ "runc version 1.2.7\n", runc_2025 },
		{ "runc version 1.2.8\n", "" },
		{ "runc version 1.2.9\n", "" },
		{ "runc version 1.3.0-rc.1\n", runc_2025 },
		{ "runc version 1.3.2\n", runc_2025 },
		{ "runc version 1.3.3\n", "" },
		{ "runc version 1.4.0-rc.2\n", runc_2025 },
		{ "runc version 1.4.0\n", "" },
		{ "runc version 1.4.0+dev\n", "" },
		{ "runc version 2.0.0\n", "" },
		{ "crun version 0.10.4\n", "CVE-2019-18837, CVE-2025-24965" },
		{ "crun version 1.8.1\ncommit: x\n", "CVE-2025-24965" },
		{ "crun version 1.20\n", "" },
		{ "crun version 1.28\n", "" },
		{ "runc version unknown\n", "unreadable" },
		{ "runc version 1\n", "unreadable" },
		{ "runc version 1.2.8evil\n", "unreadable" },
		{ "youki version 0.5.0\n", "unreadable" },
		{ "", "unreadable" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_buf struct buf found = BUF_INIT;
		struct err err = ERR_INIT;
		int r = runtime_find_escapes(cases[i].output, &found, &err);

		IS_STR(r ? "unreadable" : found.len ? found.data : "", cases[i].found, "runtime: \"%.*s\" has %s",
		       (int)strcspn(cases[i].output, "\n"), cases[i].output, *cases[i].found ? cases[i].found : "no known escape");
	}
	return tap_done();
}
