/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growing byte buffer, always NUL-terminated, and the two escapes that everything printed or recorded goes through.
 * Out of memory aborts with a message (alloc_fail): the shim lives for a millisecond and nothing has happened yet.
 * The helpers beside a container must use nothing but buf_fixed after they have started.
 */
#ifndef QUOD_BASE_BUF_H
#define QUOD_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;	/* owned; "" is a valid empty buffer, so is NULL (BUF_INIT) */
	size_t len;	/* without the NUL */
	size_t room;
	bool is_fixed;	/* buf_fixed: never grows */
	bool is_cut;	/* a fixed buffer was too small; it then takes nothing more */
};

#define BUF_INIT { NULL, 0, 0, false, false }

/* A buffer in the caller's memory, for those who must not allocate: what doesn't fit is left out and is_cut set. */
static inline struct buf buf_fixed(char *memory, size_t size)
{
	memory[0] = '\0';
	return (struct buf){ memory, 0, size, true, false };
}

void buf_free(struct buf *buf);
static inline void cleanup_buf_at(struct buf *buf)
{
	buf_free(buf);
}
#define cleanup_buf __attribute__((cleanup(cleanup_buf_at)))

void buf_put(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_put_uint(struct buf *buf, uint64_t number);	/* in decimal */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text as a JSON string with its quotes: control characters, DEL, quote and backslash escaped; bytes that are no valid
 * UTF-8 become U+FFFD. Valid UTF-8 above U+009F is kept, U+0080-U+009F, U+2028/9 and bidi controls are \u-escaped. */
void buf_put_json(struct buf *buf, const char *text);

/* Text for a terminal or a log line: control characters, invalid UTF-8 and what buf_put_json escapes become \xNN / \uNNNN. */
void buf_put_plain(struct buf *buf, const char *text);

/* The bytes, owned by the caller (never NULL); the buffer is empty after. */
char *buf_steal(struct buf *buf);

/* Never NULL; abort with one line on stderr when memory is out. */
void *alloc_zeroed(size_t count, size_t size);
void *alloc_grow(void *old, size_t count, size_t size);
char *alloc_copy(const char *text);
char *alloc_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *alloc_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

#endif
