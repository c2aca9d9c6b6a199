/* The program's environment: see host/environment.h. */
#include <string.h>

#include "host/environment.h"

static size_t name_length(const char *item)
{
	return strcspn(item, "=");
}

static size_t find(const struct text_list *list, const char *item)
{
	size_t length = name_length(item);
	size_t i;

	for (i = 0; i < list->count; i++) {
		if (name_length(list->items[i]) == length &&
			memcmp(list->items[i], item, length) == 0)
			break;
	}
	return i;
}

static void set(struct text_list *list, char *item)
{
	size_t at = find(list, item);

	if (at < list->count)
		list->items[at] = item;
	else
		text_list_add(list, item);
}

static void set_default(struct text_list *list, char *item)
{
	if (find(list, item) == list->count)
		text_list_add(list, item);
}

static bool is_of_host_only(const char *item)
{
	return strncmp(item, "TMPDIR=", 7) == 0 || strncmp(item, "OLDPWD=", 7) == 0 ||
	       strchr(item, '=') == NULL || *item == '=';
}

static void add_host(struct text_list *out, char *const *host)
{
	for (; *host != NULL; host++) {
		if (!is_of_host_only(*host))
			set(out, *host);
	}
}

void environment_make(const struct environment_wish *wish, struct text_list *out)
{
	if (wish->host == NULL) {
		text_list_add(out, alloc_text("PATH=/usr/local/bin:/usr/bin:/bin"));
		text_list_add(out, alloc_text("HOME=/"));
	} else {
		add_host(out, wish->host);
	}
	set(out, alloc_text("PWD=%s", wish->working_directory));
	for (size_t i = 0; wish->given != NULL && i < wish->given->count; i++)
		set(out, wish->given->items[i]);
	for (size_t i = 0; wish->defaults != NULL && i < wish->defaults->count; i++)
		set_default(out, wish->defaults->items[i]);
	set_default(out,
		alloc_text("GOMEMLIMIT=%juKiB", (uintmax_t)(wish->memory_bytes / 1024 / 10 * 9)));
}
