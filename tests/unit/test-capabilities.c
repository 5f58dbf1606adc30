/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of shim/policy/capabilities.c: the table against the kernel's own numbers. */
#include <linux/capability.h>

#include "shim/policy/capabilities.h"
#include "tests/unit/tap.h"

int main(void)
{
	OK(capability_parse("CAP_CHOWN") == CAP_CHOWN, "capabilities: the first has the kernel's number");
	OK(capability_parse("CAP_NET_ADMIN") == CAP_NET_ADMIN, "capabilities: so has NET_ADMIN");
	OK(capability_parse("CAP_SYS_ADMIN") == CAP_SYS_ADMIN, "capabilities: so has SYS_ADMIN");
	OK(capability_parse("CAP_SYSLOG") == CAP_SYSLOG, "capabilities: so has SYSLOG");
	OK(capability_parse("CAP_CHECKPOINT_RESTORE") == CAP_CHECKPOINT_RESTORE, "capabilities: so has the newest");
	OK(capability_parse("cap_chown") < 0 && capability_parse("CHOWN") < 0 && capability_parse("") < 0,
	   "capabilities: other spellings are no capability");
	IS_STR(capability_name(CAP_SETUID), "CAP_SETUID", "capabilities: a number has its name");
	OK(!capability_name(CAP_LAST_CAP + 1), "capabilities: none lies beyond the kernel's last");
	return tap_done();
}
