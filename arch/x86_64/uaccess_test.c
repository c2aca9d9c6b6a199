/* The real user-access instructions, with faults served as the kernel serves them. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "abi/linux/errno.h"
#include "kernel/mm/uaccess.h"
#include "lib/test.h"

static volatile int faults;
static volatile bool last_was_atomic;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *registers = context;
	bool atomic;
	uintptr_t fixup =
		user_access_fixup((uintptr_t)registers->uc_mcontext.gregs[REG_RIP], &atomic);

	(void)info;
	if (fixup == 0) {
		sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
		return;
	}
	faults++;
	last_was_atomic = atomic;
	registers->uc_mcontext.gregs[REG_RIP] = (greg_t)fixup;
}

/* One accessible page followed by one that is not. */
static uint8_t *two_pages(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	uint8_t *pages =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED);
	CHECK(mprotect(pages + 4096, 4096, PROT_NONE) == 0);
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	return pages;
}

TEST(copies_of_all_sizes_end_at_a_fault)
{
	uint8_t *pages = two_pages(), buffer[300];

	memset(buffer, 1, sizeof(buffer));
	for (size_t bytes = 0; bytes < 300; bytes++) {
		for (size_t inside = 0; inside <= bytes; inside++) {
			uintptr_t at = (uintptr_t)pages + 4096 - inside;
			int expected = inside < bytes ? -LINUX_EFAULT : 0;

			CHECK_EQUAL(user_copy_out(at, buffer, bytes), expected);
			CHECK_EQUAL(user_copy_in(buffer, at, bytes), expected);
		}
	}
	CHECK(faults > 0);
	munmap(pages, 8192);
}

TEST(copies_are_exact)
{
	uint8_t *pages = two_pages(), source[300], back[302];

	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i * 7 + 1);
	for (size_t bytes = 0; bytes < 300; bytes++) {
		memset(back, 0xee, sizeof(back));
		CHECK_EQUAL(user_copy_out((uintptr_t)pages + 3, source, bytes), 0);
		CHECK_EQUAL(user_copy_in(back + 1, (uintptr_t)pages + 3, bytes), 0);
		CHECK(memcmp(back + 1, source, bytes) == 0);
		CHECK(back[0] == 0xee && back[bytes + 1] == 0xee);
		CHECK_EQUAL(user_zero((uintptr_t)pages + 3, bytes), 0);
		for (size_t i = 0; i < bytes; i++)
			CHECK_EQUAL(pages[3 + i], 0);
	}
	CHECK_EQUAL(user_zero((uintptr_t)pages + 4000, 200), -LINUX_EFAULT);
	munmap(pages, 8192);
}

TEST(words_report_faults)
{
	uint8_t *pages = two_pages();
	uintptr_t good = (uintptr_t)pages, bad = good + 4096;
	uint32_t value = 0;

	memcpy(pages, &(uint32_t){77}, 4);
	CHECK_EQUAL(user_load_u32_atomic(good, &value), 0);
	CHECK_EQUAL(value, 77);
	CHECK_EQUAL(user_load_u32_atomic(bad, &value), -LINUX_EFAULT);
	CHECK(last_was_atomic);
	CHECK_EQUAL(user_exchange_u32_atomic(good, 77, 78, &value), 0);
	CHECK_EQUAL(value, 77);
	CHECK_EQUAL(user_exchange_u32_atomic(good, 77, 79, &value), 0);
	CHECK_EQUAL(value, 78);
	CHECK_EQUAL(user_exchange_u32_atomic(bad, 0, 1, &value), -LINUX_EFAULT);
	CHECK(last_was_atomic);
	CHECK_EQUAL(user_touch(good, true), 0);
	CHECK_EQUAL(user_touch(good, false), 0);
	CHECK_EQUAL(user_touch(bad, true), -LINUX_EFAULT);
	CHECK(!last_was_atomic);
	CHECK_EQUAL(user_touch(bad, false), -LINUX_EFAULT);
	memcpy(&value, pages, 4);
	CHECK_EQUAL(value, 78);
	munmap(pages, 8192);
}

TEST_DEFINE_MAIN
