/*
 * A minimal frame for host unit tests.
 *
 *     TEST(list_is_empty_after_remove) { ... CHECK_EQUAL(a, b); }
 *     TEST_DEFINE_MAIN
 *
 * Each TEST registers itself; main runs them in order, prints "ok NAME" and
 * ends with status 1 at the first failed CHECK (with file and line).
 */
#ifndef LIB_TEST_H
#define LIB_TEST_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TEST_MAX 256

struct test_case {
	const char *name;
	void (*run)(void);
};

extern struct test_case test_cases[TEST_MAX];
extern int test_count;

#define TEST_DEFINE_MAIN                                                                           \
	struct test_case test_cases[TEST_MAX];                                                     \
	int test_count;                                                                            \
	int main(void)                                                                             \
	{                                                                                          \
		for (int i = 0; i < test_count; i++) {                                             \
			test_cases[i].run();                                                       \
			printf("ok %s\n", test_cases[i].name);                                     \
		}                                                                                  \
		return test_count == 0;                                                            \
	}

#define TEST(test_name)                                                                            \
	static void test_name(void);                                                               \
	__attribute__((constructor)) static void register_##test_name(void)                        \
	{                                                                                          \
		if (test_count == TEST_MAX)                                                        \
			abort();                                                                   \
		test_cases[test_count++] = (struct test_case){#test_name, test_name};              \
	}                                                                                          \
	static void test_name(void)

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define CHECK_EQUAL(actual, expected)                                                              \
	do {                                                                                       \
		intmax_t actual_ = (intmax_t)(actual), expected_ = (intmax_t)(expected);           \
		if (actual_ != expected_) {                                                        \
			fprintf(stderr, "%s:%d: %s is %jd (%#jx), expected %jd (%#jx)\n",          \
				__FILE__, __LINE__, #actual, actual_, (uintmax_t)actual_,          \
				expected_, (uintmax_t)expected_);                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#endif
