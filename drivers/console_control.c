/* See console_control.h. */
#include "drivers/console_control.h"
#include "lib/string.h"

static size_t feed_header(struct console_parser *parser, const uint8_t *bytes, size_t count)
{
	size_t part = MIN(count, sizeof(parser->header) - parser->have);

	memcpy((uint8_t *)&parser->header + parser->have, bytes, part);
	parser->have += (uint32_t)part;
	if (parser->have == sizeof(parser->header) && parser->header.bytes > CONTROL_MAX_PAYLOAD)
		parser->is_broken = true;
	return part;
}

static size_t feed_payload(struct console_parser *parser, const uint8_t *bytes, size_t count)
{
	uint32_t at = parser->have - (uint32_t)sizeof(parser->header);
	size_t part = MIN(count, parser->header.bytes - at);

	if (at < CONTROL_KEPT_PAYLOAD)
		memcpy(parser->payload + at, bytes, MIN(part, CONTROL_KEPT_PAYLOAD - at));
	parser->have += (uint32_t)part;
	return part;
}

void console_parser_feed(struct console_parser *parser, const uint8_t *bytes, size_t count,
	void (*handle)(const struct control_header *header, const uint8_t *payload))
{
	while (count != 0 && !parser->is_broken) {
		size_t part = parser->have < sizeof(parser->header)
				      ? feed_header(parser, bytes, count)
				      : feed_payload(parser, bytes, count);

		bytes += part;
		count -= part;
		if (parser->is_broken || parser->have < sizeof(parser->header) ||
			parser->have - sizeof(parser->header) < parser->header.bytes)
			continue;
		handle(&parser->header, parser->payload);
		parser->have = 0;
	}
}
