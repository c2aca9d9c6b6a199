/*
 * Control messages, from any bytes in any portions: the first byte of each portion is
 * its length. Nothing outside of the parser is touched, and lengths are kept to.
 */
#include "drivers/console_control.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static volatile uint8_t last;

static void on_message(const struct control_header *header, const uint8_t *payload)
{
	if (header->bytes > CONTROL_MAX_PAYLOAD)
		abort();
	for (uint32_t i = 0; i < MIN(header->bytes, CONTROL_KEPT_PAYLOAD); i++)
		last = payload[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct console_parser *parser = calloc(1, sizeof(*parser));

	if (parser == NULL)
		return 0;
	while (bytes != 0) {
		size_t portion = MIN(data[0], bytes - 1);

		console_parser_feed(parser, data + 1, portion, on_message);
		data += 1 + portion;
		bytes -= 1 + portion;
	}
	free(parser);
	return 0;
}
