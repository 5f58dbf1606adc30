/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of HTTP/1: see http-head.h. Must never take what two servers could read in two ways. */
#include "shim/warden/http-head.h"

#include <string.h>
#include <strings.h>

/* One line, or a part of it; not ended by a NUL. */
struct text {
	const uint8_t *bytes;
	size_t len;
};

static bool is_text(const struct text *text, const char *wanted)
{
	return text->len == strlen(wanted) && !strncasecmp((const char *)text->bytes, wanted, text->len);
}

static bool is_exactly(const struct text *text, const char *wanted)
{
	return text->len == strlen(wanted) && !memcmp(text->bytes, wanted, text->len);
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_token_char(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const struct text *text)
{
	for (size_t i = 0; i < text->len; i++)
		if (!is_token_char(text->bytes[i]))
			return false;
	return text->len > 0;
}

/* The line at *at, without its end; *at is then behind it. */
static enum said take_line(const struct text *all, size_t *at, struct text *line)
{
	const uint8_t *begin = all->bytes + *at, *end = memchr(begin, '\n', all->len - *at);
	size_t len = end ? (size_t)(end - begin) : all->len - *at;

	for (size_t i = 0; i < len; i++)
		if ((begin[i] < ' ' && begin[i] != '\t' && (begin[i] != '\r' || i + 1 != len)) || begin[i] == 0x7f)
			return SAID_NONSENSE;
	if (!end)
		return SAID_MORE;
	if (!len || begin[len - 1] != '\r')
		return SAID_NONSENSE;
	*line = (struct text){ begin, len - 1 };
	*at += len + 1;
	return SAID_NAME;
}

/* Up to the first `c`, and what lies behind it; false when there is none. */
static bool split(const struct text *text, uint8_t c, struct text *before, struct text *behind)
{
	const uint8_t *found = text->len ? memchr(text->bytes, c, text->len) : NULL;

	if (!found)
		return false;
	*before = (struct text){ text->bytes, (size_t)(found - text->bytes) };
	*behind = (struct text){ found + 1, text->len - before->len - 1 };
	return true;
}

struct request {
	struct http_head *head;
	struct text authority, host;
	bool has_authority, is_old;
	unsigned hosts, lengths, encodings, upgrades;
};

static bool read_target(const struct text *method, const struct text *target, struct request *request)
{
	static const char scheme[] = "http://";
	size_t len = sizeof(scheme) - 1, end;

	for (size_t i = 0; i < target->len; i++)
		if (target->bytes[i] <= ' ' || target->bytes[i] == '#')
			return false;
	if (!target->len)
		return false;
	if (target->bytes[0] == '/')
		return true;
	if (is_exactly(target, "*"))
		return is_exactly(method, "OPTIONS");
	if (target->len < len || strncasecmp((const char *)target->bytes, scheme, len))
		return false;
	for (end = len; end < target->len && target->bytes[end] != '/' && target->bytes[end] != '?'; end++)
		;
	request->authority = (struct text){ target->bytes + len, end - len };
	request->has_authority = true;
	return end > len;
}

static bool read_request_line(const struct text *line, struct request *request)
{
	struct text method, rest, target, version;

	if (!split(line, ' ', &method, &rest) || !split(&rest, ' ', &target, &version) || !is_token(&method) || method.len > 32 ||
	    is_text(&method, "CONNECT"))
		return false;
	request->is_old = is_exactly(&version, "HTTP/1.0");
	return (request->is_old || is_exactly(&version, "HTTP/1.1")) && read_target(&method, &target, request);
}

static bool read_number(const struct text *value, uint64_t *number)
{
	*number = 0;
	if (!value->len || value->len > 18)
		return false;
	for (size_t i = 0; i < value->len; i++) {
		if (!is_digit(value->bytes[i]))
			return false;
		*number = *number * 10 + (uint64_t)(value->bytes[i] - '0');
	}
	return true;
}

static void trim(struct text *value)
{
	while (value->len && (value->bytes[0] == ' ' || value->bytes[0] == '\t')) {
		value->bytes++;
		value->len--;
	}
	while (value->len && (value->bytes[value->len - 1] == ' ' || value->bytes[value->len - 1] == '\t'))
		value->len--;
}

static bool split_field(const struct text *line, struct text *name, struct text *value)
{
	if (!split(line, ':', name, value) || !is_token(name))
		return false;
	trim(value);
	return true;
}

static bool read_field(const struct text *line, struct request *request)
{
	struct text name, value;

	if (!split_field(line, &name, &value))
		return false;
	if (is_text(&name, "Host")) {
		request->host = value;
		return ++request->hosts == 1;
	}
	if (is_text(&name, "Content-Length"))
		return ++request->lengths == 1 && read_number(&value, &request->head->body_bytes);
	if (is_text(&name, "Transfer-Encoding"))
		return ++request->encodings == 1 && is_text(&value, "chunked");
	if (is_text(&name, "Upgrade"))
		request->head->asks_websocket = ++request->upgrades == 1 && is_text(&value, "websocket");
	return true;
}

/* NAME[:PORT]; SAID_NAME when it is a host name. */
static enum said read_host(const struct text *host, char name[NAME_SIZE])
{
	struct text label = *host, port;
	char text[NAME_SIZE + 1];
	uint64_t number;

	if (split(host, ':', &label, &port) && host->bytes[0] != '[' && !(read_number(&port, &number) && port.len <= 5))
		return SAID_NONSENSE;
	if (!label.len || label.len > NAME_SIZE || memchr(label.bytes, '\0', label.len))
		return SAID_NO_NAME;
	memcpy(text, label.bytes, label.len);
	text[label.len] = '\0';
	return name_normalize(text, name) ? SAID_NO_NAME : SAID_NAME;
}

/* Without its port when that is the scheme's own. */
static struct text without_port(struct text authority)
{
	struct text name, port;

	return split(&authority, ':', &name, &port) && is_exactly(&port, "80") ? name : authority;
}

static bool agrees(const struct request *request)
{
	struct text authority = without_port(request->authority), host = without_port(request->host);

	return !request->has_authority ||
	       (authority.len && authority.len == host.len && !strncasecmp((const char *)authority.bytes, (const char *)host.bytes, host.len));
}

static enum said judge(const struct request *request)
{
	if (request->lengths + request->encodings > 1 || (request->encodings && request->is_old) || !agrees(request))
		return SAID_NONSENSE;
	request->head->is_chunked = request->encodings;
	return request->hosts ? read_host(&request->host, request->head->name) : SAID_NO_NAME;
}

enum said http_head_parse(const uint8_t *bytes, size_t size, struct http_head *head)
{
	struct text all = { bytes, size < HTTP_HEAD_MOST ? size : HTTP_HEAD_MOST }, line;
	struct request request = { .head = head };
	unsigned lines = 0;
	size_t at = 0;

	*head = (struct http_head){ .size = 0 };
	for (;;) {
		enum said said = take_line(&all, &at, &line);

		if (said == SAID_MORE && size >= HTTP_HEAD_MOST)
			return SAID_NONSENSE;
		if (said != SAID_NAME)
			return said;
		if (!lines++ ? !read_request_line(&line, &request) : line.len && !read_field(&line, &request))
			return SAID_NONSENSE;
		if (lines > HTTP_FIELDS + 1)
			return SAID_NONSENSE;
		if (!line.len)
			break;
	}
	head->size = at;
	return judge(&request);
}

static int hex_of(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum said http_chunk_parse(const uint8_t *bytes, size_t size, struct http_chunk *chunk)
{
	struct text all = { bytes, size < HTTP_CHUNK_LINE ? size : HTTP_CHUNK_LINE }, line;
	size_t at = 0, digits = 0;
	enum said said = take_line(&all, &at, &line);

	if (said != SAID_NAME)
		return said == SAID_MORE && size >= HTTP_CHUNK_LINE ? SAID_NONSENSE : said;
	*chunk = (struct http_chunk){ .line_size = at };
	for (; digits < line.len && hex_of(line.bytes[digits]) >= 0; digits++)
		chunk->bytes = chunk->bytes << 4 | (uint64_t)hex_of(line.bytes[digits]);
	if (!digits || digits > 15 || (digits < line.len && line.bytes[digits] != ';'))
		return SAID_NONSENSE;
	return SAID_NAME;
}

enum said http_trailer_parse(const uint8_t *bytes, size_t size, size_t *trailer_size)
{
	static const char *const spoken_for[] = { "Host", "Content-Length", "Transfer-Encoding", "Upgrade" };
	struct text all = { bytes, size < HTTP_HEAD_MOST ? size : HTTP_HEAD_MOST }, line, name, value;
	size_t at = 0;

	for (;;) {
		enum said said = take_line(&all, &at, &line);

		if (said == SAID_MORE && size >= HTTP_HEAD_MOST)
			return SAID_NONSENSE;
		if (said != SAID_NAME)
			return said;
		if (!line.len)
			break;
		if (!split_field(&line, &name, &value))
			return SAID_NONSENSE;
		for (size_t i = 0; i < sizeof(spoken_for) / sizeof(spoken_for[0]); i++)
			if (is_text(&name, spoken_for[i]))
				return SAID_NONSENSE;
	}
	*trailer_size = at;
	return SAID_NAME;
}

enum said http_status_is_switch(const uint8_t *bytes, size_t size)
{
	static const char wanted[] = "HTTP/1.1 101";
	size_t len = sizeof(wanted) - 1;

	if (memcmp(bytes, wanted, size < len ? size : len))
		return SAID_NO_NAME;
	return size < len ? SAID_MORE : SAID_NAME;
}
