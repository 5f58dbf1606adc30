/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A document against the table of the specification: see oci_check in spec.h. It lists and never decides; what it has not
 * listed, runc (Go's encoding/json) and crun (exact names, typed look-ups) read alike.
 */
#include "oci/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/json-tree.h"
#include "oci/pointer.h"
#include "oci/spec-schema.h"

#define SHOWN_MAX 120	/* bytes of a name or number in a text */

struct check {
	struct oci_findings *findings;
	size_t room;
	struct buf place;
};

static void __attribute__((format(printf, 4, 5)))
add_finding(struct check *check, enum oci_finding_kind kind, int line, const char *format, ...)
{
	struct oci_findings *findings = check->findings;
	char text[512];
	va_list args;

	if (findings->count == OCI_FINDINGS_MAX) {
		findings->is_cut = true;
		return;
	}
	if (findings->count == check->room) {
		check->room = check->room ? check->room * 2 : 16;
		findings->items = alloc_grow(findings->items, check->room, sizeof(*findings->items));
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	findings->items[findings->count++] = (struct oci_finding){
		kind, alloc_copy(check->place.data ? check->place.data : ""), alloc_copy(text), line,
	};
}

static void check_field(struct check *check, const struct spec_field *field, const struct json *node);

static void wrong_type(struct check *check, const struct json *node, const char *wanted)
{
	add_finding(check, OCI_WRONG_TYPE, node->line, "is %s, not %s", json_type_name(node->type), wanted);
}

static bool is_integer_text(const char *text)
{
	return !text[strcspn(text, ".eE")] && strcmp(text, "-0");
}

static void check_integer(struct check *check, enum spec_type type, const struct json *node)
{
	static const struct {
		const char *name;
		int64_t least;
		uint64_t most;
	} ranges[] = {
		[SPEC_UINT16] = { "0 to 65535", 0, UINT16_MAX },
		[SPEC_INT32] = { "-2147483648 to 2147483647", INT32_MIN, INT32_MAX },
		[SPEC_UINT32] = { "0 to 4294967295", 0, UINT32_MAX },
		[SPEC_INT64] = { "those of 64 bits with a sign", INT64_MIN, INT64_MAX },
		[SPEC_UINT64] = { "those of 64 bits without a sign", 0, UINT64_MAX },
	};
	uint64_t number = 0;
	int64_t negative = 0;

	if (!json_is(node, JSON_NUMBER)) {
		wrong_type(check, node, "an integer");
		return;
	}
	if (!is_integer_text(node->text)) {
		add_finding(check, OCI_WRONG_TYPE, node->line, "%.*s is not written as an integer", SHOWN_MAX, node->text);
		return;
	}
	if (json_uint(node, &number) ? number <= ranges[type].most : json_int(node, &negative) && negative >= ranges[type].least)
		return;
	add_finding(check, OCI_OUT_OF_RANGE, node->line, "%.*s is out of the field's range (%s)", SHOWN_MAX, node->text,
		    ranges[type].name);
}

static const struct spec_field *find_field(const struct spec_field *fields, const char *name, bool fold)
{
	for (; fields->name; fields++)
		if (fold ? !json_fold_compare(fields->name, name) : !strcmp(fields->name, name))
			return fields;
	return NULL;
}

static void check_members(struct check *check, const struct spec_field *fields, const struct json *object)
{
	for (size_t i = 0; i < object->count && !check->findings->is_cut; i++) {
		const struct json_member *member = &object->members[i];
		const struct spec_field *field = find_field(fields, member->name, false), *other;
		size_t outer = check->place.len;

		pointer_put_name(&check->place, member->name);
		other = field ? NULL : find_field(fields, member->name, true);
		if (field)
			check_field(check, field, member->value);
		else if (other)
			add_finding(check, OCI_OTHER_CASE, member->line, "'%.*s' differs from '%s' only in case", SHOWN_MAX,
				    member->name, other->name);
		else
			add_finding(check, OCI_UNKNOWN, member->line, "'%.*s' is no field of the specification here", SHOWN_MAX,
				    member->name);
		check->place.len = outer;
		check->place.data[outer] = '\0';
	}
}

/* The type alone, whatever the shape of its field. */
static void check_one(struct check *check, const struct spec_field *field, const struct json *node)
{
	switch (field->type) {
	case SPEC_STRING:
		if (!json_is(node, JSON_STRING))
			wrong_type(check, node, json_type_name(JSON_STRING));
		break;
	case SPEC_BOOL:
		if (!json_is(node, JSON_BOOL))
			wrong_type(check, node, json_type_name(JSON_BOOL));
		break;
	case SPEC_OBJECT:
	case SPEC_OPAQUE:
		if (!json_is(node, JSON_OBJECT))
			wrong_type(check, node, json_type_name(JSON_OBJECT));
		else if (field->type == SPEC_OBJECT)
			check_members(check, field->fields, node);
		break;
	case SPEC_UINT16:
	case SPEC_INT32:
	case SPEC_UINT32:
	case SPEC_INT64:
	case SPEC_UINT64:
		check_integer(check, field->type, node);
		break;
	}
}

static void check_field(struct check *check, const struct spec_field *field, const struct json *node)
{
	enum json_type container = field->shape == SPEC_LIST ? JSON_ARRAY : JSON_OBJECT;
	size_t outer = check->place.len;

	if (field->may_be_null && json_is(node, JSON_NULL))
		return;
	if (field->shape == SPEC_ONE) {
		check_one(check, field, node);
		return;
	}
	if (!json_is(node, container)) {
		wrong_type(check, node, json_type_name(container));
		return;
	}
	for (size_t i = 0; i < node->count && !check->findings->is_cut; i++) {
		if (container == JSON_ARRAY)
			pointer_put_index(&check->place, i);
		else
			pointer_put_name(&check->place, node->members[i].name);
		check_one(check, field, container == JSON_ARRAY ? node->items[i] : node->members[i].value);
		check->place.len = outer;
		check->place.data[outer] = '\0';
	}
}

void oci_check(const struct json *root, enum oci_document document, struct oci_findings *findings)
{
	static const struct spec_field *const documents[] = {
		[OCI_CONFIG] = &spec_config, [OCI_PROCESS] = &spec_process, [OCI_RESOURCES] = &spec_resources,
	};
	struct check check = { .findings = findings };

	*findings = (struct oci_findings){ 0 };
	if (root)
		check_field(&check, documents[document], root);
	buf_free(&check.place);
}

void oci_findings_free(struct oci_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->items[i].pointer);
		free(findings->items[i].text);
	}
	free(findings->items);
	*findings = (struct oci_findings){ 0 };
}
