/* AVL tree; see tree.h. */
#include "lib/tree.h"

static uint32_t height(const struct tree_node *node)
{
	return node != NULL ? node->height : 0;
}

static void refresh(struct tree *tree, struct tree_node *node)
{
	node->height = 1 + MAX(height(node->left), height(node->right));
	if (tree->update != NULL)
		tree->update(node);
}

/* Puts `replacement` (may be NULL) where `node` hangs. */
static void replace(struct tree *tree, struct tree_node *node, struct tree_node *replacement)
{
	struct tree_node *parent = node->parent;

	if (parent == NULL)
		tree->root = replacement;
	else if (parent->left == node)
		parent->left = replacement;
	else
		parent->right = replacement;
	if (replacement != NULL)
		replacement->parent = parent;
}

/* Makes node->right (left_way) or node->left the top of this subtree; returns it. */
static struct tree_node *rotate(struct tree *tree, struct tree_node *node, bool left_way)
{
	struct tree_node *top = left_way ? node->right : node->left;
	struct tree_node *middle = left_way ? top->left : top->right;

	replace(tree, node, top);
	if (left_way) {
		node->right = middle;
		top->left = node;
	} else {
		node->left = middle;
		top->right = node;
	}
	if (middle != NULL)
		middle->parent = node;
	node->parent = top;
	refresh(tree, node);
	refresh(tree, top);
	return top;
}

static struct tree_node *balance(struct tree *tree, struct tree_node *node)
{
	uint32_t left = height(node->left), right = height(node->right);

	refresh(tree, node);
	if (left > right + 1) {
		if (height(node->left->left) < height(node->left->right))
			rotate(tree, node->left, true);
		return rotate(tree, node, false);
	}
	if (right > left + 1) {
		if (height(node->right->right) < height(node->right->left))
			rotate(tree, node->right, false);
		return rotate(tree, node, true);
	}
	return node;
}

static void balance_upwards(struct tree *tree, struct tree_node *node)
{
	while (node != NULL)
		node = balance(tree, node)->parent;
}

void tree_insert(struct tree *tree, struct tree_node *parent, struct tree_node **link,
	struct tree_node *node)
{
	node->left = NULL;
	node->right = NULL;
	node->parent = parent;
	*link = node;
	balance_upwards(tree, node);
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
	struct tree_node *next, *lowest;

	if (node->left == NULL || node->right == NULL) {
		lowest = node->parent;
		replace(tree, node, node->left != NULL ? node->left : node->right);
		balance_upwards(tree, lowest);
		return;
	}
	/* The next node in order has no left child: it takes the place of the removed one. */
	for (next = node->right; next->left != NULL; next = next->left)
		;
	lowest = next->parent == node ? next : next->parent;
	replace(tree, next, next->right);
	next->left = node->left;
	next->right = node->right;
	next->left->parent = next;
	if (next->right != NULL)
		next->right->parent = next;
	replace(tree, node, next);
	balance_upwards(tree, lowest);
}

void tree_update(struct tree *tree, struct tree_node *node)
{
	for (; node != NULL && tree->update != NULL; node = node->parent)
		tree->update(node);
}

struct tree_node *tree_first(const struct tree *tree)
{
	struct tree_node *node = tree->root;

	while (node != NULL && node->left != NULL)
		node = node->left;
	return node;
}

struct tree_node *tree_last(const struct tree *tree)
{
	struct tree_node *node = tree->root;

	while (node != NULL && node->right != NULL)
		node = node->right;
	return node;
}

struct tree_node *tree_next(const struct tree_node *node)
{
	struct tree_node *up = node->parent;

	if (node->right != NULL) {
		struct tree_node *down = node->right;

		while (down->left != NULL)
			down = down->left;
		return down;
	}
	while (up != NULL && up->right == node) {
		node = up;
		up = up->parent;
	}
	return up;
}

struct tree_node *tree_previous(const struct tree_node *node)
{
	struct tree_node *up = node->parent;

	if (node->left != NULL) {
		struct tree_node *down = node->left;

		while (down->right != NULL)
			down = down->right;
		return down;
	}
	while (up != NULL && up->left == node) {
		node = up;
		up = up->parent;
	}
	return up;
}
