/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of the audit trail, one after another: see trail.h. */
#include "shim/ctl/trail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/base/cleanup.h"
#include "shim/ctl/find.h"
#include "shim/invocation.h"
#include "shim/policy/units.h"

int trail_open(const struct ctl *ctl, struct trail *trail, struct err *err)
{
	int r;

	*trail = (struct trail){ .shim = { .config_file = ctl->config_file } };
	r = invocation_load_config(&trail->shim, err);
	return r ? r : audit_reader_new(trail->shim.audit.file, &trail->reader, err);
}

int trail_open_file(const char *file, struct trail *trail, struct err *err)
{
	*trail = (struct trail){ .reader = NULL };
	if (access(file, R_OK) < 0)
		return err_set_errno(err, errno, "%s", file);
	return audit_reader_new(file, &trail->reader, err);
}

void trail_release(struct trail *trail)
{
	audit_reader_free(trail->reader);
	host_config_free(trail->shim.config);
	free(trail->container);
	*trail = (struct trail){ .reader = NULL };
}

int trail_choose_container(const struct ctl *ctl, struct trail *trail, const char *word, struct err *err)
{
	struct record record = { .tree = NULL };
	struct err found = ERR_INIT;
	cleanup_close int dir_fd = -1;
	int r = container_find(&ctl->places, word, &record, &dir_fd, &found);

	free(trail->container);
	trail->container = alloc_copy(r ? word : record.id);
	trail->is_whole_id = !r;
	record_release(&record);
	if (r == -ENOTUNIQ) {
		*err = found;
		return r;
	}
	if (r && strlen(word) < 4)
		trail->is_whole_id = true;
	return 0;
}

/* As a record's time begins; the rest of its 30 characters is zeros and a Z. */
static void put_time(struct trail *trail, const struct tm *tm)
{
	strftime(trail->since, sizeof(trail->since), "%Y-%m-%dT%H:%M:%S.000000000Z", tm);
}

int trail_choose_since(struct trail *trail, const char *word, struct err *err)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d" };
	uint64_t ago_ms;
	time_t then;
	struct tm tm;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const char *end;

		tm = (struct tm){ 0 };
		end = strptime(word, forms[i], &tm);
		if (end && !*end && tm.tm_year >= 0 && tm.tm_year <= 8099) {
			put_time(trail, &tm);
			return 0;
		}
	}
	if (duration_parse(word, &ago_ms) < 0 || ago_ms == LIMIT_UNLIMITED)
		return err_set(err, EINVAL, "'%s' is no time: 2026-11-24T10:00:00Z (UTC), 2026-11-24, or how long ago: 90m, 2d", word);
	then = time(NULL);
	then = (uint64_t)then > ago_ms / 1000 ? then - (time_t)(ago_ms / 1000) : 0;
	if (gmtime_r(&then, &tm))
		put_time(trail, &tm);
	return 0;
}

static bool is_chosen(const struct trail *trail, const struct audit_fields *fields)
{
	size_t len = trail->container ? strlen(trail->container) : 0;

	if (trail->since[0] && memcmp(fields->time, trail->since, sizeof(trail->since) - 1) < 0)
		return false;
	if (!trail->container)
		return true;
	return (trail->is_whole_id ? fields->container_len == len : fields->container_len >= len) &&
	       !memcmp(fields->container, trail->container, len);
}

int trail_next(struct trail *trail, const char **line, size_t *len, struct audit_fields *fields, struct err *err)
{
	int r;

	while ((r = audit_reader_next(trail->reader, line, len, err)) == 1)
		if (audit_fields_parse(*line, *len, fields) && is_chosen(trail, fields))
			return 1;
	return r;
}

void trail_say_losses(const struct trail *trail)
{
	const struct audit_reader_losses *losses = audit_reader_losses(trail->reader);

	if (losses->foreign)
		ctl_fail("%llu lines of the trail are no records: see quodctl audit verify", (unsigned long long)losses->foreign);
	if (losses->missed)
		ctl_fail("%llu records were rotated away, or cut out, before they could be read", (unsigned long long)losses->missed);
}
