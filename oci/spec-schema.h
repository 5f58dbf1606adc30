/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The OCI runtime specification as a table, for spec-check.c alone: which fields an object has, and of what type each is.
 */
#ifndef QUOD_OCI_SPEC_SCHEMA_H
#define QUOD_OCI_SPEC_SCHEMA_H

#include "oci/spec.h"

enum spec_type {
	SPEC_STRING, SPEC_BOOL, SPEC_UINT16, SPEC_INT32, SPEC_UINT32, SPEC_INT64, SPEC_UINT64,
	SPEC_OBJECT,		/* of ->fields */
	SPEC_OPAQUE,		/* an object whose inside is another platform's business */
};

enum spec_shape {
	SPEC_ONE,		/* the type itself */
	SPEC_LIST,		/* an array of it */
	SPEC_MAP,		/* an object of it under names that somebody else defines */
};

struct spec_field {
	const char *name;	/* NULL ends a list of fields */
	enum spec_type type;
	enum spec_shape shape;
	bool may_be_null;	/* runc and crun both take null for absent */
	const struct spec_field *fields;
};

extern const struct spec_field spec_config, spec_process, spec_resources;	/* the documents, each a field without a name */

#endif
