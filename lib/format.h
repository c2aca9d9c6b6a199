/*
 * printf-style formatting into a bounded buffer, for kernel and monitor alike.
 *
 * Understands %d %i %u %x %X %o %c %s %p %% with l, ll, z, h, hh, width,
 * precision (numbers and strings; * too), and the flags - 0 + space #. No
 * floating point. The output is always terminated when `capacity` is not 0.
 * Returns what a buffer without limit would have held, terminator excluded.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include <stdarg.h>
#include "lib/compiler.h"

size_t format_text(char *buffer, size_t capacity, const char *format, ...) PRINTF_LIKE(3, 4);
size_t format_text_args(char *buffer, size_t capacity, const char *format, va_list args)
	PRINTF_LIKE(3, 0);

#endif
