/* See user_vector.h. */
#include "kernel/syscall/user_vector.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "abi/linux/errno.h"

void user_vector_put(struct user_vector *vector)
{
	if (vector->parts != vector->few)
		heap_free(vector->parts);
}

/* Checks lengths and addresses; shortens what goes beyond the most that Linux moves. */
static int check_parts(struct uio_part *parts, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++) {
		if ((int64_t)parts[i].bytes < 0)
			return -LINUX_EINVAL;
		if (!user_range_ok(parts[i].address, parts[i].bytes))
			return -LINUX_EFAULT;
		parts[i].bytes = MIN(parts[i].bytes, USER_VECTOR_MOST_BYTES - total);
		total += parts[i].bytes;
	}
	return 0;
}

/* struct iovec and struct uio_part are the same words. */
int user_vector_get(struct user_vector *vector, uint64_t address, uint64_t count)
{
	int error;

	vector->parts = vector->few;
	if (count > USER_VECTOR_MOST_PARTS)
		return -LINUX_EINVAL;
	if (count > USER_VECTOR_FEW_PARTS)
		vector->parts = heap_alloc(count * sizeof(struct uio_part));
	if (!vector->parts)
		return -LINUX_ENOMEM;
	error = user_copy_in(vector->parts, address, count * sizeof(struct uio_part)) == 0
			? check_parts(vector->parts, count)
			: -LINUX_EFAULT;
	if (error)
		user_vector_put(vector);
	return error;
}
