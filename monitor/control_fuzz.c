/*
 * Fuzzes the parser of control messages: any bytes in any portions.
 */
#include <stdlib.h>

#include "monitor/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void on_panic(void *context, const char *text, size_t bytes)
{
	volatile char sum = 0;

	(void)context;
	if (bytes > CONTROL_MAX_PAYLOAD)
		abort();
	for (size_t i = 0; i < bytes; i++)
		sum = (char)(sum + text[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct control control;
	size_t portion = bytes ? data[0] + 1u : 1;

	control = (struct control){.on_panic = on_panic};
	for (size_t at = 0; at < bytes; at += portion)
		control_parse(&control, data + at, MIN(portion, bytes - at));
	if (control.killed_by > 64 || control.in_bytes > sizeof(control.in))
		abort();
	return 0;
}
