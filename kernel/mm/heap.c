/*
 * The heap: one-page slabs of equal objects per size class, whole pages above.
 *
 * A slab's header lies at the start of its page, so an object's slab is found by
 * rounding its address down, and no object is page-aligned. Page-aligned blocks are
 * whole pages, whose number the page allocator knows. With HEAP_CHECKS (unit tests)
 * freed objects are poisoned and objects end in a red zone.
 */
#include "kernel/mm/heap.h"

#include "kernel/lock.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/panic.h"
#include "lib/list.h"
#include "lib/string.h"

#define SLAB_MAGIC        0x51ab51abu
#define SLAB_HEADER_BYTES 64u
#define CLASS_COUNT       ARRAY_SIZE(class_bytes)
#define CLASS_MAX_BYTES   2016u
#define CLASS_NONE        0xff

struct slab {
	struct list link; /* in its class's partial list, when it has free objects */
	void *free;       /* freed objects, each pointing to the next */
	uint32_t magic;
	uint16_t live;
	uint16_t fresh; /* objects from here on were never handed out */
	uint8_t size_class;
};

_Static_assert(sizeof(struct slab) <= SLAB_HEADER_BYTES, "objects follow the header");

/* Chosen so that a page less its header is used up well. */
static const uint16_t class_bytes[] = {16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
	384, 448, 512, 576, 672, 768, 1008, 1344, CLASS_MAX_BYTES};

struct size_class {
	struct spinlock lock; /* rank 80; guards the class and its slabs */
	struct list partial;
	uint64_t live;
	uint32_t empty_slabs; /* of those on the list, kept against ping-pong */
};

/* class_index[i] serves sizes up to 16 * i bytes; [1] those that ask for 64-byte alignment. */
static struct size_class classes[CLASS_COUNT];
static uint8_t class_index[2][CLASS_MAX_BYTES / 16 + 1];
static uint32_t heap_state; /* 0 untouched, 1 being set up, 2 ready */
static uint64_t large_live;
static uint32_t failure_period;
static uint64_t failure_random = 0x9e3779b97f4a7c15;

static uint8_t class_search(size_t bytes, bool aligned)
{
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		if (class_bytes[i] >= bytes && (!aligned || class_bytes[i] % 64 == 0))
			return (uint8_t)i;
	}
	return CLASS_NONE;
}

NOINLINE static void heap_set_up(void)
{
	uint32_t expected = 0;

	if (!__atomic_compare_exchange_n(
		    &heap_state, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&heap_state, __ATOMIC_ACQUIRE) != 2)
			arch_relax();
		return;
	}
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		spin_init(&classes[i].lock);
		list_init(&classes[i].partial);
	}
	for (size_t i = 0; i < ARRAY_SIZE(class_index[0]); i++) {
		class_index[0][i] = class_search(i * 16, false);
		class_index[1][i] = class_search(i * 16, true);
	}
	__atomic_store_n(&heap_state, 2, __ATOMIC_RELEASE);
}

/* ---- checks of the unit-test build --------------------------------------- */

#ifdef HEAP_CHECKS
#define CHECK_BYTES 16u /* per object: its size in the last 8, red zone before */
#define POISON_FREE 0x5a
#define POISON_NEW  0xa5
#define RED_ZONE    0xbd

static void bytes_expect(const uint8_t *bytes, size_t from, size_t to, uint8_t value)
{
	for (size_t i = from; i < to; i++) {
		if (bytes[i] != value)
			panic("heap: %p is %#x at offset %zu", (const void *)bytes, bytes[i], i);
	}
}

static void object_check_new(uint8_t *object, size_t slot, size_t bytes, bool fresh)
{
	if (!fresh)
		bytes_expect(object, sizeof(void *), slot, POISON_FREE);
	memset(object, POISON_NEW, bytes);
	memset(object + bytes, RED_ZONE, slot - 8 - bytes);
	memcpy(object + slot - 8, &bytes, 8);
}

static void object_check_free(uint8_t *object, size_t slot)
{
	size_t bytes;

	memcpy(&bytes, object + slot - 8, 8);
	if (bytes > slot - 8)
		panic("heap: %p freed twice or overrun", (void *)object);
	bytes_expect(object, bytes, slot - 8, RED_ZONE);
	memset(object, POISON_FREE, slot);
}
#else
#define CHECK_BYTES 0u

static inline void object_check_new(uint8_t *object, size_t slot, size_t bytes, bool fresh)
{
	(void)object, (void)slot, (void)bytes, (void)fresh;
}

static inline void object_check_free(uint8_t *object, size_t slot)
{
	(void)object, (void)slot;
}
#endif

/* ---- slabs --------------------------------------------------------------- */

static uint32_t slab_capacity(uint8_t index)
{
	return (uint32_t)(PAGE_BYTES - SLAB_HEADER_BYTES) / class_bytes[index];
}

static struct slab *slab_create(uint8_t index)
{
	struct phys phys;
	struct slab *slab;

	if (!page_alloc(1, PAGE_ALLOC_RESERVE, &phys))
		return NULL;
	slab = platform_phys_to_virt(phys);
	list_init(&slab->link);
	slab->free = NULL;
	slab->magic = SLAB_MAGIC;
	slab->live = 0;
	slab->fresh = 0;
	slab->size_class = index;
	return slab;
}

static void *slab_take(struct slab *slab, size_t bytes)
{
	size_t slot = class_bytes[slab->size_class];
	uint8_t *object = slab->free;

	if (object != NULL) {
		__builtin_memcpy(&slab->free, object, sizeof(void *));
		object_check_new(object, slot, bytes, false);
	} else {
		object = (uint8_t *)slab + SLAB_HEADER_BYTES + slab->fresh * slot;
		slab->fresh++;
		object_check_new(object, slot, bytes, true);
	}
	slab->live++;
	return object;
}

static void *class_alloc(uint8_t index, size_t bytes)
{
	struct size_class *size_class = &classes[index];
	void *object = NULL;
	struct slab *slab;
	struct list *link;

	spin_lock(&size_class->lock);
	link = list_first(&size_class->partial);
	if (link != NULL) {
		slab = LIST_ENTRY(link, struct slab, link);
		if (slab->live == 0)
			size_class->empty_slabs--;
	} else {
		slab = slab_create(index);
		if (slab != NULL)
			list_add_first(&size_class->partial, &slab->link);
	}
	if (slab != NULL) {
		object = slab_take(slab, bytes);
		size_class->live++;
		if (slab->live == slab_capacity(index))
			list_remove(&slab->link);
	}
	spin_unlock(&size_class->lock);
	return object;
}

static void class_free(struct slab *slab, uint8_t *object)
{
	struct size_class *size_class = &classes[slab->size_class];
	uint32_t capacity = slab_capacity(slab->size_class);
	bool discard = false;

	spin_lock(&size_class->lock);
	ASSERT(slab->live > 0 && slab->live <= capacity);
	object_check_free(object, class_bytes[slab->size_class]);
	__builtin_memcpy(object, &slab->free, sizeof(void *));
	slab->free = object;
	size_class->live--;
	if (slab->live-- == capacity)
		list_add_first(&size_class->partial, &slab->link);
	if (slab->live == 0) {
		discard = size_class->empty_slabs > 0;
		if (!discard)
			size_class->empty_slabs++;
		list_remove(&slab->link);
		if (!discard)
			list_add_last(&size_class->partial, &slab->link);
	}
	spin_unlock(&size_class->lock);
	if (discard) {
		slab->magic = 0;
		page_free(platform_virt_to_phys(slab), 1);
	}
}

/* ---- interface ----------------------------------------------------------- */

/* True if this allocation is to fail on purpose. */
static bool failure_due(void)
{
	uint32_t period = READ_ONCE(failure_period);
	uint64_t x = failure_random;

	if (LIKELY(period == 0))
		return false;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	failure_random = x;
	return x % period == 0;
}

static uint8_t class_for(size_t bytes)
{
	if (UNLIKELY(__atomic_load_n(&heap_state, __ATOMIC_ACQUIRE) != 2))
		heap_set_up();
	if (bytes + CHECK_BYTES > CLASS_MAX_BYTES)
		return CLASS_NONE;
	return class_index[bytes != 0 && bytes % 64 == 0]
			  [MAX((bytes + CHECK_BYTES + 15) / 16, (size_t)1)];
}

static void *large_alloc(size_t bytes, uint32_t flags)
{
	struct phys phys;

	if (bytes > HUGE_PAGE_BYTES)
		return NULL;
	if (!page_alloc((uint32_t)((bytes + PAGE_BYTES - 1) >> PAGE_SHIFT),
		    PAGE_ALLOC_RESERVE | flags, &phys))
		return NULL;
	__atomic_add_fetch(&large_live, 1, __ATOMIC_RELAXED);
	return platform_phys_to_virt(phys);
}

void *heap_alloc(size_t bytes)
{
	uint8_t index;

	if (UNLIKELY(bytes > HUGE_PAGE_BYTES || failure_due()))
		return NULL;
	index = class_for(bytes);
	return index != CLASS_NONE ? class_alloc(index, bytes) : large_alloc(bytes, 0);
}

void *heap_zalloc(size_t bytes)
{
	uint8_t index;
	void *object;

	if (UNLIKELY(bytes > HUGE_PAGE_BYTES || failure_due()))
		return NULL;
	index = class_for(bytes);
	if (index == CLASS_NONE)
		return large_alloc(bytes, PAGE_ALLOC_ZERO);
	object = class_alloc(index, bytes);
	if (object != NULL)
		memset(object, 0, bytes);
	return object;
}

static bool fits_in_place(size_t old_bytes, size_t new_bytes)
{
	uint8_t index = class_for(old_bytes);

	if (CHECK_BYTES != 0 || index != class_for(new_bytes))
		return false;
	return index != CLASS_NONE || (old_bytes + PAGE_BYTES - 1) >> PAGE_SHIFT ==
					      (new_bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;
}

void *heap_resize(void *block, size_t old_bytes, size_t new_bytes)
{
	void *moved;

	if (block != NULL && new_bytes <= HUGE_PAGE_BYTES && fits_in_place(old_bytes, new_bytes))
		return block;
	moved = heap_alloc(new_bytes);
	if (moved == NULL || block == NULL)
		return moved;
	memcpy(moved, block, MIN(old_bytes, new_bytes));
	heap_free(block);
	return moved;
}

void heap_free(void *block)
{
	struct slab *slab = (struct slab *)((uintptr_t)block & ~(uintptr_t)(PAGE_BYTES - 1));
	struct phys phys;

	if (block == NULL)
		return;
	if ((void *)slab != block) {
		ASSERT(slab->magic == SLAB_MAGIC);
		class_free(slab, block);
		return;
	}
	phys = platform_virt_to_phys(block);
	__atomic_sub_fetch(&large_live, 1, __ATOMIC_RELAXED);
	page_free(phys, page_alloc_extent(phys));
}

size_t heap_live_count(void)
{
	size_t live = __atomic_load_n(&large_live, __ATOMIC_RELAXED);

	for (size_t i = 0; i < CLASS_COUNT; i++)
		live += READ_ONCE(classes[i].live);
	return live;
}

void heap_inject_failures(uint32_t period)
{
	WRITE_ONCE(failure_period, period);
}
