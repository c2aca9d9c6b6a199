/* Freestanding string functions of the kernel; contracts as in C17 7.24. */
#include "lib/string.h"

#include <stdint.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t bytes)
{
	void *d = dst;
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(bytes) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t bytes)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if ((uintptr_t)d - (uintptr_t)s >= bytes)
		return memcpy(dst, src, bytes);
	while (bytes >= 8) {
		uint64_t word;
		bytes -= 8;
		__builtin_memcpy(&word, s + bytes, 8);
		__builtin_memcpy(d + bytes, &word, 8);
	}
	while (bytes-- > 0)
		d[bytes] = s[bytes];
	return dst;
}

void *memset(void *dst, int byte, size_t bytes)
{
	void *d = dst;
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(byte) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < bytes; i++) {
		if (x[i] != y[i])
			return x[i] - y[i];
	}
	return 0;
}

void *memchr(const void *s, int byte, size_t bytes)
{
	const unsigned char *p = s;

	for (size_t i = 0; i < bytes; i++) {
		if (p[i] == (unsigned char)byte)
			return (void *)(uintptr_t)(p + i);
	}
	return NULL;
}

size_t strnlen(const char *s, size_t max_bytes)
{
	size_t n = 0;

	while (n < max_bytes && s[n] != '\0')
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t max_bytes)
{
	for (size_t i = 0; i < max_bytes; i++) {
		unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];
		if (x != y)
			return x - y;
		if (x == 0)
			return 0;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (*s == '\0')
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (*s == '\0')
			return (char *)(uintptr_t)found;
	}
}
