#include "kernel/mm/uio.h"

#include <string.h>

#include "abi/linux/errno.h"
#include "arch/host/fake_user_access.h"
#include "kernel/mm/uaccess.h"
#include "lib/test.h"

TEST(scattered_parts_are_filled_in_order)
{
	char a[4] = "", b[1], c[8] = "";
	struct uio_part parts[] = {{(uintptr_t)a, 3}, {(uintptr_t)b, 0}, {(uintptr_t)b, 1},
		{(uintptr_t)b, 0}, {(uintptr_t)c, 7}};
	struct uio uio;

	uio_init_parts(&uio, parts, ARRAY_SIZE(parts));
	CHECK_EQUAL(uio.bytes_left, 11);
	CHECK_EQUAL(uio_copy_to(&uio, "ab", 2), 2);
	CHECK_EQUAL(uio_copy_to(&uio, "cdefgh", 6), 6);
	CHECK_EQUAL(uio.bytes_left, 3);
	CHECK_EQUAL(uio_copy_to(&uio, "ijklmn", 6), 3);
	CHECK_EQUAL(uio_copy_to(&uio, "xx", 2), 0);
	CHECK(strcmp(a, "abc") == 0 && b[0] == 'd' && strcmp(c, "efghijk") == 0);
}

TEST(copy_from_and_zero_and_advance)
{
	char a[] = "hello, ", b[] = "world", out[16] = "";
	struct uio_part parts[] = {{0, 0}, {(uintptr_t)a, 7}, {(uintptr_t)b, 5}};
	struct uio uio;

	uio_init_parts(&uio, parts, 3);
	uio_advance(&uio, 5);
	CHECK_EQUAL(uio_copy_from(&uio, out, 4), 4);
	CHECK(strcmp(out, ", wo") == 0);
	CHECK_EQUAL(uio_fill_zero(&uio, 100), 3);
	CHECK(memcmp(b, "wo\0\0\0", 5) == 0);
	uio_advance(&uio, 100);
	CHECK_EQUAL(uio.bytes_left, 0);
}

TEST(kernel_buffers)
{
	char buffer[8] = "1234567", out[8] = "";
	struct uio_part part;
	struct uio uio;

	fake_user_forbid((uintptr_t)buffer, sizeof(buffer));
	uio_init_kernel(&uio, &part, buffer, 8);
	CHECK_EQUAL(uio_copy_from(&uio, out, 3), 3);
	CHECK_EQUAL(uio_copy_to(&uio, "xyz", 3), 3);
	CHECK_EQUAL(uio_fill_zero(&uio, 2), 2);
	CHECK(strcmp(out, "123") == 0 && strcmp(buffer, "123xyz") == 0);
	fake_user_forbid(0, 0);
}

TEST(a_fault_leaves_whole_chunks_consumed)
{
	char a[4], b[4], data[8] = "abcdefg";
	struct uio_part parts[] = {{(uintptr_t)a, 4}, {(uintptr_t)b, 4}};
	struct uio uio;

	fake_user_forbid((uintptr_t)b, 4);
	uio_init_parts(&uio, parts, 2);
	CHECK_EQUAL(uio_copy_to(&uio, data, 8), -LINUX_EFAULT);
	CHECK_EQUAL(uio.bytes_left, 4);
	fake_user_forbid(0, 0);
	CHECK_EQUAL(uio_copy_to(&uio, data + 4, 4), 4);
	CHECK_EQUAL(uio.bytes_left, 0);
}

TEST(some_goes_up_to_the_byte_that_faults)
{
	char a[4] = "....", b[4] = "....", data[8] = "abcdefg", out[8] = "";
	struct uio_part parts[] = {{(uintptr_t)a, 4}, {(uintptr_t)b, 4}};
	struct uio uio;

	fake_user_forbid((uintptr_t)b + 2, 2);
	uio_init_parts(&uio, parts, 2);
	CHECK_EQUAL(uio_copy_some_to(&uio, data, 8), 6);
	CHECK_EQUAL(uio.bytes_left, 2);
	CHECK_EQUAL(uio_copy_some_to(&uio, data, 8), 0);
	CHECK(memcmp(a, "abcd", 4) == 0 && memcmp(b, "ef..", 4) == 0);
	uio_init_parts(&uio, parts, 2);
	CHECK_EQUAL(uio_copy_some_from(&uio, out, 8), 6);
	CHECK(strcmp(out, "abcdef") == 0);
	uio_init_parts(&uio, parts, 2);
	CHECK_EQUAL(uio_zero_some(&uio, 5), 5);
	CHECK_EQUAL(uio_zero_some(&uio, 3), 1);
	CHECK_EQUAL(uio.bytes_left, 2);
	fake_user_forbid(0, 0);
	CHECK(memcmp(b, "\0\0..", 4) == 0);
}

TEST(user_addresses_are_checked)
{
	char buffer[16];
	uint32_t value;

	CHECK_EQUAL(user_copy_in(buffer, USER_END, 1), -LINUX_EFAULT);
	CHECK_EQUAL(user_copy_in(buffer, USER_END - 8, 9), -LINUX_EFAULT);
	CHECK_EQUAL(user_copy_in(buffer, UINTPTR_MAX, 2), -LINUX_EFAULT);
	CHECK_EQUAL(user_copy_in(buffer, 0, 2), -LINUX_EFAULT);
	CHECK_EQUAL(user_copy_in(buffer, (uintptr_t)buffer, SIZE_MAX), -LINUX_EFAULT);
	CHECK_EQUAL(user_copy_in(buffer, UINTPTR_MAX, 0), 0);
	CHECK_EQUAL(user_copy_out(0xffffffff80000000, buffer, 8), -LINUX_EFAULT);
	CHECK_EQUAL(user_copy_out(0, buffer, 0), 0);
	CHECK_EQUAL(user_zero(USER_END, 16), -LINUX_EFAULT);
	CHECK_EQUAL(user_load_u32_atomic(USER_END - 2, &value), -LINUX_EFAULT);
	CHECK_EQUAL(user_exchange_u32_atomic(UINTPTR_MAX - 1, 0, 1, &value), -LINUX_EFAULT);
	CHECK_EQUAL(user_touch(USER_END, false), -LINUX_EFAULT);
}

TEST(strings_end_at_their_nul)
{
	static _Alignas(4096) char page[8192];
	char out[5000];

	strcpy(page + 4090, "hello, world");
	CHECK_EQUAL(user_copy_string(out, (uintptr_t)page + 4090, sizeof(out)), 12);
	CHECK(strcmp(out, "hello, world") == 0);
	CHECK_EQUAL(user_copy_string(out, (uintptr_t)page + 4090, 12), -LINUX_ENAMETOOLONG);
	CHECK_EQUAL(user_copy_string(out, (uintptr_t)page + 4090, 13), 12);
	fake_user_forbid((uintptr_t)page + 4096, 4096);
	CHECK_EQUAL(user_copy_string(out, (uintptr_t)page + 4090, sizeof(out)), -LINUX_EFAULT);
	CHECK_EQUAL(user_copy_string(out, (uintptr_t)page, sizeof(out)), 0);
	fake_user_forbid(0, 0);
	CHECK_EQUAL(user_copy_string(out, USER_END, sizeof(out)), -LINUX_EFAULT);
}

TEST(atomic_exchange)
{
	uint32_t word = 5, old;

	CHECK_EQUAL(user_exchange_u32_atomic((uintptr_t)&word, 5, 6, &old), 0);
	CHECK(old == 5 && word == 6);
	CHECK_EQUAL(user_exchange_u32_atomic((uintptr_t)&word, 5, 7, &old), 0);
	CHECK(old == 6 && word == 6);
	CHECK_EQUAL(user_load_u32_atomic((uintptr_t)&word, &old), 0);
	CHECK_EQUAL(old, 6);
}

TEST_DEFINE_MAIN
