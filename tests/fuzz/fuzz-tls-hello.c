/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of shim/warden/tls-hello. Input: a byte that says where to cut, then what a client sends. What is taken is a
 * host name; a beginning of it gets the same verdict or is waited on; what follows changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/warden/tls-hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

/* Of a copy of just this size, so that a sanitizer sees who reads on. */
static enum said parse(const uint8_t *data, size_t size, char name[NAME_SIZE])
{
	uint8_t *bytes = malloc(size ? size : 1);
	enum said said;

	must(bytes != NULL);
	memcpy(bytes, data, size);
	said = tls_hello_parse(bytes, size, name);
	free(bytes);
	return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[NAME_SIZE], again[NAME_SIZE], normal[NAME_SIZE];
	size_t cut;
	enum said said, before;

	if (!size || size > 65536)
		return 0;
	cut = (size - 1) * data[0] / 255;
	said = parse(data + 1, size - 1, name);
	before = parse(data + 1, cut, again);
	must(before == said || before == SAID_MORE);
	if (said == SAID_NAME)
		must(!name_normalize(name, normal) && !strcmp(name, normal));
	if (said == SAID_NAME && before == SAID_NAME)
		must(!strcmp(name, again));
	return 0;
}
