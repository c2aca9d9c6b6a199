/* Memory and text for a short-lived command: running out ends it with a message. */
#ifndef HOST_ALLOC_H
#define HOST_ALLOC_H

#include "lib/compiler.h"

void *alloc_zeroed(size_t bytes);
char *alloc_text(const char *format, ...) PRINTF_LIKE(1, 2);

/* A growing list of strings; items[count] is NULL. Starts as {0}. Owns the array,
 * not the strings. */
struct text_list {
	char **items;
	size_t count;
	size_t capacity;
};

void text_list_add(struct text_list *list, char *text);
void text_list_add_first(struct text_list *list, char *text);

#endif
