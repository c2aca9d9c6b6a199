/*
 * Waiting for descriptors: poll(2), select(2), epoll(7) and their variants.
 */
#include "kernel/fs/epoll.h"
#include "kernel/fs/file.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/user_path.h"
#include "kernel/rlimit.h"
#include "kernel/syscall/wait_arguments.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "lib/string.h"

#define SMALL_POLL       16u /* requests kept on the stack */
#define EPOLL_EVENTS_MAX (INT32_MAX / (int)sizeof(struct epoll_event))
#define EPOLL_OP_DELETE  2

/* ---- poll ---------------------------------------------------------------- */

static long poll_array(
	uintptr_t address, struct poll_request *requests, uint32_t count, uint64_t deadline_ns)
{
	size_t bytes = count * sizeof(*requests);
	long result;

	if (user_copy_in(requests, address, bytes) != 0)
		return -LINUX_EFAULT;
	result = poll_files(requests, count, POLL_ERR | POLL_HUP, deadline_ns);
	if (result >= 0 && user_copy_out(address, requests, bytes) != 0)
		return -LINUX_EFAULT;
	return result;
}

static long poll_user(uintptr_t address, uint32_t count, uint64_t deadline_ns)
{
	struct poll_request small[SMALL_POLL];
	struct poll_request *requests = small;
	long result;

	if (count > rlimit_nofile())
		return -LINUX_EINVAL;
	if (count > SMALL_POLL)
		requests = heap_alloc(count * sizeof(*requests));
	if (requests == NULL)
		return -LINUX_ENOMEM;
	result = poll_array(address, requests, count, deadline_ns);
	if (requests != small)
		heap_free(requests);
	return result;
}

long sys_poll(uint64_t a0, uint64_t a1, uint64_t a2)
{
	return poll_user(a0, (uint32_t)a1, deadline_of_milliseconds((int)a2));
}

long sys_ppoll(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	uint64_t deadline_ns;
	bool has_mask = false;
	long result = deadline_of_timespec(a2, &deadline_ns);

	if (result == 0)
		result = wait_mask_begin(a3, a4, &has_mask);
	if (result != 0)
		return result;
	result = wait_mask_end(has_mask, poll_user(a0, (uint32_t)a1, deadline_ns));
	/* Without the remaining time stored the call cannot simply be made again. */
	if (!deadline_store_timespec(a2, deadline_ns) && result == -LINUX_ERESTARTNOHAND)
		return -LINUX_EINTR;
	return result;
}

/* ---- select -------------------------------------------------------------- */

enum select_set {
	SELECT_READ,
	SELECT_WRITE,
	SELECT_EXCEPT,
	SELECT_SETS,
};

static const uint16_t select_events[SELECT_SETS] = {
	[SELECT_READ] = POLL_IN | POLL_RDNORM | POLL_RDBAND | POLL_HUP | POLL_ERR | POLL_NVAL,
	[SELECT_WRITE] = POLL_OUT | POLL_WRNORM | POLL_WRBAND | POLL_ERR | POLL_NVAL,
	[SELECT_EXCEPT] = POLL_PRI | POLL_NVAL,
};

struct selection {
	uintptr_t addresses[SELECT_SETS]; /* of the program's bit sets; 0: not given */
	uint64_t *sets[SELECT_SETS];      /* copies */
	size_t words;                     /* of each */
	struct poll_request *requests;
	uint32_t count;
};

static int load_sets(struct selection *selection)
{
	for (int set = 0; set < SELECT_SETS; set++) {
		size_t bytes = selection->words * sizeof(uint64_t);

		if (selection->addresses[set] == 0)
			memset(selection->sets[set], 0, bytes);
		else if (user_copy_in(selection->sets[set], selection->addresses[set], bytes) != 0)
			return -LINUX_EFAULT;
	}
	return 0;
}

static int store_sets(const struct selection *selection)
{
	for (int set = 0; set < SELECT_SETS; set++) {
		if (selection->addresses[set] != 0 &&
			user_copy_out(selection->addresses[set], selection->sets[set],
				selection->words * sizeof(uint64_t)) != 0)
			return -LINUX_EFAULT;
	}
	return 0;
}

static uint16_t events_of_bit(const struct selection *selection, uint32_t fd)
{
	uint16_t events = 0;

	for (int set = 0; set < SELECT_SETS; set++) {
		if ((selection->sets[set][fd / 64] >> (fd % 64) & 1) != 0)
			events |= select_events[set];
	}
	return events;
}

/* Bits beyond the limit do not count, though they share its last word. */
static void clear_beyond(struct selection *selection, uint32_t limit)
{
	for (int set = 0; set < SELECT_SETS && limit % 64 != 0; set++)
		selection->sets[set][limit / 64] &= (1ull << (limit % 64)) - 1;
}

static uint32_t count_bits(const struct selection *selection)
{
	uint32_t count = 0;

	for (size_t i = 0; i < selection->words; i++) {
		uint64_t word = selection->sets[SELECT_READ][i] | selection->sets[SELECT_WRITE][i] |
				selection->sets[SELECT_EXCEPT][i];

		for (; word != 0; word &= word - 1)
			count++;
	}
	return count;
}

/* -EBADF when a bit names no open descriptor. */
static int make_requests(struct selection *selection)
{
	uint32_t count = 0;

	for (uint32_t fd = 0; count < selection->count; fd++) {
		uint16_t events = events_of_bit(selection, fd);

		if (events == 0)
			continue;
		if (fd_get_flags((int)fd) < 0)
			return -LINUX_EBADF;
		selection->requests[count++] =
			(struct poll_request){.fd = (int32_t)fd, .events = events};
	}
	return 0;
}

/* Turns answers into bits; how many are set. */
static long take_answers(struct selection *selection)
{
	long bits = 0;

	for (int set = 0; set < SELECT_SETS; set++) {
		for (uint32_t i = 0; i < selection->count; i++) {
			uint32_t fd = (uint32_t)selection->requests[i].fd;
			uint64_t bit = 1ull << (fd % 64);
			uint64_t *word = &selection->sets[set][fd / 64];

			if ((*word & bit) == 0)
				continue;
			if ((selection->requests[i].revents & select_events[set]) != 0)
				bits++;
			else
				*word &= ~bit;
		}
	}
	return bits;
}

/* A descriptor that is closed meanwhile answers POLLNVAL, which counts as ready. */
static long select_requests(struct selection *selection, uint64_t deadline_ns)
{
	long result;

	selection->requests = NULL;
	if (selection->count != 0) {
		selection->requests = heap_alloc(selection->count * sizeof(struct poll_request));
		if (selection->requests == NULL)
			return -LINUX_ENOMEM;
	}
	result = make_requests(selection);
	if (result == 0)
		result = poll_files(selection->requests, selection->count, 0, deadline_ns);
	if (result >= 0)
		result = take_answers(selection);
	heap_free(selection->requests);
	return result;
}

static long select_user(struct selection *selection, int limit, uint64_t deadline_ns)
{
	uint32_t count = (uint32_t)MIN((uint64_t)limit, rlimit_nofile());
	uint64_t *storage;
	long result;

	selection->words = (count + 63) / 64;
	storage = heap_alloc(MAX(selection->words, 1u) * SELECT_SETS * sizeof(uint64_t));
	if (storage == NULL)
		return -LINUX_ENOMEM;
	for (int set = 0; set < SELECT_SETS; set++)
		selection->sets[set] = storage + (size_t)set * selection->words;
	result = load_sets(selection);
	if (result == 0) {
		clear_beyond(selection, count);
		selection->count = count_bits(selection);
		result = select_requests(selection, deadline_ns);
	}
	if (result >= 0 && store_sets(selection) != 0)
		result = -LINUX_EFAULT;
	heap_free(storage);
	return result;
}

long sys_select(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	struct selection selection = {.addresses = {a1, a2, a3}};
	uint64_t deadline_ns;
	long result = deadline_of_timeval(a4, &deadline_ns);

	if (result != 0)
		return result;
	if ((int)a0 < 0)
		return -LINUX_EINVAL;
	result = select_user(&selection, (int)a0, deadline_ns);
	if (!deadline_store_timeval(a4, deadline_ns) && result == -LINUX_ERESTARTNOHAND)
		return -LINUX_EINTR;
	return result;
}

/* The sixth argument points to a pair: a mask's address and its size. */
static long begin_pair_mask(uintptr_t address, bool *has_mask)
{
	uint64_t pair[2] = {0, 0};

	*has_mask = false;
	if (address != 0 && user_copy_in(pair, address, sizeof(pair)) != 0)
		return -LINUX_EFAULT;
	return wait_mask_begin(pair[0], pair[1], has_mask);
}

long sys_pselect6(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct selection selection = {.addresses = {a1, a2, a3}};
	uint64_t deadline_ns;
	bool has_mask = false;
	long result = deadline_of_timespec(a4, &deadline_ns);

	if (result == 0)
		result = begin_pair_mask(a5, &has_mask);
	if (result != 0)
		return result;
	result = (int)a0 < 0 ? -LINUX_EINVAL : select_user(&selection, (int)a0, deadline_ns);
	result = wait_mask_end(has_mask, result);
	if (!deadline_store_timespec(a4, deadline_ns) && result == -LINUX_ERESTARTNOHAND)
		return -LINUX_EINTR;
	return result;
}

/* ---- epoll --------------------------------------------------------------- */

long sys_epoll_create1(uint64_t a0)
{
	struct file *file;
	int fd, error;

	if ((a0 & ~(uint64_t)LINUX_O_CLOEXEC) != 0)
		return -LINUX_EINVAL;
	error = epoll_create_file(&file);
	if (error != 0)
		return error;
	fd = fd_install(file, 0, a0 != 0);
	if (fd < 0)
		file_release(file);
	return fd;
}

long sys_epoll_create(uint64_t a0)
{
	return (int)a0 <= 0 ? -LINUX_EINVAL : sys_epoll_create1(0);
}

long sys_epoll_ctl(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct epoll_event event = {0, 0};
	struct file *epoll, *target;
	long result = -LINUX_EBADF;

	if ((int)a1 != EPOLL_OP_DELETE && user_copy_in(&event, a3, sizeof(event)) != 0)
		return -LINUX_EFAULT;
	epoll = user_file(a0);
	if (epoll == NULL)
		return -LINUX_EBADF;
	target = user_file(a2);
	if (target != NULL) {
		result = epoll_control(epoll, (int)a1, (int)a2, target, &event);
		file_release(target);
	}
	file_release(epoll);
	return result;
}

static int store_event(void *argument, int index, const struct epoll_event *event)
{
	uintptr_t address = *(const uintptr_t *)argument + (uintptr_t)index * sizeof(*event);

	return user_copy_out(address, event, sizeof(*event));
}

static long wait_epoll(int fd, uintptr_t events, int capacity, uint64_t deadline_ns)
{
	struct file *file = user_file((uint64_t)fd);
	long result;

	if (file == NULL)
		return -LINUX_EBADF;
	if (capacity <= 0 || capacity > EPOLL_EVENTS_MAX)
		result = -LINUX_EINVAL;
	else if (!user_range_ok(events, (size_t)capacity * sizeof(struct epoll_event)))
		result = -LINUX_EFAULT;
	else
		result = epoll_collect(file, capacity, deadline_ns, store_event, &events);
	file_release(file);
	/* Never restarted, whatever the handler's flags: signal(7). */
	return result == -LINUX_ERESTARTSYS ? -LINUX_EINTR : result;
}

long sys_epoll_wait(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	return wait_epoll((int)a0, a1, (int)a2, deadline_of_milliseconds((int)a3));
}

static long wait_epoll_masked(uint64_t fd, uint64_t events, uint64_t capacity, uint64_t deadline_ns,
	uintptr_t mask, uint64_t mask_bytes)
{
	bool has_mask = false;
	long result = wait_mask_begin(mask, mask_bytes, &has_mask);

	if (result != 0)
		return result;
	return wait_mask_end(has_mask, wait_epoll((int)fd, events, (int)capacity, deadline_ns));
}

long sys_epoll_pwait(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	return wait_epoll_masked(a0, a1, a2, deadline_of_milliseconds((int)a3), a4, a5);
}

long sys_epoll_pwait2(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	uint64_t deadline_ns;
	int error = deadline_of_timespec(a3, &deadline_ns);

	if (error != 0)
		return error;
	return wait_epoll_masked(a0, a1, a2, deadline_ns, a4, a5);
}
