/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/list-table: tables as runc 1.1 and crun 1.8 print them. */
#include <stdlib.h>

#include "shim/base/cleanup.h"
#include "shim/list-table.h"
#include "tests/unit/tap.h"

static char *bundle_of(const char *id, void *data)
{
	return strncmp(id, "own", 3) ? NULL : alloc_printf("%s/%s", (const char *)data, id);
}

static void prints(const char *table, const char *place, const char *wanted, const char *what)
{
	cleanup_buf struct buf buf = BUF_INIT;

	list_table_print(&buf, table, bundle_of, (void *)place);
	IS_STR(buf.data, wanted, "list: %s", what);
}

int main(void)
{
	const char *none = "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n";
	const char *runc = "ID     PID    STATUS    BUNDLE              CREATED                OWNER\n"
			   "own1   12     running   /run/q/containers   2026-01-02T03:04:05Z   root\n"
			   "other  0      stopped   /srv/my bundle      2026-01-02T03:04:05Z   root\n";
	const char *crun = "NAME PID       STATUS   BUNDLE PATH                             CREATED                        OWNER\n"
			   "own  12        running  /run/quod/containers/0123456789abcdef0123456789/bundle 2026-01-02T03:04:05.1Z"
			   "         root\n";

	prints(none, "/b", none, "a table without containers is left as it is");
	prints("", "/b", "", "so is nothing");
	prints("other 1 x\n", "/b", "other 1 x\n", "and what is no table");
	prints(runc, "/b",
	       "ID     PID    STATUS    BUNDLE           CREATED                OWNER\n"
	       "own1   12     running   /b/own1          2026-01-02T03:04:05Z   root\n"
	       "other  0      stopped   /srv/my bundle   2026-01-02T03:04:05Z   root\n",
	       "runc's table has the engine's bundle, another's stays");
	prints(runc, "/a/much/longer/place",
	       "ID     PID    STATUS    BUNDLE                      CREATED                OWNER\n"
	       "own1   12     running   /a/much/longer/place/own1   2026-01-02T03:04:05Z   root\n"
	       "other  0      stopped   /srv/my bundle              2026-01-02T03:04:05Z   root\n",
	       "a longer one moves the columns");
	prints(crun, "/b",
	       "NAME PID       STATUS   BUNDLE PATH   CREATED                        OWNER\n"
	       "own  12        running  /b/own        2026-01-02T03:04:05.1Z         root\n",
	       "crun's table, whose bundle had left its column");
	return tap_done();
}
