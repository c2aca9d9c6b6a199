/*
 * The freestanding part of <string.h>, under its standard names so that the
 * compiler's own calls resolve to it. Only the kernel links lib/string.c; host
 * programs get the same contracts from libc.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t bytes);
void *memmove(void *dst, const void *src, size_t bytes);
void *memset(void *dst, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
void *memchr(const void *s, int byte, size_t bytes);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max_bytes);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max_bytes);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

#endif
