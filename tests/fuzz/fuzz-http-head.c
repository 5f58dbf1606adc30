/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of shim/warden/http-head. Input: a byte that says where to cut, then what a client sends: requests, taken one
 * after the other as the warden takes them. What is taken is a host name and lies within; a beginning of it gets the same
 * verdict or is waited on; and a head that is taken has exactly one line that begins with "Host:".
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shim/warden/http-head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

/* Read in another way than the parser reads: line by line, whatever ends a line. */
static void check_head(const uint8_t *bytes, const struct http_head *head)
{
	size_t hosts = 0;
	char name[NAME_SIZE];

	must(!name_normalize(head->name, name) && !strcmp(head->name, name));
	must(head->size >= 4 && !memcmp(bytes + head->size - 4, "\r\n\r\n", 4));
	must(!memchr(bytes, '\0', head->size));
	for (size_t i = 0; i + 6 < head->size; i++)
		if ((bytes[i] == '\r' || bytes[i] == '\n') && !strncasecmp((const char *)bytes + i + 1, "host:", 5))
			hosts++;
	must(hosts == 1);
}

static size_t take_chunks(const uint8_t *bytes, size_t size)
{
	struct http_chunk chunk;
	size_t at = 0, trailer;

	while (http_chunk_parse(bytes + at, size - at, &chunk) == SAID_NAME) {
		must(chunk.line_size <= size - at);
		at += chunk.line_size;
		if (!chunk.bytes)
			return http_trailer_parse(bytes + at, size - at, &trailer) == SAID_NAME ? at + trailer : size;
		if (chunk.bytes > size - at)
			return size;
		at += chunk.bytes;
		if (size - at < 2 || memcmp(bytes + at, "\r\n", 2))
			return size;
		at += 2;
	}
	return size;
}

static void take_requests(const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		struct http_head head;

		if (http_head_parse(bytes + at, size - at, &head) != SAID_NAME)
			return;
		must(head.size <= size - at);
		check_head(bytes + at, &head);
		at += head.size;
		must(!head.is_chunked || !head.body_bytes);
		if (head.is_chunked)
			at += take_chunks(bytes + at, size - at);
		else if (head.body_bytes > size - at)
			return;
		else
			at += head.body_bytes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head whole, part;
	uint8_t *bytes;
	size_t cut;
	enum said said, before;

	if (!size || size > 65536)
		return 0;
	cut = (size - 1) * data[0] / 255;
	bytes = malloc(size);
	must(bytes != NULL);
	memcpy(bytes, data + 1, size - 1);
	take_requests(bytes, size - 1);
	said = http_head_parse(bytes, size - 1, &whole);
	memmove(bytes + size - cut, bytes, cut);	/* at the end of what may be read */
	before = http_head_parse(bytes + size - cut, cut, &part);
	must(before == said || before == SAID_MORE);
	if (before == SAID_NAME)
		must(part.size == whole.size && !strcmp(part.name, whole.name));
	http_status_is_switch(bytes + size - cut, cut);
	free(bytes);
	return 0;
}
