/*
 * Compiler vocabulary shared by kernel and host code.
 *
 * Nothing here depends on a target; everything compiles with gcc and clang.
 */
#ifndef LIB_COMPILER_H
#define LIB_COMPILER_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define ARRAY_SIZE(array)            (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, mem) ((type *)(void *)((char *)(ptr)-offsetof(type, mem)))
#define LIKELY(x)                    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)                  __builtin_expect(!!(x), 0)
#define MIN(a, b)                    ((a) < (b) ? (a) : (b))
#define MAX(a, b)                    ((a) > (b) ? (a) : (b))

/* `align` must be a power of two. */
#define ALIGN_UP(x, align)   (((x) + ((align)-1)) & ~((uint64_t)(align)-1))
#define ALIGN_DOWN(x, align) ((x) & ~((uint64_t)(align)-1))

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define PACKED                  __attribute__((packed))
#define ALIGNED(n)              __attribute__((aligned(n)))
#define MUST_CHECK              __attribute__((warn_unused_result))
#define NOINLINE                __attribute__((noinline))
/* Data of many pages of which few are touched: kept apart from the kernel's other data, which
 * then is dense enough for a launcher to make all of it present at once. */
#define LARGE_TABLE __attribute__((section(".bss.large")))

/* Single accesses the compiler may neither tear, repeat nor drop. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#endif
