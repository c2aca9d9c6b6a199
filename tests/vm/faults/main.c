/*
 * Every kind of fault arrives as the right signal with the right code and
 * address, with the registers in the ucontext, and the handler can go on.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "check/check.h"

static sigjmp_buf back;
static volatile int seen_signal, seen_code;
static volatile uintptr_t seen_address, seen_pc, seen_cr2, seen_error;

static void handler(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	seen_signal = number;
	seen_code = info->si_code;
	seen_address = (uintptr_t)info->si_addr;
	seen_pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	seen_cr2 = (uintptr_t)uc->uc_mcontext.gregs[REG_CR2];
	seen_error = (uintptr_t)uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(back, 1);
}

static char *pages; /* 4 pages: read-write, read, none, read-exec */
static int text_target(void)
{
	return 7;
}

static const char *current;

#define EXPECT_FAULT(statement, number, code, address)                                             \
	do {                                                                                       \
		current = #statement;                                                              \
		seen_signal = 0;                                                                   \
		if (sigsetjmp(back, 1) == 0) {                                                     \
			statement;                                                                 \
			fprintf(stderr, "%s: no fault\n", current);                                \
			exit(1);                                                                   \
		}                                                                                  \
		if (seen_signal != (number) || seen_code != (code) ||                              \
			seen_address != (uintptr_t)(address)) {                                    \
			fprintf(stderr,                                                            \
				"%s: signal %d code %d address %#lx, expected %d %d %#lx\n",       \
				current, seen_signal, seen_code, (unsigned long)seen_address,      \
				number, code, (unsigned long)(uintptr_t)(address));                \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

__attribute__((noipa)) static void read_at(uintptr_t address)
{
	*(volatile char *)address;
}

__attribute__((noipa)) static void write_at(uintptr_t address)
{
	*(volatile char *)address = 1;
}

__attribute__((noipa)) static void call(uintptr_t address)
{
	((void (*)(void))address)();
}

static void memory_faults(void)
{
	uintptr_t base = (uintptr_t)pages;
	EXPECT_FAULT(read_at(0), SIGSEGV, SEGV_MAPERR, 0);
	EXPECT_FAULT(write_at(0), SIGSEGV, SEGV_MAPERR, 0);
	EXPECT_FAULT(read_at(8), SIGSEGV, SEGV_MAPERR, 8);
	EXPECT_FAULT(write_at(0xfff), SIGSEGV, SEGV_MAPERR, 0xfff);
	EXPECT_FAULT(call(0), SIGSEGV, SEGV_MAPERR, 0);
	CHECK_EQUAL(seen_pc, 0);
	EXPECT_FAULT(read_at(0xffff), SIGSEGV, SEGV_MAPERR, 0xffff);
	EXPECT_FAULT(write_at(base + 4096), SIGSEGV, SEGV_ACCERR, base + 4096);
	CHECK_EQUAL(seen_cr2, base + 4096);
	CHECK_EQUAL(seen_error & 2, 2);
	CHECK_EQUAL(seen_error & 4, 4);
	EXPECT_FAULT(read_at(base + 8192 + 5), SIGSEGV, SEGV_ACCERR, base + 8192 + 5);
	EXPECT_FAULT(write_at(base + 8192 + 5), SIGSEGV, SEGV_ACCERR, base + 8192 + 5);
	EXPECT_FAULT(write_at(base + 3 * 4096), SIGSEGV, SEGV_ACCERR, base + 3 * 4096);
	EXPECT_FAULT(call(base), SIGSEGV, SEGV_ACCERR, base);
	CHECK_EQUAL(seen_pc, base);
	EXPECT_FAULT(call(base + 4096), SIGSEGV, SEGV_ACCERR, base + 4096);
	EXPECT_FAULT(write_at((uintptr_t)&text_target), SIGSEGV, SEGV_ACCERR, &text_target);
	EXPECT_FAULT(write_at((uintptr_t) "constant"), SIGSEGV, SEGV_ACCERR, "constant");
	char on_stack[16] = {(char)0xc3};
	EXPECT_FAULT(call((uintptr_t)on_stack), SIGSEGV, SEGV_ACCERR, on_stack);
	CHECK_EQUAL(munmap(pages + 4096, 4096), 0);
	EXPECT_FAULT(read_at(base + 4096), SIGSEGV, SEGV_MAPERR, base + 4096);
	/* not canonical: a general protection fault has no address */
	EXPECT_FAULT(read_at(0x0000900000000000), SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(write_at(0xdeadbeefdeadbeef), SIGSEGV, SI_KERNEL, 0);
	/* what was there before still works */
	CHECK_EQUAL(text_target(), 7);
	pages[0] = 1;
}

static void file_faults(void)
{
	int fd = (int)memfd_create("faults", 0);
	CHECK(fd >= 0);
	CHECK_EQUAL(ftruncate(fd, 4096 + 100), 0);
	char *map = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[0] = 1;
	map[4096 + 99] = 1;
	CHECK_EQUAL(map[8191], 0); /* the rest of the last page reads as zeroes */
	EXPECT_FAULT(read_at((uintptr_t)map + 8192), SIGBUS, BUS_ADRERR, map + 8192);
	EXPECT_FAULT(
		write_at((uintptr_t)map + 3 * 4096 + 7), SIGBUS, BUS_ADRERR, map + 3 * 4096 + 7);
	CHECK_EQUAL(ftruncate(fd, 0), 0);
	EXPECT_FAULT(read_at((uintptr_t)map), SIGBUS, BUS_ADRERR, map);
	CHECK_EQUAL(munmap(map, 4 * 4096), 0);
	close(fd);
}

/* Instructions at a known address, so that the reported address can be checked. */
extern char at_ud2[], at_div[], at_hlt[], at_cli[], at_int3[], at_in[], at_mov_cr3[], at_rdmsr[];
static void instruction_faults(void)
{
	EXPECT_FAULT(__asm__ volatile("at_ud2: ud2"), SIGILL, ILL_ILLOPN, at_ud2);
	CHECK_EQUAL(seen_pc, (uintptr_t)at_ud2);
	EXPECT_FAULT(__asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; mov $1, %%eax\n"
				      "at_div: div %%ecx" ::
					      : "eax", "ecx", "edx"),
		SIGFPE, FPE_INTDIV, at_div);
	/* INT_MIN / -1 overflows: the same fault */
	EXPECT_FAULT(__asm__ volatile("mov $0x80000000, %%eax; cdq; mov $-1, %%ecx\n"
				      "at_idiv: idiv %%ecx" ::
					      : "eax", "ecx", "edx"),
		SIGFPE, FPE_INTDIV, seen_pc);
	EXPECT_FAULT(__asm__ volatile("at_hlt: hlt"), SIGSEGV, SI_KERNEL, 0);
	CHECK_EQUAL(seen_pc, (uintptr_t)at_hlt);
	EXPECT_FAULT(__asm__ volatile("at_cli: cli"), SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(__asm__ volatile("at_in: inb $0x60, %%al" ::: "eax"), SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(__asm__ volatile("at_mov_cr3: mov %%cr3, %%rax" ::
					      : "rax"),
		SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(__asm__ volatile("mov $0xc0000080, %%ecx\nat_rdmsr: rdmsr" ::
					      : "eax", "ecx", "edx"),
		SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(__asm__ volatile("int $0x20"), SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(__asm__ volatile("int $0x40"), SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(__asm__ volatile("int $0xd"), SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(__asm__ volatile("mov $0xffff, %%eax; mov %%ax, %%ds" ::
					      : "eax"),
		SIGSEGV, SI_KERNEL, 0);
	EXPECT_FAULT(__asm__ volatile("at_int3: int3"), SIGTRAP, SI_KERNEL, 0);
	CHECK_EQUAL(seen_pc, (uintptr_t)at_int3 + 1);
	EXPECT_FAULT(__asm__ volatile(".byte 0xcd, 0x03"), SIGTRAP, SI_KERNEL, 0);
}

/* QEMU's emulation raises no exceptions of the vector unit. */
static int is_emulated(void)
{
	char text[64] = "";
	int fd = open("/proc/burrow", O_RDONLY);

	if (fd >= 0) {
		CHECK(read(fd, text, sizeof(text) - 1) > 0);
		close(fd);
	}
	return strstr(text, "platform qemu") != NULL;
}

static void vector_faults(void)
{
	unsigned control, all = 0x1f80;
	__asm__ volatile("stmxcsr %0" : "=m"(control));
	unsigned unmasked = control & ~0x200u; /* division by zero raises */
	if (!is_emulated())
		EXPECT_FAULT(__asm__ volatile(
				     "ldmxcsr %0; xorps %%xmm1, %%xmm1; mov $1, %%eax\n"
				     "cvtsi2ss %%eax, %%xmm0; divss %%xmm1, %%xmm0" ::"m"(unmasked)
				     : "eax", "xmm0", "xmm1"),
			SIGFPE, FPE_FLTDIV, seen_pc);
	__asm__ volatile("ldmxcsr %0" ::"m"(all));
	/* movaps wants 16-byte alignment */
	EXPECT_FAULT(__asm__ volatile("movaps 1(%0), %%xmm0" ::"r"(pages)
				      : "xmm0"),
		SIGSEGV, SI_KERNEL, 0);
}

int main(void)
{
	pages = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(pages != MAP_FAILED);
	pages[0] = (char)0xc3;
	CHECK_EQUAL(mprotect(pages + 4096, 4096, PROT_READ), 0);
	CHECK_EQUAL(mprotect(pages + 8192, 4096, PROT_NONE), 0);
	CHECK_EQUAL(mprotect(pages + 3 * 4096, 4096, PROT_READ | PROT_EXEC), 0);
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		CHECK_EQUAL(sigaction(numbers[i], &action, NULL), 0);
	instruction_faults();
	vector_faults();
	memory_faults();
	file_faults();
	return ok();
}
