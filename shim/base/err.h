/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors by value. The innermost call sets the text, a caller adds at most one wrap ("create c1: ..."). Libraries never
 * print and never exit; the mains do. `err` is the last parameter, may not be NULL, and is untouched on success.
 */
#ifndef QUOD_BASE_ERR_H
#define QUOD_BASE_ERR_H

struct err {
	int code;		/* positive errno, 0 = none */
	char text[1024];	/* one line, escaped for terminals by whoever prints it */
};

#define ERR_INIT { 0, "" }

/* Sets code and text; returns -code, so that `return err_set(...)` is the whole error path. `code` is a positive errno. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with ": strerror(code)" behind the text. */
int err_set_errno(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of the text; returns -err->code. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
