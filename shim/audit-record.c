/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event of this container into the audit trail, by the settings of the host's configuration. */
#include "shim/shim.h"

int shim_audit(const struct shim *shim, const char *event, const struct record *record, const char *members, struct err *err)
{
	struct err failure = ERR_INIT;
	struct audit_record line = {
		.event = event,
		.container = record && record->id ? record->id : "",
		.engine = record && record->engine ? record->engine : "",
		.profile = record && record->profile ? record->profile : "",
		.digest = record && record->digest ? record->digest : "",
		.members = members ? members : "",
	};

	if (!shim->config || audit_write(&shim->audit, &line, &failure) == 0 || shim->config->audit_continue)
		return 0;
	*err = failure;
	return err_wrap(err, "the audit trail can't be written (audit.on_error is refuse)");
}
