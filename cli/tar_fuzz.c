/* Fuzzes cli/tar.c: any bytes; checksums are made right, as no fuzzer would hit them. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/tar.h"
#include "host/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Trees are never freed: the command ends soon. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* Instead of ending the command. */
static jmp_buf failed;

void report_fail(int status, const char *format, ...)
{
	(void)status;
	(void)format;
	longjmp(failed, 1);
}

void report_note(const char *format, ...)
{
	(void)format;
}

static void fix_checksums(uint8_t *archive, size_t bytes)
{
	for (size_t at = 0; bytes - at >= 512; at += 512) {
		unsigned sum = 8 * ' ';

		for (size_t i = 0; i < 512; i++)
			sum += i < 148 || i >= 156 ? archive[at + i] : 0;
		if (sum != 8 * ' ')
			snprintf((char *)archive + at + 148, 8, "%06o", sum);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct file_tree tree;
	uint64_t at;
	uint8_t *copy = malloc(bytes + 1);

	if (!copy)
		return 0;
	memcpy(copy, data, bytes);
	fix_checksums(copy, bytes);
	file_tree_init(&tree, UINT64_MAX, false);
	if (setjmp(failed) == 0)
		(void)tar_read(&tree, copy, bytes, &at);
	free(copy);
	return 0;
}
