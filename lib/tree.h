/*
 * Intrusive balanced binary search tree (AVL) with an optional summary per subtree.
 *
 * The caller keeps the order: it walks down from tree->root comparing its own keys
 * and gives tree_insert() the link it arrived at:
 *
 *     struct tree_node **link = &tree.root, *parent = NULL;
 *     while (*link != NULL) {
 *             parent = *link;
 *             link = key < key_of(parent) ? &parent->left : &parent->right;
 *     }
 *     tree_insert(&tree, parent, link, &item->node);
 *
 * `update`, when given, recomputes a node's summary from its children; it is called
 * bottom-up for every node whose subtree changed. Callers serialise access.
 */
#ifndef LIB_TREE_H
#define LIB_TREE_H

#include "lib/compiler.h"

struct tree_node {
	struct tree_node *left, *right, *parent;
	uint32_t height;
};

struct tree {
	struct tree_node *root;
	void (*update)(struct tree_node *node);
};

void tree_insert(struct tree *tree, struct tree_node *parent, struct tree_node **link,
	struct tree_node *node);
void tree_remove(struct tree *tree, struct tree_node *node);
/* The data that `node`'s summary depends on changed: update it and those above. */
void tree_update(struct tree *tree, struct tree_node *node);

/* In order; NULL at the ends. */
struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_last(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_previous(const struct tree_node *node);

#define TREE_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

#endif
