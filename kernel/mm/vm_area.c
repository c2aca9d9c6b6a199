/* The tree of areas; see vm_area.h. */
#include "kernel/mm/vm_area.h"

#include "abi/linux/errno.h"
#include "kernel/mm/page_source.h"
#include "kernel/mm/heap.h"

struct vm vm;

#define AREA_OF(tree_node) TREE_ENTRY(tree_node, struct area, node)

static void area_release(struct area *area)
{
	if (area->source != NULL)
		area->source->ops->release(area->source);
	heap_free(area);
}

void vm_lock(void)
{
	spin_lock(&vm.lock);
}

void vm_unlock(void)
{
	struct list dead;

	if (LIKELY(list_is_empty(&vm.dead))) {
		spin_unlock(&vm.lock);
		return;
	}
	list_init(&dead);
	list_splice_last(&dead, &vm.dead);
	spin_unlock(&vm.lock);
	LIST_FOR_EACH_SAFE (link, after, &dead)
		area_release(LIST_ENTRY(link, struct area, source_link));
}

/* ---- the tree ------------------------------------------------------------ */

static void area_update(struct tree_node *node)
{
	struct area *area = AREA_OF(node);
	uint64_t gap = 0;

	area->subtree_start = area->start;
	area->subtree_end = area->end;
	if (node->left != NULL) {
		struct area *left = AREA_OF(node->left);

		area->subtree_start = left->subtree_start;
		gap = MAX(left->subtree_gap, area->start - left->subtree_end);
	}
	if (node->right != NULL) {
		struct area *right = AREA_OF(node->right);

		area->subtree_end = right->subtree_end;
		gap = MAX(gap, MAX(right->subtree_gap, right->subtree_start - area->end));
	}
	area->subtree_gap = gap;
}

struct area *area_find(uintptr_t address)
{
	struct tree_node *node = vm.areas.root;
	struct area *found = NULL;

	while (node != NULL) {
		struct area *area = AREA_OF(node);

		if (area->end > address) {
			found = area;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

struct area *area_containing(uintptr_t address)
{
	struct area *area = area_find(address);

	return area != NULL && area->start <= address ? area : NULL;
}

struct area *area_next(const struct area *area)
{
	struct tree_node *node = tree_next(&area->node);

	return node != NULL ? AREA_OF(node) : NULL;
}

struct area *area_previous(const struct area *area)
{
	struct tree_node *node = tree_previous(&area->node);

	return node != NULL ? AREA_OF(node) : NULL;
}

bool area_range_is_free(uintptr_t start, uintptr_t end)
{
	struct area *area = area_find(start);

	return area == NULL || area->start >= end;
}

bool area_range_is_mapped(uintptr_t start, uintptr_t end)
{
	struct area *area = area_find(start);

	while (start < end && area != NULL && area->start <= start) {
		start = area->end;
		area = area_next(area);
	}
	return start >= end;
}

static void area_link(struct area *area)
{
	struct tree_node **link = &vm.areas.root, *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		link = area->start < AREA_OF(parent)->start ? &parent->left : &parent->right;
	}
	vm.areas.update = area_update;
	tree_insert(&vm.areas, parent, link, &area->node);
	if (area->source != NULL)
		list_add_last(&area->source->areas, &area->source_link);
	vm.area_count++;
	vm.mapped_pages += (area->end - area->start) >> PAGE_SHIFT;
}

void area_kill(struct area *area)
{
	tree_remove(&vm.areas, &area->node);
	vm.area_count--;
	vm.mapped_pages -= (area->end - area->start) >> PAGE_SHIFT;
	if (area->source != NULL)
		list_remove(&area->source_link);
	list_add_last(&vm.dead, &area->source_link);
}

static void area_set_end(struct area *area, uintptr_t end)
{
	vm.mapped_pages += (end - area->start) >> PAGE_SHIFT;
	vm.mapped_pages -= (area->end - area->start) >> PAGE_SHIFT;
	area->end = end;
	tree_update(&vm.areas, &area->node);
}

uint64_t area_offset_of(const struct area *area, uintptr_t address)
{
	return area->source != NULL ? area->offset + (address - area->start) : 0;
}

/* ---- making, splitting, merging ------------------------------------------ */

static struct area *area_create(uintptr_t start, uintptr_t end, const struct area *like)
{
	struct area *area;

	if (vm.area_count >= AREA_LIMIT)
		return NULL;
	area = heap_alloc(sizeof(*area));
	if (area == NULL)
		return NULL;
	*area = *like;
	area->start = start;
	area->end = end;
	list_init(&area->source_link);
	if (area->source != NULL)
		area->source->ops->acquire(area->source);
	return area;
}

static bool areas_agree(const struct area *low, const struct area *high)
{
	if (low->end != high->start || low->protection != high->protection ||
		low->flags != high->flags || low->source != high->source || low->name != high->name)
		return false;
	return low->source == NULL || area_offset_of(low, low->end) == high->offset;
}

struct area *area_merge(struct area *area)
{
	struct area *next = area_next(area), *previous = area_previous(area);

	if (next != NULL && areas_agree(area, next)) {
		uintptr_t end = next->end;

		area_kill(next);
		area_set_end(area, end);
	}
	if (previous != NULL && areas_agree(previous, area)) {
		uintptr_t end = area->end;

		area_kill(area);
		area_set_end(previous, end);
		return previous;
	}
	return area;
}

struct area *area_insert(uintptr_t start, uintptr_t end, const struct area *like)
{
	struct area *area = area_create(start, end, like);

	if (area != NULL)
		area_link(area);
	return area;
}

int area_add(uintptr_t start, uintptr_t end, const struct area *like)
{
	struct area *area = area_insert(start, end, like);

	if (area == NULL)
		return -LINUX_ENOMEM;
	area_merge(area);
	return 0;
}

static int area_split(struct area *area, uintptr_t at)
{
	struct area *high = area_create(at, area->end, area);

	if (high == NULL)
		return -LINUX_ENOMEM;
	high->offset = area_offset_of(area, at);
	area_set_end(area, at);
	area_link(high);
	return 0;
}

int area_isolate(uintptr_t start, uintptr_t end)
{
	struct area *area = area_containing(start);
	int error = 0;

	if (area != NULL && area->start < start)
		error = area_split(area, start);
	if (error != 0)
		return error;
	area = area_containing(end - 1);
	if (area != NULL && area->end > end)
		error = area_split(area, end);
	return error;
}

/* ---- free space ----------------------------------------------------------- */

/* No hole below `node` within [low, high) can be larger than this. */
static uint64_t largest_gap(const struct tree_node *node, uintptr_t low, uintptr_t high)
{
	const struct area *area;
	uint64_t gap;

	if (node == NULL)
		return high - low;
	area = TREE_ENTRY((struct tree_node *)(uintptr_t)node, struct area, node);
	gap = area->subtree_gap;
	if (area->subtree_start > low)
		gap = MAX(gap, area->subtree_start - low);
	if (high > area->subtree_end)
		gap = MAX(gap, high - area->subtree_end);
	return gap;
}

/* Searches the subtree, which lies between areas ending at or below `low` and starting
 * at or above `high`. As deep as the tree is high: at most 24 levels. */
static uintptr_t search_gap(
	struct tree_node *node, uintptr_t low, uintptr_t high, uint64_t bytes, uint64_t align)
{
	struct area *area;
	uintptr_t found;

	if (low >= high || high - low < bytes || largest_gap(node, low, high) < bytes)
		return 0;
	if (node == NULL) {
		found = ALIGN_DOWN(high - bytes, align);
		return found >= low ? found : 0;
	}
	area = AREA_OF(node);
	found = search_gap(node->right, MAX(low, area->end), high, bytes, align);
	if (found != 0)
		return found;
	return search_gap(node->left, low, MIN(high, area->start), bytes, align);
}

uintptr_t area_find_gap(uintptr_t low, uintptr_t high, uint64_t bytes, uint64_t align)
{
	return search_gap(vm.areas.root, low, high, bytes, align);
}
