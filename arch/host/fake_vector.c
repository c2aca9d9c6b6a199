/* See fake_vector.h. */
#include "arch/host/fake_vector.h"

#include <string.h>

#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/mm/uaccess.h"

#define HEADER_OFFSET 512

uint8_t fake_vector_state[FAKE_VECTOR_BYTES];
bool fake_vector_is_initial;

size_t arch_vector_bytes(void)
{
	return FAKE_VECTOR_BYTES;
}

int arch_vector_save_user(uintptr_t user_area)
{
	return user_copy_out(user_area, fake_vector_state, sizeof(fake_vector_state));
}

int arch_vector_restore_user(uintptr_t user_area)
{
	uint8_t image[FAKE_VECTOR_BYTES] = {0};
	uint64_t features;

	fake_vector_is_initial = user_area == 0;
	if (user_area != 0 && user_copy_in(image, user_area, sizeof(image)) != 0)
		return -LINUX_EFAULT;
	memcpy(&features, image + HEADER_OFFSET, sizeof(features));
	if ((features & ~(uint64_t)7) != 0)
		return -LINUX_EINVAL;
	memcpy(fake_vector_state, image, sizeof(image));
	return 0;
}
