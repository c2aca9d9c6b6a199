/* What faults become: signals with Linux's codes, -EFAULT for copies, or the end. */
#include <string.h>

#include "abi/linux/errno.h"
#include "arch/host/fake_log.h"
#include "arch/host/fake_threads.h"
#include "arch/host/fake_user_access.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "lib/test.h"

#define PROGRAM_RIP 0x401000
#define PROGRAM_RSP 0xc000010000
#define COPY_RIP    0xffffffff80001000
#define COPY_FIXUP  0xffffffff80002000
#define ATOMIC_RIP  0xffffffff80003000
#define KERNEL_RSP  0xffff900000008000

static enum vm_fault_result vm_answer;
static unsigned vm_asked;
static bool vm_was_atomic, has_panicked;
static uint32_t exceptions;

enum vm_fault_result vm_fault(uintptr_t address, uint64_t error, bool atomic)
{
	(void)address;
	(void)error;
	vm_asked++;
	vm_was_atomic = atomic;
	return vm_answer;
}

uintptr_t user_access_fixup(uintptr_t rip, bool *atomic)
{
	*atomic = rip == ATOMIC_RIP;
	return rip == COPY_RIP || rip == ATOMIC_RIP ? COPY_FIXUP : 0;
}

int user_copy_in(void *dst, uintptr_t src, size_t bytes)
{
	if (src < 0x10000 || src >= USER_END || src == PROGRAM_RIP)
		return -LINUX_EFAULT;
	memcpy(dst, (const void *)src, bytes);
	return 0;
}

void page_alloc_counts(struct page_counts *counts)
{
	*counts = (struct page_counts){.total_pages = 64 << 8};
}

uint32_t arch_x87_exceptions(void)
{
	return exceptions;
}

uint32_t arch_simd_exceptions(void)
{
	return exceptions;
}

void panic_at_fault(const struct trap_frame *frame, uintptr_t address)
{
	(void)frame;
	(void)address;
	has_panicked = true;
	process_exit(0, 0);
}

static struct trap_frame frame;

static bool ends(uintptr_t address)
{
	return FAKE_EXITS(kernel_on_fault(&frame, address));
}

static void start(uint64_t vector, uint64_t rip)
{
	fake_threads_reset();
	signal_init();
	signal_thread_init(thread_current());
	memset(&frame, 0, sizeof(frame));
	frame.vector = vector;
	frame.rip = rip;
	frame.rsp = rip >= COPY_RIP ? KERNEL_RSP : PROGRAM_RSP;
	frame.error = 6;
	vm_asked = 0;
	has_panicked = false;
}

static void expect(int signal, int code, uintptr_t address)
{
	const struct signal_fault *fault = &thread_current()->signal.fault;

	CHECK(fault->is_pending);
	CHECK(thread_is_interrupted(thread_current()));
	CHECK_EQUAL(fault->info.signo, signal);
	CHECK_EQUAL(fault->info.code, code);
	CHECK_EQUAL(fault->info.fault.address, address);
	CHECK_EQUAL(fault->trap_number, frame.vector);
	CHECK_EQUAL(fault->error, frame.error);
}

TEST(page_faults_of_the_program)
{
	static const struct {
		enum vm_fault_result answer;
		int signal, code;
	} cases[] = {
		{VM_FAULT_NO_MAPPING, LINUX_SIGSEGV, LINUX_SEGV_MAPERR},
		{VM_FAULT_PROTECTION, LINUX_SIGSEGV, LINUX_SEGV_ACCERR},
		{VM_FAULT_BUS, LINUX_SIGBUS, LINUX_BUS_ADRERR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(14, PROGRAM_RIP);
		vm_answer = cases[i].answer;
		CHECK(!ends(0x1234));
		expect(cases[i].signal, cases[i].code, 0x1234);
		CHECK_EQUAL(thread_current()->signal.fault.address, 0x1234);
		CHECK(!vm_was_atomic);
	}
	start(14, PROGRAM_RIP);
	vm_answer = VM_FAULT_SERVED;
	CHECK(!ends(0x1234));
	CHECK(!thread_is_interrupted(thread_current()));
}

TEST(the_upper_half_is_never_mapped)
{
	start(14, PROGRAM_RIP);
	vm_answer = VM_FAULT_SERVED;
	CHECK(!ends(0xffffffff80000000));
	expect(LINUX_SIGSEGV, LINUX_SEGV_MAPERR, 0xffffffff80000000);
	CHECK_EQUAL(vm_asked, 0);
	/* Jumping there is the program's fault too, not the kernel's. */
	start(14, COPY_RIP + 0x10000);
	frame.rsp = PROGRAM_RSP;
	CHECK(!ends(COPY_RIP + 0x10000));
	CHECK(!has_panicked);
	expect(LINUX_SIGSEGV, LINUX_SEGV_MAPERR, COPY_RIP + 0x10000);
}

TEST(out_of_memory_is_one_line_and_sigkill)
{
	start(14, PROGRAM_RIP);
	vm_answer = VM_FAULT_NO_MEMORY;
	fake_log_lines = 0;
	CHECK(ends(0x1234));
	CHECK_EQUAL(fake_exit.signal, LINUX_SIGKILL);
	CHECK_EQUAL(fake_exit.status, 137);
	CHECK_EQUAL(fake_log_lines, 1);
	CHECK(strstr(fake_log_line, "64 MiB") != NULL && strstr(fake_log_line, "--mem") != NULL);
}

TEST(copies_are_served_or_end_with_efault)
{
	start(14, COPY_RIP);
	vm_answer = VM_FAULT_SERVED;
	CHECK(!ends(0x1234));
	CHECK_EQUAL(frame.rip, COPY_RIP);
	CHECK(!vm_was_atomic);

	start(14, COPY_RIP);
	vm_answer = VM_FAULT_PROTECTION;
	CHECK(!ends(0x1234));
	CHECK_EQUAL(frame.rip, COPY_FIXUP);
	CHECK(!thread_is_interrupted(thread_current()));

	start(14, ATOMIC_RIP);
	vm_answer = VM_FAULT_NO_MEMORY;
	CHECK(!ends(0x1234));
	CHECK_EQUAL(frame.rip, COPY_FIXUP);
	CHECK(vm_was_atomic);

	start(14, COPY_RIP);
	vm_answer = VM_FAULT_NO_MEMORY;
	CHECK(ends(0x1234));
	CHECK_EQUAL(fake_exit.signal, LINUX_SIGKILL);

	start(14, COPY_RIP);
	CHECK(!ends(0xffff900000000000));
	CHECK_EQUAL(vm_asked, 0);
	CHECK_EQUAL(frame.rip, COPY_FIXUP);
}

TEST(faults_of_the_kernel_itself_are_its_end)
{
	static const uint64_t vectors[] = {0, 1, 3, 6, 12, 13, 16, 17, 19};

	start(14, COPY_RIP + 1);
	CHECK(ends(0x1234));
	CHECK(has_panicked);
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		start(vectors[i], COPY_RIP);
		CHECK(ends(0));
		CHECK(has_panicked);
	}
}

TEST(exceptions_of_the_program)
{
	static const struct {
		uint64_t vector;
		int signal, code;
		uintptr_t address;
	} cases[] = {
		{0, LINUX_SIGFPE, LINUX_FPE_INTDIV, PROGRAM_RIP},
		{1, LINUX_SIGTRAP, LINUX_TRAP_TRACE, PROGRAM_RIP},
		{3, LINUX_SIGTRAP, LINUX_SI_KERNEL, 0},
		{4, LINUX_SIGSEGV, LINUX_SI_KERNEL, 0},
		{5, LINUX_SIGSEGV, LINUX_SI_KERNEL, 0},
		{6, LINUX_SIGILL, LINUX_ILL_ILLOPN, PROGRAM_RIP},
		{11, LINUX_SIGBUS, LINUX_SI_KERNEL, 0},
		{12, LINUX_SIGBUS, LINUX_SI_KERNEL, 0},
		{13, LINUX_SIGSEGV, LINUX_SI_KERNEL, 0},
		{17, LINUX_SIGBUS, LINUX_BUS_ADRALN, 0},
		{21, LINUX_SIGSEGV, LINUX_SI_KERNEL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(cases[i].vector, PROGRAM_RIP);
		CHECK(!ends(0));
		CHECK(!has_panicked);
		expect(cases[i].signal, cases[i].code, cases[i].address);
		CHECK_EQUAL(frame.rip, PROGRAM_RIP);
	}
}

TEST(software_interrupts_that_arrive_as_invalid_opcodes)
{
	static const uint8_t breakpoint[2] = {0xcd, 3}, legacy_call[2] = {0xcd, 0x80};
	static const uint8_t other[2] = {0x0f, 0x0b};

	start(6, (uint64_t)breakpoint);
	CHECK(!ends(0));
	CHECK_EQUAL(frame.rip, (uint64_t)breakpoint + 2);
	expect(LINUX_SIGTRAP, LINUX_SI_KERNEL, 0);
	start(6, (uint64_t)legacy_call);
	CHECK(!ends(0));
	CHECK_EQUAL(frame.rip, (uint64_t)legacy_call);
	CHECK_EQUAL(frame.error, 0x402);
	expect(LINUX_SIGSEGV, LINUX_SI_KERNEL, 0);
	start(6, (uint64_t)other);
	CHECK(!ends(0));
	expect(LINUX_SIGILL, LINUX_ILL_ILLOPN, (uint64_t)other);
}

TEST(floating_point_codes)
{
	static const struct {
		uint32_t exceptions;
		int code;
	} cases[] = {{1, LINUX_FPE_FLTINV}, {4, LINUX_FPE_FLTDIV}, {8, LINUX_FPE_FLTOVF},
		{0x10, LINUX_FPE_FLTUND}, {2, LINUX_FPE_FLTUND}, {0x20, LINUX_FPE_FLTRES},
		{0x3f, LINUX_FPE_FLTINV}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(i % 2 ? 16 : 19, PROGRAM_RIP);
		exceptions = cases[i].exceptions;
		CHECK(!ends(0));
		expect(LINUX_SIGFPE, cases[i].code, PROGRAM_RIP);
	}
	start(19, PROGRAM_RIP);
	exceptions = 0; /* spurious */
	CHECK(!ends(0));
	CHECK(!thread_is_interrupted(thread_current()));
}

TEST_DEFINE_MAIN
