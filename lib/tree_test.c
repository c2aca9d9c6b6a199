#include "lib/tree.h"

#include <stdlib.h>

#include "lib/test.h"

struct item {
	struct tree_node node;
	int key;
	uint32_t count; /* summary: nodes in the subtree */
	bool present;
};

static uint32_t count_of(struct tree_node *node)
{
	return node != NULL ? TREE_ENTRY(node, struct item, node)->count : 0;
}

static void update(struct tree_node *node)
{
	TREE_ENTRY(node, struct item, node)->count =
		1 + count_of(node->left) + count_of(node->right);
}

/* Checks order, balance, parents and summaries; returns the height. */
static uint32_t check(struct tree_node *node, const struct tree_node *parent, int low, int high)
{
	const struct item *item;
	uint32_t left, right;

	if (node == NULL)
		return 0;
	item = TREE_ENTRY(node, struct item, node);
	CHECK(item->present && item->key >= low && item->key <= high);
	CHECK(node->parent == parent);
	left = check(node->left, node, low, item->key - 1);
	right = check(node->right, node, item->key + 1, high);
	CHECK(left <= right + 1 && right <= left + 1);
	CHECK_EQUAL(node->height, 1 + (left > right ? left : right));
	CHECK_EQUAL(item->count, 1 + count_of(node->left) + count_of(node->right));
	return node->height;
}

static void insert(struct tree *tree, struct item *item)
{
	struct tree_node **link = &tree->root, *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		link = item->key < TREE_ENTRY(parent, struct item, node)->key ? &parent->left
									      : &parent->right;
	}
	item->present = true;
	tree_insert(tree, parent, link, &item->node);
}

static void check_walks(const struct tree *tree, const struct item *items, int count)
{
	struct tree_node *node = tree_first(tree);

	for (int i = 0; i < count; i++) {
		if (items[i].present) {
			CHECK(node == &items[i].node);
			node = tree_next(node);
		}
	}
	CHECK(node == NULL);
	node = tree_last(tree);
	for (int i = count - 1; i >= 0; i--) {
		if (items[i].present) {
			CHECK(node == &items[i].node);
			node = tree_previous(node);
		}
	}
	CHECK(node == NULL);
}

TEST(an_empty_tree_has_no_ends)
{
	struct tree tree = {NULL, NULL};

	CHECK(tree_first(&tree) == NULL && tree_last(&tree) == NULL);
}

TEST(random_use_keeps_order_balance_and_summaries)
{
	static struct item items[500];
	struct tree tree = {NULL, update};

	srandom(3);
	for (int i = 0; i < 500; i++)
		items[i].key = i;
	for (int step = 0; step < 20000; step++) {
		struct item *item = &items[random() % 500];

		if (item->present) {
			tree_remove(&tree, &item->node);
			item->present = false;
		} else {
			insert(&tree, item);
		}
		check(tree.root, NULL, 0, 499);
		if (step % 16 == 0)
			check_walks(&tree, items, 500);
	}
}

TEST(ascending_insertion_stays_shallow)
{
	static struct item items[4096];
	struct tree tree = {NULL, NULL};

	for (int i = 0; i < 4096; i++) {
		items[i].key = i;
		insert(&tree, &items[i]);
	}
	CHECK(tree.root->height <= 13);
	for (int i = 0; i < 4096; i++)
		tree_remove(&tree, &items[i].node);
	CHECK(tree.root == NULL);
}

TEST_DEFINE_MAIN
