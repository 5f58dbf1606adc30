/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an HTTP/1 client says of each request (RFC 9112): whose it is, and where the next one begins. Pure; the bytes are a
 * hostile container's. Only what every server must read alike is taken:
 *
 *   request line   METHOD SP TARGET SP HTTP/1.0 or HTTP/1.1 CRLF. Not CONNECT; the preface of HTTP/2 is no such line
 *   target         /PATH, * (OPTIONS alone), or http://AUTHORITY[/...], whose authority is the Host field's to the letter's case
 *   fields         NAME: VALUE CRLF; nothing between name and colon, no line that goes on (obs-fold), no bare CR or LF, no NUL
 *                  or other control but a tab; a space in front of the first line or an empty line there is none
 *   Host           exactly once, a host name, with or without a port: no address
 *   body           Content-Length once, digits alone, or Transfer-Encoding: chunked once and (HTTP/1.1) alone; not both
 *   length         at most HTTP_HEAD_MOST, HTTP_FIELDS fields
 *
 * Upgrade is noted: of "websocket" alone what follows may be something else than HTTP, when the server agrees.
 */
#ifndef QUOD_WARDEN_HTTP_HEAD_H
#define QUOD_WARDEN_HTTP_HEAD_H

#include "shim/warden/tls-hello.h"

#define HTTP_HEAD_MOST 32768u
#define HTTP_FIELDS 256u
#define HTTP_CHUNK_LINE 1024u

struct http_head {
	size_t size;			/* of the head, its empty line included */
	uint64_t body_bytes;		/* when it isn't chunked */
	bool is_chunked;
	bool asks_websocket;
	char name[NAME_SIZE];		/* of Host, normalized */
};

/* `head` is set with SAID_NAME alone. */
enum said http_head_parse(const uint8_t *bytes, size_t size, struct http_head *head);

/* The line in front of a chunk: SAID_NAME and its own size and the chunk's, without the line end behind it. */
struct http_chunk {
	size_t line_size;
	uint64_t bytes;			/* 0: the last one, the trailer follows */
};
enum said http_chunk_parse(const uint8_t *bytes, size_t size, struct http_chunk *chunk);

/* What follows the last chunk, its empty line included; none of it may speak of Host or of the body. */
enum said http_trailer_parse(const uint8_t *bytes, size_t size, size_t *trailer_size);

/* Of a response's first bytes: SAID_NAME when it is "HTTP/1.1 101", SAID_NO_NAME for any other. */
enum said http_status_is_switch(const uint8_t *bytes, size_t size);

#endif
