/*
 * Power cuts: a workload's writes and flushes are recorded; then the image is made that a cut
 * at some point may have left (writes that were not flushed lost or in another order), and
 *   - recovery mounts it, and e2fsck -fn finds nothing afterwards;
 *   - what was fsync'ed has exactly those contents, unless it was being changed again;
 *   - no file holds bytes of another, whatever was not written (ordered mode);
 *   - e2fsck's own replay of our journal leads to the same.
 *
 * EXT4_CUTS sets how many cuts, EXT4_SEED where they begin.
 */
#include <string.h>
#include <unistd.h>

#include "arch/host/fake_memory.h"
#include "arch/host/fake_threads.h"
#include "arch/host/fake_volume.h"
#include "kernel/mm/heap.h"
#include "lib/test.h"

#define MIB         (1ull << 20)
#define IMAGE_BYTES (12 * MIB)
#define FILES       40
#define MOST_BYTES  60000
#define FACTS       4000

/* Bytes at even places are the file's number: others' data would show. */
struct file {
	bool exists;
	uint8_t number;
	uint32_t inode, name;
	uint8_t *data;
	size_t size;
	int fact; /* what was last known durable, or -1 */
};

/* From record `from` to record `until`, `name` is there with these contents (or is not). */
struct fact {
	size_t from, until;
	uint32_t name;
	uint8_t number;
	uint8_t *data; /* NULL: no such name */
	size_t size;
};

static struct fake_volume volume;
static struct file files[FILES];
static struct fact facts[FACTS];
static int fact_count;
static uint32_t name_count;
static uint32_t random_state = 1;

static uint32_t below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % bound;
}

static void name_of(uint32_t name, uint8_t number, char text[32])
{
	snprintf(text, 32, "file-%u-%u", name, number);
}

static struct ext4_inode *root(void)
{
	return fake_volume_inode(&volume, EXT4_ROOT_INODE);
}

/* ---- facts ------------------------------------------------------------------------ */

static void end_fact(struct file *file)
{
	if (file->fact >= 0)
		facts[file->fact].until = volume.block.record_count;
	file->fact = -1;
}

static void add_fact(struct file *file)
{
	struct fact *fact = &facts[fact_count];

	end_fact(file);
	if (fact_count == FACTS)
		return;
	file->fact = fact_count++;
	*fact = (struct fact){volume.block.record_count, SIZE_MAX, file->name, file->number,
		malloc(file->size + 1), file->size};
	memcpy(fact->data, file->data, file->size);
}

static void forget_facts(void)
{
	for (int i = 0; i < fact_count; i++)
		free(facts[i].data);
	fact_count = 0;
}

/* ---- the workload -------------------------------------------------------------------- */

static void do_create(struct file *file)
{
	struct ext4_new what = {.mode = LINUX_S_IFREG | 0600};
	struct ext4_inode *inode = malloc(sizeof(*inode));
	char name[32];

	file->name = ++name_count;
	file->number = (uint8_t)(1 + name_count % 250);
	name_of(file->name, file->number, name);
	if (ext4_create(root(), name, strlen(name), &what, inode)) {
		free(inode);
		return;
	}
	volume.inodes[inode->number] = inode;
	file->exists = true;
	file->inode = inode->number;
	file->size = 0;
	file->fact = -1;
	file->data = calloc(1, MOST_BYTES);
}

static void do_remove(struct file *file)
{
	struct ext4_inode *inode = fake_volume_inode(&volume, file->inode);
	char name[32];

	end_fact(file);
	name_of(file->name, file->number, name);
	CHECK_EQUAL(ext4_unlink(root(), name, strlen(name), inode), 0);
	CHECK_EQUAL(fake_volume_delete(&volume, inode), 0);
	file->exists = false;
	free(file->data);
	file->data = NULL;
}

static void do_write(struct file *file)
{
	size_t offset = below(3) == 0 ? file->size : below(MOST_BYTES / 2);
	size_t bytes = 1 + below(below(3) == 0 ? 30000 : 3000);

	if (offset + bytes > MOST_BYTES)
		return;
	end_fact(file);
	for (size_t i = offset; i < offset + bytes; i++)
		file->data[i] = i % 2 == 0 ? file->number : (uint8_t)below(256);
	if (fake_volume_write(
		    fake_volume_inode(&volume, file->inode), offset, file->data + offset, bytes)) {
		do_remove(file);
		return;
	}
	if (offset + bytes > file->size)
		file->size = offset + bytes;
}

static void do_truncate(struct file *file)
{
	struct ext4_inode *inode = fake_volume_inode(&volume, file->inode);
	size_t size = below(MOST_BYTES);
	static const uint8_t zeroes[4096];

	end_fact(file);
	if (size < file->size) {
		size_t end = MIN(ALIGN_UP(size, 4096), file->size);

		memset(file->data + size, 0, file->size - size);
		if (end > size && fake_volume_write(inode, size, zeroes, end - size)) {
			do_remove(file);
			return;
		}
	}
	CHECK_EQUAL(ext4_set_size(inode, size), 0);
	file->size = size;
}

static void do_allocate(struct file *file)
{
	struct ext4_inode *inode = fake_volume_inode(&volume, file->inode);
	size_t offset = below(MOST_BYTES / 2), bytes = 1 + below(MOST_BYTES / 2);

	end_fact(file);
	if (ext4_allocate(inode, offset, bytes, false))
		do_remove(file);
	else if (offset + bytes > file->size)
		file->size = offset + bytes;
}

static void do_rename(struct file *file)
{
	struct ext4_inode *inode = fake_volume_inode(&volume, file->inode);
	char from[32], to[32];
	struct ext4_renaming renaming;

	end_fact(file);
	name_of(file->name, file->number, from);
	name_of(name_count + 1, file->number, to);
	renaming = (struct ext4_renaming){.from_directory = root(),
		.to_directory = root(),
		.from = from,
		.from_length = strlen(from),
		.to = to,
		.to_length = strlen(to),
		.moved = inode};
	if (ext4_rename(&renaming) == 0)
		file->name = ++name_count;
}

static void do_sync(struct file *file)
{
	CHECK_EQUAL(ext4_sync_inode(fake_volume_inode(&volume, file->inode), below(2) == 0), 0);
	add_fact(file);
}

static void do_sync_all(void)
{
	CHECK_EQUAL(ext4_sync(volume.fs), 0);
	for (int i = 0; i < FILES; i++)
		if (files[i].exists)
			add_fact(&files[i]);
}

static void step(void)
{
	static void (*const ops[])(struct file *) = {do_write, do_write, do_write, do_write,
		do_truncate, do_allocate, do_rename, do_remove, do_sync, do_sync};
	struct file *file = &files[below(FILES)];

	if (!file->exists)
		do_create(file);
	else if (below(40) == 0)
		do_sync_all();
	else
		ops[below(ARRAY_SIZE(ops))](file);
}

/* ---- after the cut -------------------------------------------------------------------- */

static void check_fact(const struct fact *fact)
{
	static uint8_t data[MOST_BYTES];
	struct ext4_inode *inode;
	char name[32];

	name_of(fact->name, fact->number, name);
	inode = fake_volume_lookup(&volume, root(), name);
	CHECK(inode != NULL);
	CHECK_EQUAL(inode->size, fact->size);
	CHECK_EQUAL(fake_volume_read(inode, 0, data, fact->size), 0);
	for (size_t i = 0; i < fact->size; i++)
		if (data[i] != fact->data[i]) {
			fprintf(stderr, "%s: byte %zu of %zu is %x, was %x\n", name, i, fact->size,
				data[i], fact->data[i]);
			exit(1);
		}
}

static void check_owner(const struct ext4_directory_entry *entry)
{
	static uint8_t data[MOST_BYTES];
	char name[64];
	struct ext4_inode *inode;
	unsigned serial, number;

	snprintf(name, sizeof(name), "%.*s", entry->name_length, entry->name);
	if (sscanf(name, "file-%u-%u", &serial, &number) != 2)
		return;
	inode = fake_volume_lookup(&volume, root(), name);
	CHECK(inode != NULL);
	CHECK(inode->size <= MOST_BYTES);
	CHECK_EQUAL(fake_volume_read(inode, 0, data, inode->size), 0);
	for (size_t i = 0; i < inode->size; i += 2)
		if (data[i] != 0 && data[i] != number) {
			fprintf(stderr, "%s: byte %zu is of file %u\n", name, i, data[i]);
			exit(1);
		}
}

static void check_all_owners(void)
{
	struct ext4_name_batch *batch = malloc(sizeof(*batch));
	struct ext4_inode *directory = root();
	uint64_t position = 2;

	do {
		mutex_lock(&volume.fs->lock);
		CHECK_EQUAL(directory_read_batch(directory, position, batch), 0);
		mutex_unlock(&volume.fs->lock);
		for (uint32_t i = 0; i < batch->count; i++)
			check_owner(batch->names[i].entry);
		position = batch->next;
	} while (!batch->is_last);
	free(batch);
}

/* Mounts, looks, unmounts, checks. */
static void check_image(uint8_t *image, size_t cut)
{
	int error;

	CHECK_EQUAL(fake_volume_open(&volume, image, IMAGE_BYTES), 0);
	for (int i = 0; i < fact_count; i++)
		if (facts[i].from <= cut && cut <= facts[i].until)
			check_fact(&facts[i]);
	check_all_owners();
	image = fake_volume_close(&volume, &error);
	CHECK_EQUAL(error, 0);
	CHECK(fake_volume_check(image, IMAGE_BYTES));
	free(image);
}

static void try_cut(const struct fake_block *recorded, const uint8_t *start, size_t cut,
	uint32_t seed, bool by_e2fsck)
{
	uint8_t *image = malloc(IMAGE_BYTES);

	memcpy(image, start, IMAGE_BYTES);
	fake_block_cut(recorded, cut, seed, image);
	if (getenv("EXT4_VERBOSE"))
		fprintf(stderr, "cut at %zu of %zu, seed %u%s\n", cut, recorded->record_count, seed,
			by_e2fsck ? ", e2fsck" : "");
	if (by_e2fsck)
		CHECK(fake_volume_repair(image, IMAGE_BYTES));
	check_image(image, cut);
}

static uint32_t setting(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);

	return text ? (uint32_t)strtoul(text, NULL, 0) : otherwise;
}

static void run(uint32_t seed, uint32_t cuts, const char *options)
{
	uint8_t *start = fake_volume_make(IMAGE_BYTES, options), *image;
	struct fake_block recorded;

	if (!start) {
		printf("skipped: no mke2fs\n");
		exit(0);
	}
	random_state = seed * 2654435761u + 1;
	image = malloc(IMAGE_BYTES);
	memcpy(image, start, IMAGE_BYTES);
	memset(&volume, 0, sizeof(volume));
	fake_block_init(&volume.block, image, IMAGE_BYTES);
	fake_block_record(&volume.block);
	CHECK_EQUAL(ext4_mount(&volume.block.device, false, &volume.fs), 0);
	for (int i = 0; i < 1200; i++)
		step();
	/* The rest of the machine's memory is lost. */
	recorded = volume.block;
	volume.block.records = NULL;
	volume.block.record_count = volume.block.record_capacity = 0;
	fake_volume_stop(&volume);
	for (uint32_t i = 0; i < cuts; i++) {
		size_t cut = below((uint32_t)recorded.record_count + 1);

		try_cut(&recorded, start, cut, below(1u << 30), i % 8 == 7);
	}
	forget_facts();
	for (int i = 0; i < FILES; i++) {
		free(files[i].data);
		files[i] = (struct file){0};
	}
	recorded.image = NULL;
	fake_block_forget(&recorded);
	free(start);
	CHECK_EQUAL(heap_live_count(), 0);
}

static void begin(void)
{
	static bool is_begun;

	if (is_begun)
		return;
	is_begun = true;
	fake_threads_reset();
	fake_memory_start(MIB, 128 * MIB, true);
}

TEST(cuts_with_a_small_journal)
{
	uint32_t cuts = setting("EXT4_CUTS", 40), seed = setting("EXT4_SEED", 1);

	begin();
	for (uint32_t done = 0; done < cuts; done += 20)
		run(seed + done, MIN(20, cuts - done), "-b 1024 -J size=1");
}

TEST(cuts_with_4k_blocks)
{
	uint32_t cuts = setting("EXT4_CUTS", 40), seed = setting("EXT4_SEED", 1);

	begin();
	for (uint32_t done = 0; done < cuts; done += 20)
		run(seed + 100000 + done, MIN(20, cuts - done), "-b 4096 -J size=4");
}

TEST_DEFINE_MAIN
