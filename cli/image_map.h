/*
 * What an image of files holds and what takes its space: read once into memory, then shown as
 * a list, a tree with bars, JSON, or a treemap (squarified; Bruls, Huizing, van Wijk, 2000).
 */
#ifndef CLI_IMAGE_MAP_H
#define CLI_IMAGE_MAP_H

#include <stdio.h>

#include "lib/erofs.h"

struct image_entry {
	char *name;
	struct erofs_inode inode;
	char *target;   /* of a link */
	uint64_t bytes; /* of contents, with all below; a file's second name: 0 */
	uint64_t files; /* below, or 1 */
	struct image_entry *children;
	size_t child_count;
};

struct image_map {
	const struct erofs_image *image;
	struct image_entry root;
	uint64_t *seen; /* numbers of files with several names, sorted */
	size_t seen_count;
};

/* False: the image is damaged. */
bool image_map_read(struct image_map *map, const struct erofs_image *image);

/* The image in a program that burrow build made; false if there is none. */
bool image_map_find(const uint8_t *data, uint64_t bytes, uint64_t *offset, uint64_t *length);

/* All on stdout; sizes of directories are those of what is in them. */
void image_map_print_tree(const struct image_map *map, unsigned depth);
void image_map_print_list(const struct image_map *map);
void image_map_print_json(const struct image_map *map);
void image_map_draw_svg(const struct image_map *map, FILE *stream, const char *title);

#endif
