/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzz target of shim/state/audit-read and audit-chain: a line of a trail that anybody may have written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/state/audit-chain.h"
#include "shim/state/audit-read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_lie_within(const char *line, size_t len, const char *text, size_t text_len)
{
	if (text < line || text_len > len || text + text_len > line + len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct audit_fields fields;
	struct audit_line chained;
	char *line = malloc(size + 1);

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (audit_fields_parse(line, size, &fields)) {
		must_lie_within(line, size, fields.time, 30);
		must_lie_within(line, size, fields.event, fields.event_len);
		must_lie_within(line, size, fields.container, fields.container_len);
		must_lie_within(line, size, fields.engine, fields.engine_len);
		must_lie_within(line, size, fields.profile, fields.profile_len);
		if (!fields.seq || !fields.repeated || audit_time_s(&fields) == INT64_MIN)
			abort();
	}
	if (audit_line_parse(line, size, &chained) == 0 && (!chained.seq || strlen(chained.hash) != 64))
		abort();
	free(line);
	return 0;
}
