/* Contents of files of the server, and listings of directories. See fuse.h. */
#include "kernel/fs/fuse/fuse.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define LISTING_BYTES 32768u

/* One transfer of the VFS, in as many messages as it takes. */
struct transfer {
	struct storage_io *io;
	struct fuse_node *node;
	enum fuse_handle_kind kind;
	uint32_t pending; /* atomic: messages under way, and one for who submits */
	int error;        /* atomic: the first */
};

struct part {
	struct fuse_message message;
	struct transfer *transfer;
	uint64_t from; /* in the transfer's memory */
	uint32_t bytes;
	struct {
		struct fuse_request header;
		struct fuse_transfer operation;
	} request;
	struct {
		struct fuse_reply header;
		struct fuse_write_reply written;
	} reply;
	struct fuse_segment segments[];
};

static void note_error(struct transfer *transfer, int error)
{
	int none = 0;

	if (error)
		__atomic_compare_exchange_n(
			&transfer->error, &none, error, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void put_down(struct transfer *transfer)
{
	struct storage_io *io = transfer->io;
	int error;

	if (__atomic_sub_fetch(&transfer->pending, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	error = transfer->error;
	fuse_handle_put(transfer->node, transfer->kind);
	if (io->write)
		WRITE_ONCE(transfer->node->has_written, true);
	heap_free(transfer);
	storage_io_done(io, error);
}

static void clear(const struct storage_io *io, uint64_t from, uint64_t bytes)
{
	while (bytes > 0) {
		uint64_t within = from % PAGE_BYTES, piece = MIN(PAGE_BYTES - within, bytes);
		uint8_t *data = platform_phys_to_virt(io->pages[from >> PAGE_SHIFT]);

		memset(data + within, 0, piece);
		from += piece;
		bytes -= piece;
	}
}

static int judge(struct part *part)
{
	uint32_t replied = part->message.replied, got;
	int error = part->message.error;

	if (!error)
		error = fuse_check_reply(&part->reply.header, replied);
	if (error)
		return error;
	if (part->transfer->io->write)
		return replied == sizeof(part->reply) && part->reply.written.bytes == part->bytes
			       ? 0
			       : -LINUX_EIO;
	got = replied - (uint32_t)sizeof(part->reply.header);
	if (got > part->bytes)
		return -LINUX_EIO;
	/* The file ends before that on the host. */
	clear(part->transfer->io, part->from + got, part->bytes - got);
	return 0;
}

static void part_done(struct fuse_message *message)
{
	struct part *part = message->context;
	struct transfer *transfer = part->transfer;

	note_error(transfer, judge(part));
	heap_free(part);
	put_down(transfer);
}

/* Adds segments for the memory from `from` on; how many bytes they hold. */
static uint32_t add_pages(const struct storage_io *io, uint64_t from, uint64_t bytes,
	struct fuse_segment *segments, uint32_t *count, uint32_t most)
{
	uint32_t total = 0;

	while (total < bytes) {
		uint64_t at = from + total, within = at % PAGE_BYTES;
		uint32_t piece = (uint32_t)MIN(PAGE_BYTES - within, bytes - total);
		uint64_t raw = io->pages[at >> PAGE_SHIFT].raw + within;
		struct fuse_segment *last = *count > 0 ? &segments[*count - 1] : NULL;

		if (last && last->memory.raw + last->bytes == raw)
			last->bytes += piece;
		else if (*count == most)
			break;
		else
			segments[(*count)++] = (struct fuse_segment){{raw}, piece};
		total += piece;
	}
	return total;
}

static struct fuse_segment segment_of(const void *memory, size_t bytes)
{
	return (struct fuse_segment){platform_virt_to_phys(memory), (uint32_t)bytes};
}

/* Submits what one message can take of [from, +bytes); how much, or -ENOMEM. */
static int64_t submit(struct transfer *transfer, uint64_t handle, uint64_t from, uint64_t bytes)
{
	struct storage_io *io = transfer->io;
	struct fuse *fuse = fuse_of(&transfer->node->storage.vnode);
	uint32_t most = MIN(fuse->transport->most_segments - 2, 256), pages = 0;
	struct part *part = heap_alloc(sizeof(*part) + (most + 2) * sizeof(part->segments[0]));
	struct fuse_segment *segments;

	if (!part)
		return -LINUX_ENOMEM;
	memset(part, 0, sizeof(*part));
	segments = part->segments;
	part->transfer = transfer;
	part->from = from;
	/* Writing: header, pages | header. Reading: header | header, pages. */
	bytes = MIN(bytes, fuse->most_transfer);
	part->bytes = add_pages(io, from, bytes, segments + (io->write ? 1 : 2), &pages, most);
	part->request.header = (struct fuse_request){
		.bytes = (uint32_t)sizeof(part->request) + (io->write ? part->bytes : 0),
		.operation = io->write ? FUSE_WRITE : FUSE_READ,
		.unique = fuse_next_unique(fuse),
		.node = transfer->node->storage.vnode.inode,
		.pid = 1};
	part->request.operation = (struct fuse_transfer){
		.handle = handle, .offset = (io->index << PAGE_SHIFT) + from, .bytes = part->bytes};
	segments[0] = segment_of(&part->request, sizeof(part->request));
	part->message = (struct fuse_message){
		.request = segments,
		.request_count = io->write ? 1 + pages : 1,
		.reply = segments + (io->write ? 1 + pages : 1),
		.reply_count = io->write ? 1 : 1 + pages,
		.done = part_done,
		.context = part,
	};
	if (io->write)
		segments[1 + pages] = segment_of(&part->reply, sizeof(part->reply));
	else
		segments[1] = segment_of(&part->reply.header, sizeof(part->reply.header));
	bytes = part->bytes;
	__atomic_add_fetch(&transfer->pending, 1, __ATOMIC_ACQ_REL);
	fuse->transport->ops->submit(fuse->transport, &part->message);
	return (int64_t)bytes;
}

static void move(struct storage_node *node, struct storage_io *io, enum fuse_handle_kind kind)
{
	struct transfer *transfer = heap_alloc(sizeof(*transfer));
	uint64_t handle = 0, at = 0;
	int64_t moved;

	int error = transfer ? 0 : -LINUX_ENOMEM;

	if (!error) {
		*transfer = (struct transfer){io, fuse_node_of(&node->vnode), kind, 1, 0};
		error = fuse_handle_get(transfer->node, kind, &handle);
	}
	if (error) {
		heap_free(transfer);
		storage_io_done(io, error);
		return;
	}
	if (!io->write)
		clear(io, io->bytes, ((uint64_t)io->count << PAGE_SHIFT) - io->bytes);
	while (at < io->bytes) {
		moved = submit(transfer, handle, at, io->bytes - at);
		if (moved < 0) {
			note_error(transfer, (int)moved);
			break;
		}
		at += (uint64_t)moved;
	}
	put_down(transfer);
}

void fuse_read_pages(struct storage_node *node, struct storage_io *io)
{
	const struct fuse_node *fuse_node = fuse_node_of(&node->vnode);

	move(node, io,
		READ_ONCE(fuse_node->handles[FUSE_WRITING].is_open) ? FUSE_WRITING : FUSE_READING);
}

void fuse_write_pages(struct storage_node *node, struct storage_io *io)
{
	move(node, io, FUSE_WRITING);
}

/* ---- sizes, holes, durability --------------------------------------------------------------- */

int fuse_set_size(struct storage_node *node, uint64_t bytes)
{
	struct fuse *fuse = fuse_of(&node->vnode);
	struct fuse_setattr set = {.valid = FUSE_SET_SIZE, .size = bytes};
	struct fuse_attributes_reply reply = {0};
	struct fuse_call call = {.operation = FUSE_SETATTR,
		.node = node->vnode.inode,
		.structure = &set,
		.structure_bytes = sizeof(set),
		.reply = &reply,
		.reply_capacity = sizeof(reply)};

	fuse_node_of(&node->vnode)->has_written = true;
	return fuse_call(fuse, &call);
}

int fuse_allocate(struct storage_node *node, int mode, uint64_t offset, uint64_t bytes)
{
	struct fuse_node *fuse_node = fuse_node_of(&node->vnode);
	struct fuse_fallocate allocate = {.offset = offset, .bytes = bytes, .mode = (uint32_t)mode};
	struct fuse_call call = {.operation = FUSE_FALLOCATE,
		.node = node->vnode.inode,
		.structure = &allocate,
		.structure_bytes = sizeof(allocate)};
	int error = fuse_handle_get(fuse_node, FUSE_WRITING, &allocate.handle);

	if (error)
		return error;
	error = fuse_call(fuse_of(&node->vnode), &call);
	fuse_handle_put(fuse_node, FUSE_WRITING);
	fuse_node->has_written = true;
	fuse_node->attributes_until_ns = 0; /* blocks */
	return error;
}

int64_t fuse_seek(struct storage_node *node, uint64_t offset, bool data)
{
	struct fuse_node *fuse_node = fuse_node_of(&node->vnode);
	struct fuse_lseek seek = {
		.offset = offset, .whence = data ? LINUX_SEEK_DATA : LINUX_SEEK_HOLE};
	struct fuse_lseek_reply reply = {0};
	struct fuse_call call = {.operation = FUSE_LSEEK,
		.node = node->vnode.inode,
		.structure = &seek,
		.structure_bytes = sizeof(seek),
		.reply = &reply,
		.reply_capacity = sizeof(reply)};
	int error = fuse_handle_get(fuse_node, FUSE_READING, &seek.handle);

	if (error)
		return error;
	error = fuse_call(fuse_of(&node->vnode), &call);
	fuse_handle_put(fuse_node, FUSE_READING);
	return error ? error : (int64_t)reply.offset;
}

int fuse_sync_node(struct storage_node *node, bool data_only)
{
	struct fuse_node *fuse_node = fuse_node_of(&node->vnode);
	bool directory = LINUX_S_ISTYPE(node->vnode.mode, LINUX_S_IFDIR);
	struct fuse_fsync sync = {.flags = data_only ? FUSE_FSYNC_DATA : 0};
	struct fuse_call call = {.operation = directory ? FUSE_FSYNCDIR : FUSE_FSYNC,
		.node = node->vnode.inode,
		.structure = &sync,
		.structure_bytes = sizeof(sync)};
	int error = fuse_handle_get(fuse_node, FUSE_READING, &sync.handle);

	if (error)
		return error;
	error = fuse_call(fuse_of(&node->vnode), &call);
	fuse_handle_put(fuse_node, FUSE_READING);
	return error;
}

/* ---- listings -----------------------------------------------------------------------------------
 */

/* Tells the names in a reply; *position is after the last. */
static int tell(const uint8_t *at, uint32_t bytes, uint64_t *position, struct directory_sink *sink)
{
	int error = 0;

	while (!error && bytes > sizeof(struct fuse_dirent)) {
		const struct fuse_dirent *entry = (const void *)at;
		uint32_t whole = (uint32_t)ALIGN_UP(
			sizeof(*entry) + (uint64_t)MIN(entry->name_bytes, 4096u), 8u);

		if (entry->name_bytes == 0 || entry->name_bytes > LINUX_NAME_MAX || whole > bytes)
			return -LINUX_EIO;
		error = sink->emit(sink, entry->name, entry->name_bytes, entry->inode,
			entry->type << 12, entry->next);
		if (!error)
			*position = entry->next;
		at += whole;
		bytes -= whole;
	}
	return error;
}

int fuse_read_directory(
	struct storage_node *directory, uint64_t position, struct directory_sink *sink)
{
	struct fuse_node *node = fuse_node_of(&directory->vnode);
	struct fuse_transfer read = {.bytes = LISTING_BYTES};
	struct fuse_call call = {.operation = FUSE_READDIR,
		.node = directory->vnode.inode,
		.structure = &read,
		.structure_bytes = sizeof(read),
		.reply_capacity = LISTING_BYTES};
	int error;

	if (position == 0)
		fuse_handles_close(node); /* names anew */
	call.reply = heap_alloc(LISTING_BYTES);
	if (!call.reply)
		return -LINUX_ENOMEM;
	error = fuse_handle_get(node, FUSE_READING, &read.handle);
	if (!error) {
		do {
			read.offset = position;
			error = fuse_call(fuse_of(&directory->vnode), &call);
			if (!error && call.reply_bytes > 0)
				error = tell(call.reply, call.reply_bytes, &position, sink);
		} while (!error && call.reply_bytes > 0);
		fuse_handle_put(node, FUSE_READING);
	}
	heap_free(call.reply);
	return error;
}
