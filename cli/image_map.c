/* What an image holds: see cli/image_map.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "abi/erofs.h"
#include "cli/image_map.h"
#include "host/alloc.h"
#include "host/report.h"

#define MOST_DEPTH 128

/* ---- reading -------------------------------------------------------------------- */

static bool is_first_name(struct image_map *map, uint64_t nid)
{
	for (size_t i = map->seen_count; i-- > 0;) {
		if (map->seen[i] == nid)
			return false;
	}
	map->seen = realloc(map->seen, (map->seen_count + 1) * sizeof(map->seen[0]));
	if (map->seen == NULL)
		report_fail(STATUS_TOOL_FAILED, "out of memory");
	map->seen[map->seen_count++] = nid;
	return true;
}

static struct image_entry *append_child(struct image_entry *entry, size_t *capacity)
{
	if (entry->child_count == *capacity) {
		*capacity = MAX(8, 2 * *capacity);
		entry->children = realloc(entry->children, *capacity * sizeof(*entry->children));
		if (entry->children == NULL)
			report_fail(STATUS_TOOL_FAILED, "out of memory");
	}
	memset(&entry->children[entry->child_count], 0, sizeof(*entry));
	return &entry->children[entry->child_count++];
}

static bool read_entry(struct image_map *map, struct image_entry *entry, unsigned depth);

static bool read_children(struct image_map *map, struct image_entry *entry, unsigned depth)
{
	struct erofs_name name;
	uint64_t position = 0;
	size_t capacity = 0;
	int status;

	while ((status = erofs_next_name(map->image, &entry->inode, &position, &name)) == 1) {
		struct image_entry *child = append_child(entry, &capacity);

		child->name = alloc_text("%.*s", (int)name.length, name.text);
		if (erofs_read_inode(map->image, name.nid, &child->inode) != 0 ||
			!read_entry(map, child, depth + 1))
			return false;
		entry->bytes += child->bytes;
		entry->files += child->files;
	}
	return status == 0;
}

static bool read_entry(struct image_map *map, struct image_entry *entry, unsigned depth)
{
	const struct erofs_inode *inode = &entry->inode;

	if (depth > MOST_DEPTH)
		return false;
	if (S_ISDIR(inode->mode))
		return read_children(map, entry, depth);
	entry->files = 1;
	if (S_ISLNK(inode->mode)) {
		if (inode->size >= 4096)
			return false;
		entry->target = alloc_zeroed(inode->size + 1);
		if (erofs_read(map->image, inode, 0, entry->target, inode->size) < 0)
			return false;
	}
	if (inode->links < 2 || is_first_name(map, inode->nid))
		entry->bytes = inode->size;
	return true;
}

bool image_map_read(struct image_map *map, const struct erofs_image *image)
{
	*map = (struct image_map){.image = image};
	map->root.name = alloc_text("%s", "/");
	return erofs_read_inode(image, image->root, &map->root.inode) == 0 &&
	       S_ISDIR(map->root.inode.mode) && read_entry(map, &map->root, 0);
}

/* Page-aligned in the file; there is one. */
bool image_map_find(const uint8_t *data, uint64_t bytes, uint64_t *offset, uint64_t *length)
{
	for (uint64_t at = 0; bytes - at > EROFS_BLOCK_BYTES; at += EROFS_BLOCK_BYTES) {
		struct erofs_image image;
		struct erofs_super super;

		memcpy(&super, data + at + EROFS_SUPER_OFFSET, sizeof(super));
		*offset = at;
		*length = MIN((uint64_t)super.blocks << EROFS_BLOCK_SHIFT, bytes - at);
		if (super.magic == EROFS_MAGIC && super.blocks > 0 &&
			erofs_open(&image, data + at, *length) == 0)
			return true;
	}
	return false;
}

/* ---- text --------------------------------------------------------------------------- */

static void print_size(uint64_t bytes)
{
	static const char units[] = "BKMGT";
	double value = (double)bytes;
	unsigned unit = 0;

	while (value >= 1000 && unit < 4) {
		value /= 1024;
		unit++;
	}
	printf(unit == 0 || value >= 100 ? "%6.0f %c" : "%6.1f %c", value, units[unit]);
}

static int by_bytes(const void *a, const void *b)
{
	const struct image_entry *x = *(const struct image_entry *const *)a,
				 *y = *(const struct image_entry *const *)b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* Largest first. */
static const struct image_entry **sort_children(const struct image_entry *entry)
{
	const struct image_entry **sorted =
		alloc_zeroed((entry->child_count + 1) * sizeof(struct image_entry *));

	for (size_t i = 0; i < entry->child_count; i++)
		sorted[i] = &entry->children[i];
	qsort(sorted, entry->child_count, sizeof(sorted[0]), by_bytes);
	return sorted;
}

/* Twenty columns, in eighths. */
static void print_bar(uint64_t part, uint64_t whole)
{
	static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	unsigned filled = whole > 0 ? (unsigned)((double)part / (double)whole * 160 + 0.5) : 0;

	for (unsigned i = 0; i < 20; i++)
		fputs(filled >= 8 * (i + 1) ? "█"
			: filled > 8 * i    ? eighths[filled - 8 * i]
					    : " ",
			stdout);
}

#define MOST_DRAWN 12 /* of one directory */

static void print_line(const struct image_map *map, const struct image_entry *entry)
{
	print_size(entry->bytes);
	fputs("  ", stdout);
	print_bar(entry->bytes, map->root.bytes);
	fputs("  ", stdout);
}

static void print_name(const struct image_entry *entry)
{
	fputs(entry->name, stdout);
	if (S_ISDIR(entry->inode.mode))
		printf("%s  (%ju file%s)", entry->name[0] == '/' ? "" : "/",
			(uintmax_t)entry->files, entry->files == 1 ? "" : "s");
	else if (entry->target != NULL)
		printf(" -> %s", entry->target);
	putchar('\n');
}

static void print_rest(const struct image_map *map, const struct image_entry **rest, size_t count,
	const char *before)
{
	struct image_entry sum = {0};

	for (size_t i = 0; i < count; i++)
		sum.bytes += rest[i]->bytes;
	print_line(map, &sum);
	printf("%s└── … %zu more\n", before, count);
}

static void print_below(const struct image_map *map, const struct image_entry *entry,
	unsigned depth, const char *before)
{
	const struct image_entry **sorted = sort_children(entry);
	size_t count = entry->child_count, drawn = count > MOST_DRAWN ? MOST_DRAWN - 1 : count;

	for (size_t i = 0; i < drawn; i++) {
		bool is_last = i + 1 == count;
		char *next = alloc_text("%s%s", before, is_last ? "    " : "│   ");

		print_line(map, sorted[i]);
		printf("%s%s ", before, is_last ? "└──" : "├──");
		print_name(sorted[i]);
		if (depth > 1)
			print_below(map, sorted[i], depth - 1, next);
		free(next);
	}
	if (drawn < count)
		print_rest(map, sorted + drawn, count - drawn, before);
	free(sorted);
}

void image_map_print_tree(const struct image_map *map, unsigned depth)
{
	print_line(map, &map->root);
	print_name(&map->root);
	if (depth > 0)
		print_below(map, &map->root, depth, "");
}

/* ---- a line a file --------------------------------------------------------------------- */

static char type_letter(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	default:
		return '-';
	}
}

static void print_rights(uint32_t mode)
{
	static const char letters[] = "rwxrwxrwx";

	putchar(type_letter(mode));
	for (unsigned i = 0; i < 9; i++)
		putchar(mode & (0400u >> i) ? letters[i] : '-');
}

static void list_below(const struct image_entry *entry, const char *path)
{
	for (size_t i = 0; i < entry->child_count; i++) {
		const struct image_entry *child = &entry->children[i];
		char *name = alloc_text("%s/%s", path, child->name);
		time_t seconds = (time_t)(child->inode.mtime_ns / 1000000000);
		char date[32];
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &tm);
		print_rights(child->inode.mode);
		printf(" %5u %5u %10ju %s %s%s%s\n", child->inode.uid, child->inode.gid,
			(uintmax_t)child->inode.size, date, name,
			child->target != NULL ? " -> " : "",
			child->target != NULL ? child->target : "");
		list_below(child, name);
		free(name);
	}
}

void image_map_print_list(const struct image_map *map)
{
	list_below(&map->root, "");
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void print_json_text(const char *text)
{
	putchar('"');
	for (; *text != 0; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void json_below(const struct image_entry *entry, const char *path)
{
	for (size_t i = 0; i < entry->child_count; i++) {
		const struct image_entry *child = &entry->children[i];
		char *name = alloc_text("%s/%s", path, child->name);

		fputs("{\"path\": ", stdout);
		print_json_text(name);
		printf(", \"type\": \"%c\", \"mode\": %u, \"uid\": %u, \"gid\": %u, \"bytes\": "
		       "%ju, "
		       "\"mtime_ns\": %jd",
			type_letter(child->inode.mode), child->inode.mode & 07777, child->inode.uid,
			child->inode.gid, (uintmax_t)child->inode.size,
			(intmax_t)child->inode.mtime_ns);
		if (child->target != NULL) {
			fputs(", \"target\": ", stdout);
			print_json_text(child->target);
		}
		puts("}");
		json_below(child, name);
		free(name);
	}
}

void image_map_print_json(const struct image_map *map)
{
	json_below(&map->root, "");
}

/* ---- a treemap ------------------------------------------------------------------------------ */

#define WIDTH      1200.0
#define HEIGHT     800.0
#define HEADER     16.0 /* a directory's name */
#define LEAST_AREA 12.0 /* smaller ones are one grey rectangle */
#define TEXT_WIDTH 6.5  /* of a letter */
#define COLOURS    8

struct box {
	double x, y, width, height;
};

struct drawing {
	FILE *stream;
	double scale; /* area of a byte, at the top */
};

static void write_escaped(FILE *stream, const char *text)
{
	for (; *text != 0; text++) {
		if (*text == '<')
			fputs("&lt;", stream);
		else if (*text == '&')
			fputs("&amp;", stream);
		else if ((unsigned char)*text >= 0x20)
			fputc(*text, stream);
	}
}

static void draw_box(const struct drawing *drawing, const struct box *box, const char *colour,
	const char *path, uint64_t bytes)
{
	fprintf(drawing->stream,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
		"stroke=\"#fff\" stroke-width=\"0.6\"><title>",
		box->x, box->y, box->width, box->height, colour);
	write_escaped(drawing->stream, path);
	fprintf(drawing->stream, " %ju bytes</title></rect>\n", (uintmax_t)bytes);
}

static void draw_label(const struct drawing *drawing, const struct box *box, const char *name)
{
	if (box->height < HEADER - 2 || box->width < TEXT_WIDTH * (double)strlen(name) + 4)
		return;
	fprintf(drawing->stream, "<text x=\"%.1f\" y=\"%.1f\">", box->x + 3, box->y + 12);
	write_escaped(drawing->stream, name);
	fputs("</text>\n", drawing->stream);
}

static void draw_entry(const struct drawing *drawing, const struct image_entry *entry,
	const struct box *box, unsigned depth, const char *path);

/* How far from square the worst of a row is that has this side. */
static double worst(double side, double sum, double largest, double least)
{
	double square = side * side, sums = sum * sum;

	return MAX(square * largest / sums, sums / (square * least));
}

/* Entries [0, count) of sizes scaled to the box: takes rows along its shorter side. */
static void draw_rows(const struct drawing *drawing, const struct image_entry **entries,
	size_t count, struct box box, double scale, unsigned depth, const char *path)
{
	size_t done = 0;

	while (done < count && entries[done]->bytes > 0 && box.width > 0.5 && box.height > 0.5) {
		double side = MIN(box.width, box.height), at = 0, thickness;
		double largest = (double)entries[done]->bytes * scale, sum = largest;
		bool is_column = box.width >= box.height;
		size_t next = done + 1;

		for (; next < count && entries[next]->bytes > 0; next++) {
			double area = (double)entries[next]->bytes * scale;
			double before = (double)entries[next - 1]->bytes * scale;

			if (worst(side, sum + area, largest, area) >
				worst(side, sum, largest, before))
				break;
			sum += area;
		}
		thickness = sum / side;
		for (; done < next; done++) {
			double length = (double)entries[done]->bytes * scale / thickness;
			struct box part =
				is_column ? (struct box){box.x, box.y + at, thickness, length}
					  : (struct box){box.x + at, box.y, length, thickness};
			char *below = alloc_text("%s/%s", path, entries[done]->name);

			draw_entry(drawing, entries[done], &part, depth, below);
			free(below);
			at += length;
		}
		if (is_column) {
			box.x += thickness;
			box.width -= thickness;
		} else {
			box.y += thickness;
			box.height -= thickness;
		}
	}
}

static void draw_entry(const struct drawing *drawing, const struct image_entry *entry,
	const struct box *box, unsigned depth, const char *path)
{
	static const char *const colours[COLOURS] = {"#4e79a7", "#59a14f", "#e49444", "#b07aa1",
		"#6a9f9b", "#d37295", "#9c755f", "#8a8d3f"};
	struct box inner = {box->x + 1, box->y + HEADER, box->width - 2, box->height - HEADER - 1};
	const struct image_entry **sorted;
	uint32_t hash = 0;

	for (const char *at = path + 1; *at != 0 && *at != '/'; at++)
		hash = hash * 31 + (unsigned char)*at;
	if (!S_ISDIR(entry->inode.mode) || inner.width * inner.height < LEAST_AREA ||
		inner.width < 2 || inner.height < 2 || entry->bytes == 0) {
		draw_box(drawing, box, colours[hash % COLOURS], path, entry->bytes);
		draw_label(drawing, box, entry->name);
		return;
	}
	draw_box(drawing, box, depth % 2 ? "#d9dee4" : "#eceff2", path, entry->bytes);
	fputs("<g class=\"d\">", drawing->stream);
	draw_label(drawing, box, entry->name);
	fputs("</g>\n", drawing->stream);
	sorted = sort_children(entry);
	draw_rows(drawing, sorted, entry->child_count, inner,
		inner.width * inner.height / (double)entry->bytes, depth + 1,
		depth == 0 ? "" : path);
	free(sorted);
}

void image_map_draw_svg(const struct image_map *map, FILE *stream, const char *title)
{
	struct drawing drawing = {.stream = stream};
	struct box box = {0, 0, WIDTH, HEIGHT};
	char *label = alloc_text("%s: %ju files, %ju bytes", title, (uintmax_t)map->root.files,
		(uintmax_t)map->root.bytes);
	struct image_entry root = map->root;

	root.name = label;
	fprintf(stream,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
		"font-family=\"sans-serif\" font-size=\"11\">\n"
		"<style>text{fill:#fff;pointer-events:none}.d text{fill:#223}"
		"rect:hover{stroke:#000}</style>\n",
		WIDTH, HEIGHT);
	draw_entry(&drawing, &root, &box, 0, "/");
	fputs("</svg>\n", stream);
	free(label);
}
