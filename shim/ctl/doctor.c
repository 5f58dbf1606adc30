/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quodctl doctor: what of this host would weaken containers or keep quod from holding them, each with what to do. Looks
 * alone; exit status 1 when there is a problem.
 */
#include "shim/ctl/doctor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shim/base/cleanup.h"
#include "shim/base/file.h"
#include "shim/ctl/table.h"
#include "shim/invocation.h"

static const char *const verdict_names[] = { "ok", "note", "problem" };
static const enum tone verdict_tones[] = { TONE_GOOD, TONE_DOUBT, TONE_BAD };

void doctor_add(struct doctor *doctor, enum doctor_verdict verdict, const char *area, const char *check, const char *advice,
		const char *format, ...)
{
	struct doctor_row *row;
	va_list args;
	char *found;

	va_start(args, format);
	found = alloc_vprintf(format, args);
	va_end(args);
	doctor->rows = alloc_grow(doctor->rows, doctor->count + 1, sizeof(*doctor->rows));
	row = &doctor->rows[doctor->count++];
	*row = (struct doctor_row){ .area = area, .check = alloc_copy(check), .found = found, .verdict = verdict };
	row->advice = advice ? alloc_copy(advice) : NULL;
}

char *doctor_read_line(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err ignored = ERR_INIT;
	char *text = NULL;
	size_t len;

	if (fd < 0 || file_read_all(fd, 65536, &text, &len, &ignored) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void print_for_people(const struct doctor *doctor, size_t problems)
{
	static const char *const heads[] = { "AREA", "CHECK", "", "FOUND", NULL };
	struct table table;

	table_init(&table, heads);
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_row *row = &doctor->rows[i];

		table_add(&table, TONE_PLAIN, row->area);
		table_add(&table, TONE_PLAIN, row->check);
		table_add(&table, verdict_tones[row->verdict], verdict_names[row->verdict]);
		table_add(&table, TONE_PLAIN, row->found);
	}
	table_print(&table, stdout);
	table_release(&table);
	puts(problems ? "\nWhat to do:" : "\nNo problem was found.");
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_row *row = &doctor->rows[i];

		if (!row->advice || row->verdict == DOCTOR_OK)
			continue;
		printf("%s %s ", row->verdict == DOCTOR_PROBLEM ? "*" : "-", row->area);
		ctl_put(row->check);
		fputs(": ", stdout);
		ctl_put(row->advice);
		fputc('\n', stdout);
	}
}

static void print_as_json(const struct doctor *doctor)
{
	cleanup_json_tree struct json_tree *tree = json_tree_new();
	struct json *list = json_make_array(tree);

	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_row *row = &doctor->rows[i];
		struct json *node = json_make_object(tree);

		json_set(tree, node, "area", json_make_string(tree, row->area));
		json_set(tree, node, "check", json_make_string(tree, row->check));
		json_set(tree, node, "verdict", json_make_string(tree, verdict_names[row->verdict]));
		json_set(tree, node, "found", json_make_string(tree, row->found));
		json_set(tree, node, "do", row->advice ? json_make_string(tree, row->advice) : json_make_null(tree));
		json_append(tree, list, node);
	}
	ctl_print_json(list);
}

static void release(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++) {
		free(doctor->rows[i].check);
		free(doctor->rows[i].found);
		free(doctor->rows[i].advice);
	}
	free(doctor->rows);
	host_config_free(doctor->shim.config);
}

int doctor_main(struct ctl *ctl)
{
	struct doctor doctor = { .ctl = ctl, .shim = { .config_file = ctl->config_file } };
	struct err err = ERR_INIT;
	size_t problems = 0;

	if (ctl->argc != 1)
		return ctl_fail_usage(ctl, "doctor takes no words");
	if (geteuid() != 0)
		ctl_fail("doctor sees less than there is: it is not root");
	if (invocation_load_config(&doctor.shim, &err) < 0)
		doctor_add(&doctor, DOCTOR_PROBLEM, "quod", "configuration", "correct it: until then every container is refused", "%s",
			   err.text);
	doctor_kernel(&doctor);
	doctor_sysctls(&doctor);
	doctor_quod(&doctor);
	doctor_engines(&doctor);
	for (size_t i = 0; i < doctor.count; i++)
		problems += doctor.rows[i].verdict == DOCTOR_PROBLEM;
	if (ctl->json)
		print_as_json(&doctor);
	else
		print_for_people(&doctor, problems);
	release(&doctor);
	return problems ? CTL_NO : CTL_YES;
}
