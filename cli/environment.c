/* The program's environment: see cli/environment.h. */
#include <string.h>

#include "cli/environment.h"

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

void environment_make(const struct options *options, char *const *host,
	const char *working_directory, struct text_list *out)
{
	if (options->clean_environment) {
		text_list_add(out, alloc_text("PATH=/usr/local/bin:/usr/bin:/bin"));
		text_list_add(out, alloc_text("HOME=/"));
	} else {
		for (; *host != NULL; host++) {
			if (!is_of_host_only(*host))
				set(out, *host);
		}
	}
	set(out, alloc_text("PWD=%s", working_directory));
	for (size_t i = 0; i < options->environment.count; i++)
		set(out, options->environment.items[i]);
	set_default(out, alloc_text("GOMEMLIMIT=%juKiB",
				 (uintmax_t)(options->memory_bytes / 1024 / 10 * 9)));
}
