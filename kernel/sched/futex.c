/*
 * Futexes. See futex.h.
 *
 * A sleeper counts itself in its bucket before it reads the word; a waker changes the
 * word before it reads the count. With a full barrier on both sides a count of 0 means
 * that nobody needs waking, and the common wake takes no lock. Sleepers leave a
 * bucket only with its lock taken after they woke, so a waker may use them until it
 * unlocks.
 */
#include "kernel/sched/futex.h"
#include "abi/linux/errno.h"
#include "kernel/lock.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "kernel/sched/wait.h"
#include "lib/list.h"

#define BUCKET_BITS       8
#define FUTEX_WAITERS     0x80000000u
#define FUTEX_OWNER_DIED  0x40000000u
#define FUTEX_TID_MASK    0x3fffffffu
#define ROBUST_LIST_LIMIT 2048

struct futex_key {
	const struct page_source *source; /* NULL: private, `place` is an address */
	uint64_t place;
};

struct bucket {
	struct spinlock lock; /* rank 32; two are taken in order of address */
	uint32_t sleepers;    /* changed atomically, read without the lock */
	struct list queue;
} ALIGNED(64);

struct sleeper {
	struct list link;      /* not linked: woken */
	struct bucket *bucket; /* changes with both buckets locked */
	struct futex_key key;
	uint32_t bitset;
	struct thread *thread;
};

static struct bucket buckets[1 << BUCKET_BITS];

void futex_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(buckets); i++)
		list_init(&buckets[i].queue);
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->place == b->place && a->source == b->source;
}

static struct bucket *bucket_of(const struct futex_key *key)
{
	uint64_t mixed = (key->place >> 2) ^ (uint64_t)(uintptr_t)key->source;

	return &buckets[mixed * 0x9e3779b97f4a7c15ull >> (64 - BUCKET_BITS)];
}

static int make_key(uintptr_t address, bool shared, struct futex_key *key)
{
	struct vm_area_info area;

	if (address & 3)
		return -LINUX_EINVAL;
	if (!user_range_ok(address, sizeof(uint32_t)))
		return -LINUX_EFAULT;
	*key = (struct futex_key){NULL, address};
	if (!shared)
		return 0;
	if (!vm_next_area(address, &area) || area.start > address)
		return -LINUX_EFAULT;
	if (area.source && (area.flags & VM_SHARED)) {
		key->source = area.source;
		key->place = area.offset + (address - area.start);
	}
	return 0;
}

static void leave(struct bucket *bucket)
{
	__atomic_sub_fetch(&bucket->sleepers, 1, __ATOMIC_RELAXED);
}

/* Unlinks and wakes. Lock of its bucket held. */
static void wake_sleeper(struct sleeper *sleeper)
{
	list_remove(&sleeper->link);
	leave(sleeper->bucket);
	thread_wake(sleeper->thread);
}

/* The bucket that holds the sleeper now, locked. */
static struct bucket *lock_bucket_of(struct sleeper *sleeper)
{
	for (;;) {
		struct bucket *bucket = __atomic_load_n(&sleeper->bucket, __ATOMIC_ACQUIRE);

		spin_lock(&bucket->lock);
		if (bucket == sleeper->bucket)
			return bucket;
		spin_unlock(&bucket->lock);
	}
}

/* Links `sleeper` if the word still has the expected value. */
static int enqueue_if_equal(struct sleeper *sleeper, uintptr_t address, uint32_t expected)
{
	struct bucket *bucket = sleeper->bucket;
	uint32_t value;
	int error;

	__atomic_add_fetch(&bucket->sleepers, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		spin_lock(&bucket->lock);
		error = user_load_u32_atomic(address, &value);
		if (error != -LINUX_EFAULT)
			break;
		spin_unlock(&bucket->lock);
		error = user_touch(address, false);
		if (error) {
			leave(bucket);
			return error;
		}
	}
	if (value != expected) {
		leave(bucket);
		error = -LINUX_EAGAIN;
	} else {
		list_add_last(&bucket->queue, &sleeper->link);
	}
	spin_unlock(&bucket->lock);
	return error;
}

/* True once somebody woke the sleeper, or if `give_up` took it out of its bucket. */
static bool was_woken(struct sleeper *sleeper, bool give_up)
{
	struct bucket *bucket = lock_bucket_of(sleeper);
	bool woken = !list_is_linked(&sleeper->link);

	if (!woken && give_up) {
		list_remove(&sleeper->link);
		leave(bucket);
	}
	spin_unlock(&bucket->lock);
	return woken;
}

int futex_wait(
	uintptr_t address, bool shared, uint32_t expected, uint32_t bitset, uint64_t deadline_ns)
{
	struct sleeper sleeper = {.bitset = bitset, .thread = thread_current()};
	int error;

	if (!bitset)
		return -LINUX_EINVAL;
	error = make_key(address, shared, &sleeper.key);
	if (error)
		return error;
	list_init(&sleeper.link);
	sleeper.bucket = bucket_of(&sleeper.key);
	error = enqueue_if_equal(&sleeper, address, expected);
	if (error)
		return error;
	for (;;) {
		if (deadline_ns != UINT64_MAX && clock_monotonic_ns() >= deadline_ns)
			error = -LINUX_ETIMEDOUT;
		else if (thread_is_interrupted(sleeper.thread))
			error = -LINUX_ERESTARTSYS;
		if (error)
			return was_woken(&sleeper, true) ? 0 : error;
		thread_sleep(deadline_ns);
		if (was_woken(&sleeper, false))
			return 0;
	}
}

/* Wakes up to `count` sleepers of a key. Lock held. */
static uint32_t wake_key(
	struct bucket *bucket, const struct futex_key *key, uint32_t count, uint32_t bitset)
{
	uint32_t woken = 0;

	if (!count)
		return 0;
	LIST_FOR_EACH_SAFE (link, after, &bucket->queue) {
		struct sleeper *sleeper = LIST_ENTRY(link, struct sleeper, link);

		if (!key_equal(&sleeper->key, key) || !(sleeper->bitset & bitset))
			continue;
		wake_sleeper(sleeper);
		if (++woken == count)
			break;
	}
	return woken;
}

static bool has_sleepers(const struct bucket *bucket)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return READ_ONCE(bucket->sleepers) != 0;
}

long futex_wake(uintptr_t address, bool shared, uint32_t count, uint32_t bitset)
{
	struct futex_key key;
	struct bucket *bucket;
	uint32_t woken;
	int error;

	if (!bitset)
		return -LINUX_EINVAL;
	error = make_key(address, shared, &key);
	if (error)
		return error;
	bucket = bucket_of(&key);
	if (!has_sleepers(bucket))
		return 0;
	spin_lock(&bucket->lock);
	woken = wake_key(bucket, &key, count, bitset);
	spin_unlock(&bucket->lock);
	return woken;
}

static void lock_two(struct bucket *a, struct bucket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct bucket *a, struct bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* Moves a sleeper to another futex. Both buckets locked. */
static void move_sleeper(struct sleeper *sleeper, struct bucket *to, const struct futex_key *key)
{
	list_remove(&sleeper->link);
	leave(sleeper->bucket);
	__atomic_add_fetch(&to->sleepers, 1, __ATOMIC_SEQ_CST);
	sleeper->key = *key;
	list_add_last(&to->queue, &sleeper->link);
	__atomic_store_n(&sleeper->bucket, to, __ATOMIC_RELEASE);
}

static uint32_t requeue_locked(struct bucket *from, const struct futex_key *from_key,
	struct bucket *to, const struct futex_key *to_key, uint32_t wake_count,
	uint32_t requeue_count)
{
	uint32_t done = 0;
	struct list *last = list_last(&from->queue);

	if (!last)
		return 0;
	/* Within one bucket the moved ones come again at the end: stop before them. */
	for (struct list *link = from->queue.next, *after;; link = after) {
		struct sleeper *sleeper = LIST_ENTRY(link, struct sleeper, link);
		bool is_last = link == last;

		after = link->next;
		if (done >= wake_count && done - wake_count >= requeue_count)
			break;
		if (key_equal(&sleeper->key, from_key)) {
			if (done < wake_count)
				wake_sleeper(sleeper);
			else if (!key_equal(from_key, to_key))
				move_sleeper(sleeper, to, to_key);
			done++;
		}
		if (is_last)
			break;
	}
	return done;
}

long futex_requeue(uintptr_t from, uintptr_t to, bool shared, uint32_t wake_count,
	uint32_t requeue_count, const uint32_t *compare)
{
	struct futex_key from_key, to_key;
	struct bucket *from_bucket, *to_bucket;
	uint32_t value = 0;
	long done;
	int error;

	error = make_key(from, shared, &from_key);
	if (!error)
		error = make_key(to, shared, &to_key);
	if (error)
		return error;
	from_bucket = bucket_of(&from_key);
	to_bucket = bucket_of(&to_key);
	for (;;) {
		lock_two(from_bucket, to_bucket);
		if (!compare)
			break;
		error = user_load_u32_atomic(from, &value);
		if (!error)
			break;
		unlock_two(from_bucket, to_bucket);
		error = user_touch(from, false);
		if (error)
			return error;
	}
	if (compare && value != *compare)
		done = -LINUX_EAGAIN;
	else
		done = requeue_locked(
			from_bucket, &from_key, to_bucket, &to_key, wake_count, requeue_count);
	unlock_two(from_bucket, to_bucket);
	return done;
}

/* ---- FUTEX_WAKE_OP: the encoding of futex(2) ----------------------------- */

static int32_t sign_extend_12(uint32_t value)
{
	return (int32_t)(value << 20) >> 20;
}

static bool apply_operation(uint32_t operation, uint32_t old, uint32_t *result)
{
	uint32_t argument = (uint32_t)sign_extend_12(operation >> 12 & 0xfff);

	if (operation >> 28 & 8)
		argument = 1u << (argument & 31);
	switch (operation >> 28 & 7) {
	case 0:
		*result = argument;
		return true;
	case 1:
		*result = old + argument;
		return true;
	case 2:
		*result = old | argument;
		return true;
	case 3:
		*result = old & ~argument;
		return true;
	case 4:
		*result = old ^ argument;
		return true;
	default:
		return false;
	}
}

/* -ENOSYS for a comparison that does not exist. */
static int compare_operation(uint32_t operation, uint32_t old)
{
	int32_t value = (int32_t)old, argument = sign_extend_12(operation & 0xfff);

	switch (operation >> 24 & 15) {
	case 0:
		return value == argument;
	case 1:
		return value != argument;
	case 2:
		return value < argument;
	case 3:
		return value <= argument;
	case 4:
		return value > argument;
	case 5:
		return value >= argument;
	default:
		return -LINUX_ENOSYS;
	}
}

/* Changes the word atomically. */
static int change_word(uintptr_t address, uint32_t operation, uint32_t *old)
{
	uint32_t expected, wanted;
	int error = user_load_u32_atomic(address, &expected);

	while (!error) {
		if (!apply_operation(operation, expected, &wanted))
			return -LINUX_ENOSYS;
		error = user_exchange_u32_atomic(address, expected, wanted, old);
		if (error || *old == expected)
			break;
		expected = *old;
	}
	return error;
}

long futex_wake_op(uintptr_t address, uintptr_t address2, bool shared, uint32_t wake_count,
	uint32_t wake2_count, uint32_t operation)
{
	struct futex_key key, key2;
	struct bucket *bucket, *bucket2;
	uint32_t old = 0;
	long woken = 0;
	int error;

	error = make_key(address, shared, &key);
	if (!error)
		error = make_key(address2, shared, &key2);
	if (error)
		return error;
	bucket = bucket_of(&key);
	bucket2 = bucket_of(&key2);
	for (;;) {
		lock_two(bucket, bucket2);
		error = change_word(address2, operation, &old);
		if (error != -LINUX_EFAULT)
			break;
		unlock_two(bucket, bucket2);
		error = user_touch(address2, true);
		if (error)
			return error;
	}
	if (!error) {
		woken = wake_key(bucket, &key, wake_count, UINT32_MAX);
		error = compare_operation(operation, old);
		if (error > 0)
			woken += wake_key(bucket2, &key2, wake2_count, UINT32_MAX);
	}
	unlock_two(bucket, bucket2);
	return error < 0 ? error : woken;
}

/* ---- robust lists (Documentation/locking/robust-futexes) ------------------- */

/* The owner of the lock at `address` dies: says so in the word, wakes one waiter. */
static void release_robust(uintptr_t address, int tid, bool is_pending)
{
	uint32_t value, wanted, old;

	if (address & 3 || user_copy_in(&value, address, sizeof(value)) != 0)
		return;
	for (;;) {
		if (is_pending && !value) {
			/* Unlocked, and died before waking: wake in its place. */
			futex_wake(address, true, 1, UINT32_MAX);
			return;
		}
		if ((value & FUTEX_TID_MASK) != (uint32_t)tid)
			return;
		wanted = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (user_exchange_u32_atomic(address, value, wanted, &old) != 0) {
			if (user_touch(address, true) != 0)
				return;
			continue;
		}
		if (old == value)
			break;
		value = old;
	}
	if (value & FUTEX_WAITERS)
		futex_wake(address, true, 1, UINT32_MAX);
}

void futex_exit_robust_list(uintptr_t head, int tid)
{
	struct {
		uint64_t next;
		int64_t futex_offset;
		uint64_t pending;
	} list;
	uint64_t entry;

	if (user_copy_in(&list, head, sizeof(list)) != 0)
		return;
	/* Bit 0 of a link marks a PI futex, which this kernel does not offer. */
	entry = list.next & ~1ull;
	for (int i = 0; i < ROBUST_LIST_LIMIT && entry != head; i++) {
		uint64_t next;
		bool has_next = user_copy_in(&next, entry, sizeof(next)) == 0;

		if (entry != (list.pending & ~1ull))
			release_robust(entry + (uint64_t)list.futex_offset, tid, false);
		if (!has_next)
			break;
		entry = next & ~1ull;
	}
	if (list.pending)
		release_robust((list.pending & ~1ull) + (uint64_t)list.futex_offset, tid, true);
}
