/*
 * Mounting and unmounting: the super block, what of its features is known here, recovery.
 */
#include "kernel/fs/ext4/volume.h"
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "lib/crc32c.h"
#include "lib/format.h"
#include "lib/string.h"

#define KNOWN_INCOMPATIBLE                                                                         \
	(EXT4_INCOMPAT_FILETYPE | EXT4_INCOMPAT_RECOVER | EXT4_INCOMPAT_META_BG |                  \
		EXT4_INCOMPAT_EXTENTS | EXT4_INCOMPAT_64BIT | EXT4_INCOMPAT_FLEX_BG |              \
		EXT4_INCOMPAT_CSUM_SEED)
#define KNOWN_READ_ONLY                                                                            \
	(EXT4_RO_SPARSE_SUPER | EXT4_RO_LARGE_FILE | EXT4_RO_HUGE_FILE | EXT4_RO_DIR_NLINK |       \
		EXT4_RO_EXTRA_ISIZE | EXT4_RO_METADATA_CSUM)

static const struct feature {
	uint32_t bit;
	const char *name;
} incompatible_names[] =
	{
		{0x1, "compression"},
		{0x8, "journal_dev"},
		{0x100, "mmp"},
		{0x400, "ea_inode"},
		{0x4000, "large_dir"},
		{0x8000, "inline_data"},
		{0x10000, "encrypt"},
		{0x20000, "casefold"},
},
  read_only_names[] = {
	  {0x10, "uninit_bg"},
	  {0x100, "quota"},
	  {0x200, "bigalloc"},
	  {0x1000, "read-only"},
	  {0x2000, "project"},
	  {0x8000, "verity"},
	  {0x10000, "orphan_present"},
};

static const char *name_of(const struct feature *features, size_t count, uint32_t bits)
{
	for (size_t i = 0; i < count; i++)
		if (bits & features[i].bit)
			return features[i].name;
	return "one without a name";
}

static int check_features(struct ext4 *fs, const struct ext4_super *super)
{
	uint32_t unknown = super->incompatible & ~(uint32_t)KNOWN_INCOMPATIBLE;

	if (unknown) {
		ext4_complain(fs, "not mounted: the volume has feature %s (%x), unknown here",
			name_of(incompatible_names, ARRAY_SIZE(incompatible_names), unknown),
			unknown);
		return -LINUX_EINVAL;
	}
	if (!(super->incompatible & EXT4_INCOMPAT_EXTENTS)) {
		ext4_complain(fs, "not mounted: the volume has no extents (it is ext2 or ext3)");
		return -LINUX_EINVAL;
	}
	unknown = super->read_only_compatible & ~(uint32_t)KNOWN_READ_ONLY;
	if (unknown && !fs->read_only) {
		ext4_complain(fs, "mounted read-only: feature %s (%x) is unknown here",
			name_of(read_only_names, ARRAY_SIZE(read_only_names), unknown), unknown);
		fs->read_only = true;
	}
	if (!(super->compatible & EXT4_COMPAT_HAS_JOURNAL) && !fs->read_only) {
		ext4_complain(fs, "mounted read-only: the volume has no journal");
		fs->read_only = true;
	}
	return 0;
}

/* ---- the shape of the volume ------------------------------------------------------ */

static bool is_power_of_two(uint32_t number)
{
	return number != 0 && (number & (number - 1)) == 0;
}

static bool sizes_are_right(const struct ext4 *fs, const struct ext4_super *super)
{
	if (super->revision == 0 || !is_power_of_two(fs->inode_bytes) ||
		fs->inode_bytes < EXT4_OLD_INODE_BYTES || fs->inode_bytes > fs->block_bytes)
		return false;
	if (fs->descriptor_bytes < 32 || !is_power_of_two(fs->descriptor_bytes) ||
		fs->descriptor_bytes > 64 || (fs->wide && fs->descriptor_bytes != 64))
		return false;
	if (fs->blocks_per_group == 0 || fs->blocks_per_group > fs->block_bytes * 8 ||
		fs->blocks_per_group % 8 != 0 ||
		super->clusters_per_group != super->blocks_per_group)
		return false;
	if (fs->inodes_per_group == 0 || fs->inodes_per_group > fs->block_bytes * 8 ||
		fs->inodes_per_group % 8 != 0 || fs->first_data_block != (fs->block_bytes == 1024))
		return false;
	return fs->block_count > fs->first_data_block + 8 &&
	       fs->block_count <= fs->device->bytes >> fs->block_shift &&
	       (uint64_t)fs->inodes_per_group * fs->group_count == fs->inode_count;
}

static int read_shape(struct ext4 *fs, const struct ext4_super *super)
{
	uint64_t groups;

	if (super->log_block_size > 2) {
		ext4_complain(fs, "not mounted: blocks are larger than 4 KiB");
		return -LINUX_EINVAL;
	}
	fs->block_shift = 10 + super->log_block_size;
	fs->block_bytes = 1u << fs->block_shift;
	fs->inode_bytes = super->inode_bytes;
	fs->incompatible = super->incompatible;
	fs->read_only_compatible = super->read_only_compatible;
	fs->wide = (fs->incompatible & EXT4_INCOMPAT_64BIT) != 0;
	fs->descriptor_bytes = fs->wide ? super->descriptor_bytes : 32;
	fs->blocks_per_group = super->blocks_per_group;
	fs->inodes_per_group = super->inodes_per_group;
	fs->inode_count = super->inode_count;
	fs->first_data_block = super->first_data_block;
	fs->block_count =
		super->block_count_lo | (fs->wide ? (uint64_t)super->block_count_hi << 32 : 0);
	fs->reserved_blocks = super->reserved_blocks_lo |
			      (fs->wide ? (uint64_t)super->reserved_blocks_hi << 32 : 0);
	if (fs->blocks_per_group == 0 || fs->block_count > 1ull << 48 || fs->descriptor_bytes < 32)
		return EXT4_CORRUPT;
	groups = (fs->block_count - fs->first_data_block + fs->blocks_per_group - 1) /
		 fs->blocks_per_group;
	if (groups == 0 || groups > 1u << 22)
		return EXT4_CORRUPT;
	fs->group_count = (uint32_t)groups;
	fs->descriptors_per_block = fs->block_bytes / fs->descriptor_bytes;
	fs->groups_per_flex =
		fs->incompatible & EXT4_INCOMPAT_FLEX_BG && super->log_groups_per_flex < 16
			? 1u << super->log_groups_per_flex
			: 1;
	return sizes_are_right(fs, super) ? 0 : EXT4_CORRUPT;
}

static void read_sums_and_hashes(struct ext4 *fs, const struct ext4_super *super)
{
	fs->has_checksums = (fs->read_only_compatible & EXT4_RO_METADATA_CSUM) != 0;
	fs->seed = fs->incompatible & EXT4_INCOMPAT_CSUM_SEED ? super->checksum_seed
							      : crc32c(~0u, super->uuid, 16);
	fs->has_index = (super->compatible & EXT4_COMPAT_DIR_INDEX) != 0;
	memcpy(fs->hash_seed, super->hash_seed, sizeof(fs->hash_seed));
	fs->hash_is_unsigned = (super->flags & EXT4_SUPER_UNSIGNED_HASH) != 0;
	fs->hash_version =
		super->hash_version <= EXT4_HASH_TEA ? super->hash_version : EXT4_HASH_HALF_MD4;
	fs->hash_version = (uint8_t)(fs->hash_version + (fs->hash_is_unsigned ? 3 : 0));
}

static int read_super(struct ext4 *fs)
{
	struct ext4_super *super = heap_alloc(sizeof(*super));
	int error = super ? block_read(fs->device, EXT4_SUPER_OFFSET, super, sizeof(*super))
			  : -LINUX_ENOMEM;

	if (!error && super->magic != EXT4_MAGIC)
		error = -LINUX_EINVAL;
	if (!error)
		error = check_features(fs, super);
	if (!error && (super->read_only_compatible & EXT4_RO_METADATA_CSUM) &&
		!super_sum_is_right(super))
		error = EXT4_CORRUPT;
	if (!error)
		error = read_shape(fs, super);
	if (!error)
		read_sums_and_hashes(fs, super);
	if (error == EXT4_CORRUPT)
		ext4_complain(fs, "not mounted: the super block is damaged");
	heap_free(super);
	return error;
}

/* ---- mounting ---------------------------------------------------------------------- */

static int load(struct ext4 *fs)
{
	uint64_t block = EXT4_SUPER_OFFSET >> fs->block_shift;
	int error = buffers_init(fs);

	if (!error)
		error = buffer_read(fs, block, BUFFER_SUPER, 0, &fs->super_buffer);
	if (error)
		return error;
	fs->super = (void *)(fs->super_buffer->data +
			     (fs->block_bytes > EXT4_SUPER_OFFSET ? EXT4_SUPER_OFFSET : 0));
	return groups_load(fs);
}

static void unload(struct ext4 *fs)
{
	groups_unload(fs);
	buffer_release(fs->super_buffer);
	fs->super_buffer = NULL;
	buffers_destroy(fs);
}

static bool needs_recovery(const struct ext4 *fs)
{
	return !fs->journal.is_empty || (fs->incompatible & EXT4_INCOMPAT_RECOVER) != 0;
}

/* The log may hold newer versions of all that was read for finding it: read again. */
static int recover(struct ext4 *fs)
{
	int error;

	if (fs->read_only) {
		ext4_complain(fs, "not mounted: the journal must be replayed, which a read-only "
				  "mount does not");
		return -LINUX_EROFS;
	}
	error = fs->journal.is_empty ? 0 : journal_recover(fs);
	if (error == EXT4_CORRUPT)
		ext4_complain(fs, "not mounted: the journal is damaged");
	unload(fs);
	fs->recovering = false;
	if (!error)
		error = read_super(fs);
	return error ? error : load(fs);
}

/* The volume is in use: recovery is needed if this is not undone by an unmount. */
static int mark_in_use(struct ext4 *fs, bool in_use)
{
	struct ext4_super *super = fs->super;

	if (in_use) {
		super->incompatible |= EXT4_INCOMPAT_RECOVER;
		super->mount_count++;
		super->mount_time = (uint32_t)(ext4_now_ns() / 1000000000);
	} else {
		super->incompatible &= ~(uint32_t)EXT4_INCOMPAT_RECOVER;
		super->free_blocks_lo = (uint32_t)fs->free_blocks;
		if (fs->wide)
			super->free_blocks_hi = (uint32_t)(fs->free_blocks >> 32);
		super->free_inodes = fs->free_inodes;
	}
	super->write_time = (uint32_t)(ext4_now_ns() / 1000000000);
	buffer_seal(fs, fs->super_buffer);
	return block_store(fs, fs->super_buffer->block, fs->super_buffer->data, true);
}

static int open_for_writing(struct ext4 *fs)
{
	int error = journal_open(fs);

	if (!error)
		error = journal_store_super(fs);
	if (!error)
		error = mark_in_use(fs, true);
	if (error || fs->super->last_orphan == 0)
		return error;
	mutex_lock(&fs->lock);
	error = orphans_clean(fs);
	mutex_unlock(&fs->lock);
	if (error)
		ext4_complain(fs, "the list of deleted files is damaged: run e2fsck");
	return fs->aborted ? EXT4_CORRUPT : 0;
}

static int mount(struct ext4 *fs)
{
	int error = read_super(fs);

	if (error)
		return error;
	fs->recovering = true; /* until the journal says otherwise */
	error = load(fs);
	if (!error && !(fs->super->compatible & EXT4_COMPAT_HAS_JOURNAL)) {
		fs->recovering = false;
		return 0;
	}
	if (!error && (fs->super->journal_inode != EXT4_JOURNAL_INODE || fs->super->journal_device))
		error = -LINUX_EINVAL;
	if (!error)
		error = journal_load(fs);
	if (error)
		return error;
	if (needs_recovery(fs)) {
		error = recover(fs);
	} else {
		/* Strictly, from now on. */
		unload(fs);
		fs->recovering = false;
		error = load(fs);
	}
	if (!error && !fs->read_only)
		error = open_for_writing(fs);
	return error;
}

void ext4_forget(struct ext4 *fs)
{
	/* Whatever was to be written: buffers leave their lists as they are freed. */
	unload(fs);
	journal_unload(fs);
	heap_free(fs);
}

int ext4_mount(struct block_device *device, bool read_only, struct ext4 **result)
{
	struct ext4 *fs = heap_zalloc(sizeof(*fs));
	int error;

	if (!fs)
		return -LINUX_ENOMEM;
	fs->device = device;
	fs->read_only = read_only || device->read_only;
	(void)format_text(fs->name, sizeof(fs->name), "%s", device->name);
	mutex_init(&fs->lock);
	mutex_init(&fs->commit_lock);
	wait_queue_init(&fs->data_done);
	wait_queue_init(&fs->transfer_done);
	wait_queue_init(&fs->thread_queue);
	list_init(&fs->checkpoint);
	fs->running = &fs->transactions[0];
	error = mount(fs);
	if (!error && !fs->read_only)
		error = journal_start_thread(fs);
	if (error) {
		ext4_forget(fs);
		return error;
	}
	*result = fs;
	return 0;
}

int ext4_unmount(struct ext4 *fs)
{
	int error = 0;

	if (!fs->read_only) {
		journal_stop_thread(fs);
		error = fs->aborted ? -LINUX_EIO : journal_flush(fs);
		if (!error && !fs->journal.is_empty)
			error = -LINUX_EIO;
		if (!error)
			error = mark_in_use(fs, false);
	}
	ext4_forget(fs);
	return error;
}

/* ---- statfs, inodes -------------------------------------------------------------------- */

void ext4_usage(struct ext4 *fs, struct ext4_usage *usage)
{
	mutex_lock(&fs->lock);
	*usage = (struct ext4_usage){
		.blocks = fs->block_count - fs->first_data_block,
		.free_blocks =
			fs->free_blocks -
			MIN(fs->free_blocks, __atomic_load_n(&fs->set_aside, __ATOMIC_RELAXED)),
		.files = fs->inode_count,
		.free_files = fs->free_inodes,
	};
	usage->available_blocks = usage->free_blocks > fs->reserved_blocks
					  ? usage->free_blocks - fs->reserved_blocks
					  : 0;
	mutex_unlock(&fs->lock);
}

int ext4_inode_open(struct ext4 *fs, uint32_t number, struct ext4_inode *inode)
{
	int error;

	mutex_lock(&fs->lock);
	error = inode_load(fs, number, inode);
	if (!error && inode->links == 0) {
		inode_unload(inode);
		error = -LINUX_ESTALE;
	}
	mutex_unlock(&fs->lock);
	return error;
}

int ext4_inode_update(struct ext4_inode *inode, bool times_only)
{
	int error = ext4_begin(inode->fs);

	if (error)
		return error;
	return ext4_end(inode->fs, inode_store(inode, times_only));
}
