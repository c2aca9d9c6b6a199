/* Memory for the command: see host/alloc.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/alloc.h"

static _Noreturn void out_of_memory(void)
{
	fputs("burrow: out of memory\n", stderr);
	exit(125);
}

void *alloc_zeroed(size_t bytes)
{
	void *memory = calloc(1, bytes != 0 ? bytes : 1);

	if (memory == NULL)
		out_of_memory();
	return memory;
}

char *alloc_text(const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		out_of_memory();
	va_end(args);
	return text;
}

void text_list_add(struct text_list *list, char *text)
{
	if (list->count + 1 >= list->capacity) {
		size_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
		char **items = realloc(list->items, capacity * sizeof(*items));

		if (items == NULL)
			out_of_memory();
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = text;
	list->items[list->count] = NULL;
}

void text_list_add_first(struct text_list *list, char *text)
{
	text_list_add(list, NULL);
	memmove(list->items + 1, list->items, (list->count - 1) * sizeof(*list->items));
	list->items[0] = text;
}
