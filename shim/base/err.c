/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors by value: see err.h. Must never allocate: it also reports that memory is short. */
#include "shim/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0)))
static void set_text(struct err *err, int code, const char *format, va_list args)
{
	err->code = code > 0 ? code : 5 /* EIO: an error without a number is still an error */;
	vsnprintf(err->text, sizeof(err->text), format, args);
}

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_text(err, code, format, args);
	va_end(args);
	return -err->code;
}

int err_set_errno(struct err *err, int code, const char *format, ...)
{
	va_list args;
	size_t used;

	va_start(args, format);
	set_text(err, code, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(err->code));
	return -err->code;
}

int err_wrap(struct err *err, const char *format, ...)
{
	char inner[sizeof(err->text)];
	va_list args;
	size_t used;

	memcpy(inner, err->text, sizeof(inner));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
	return -err->code;
}
