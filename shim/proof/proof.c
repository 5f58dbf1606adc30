/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The proof: its rows, and the order of looking. See proof.h. Must never change what it looks at. */
#include "shim/proof/proof.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim/base/cleanup.h"

void proof_add(struct proof *proof, const char *key, enum proof_outcome outcome, const char *how, const char *promised_format, ...)
{
	struct proof_row *row;
	va_list args;

	proof->rows = alloc_grow(proof->rows, proof->count + 1, sizeof(*proof->rows));
	row = &proof->rows[proof->count++];
	*row = (struct proof_row){ .key = key, .outcome = outcome, .how = alloc_copy(how), .in_force = alloc_copy("unknown") };
	va_start(args, promised_format);
	row->promised = alloc_vprintf(promised_format, args);
	va_end(args);
}

void proof_saw(struct proof *proof, const char *format, ...)
{
	struct proof_row *row = &proof->rows[proof->count - 1];
	va_list args;
	char *text;

	va_start(args, format);
	text = alloc_vprintf(format, args);
	va_end(args);
	free(row->in_force);
	row->in_force = text;
}

void proof_release(struct proof *proof)
{
	for (size_t i = 0; i < proof->count; i++) {
		free(proof->rows[i].promised);
		free(proof->rows[i].in_force);
		free(proof->rows[i].how);
	}
	free(proof->rows);
	proof->rows = NULL;
	proof->count = 0;
}

static bool is_noted(const struct proof *proof, const char *key)
{
	const struct json *notes = json_get(proof->record->plan, "notes");

	for (size_t i = 0; notes && i < notes->count; i++) {
		const char *note = json_string(notes->items[i]);

		if (note && !strncmp(note, key, strlen(key)) && note[strlen(key)] == ':')
			return true;
	}
	return false;
}

const struct proof_row *proof_find_failed(const struct proof *proof)
{
	for (size_t i = 0; i < proof->count; i++)
		if (proof->rows[i].outcome != PROOF_PROVEN && !is_noted(proof, proof->rows[i].key))
			return &proof->rows[i];
	return NULL;
}

/* A process that has not executed the container's program yet is still the runtime's. */
static bool has_begun(pid_t pid)
{
	cleanup_free char *link = alloc_printf("/proc/%d/exe", (int)pid), *name = proof_proc_field(pid, "status", "Name");
	char target[256];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	target[len < 0 ? 0 : len] = '\0';
	return name && !strstr(target, "memfd:runc") && !strstr(target, "/runc") && !strstr(target, "/crun");
}

int proof_look(struct proof *proof, const struct state_places *places, struct err *err)
{
	cleanup_free char *path = NULL;
	int r = spaces_read(places, proof->record->key, &proof->spaces, err);

	if (r)
		return err_wrap(err, "%s", proof->record->id);
	path = alloc_printf("/proc/%d", (int)proof->spaces.pid);
	if (access(path, F_OK) < 0)
		return err_set(err, ESRCH, "%s: its first process has ended", proof->record->id);
	if (proof->stage == PROOF_RUNNING && !has_begun(proof->spaces.pid))
		return err_set(err, ESRCH, "%s: it was created, but its program has not been started", proof->record->id);
	proof_process(proof);
	proof_namespaces(proof);
	proof_mounts(proof);
	proof_resources(proof);
	proof_network(proof);
	return 0;
}
