/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ClientHello: see tls-hello.h. Reads forward only, byte by byte over the records' bounds; must never read behind `size`. */
#include "shim/warden/tls-hello.h"

#include <stdbool.h>
#include <string.h>

#define RECORD_HEAD 5u
#define RECORD_MOST 16384u
#define CLIENT_HELLO 1
#define RANDOM_BYTES 32u
#define SESSION_MOST 32u
#define SERVER_NAME 0
#define HOST_NAME 0

/* Once `said` is no longer SAID_NAME every get gives 0 and nothing moves. */
struct reader {
	const uint8_t *bytes;
	size_t size, at;
	size_t in_record;	/* of the fragment, not read yet */
	size_t left;		/* of the message */
	unsigned records;
	enum said said;
};

static bool is_version(const uint8_t *bytes)
{
	return bytes[0] == 3 && bytes[1] >= 1 && bytes[1] <= 3;
}

static void fail(struct reader *reader, enum said said)
{
	if (reader->said == SAID_NAME)
		reader->said = said;
}

/* What is there of a head must be right before the rest is waited for. */
static void next_record(struct reader *reader)
{
	const uint8_t *head = reader->bytes + reader->at;
	size_t have = reader->size - reader->at, len;

	if (++reader->records > TLS_HELLO_RECORDS || (have && head[0] != TLS_HANDSHAKE) || (have > 2 && !is_version(head + 1))) {
		fail(reader, SAID_NONSENSE);
		return;
	}
	if (have < RECORD_HEAD) {
		fail(reader, SAID_MORE);
		return;
	}
	len = (size_t)head[3] << 8 | head[4];
	if (!len || len > RECORD_MOST)
		fail(reader, SAID_NONSENSE);
	reader->at += RECORD_HEAD;
	reader->in_record = len;
}

static uint8_t get8(struct reader *reader)
{
	if (!reader->left)
		fail(reader, SAID_NONSENSE);
	if (reader->said == SAID_NAME && !reader->in_record)
		next_record(reader);
	if (reader->said == SAID_NAME && reader->at == reader->size)
		fail(reader, SAID_MORE);
	if (reader->said != SAID_NAME)
		return 0;
	reader->left--;
	reader->in_record--;
	return reader->bytes[reader->at++];
}

static size_t get16(struct reader *reader)
{
	size_t high = get8(reader);

	return high << 8 | get8(reader);
}

static void skip(struct reader *reader, size_t count)
{
	if (count > reader->left)
		fail(reader, SAID_NONSENSE);
	while (count && reader->said == SAID_NAME) {
		size_t step = reader->in_record, have = reader->size - reader->at;

		if (!step || !have) {
			get8(reader);
			count--;
			continue;
		}
		step = step < count ? step : count;
		step = step < have ? step : have;
		reader->at += step;
		reader->in_record -= step;
		reader->left -= step;
		count -= step;
	}
}

/* A list with one name in it, and nothing else. */
static void read_name(struct reader *reader, size_t size, char name[NAME_SIZE])
{
	char text[NAME_SIZE + 1];
	size_t list, len;
	uint8_t type;

	if (size < 5) {
		fail(reader, SAID_NONSENSE);
		return;
	}
	list = get16(reader);
	type = get8(reader);
	len = get16(reader);
	if (list != size - 2 || len != size - 5 || type != HOST_NAME) {
		fail(reader, SAID_NONSENSE);
		return;
	}
	if (!len || len > NAME_SIZE) {
		fail(reader, SAID_NO_NAME);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		text[i] = (char)get8(reader);
		if (!text[i])
			fail(reader, SAID_NONSENSE);
	}
	text[len] = '\0';
	if (reader->said == SAID_NAME && name_normalize(text, name))
		fail(reader, SAID_NO_NAME);
}

static void read_extensions(struct reader *reader, char name[NAME_SIZE])
{
	bool has_name = false;
	size_t total = reader->left ? get16(reader) : 0;

	if (total != reader->left)
		fail(reader, SAID_NONSENSE);
	while (reader->left && reader->said == SAID_NAME) {
		size_t type = get16(reader), len = get16(reader);

		if (len > reader->left || (type == SERVER_NAME && has_name))
			fail(reader, SAID_NONSENSE);
		else if (type == SERVER_NAME)
			read_name(reader, len, name);
		else
			skip(reader, len);
		has_name = has_name || type == SERVER_NAME;
	}
	if (!has_name)
		fail(reader, SAID_NO_NAME);
}

static void read_hello(struct reader *reader, char name[NAME_SIZE])
{
	uint8_t version[2];
	size_t len;

	version[0] = get8(reader);
	version[1] = get8(reader);
	if (!is_version(version))
		fail(reader, SAID_NONSENSE);
	skip(reader, RANDOM_BYTES);
	len = get8(reader);
	if (len > SESSION_MOST)
		fail(reader, SAID_NONSENSE);
	skip(reader, len);
	len = get16(reader);
	if (!len || len % 2)	/* cipher suites */
		fail(reader, SAID_NONSENSE);
	skip(reader, len);
	len = get8(reader);
	if (!len)		/* compression methods */
		fail(reader, SAID_NONSENSE);
	skip(reader, len);
	read_extensions(reader, name);
}

enum said tls_hello_parse(const uint8_t *bytes, size_t size, char name[NAME_SIZE])
{
	struct reader reader = { .bytes = bytes, .size = size, .left = 4, .said = SAID_NAME };
	size_t len;

	if (get8(&reader) != CLIENT_HELLO)
		fail(&reader, SAID_NONSENSE);
	len = get8(&reader);
	len = len << 16 | get16(&reader);
	if (len > TLS_HELLO_MOST)
		fail(&reader, SAID_NONSENSE);
	reader.left = len;
	read_hello(&reader, name);
	return reader.said == SAID_MORE && size >= TLS_HELLO_MOST ? SAID_NONSENSE : reader.said;
}
