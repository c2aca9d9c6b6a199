/*
 * Intrusive doubly linked circular list.
 *
 * A `struct list` is both a head and a link. A link that is in no list must be
 * initialised with list_init() before list_is_linked() is asked of it;
 * list_remove() leaves it so. Callers serialise access.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/compiler.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name)                                                                            \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *link)
{
	return link->next != link;
}

static inline void list_insert_between(struct list *link, struct list *prev, struct list *next)
{
	link->prev = prev;
	link->next = next;
	prev->next = link;
	next->prev = link;
}

static inline void list_add_first(struct list *head, struct list *link)
{
	list_insert_between(link, head, head->next);
}

static inline void list_add_last(struct list *head, struct list *link)
{
	list_insert_between(link, head->prev, head);
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* First or last link, or NULL when the list is empty. */
static inline struct list *list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

static inline struct list *list_last(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->prev;
}

/* Moves everything in `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_last(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)

/* `link` is a struct list *; the _SAFE form allows removing `link` in the body. */
#define LIST_FOR_EACH(link, head)                                                                  \
	for (struct list *link = (head)->next; link != (head); link = link->next)
#define LIST_FOR_EACH_SAFE(link, after, head)                                                      \
	for (struct list *link = (head)->next, *after = link->next; link != (head);                \
		link = after, after = link->next)

#endif
