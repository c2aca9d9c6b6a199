/* Trees of files: see cli/file_tree.h. */
#include <stdlib.h>
#include <string.h>

#include "cli/file_tree.h"
#include "host/alloc.h"
#include "host/report.h"

#define MOST_LINKS 40

void file_tree_init(struct file_tree *tree, uint64_t limit_bytes, bool verbose)
{
	*tree = (struct file_tree){.limit_bytes = limit_bytes, .verbose = verbose};
	tree->root.mode = S_IFDIR | 0755;
	tree->root.name = alloc_text("%s", "");
}

/* ---- children ------------------------------------------------------------- */

static int compare(const char *a, size_t a_length, const char *b)
{
	size_t b_length = strlen(b);
	int order = memcmp(a, b, MIN(a_length, b_length));

	return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* Where the name is, or belongs. */
static size_t place_of(
	const struct file_node *directory, const char *name, size_t length, bool *is_there)
{
	size_t low = 0, high = directory->child_count;

	*is_there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(name, length, directory->children[middle]->name);

		if (order == 0) {
			*is_there = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static struct file_node *child_of(
	const struct file_node *directory, const char *name, size_t length)
{
	bool is_there;
	size_t place = place_of(directory, name, length, &is_there);

	return is_there ? directory->children[place] : NULL;
}

static void insert(struct file_node *directory, size_t place, struct file_node *node)
{
	if (directory->child_count == directory->child_capacity) {
		directory->child_capacity = MAX(8, 2 * directory->child_capacity);
		directory->children = realloc(directory->children,
			directory->child_capacity * sizeof(directory->children[0]));
		if (directory->children == NULL)
			report_fail(STATUS_TOOL_FAILED, "out of memory");
	}
	memmove(directory->children + place + 1, directory->children + place,
		(directory->child_count - place) * sizeof(directory->children[0]));
	directory->children[place] = node;
	directory->child_count++;
}

/* Nodes are never freed: another name may share a file that is replaced here. */
static struct file_node *put_child(
	struct file_node *directory, const char *name, size_t length, mode_t mode)
{
	bool is_there;
	size_t place = place_of(directory, name, length, &is_there);
	struct file_node *node;

	if (is_there && S_ISDIR(mode) && S_ISDIR(directory->children[place]->mode)) {
		directory->children[place]->mode = mode;
		return directory->children[place];
	}
	node = alloc_zeroed(sizeof(*node));
	node->name = alloc_text("%.*s", (int)length, name);
	node->mode = mode;
	if (is_there)
		directory->children[place] = node;
	else
		insert(directory, place, node);
	return node;
}

/* ---- paths ------------------------------------------------------------------ */

static _Noreturn void fail_path(const char *path, const char *why)
{
	report_fail(STATUS_TOOL_FAILED, "%s: %s", path, why);
}

struct walk {
	struct file_node *stack[256]; /* the directories on the way */
	size_t depth;
	unsigned links;
	const char *path; /* for messages */
	bool make;        /* missing directories */
};

static bool descend(struct walk *walk, const char *path, bool follow_last);

static bool follow(struct walk *walk, const struct file_node *link)
{
	const char *target = link->data;

	if (++walk->links > MOST_LINKS)
		fail_path(walk->path, "too many links on the way, in the tree for the VM");
	if (*target == '/')
		walk->depth = 1;
	return descend(walk, target, true);
}

/* Of a directory that nobody said more about. */
static mode_t usual_rights(const struct file_node *directory, const struct file_node *child)
{
	bool is_top = directory->name[0] == 0;

	if (strcmp(child->name, "tmp") == 0 && (is_top || strcmp(directory->name, "var") == 0))
		return 01777;
	return is_top && strcmp(child->name, "root") == 0 ? 0700 : 0755;
}

/* One component. Returns false if it is not there. The result is on top of the stack. */
static bool step(struct walk *walk, const char *name, size_t length, bool may_follow)
{
	struct file_node *directory = walk->stack[walk->depth - 1], *child;

	if (length == 2 && memcmp(name, "..", 2) == 0) { /* only in texts of links */
		walk->depth = MAX(1, walk->depth - 1);
		return true;
	}
	if (!S_ISDIR(directory->mode))
		fail_path(walk->path, "something on the way is no directory in the VM");
	if (length > 255)
		fail_path(walk->path, "a name has more than 255 bytes");
	child = child_of(directory, name, length);
	if (child == NULL && !walk->make)
		return false;
	if (child == NULL) {
		child = put_child(directory, name, length, S_IFDIR | 0755);
		child->mode = S_IFDIR | usual_rights(directory, child);
	}
	if (S_ISLNK(child->mode) && may_follow)
		return follow(walk, child);
	if (walk->depth == ARRAY_SIZE(walk->stack))
		fail_path(walk->path, "too deep");
	walk->stack[walk->depth++] = child;
	return true;
}

static bool descend(struct walk *walk, const char *path, bool follow_last)
{
	for (;;) {
		size_t length;
		const char *rest;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		rest = path + length + strspn(path + length, "/");
		if (length == 0)
			return true;
		if (!(length == 1 && *path == '.') &&
			!step(walk, path, length, *rest != 0 || follow_last))
			return false;
		path = rest;
	}
}

static void check_path(const char *path)
{
	for (const char *at = path; *at != 0; at += strcspn(at, "/")) {
		at += strspn(at, "/");
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == 0))
			fail_path(path, "a path inside the VM may not have .. in it");
	}
}

static struct file_node *walk_to(
	struct file_tree *tree, const char *path, bool make, bool follow_last)
{
	struct walk walk = {.depth = 1, .path = path, .make = make};

	check_path(path);
	walk.stack[0] = &tree->root;
	return descend(&walk, path, follow_last) ? walk.stack[walk.depth - 1] : NULL;
}

struct file_node *file_tree_directory(struct file_tree *tree, const char *path)
{
	struct file_node *node = walk_to(tree, path, true, true);

	if (!S_ISDIR(node->mode))
		fail_path(path, "no directory in the VM");
	return node;
}

struct file_node *file_tree_find(struct file_tree *tree, const char *path, bool follow_last)
{
	return walk_to(tree, path, false, follow_last);
}

/* The last component of a path, without slashes behind it. */
static const char *last_of(const char *path, size_t *length)
{
	const char *end = path + strlen(path), *start;

	while (end > path && end[-1] == '/')
		end--;
	for (start = end; start > path && start[-1] != '/';)
		start--;
	*length = (size_t)(end - start);
	return start;
}

struct file_node *file_tree_put(struct file_tree *tree, const char *path, mode_t mode)
{
	struct file_node *directory;
	size_t length;
	const char *name = last_of(path, &length);
	char *above = alloc_text("%.*s", (int)(name - path), path);

	check_path(path);
	if (length == 0 || (length == 1 && *name == '.')) {
		if (!S_ISDIR(mode))
			fail_path(path, "is the root directory of the VM");
		free(above);
		tree->root.mode = mode;
		return &tree->root;
	}
	if (length > 255)
		fail_path(path, "a name has more than 255 bytes");
	directory = file_tree_directory(tree, above);
	free(above);
	tree->file_count++;
	return put_child(directory, name, length, mode);
}

void file_tree_remove(struct file_tree *tree, const char *path)
{
	size_t length, place = 0;
	const char *name = last_of(path, &length);
	char *above = alloc_text("%.*s", (int)(name - path), path);
	struct file_node *directory = file_tree_find(tree, above, true);
	bool is_there = false;

	free(above);
	if (directory != NULL)
		place = place_of(directory, name, length, &is_there);
	if (!is_there)
		return;
	directory->child_count--;
	memmove(directory->children + place, directory->children + place + 1,
		(directory->child_count - place) * sizeof(directory->children[0]));
}

void file_tree_count(struct file_tree *tree, uint64_t bytes, const char *path)
{
	tree->bytes += bytes;
	if (tree->bytes > tree->limit_bytes)
		report_fail(STATUS_TOOL_FAILED,
			"%s: the files for the VM exceed %ju MiB; raise --files-limit, or leave "
			"files out (exec: --no-cwd-files)",
			path, (uintmax_t)(tree->limit_bytes >> 20));
}

void file_tree_put_text(struct file_tree *tree, const char *path, const char *text)
{
	struct file_node *node = file_tree_put(tree, path, S_IFREG | 0644);

	node->data = text;
	node->bytes = strlen(text);
}

void file_tree_put_link(struct file_tree *tree, const char *path, const char *target)
{
	struct file_node *node = file_tree_put(tree, path, S_IFLNK | 0777);

	node->data = alloc_text("%s", target);
	node->bytes = strlen(target);
}
