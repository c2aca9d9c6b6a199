/*
 * Compares the decoder with the CPU: each instruction below really faults, and what
 * the host kernel reports as the address must be what the decoder says.
 */
#include "arch/x86_64/fault_address.h"
#include "lib/test.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGE 4096

static unsigned char *code_page;
static unsigned char *hole; /* 1 MiB without access */
static int decoded, undecided;

static void set_frame(struct trap_frame *f, const greg_t *g)
{
	memset(f, 0, sizeof(*f));
	f->rax = (uint64_t)g[REG_RAX];
	f->rbx = (uint64_t)g[REG_RBX];
	f->rcx = (uint64_t)g[REG_RCX];
	f->rdx = (uint64_t)g[REG_RDX];
	f->rsi = (uint64_t)g[REG_RSI];
	f->rdi = (uint64_t)g[REG_RDI];
	f->rbp = (uint64_t)g[REG_RBP];
	f->rsp = (uint64_t)g[REG_RSP];
	f->r8 = (uint64_t)g[REG_R8];
	f->r9 = (uint64_t)g[REG_R9];
	f->r10 = (uint64_t)g[REG_R10];
	f->r11 = (uint64_t)g[REG_R11];
	f->r12 = (uint64_t)g[REG_R12];
	f->r13 = (uint64_t)g[REG_R13];
	f->r14 = (uint64_t)g[REG_R14];
	f->r15 = (uint64_t)g[REG_R15];
	f->rip = (uint64_t)g[REG_RIP];
	f->error = (uint64_t)g[REG_ERR];
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	struct trap_frame frame;
	uintptr_t address = 0;

	(void)signal;
	set_frame(&frame, u->uc_mcontext.gregs);
	if (fault_address_decode(
		    &frame, 0, (const uint8_t *)frame.rip, INSTRUCTION_MAX_BYTES, &address)) {
		CHECK_EQUAL(address, (uintptr_t)info->si_addr);
		decoded++;
	} else {
		undecided++;
	}
	/* Go on at the `ret` that ends the code. */
	u->uc_mcontext.gregs[REG_RIP] = (greg_t)(code_page + 512);
	u->uc_mcontext.gregs[REG_RSP] = u->uc_mcontext.gregs[REG_R15];
}

/* Runs `bytes` with every register but rsp pointing into the hole (r15: stack). */
static void run(const unsigned char *bytes, size_t count, int expect_decoded)
{
	int before = decoded;

	memset(code_page, 0x90, PAGE);
	memcpy(code_page, bytes, count);
	code_page[512] = 0xc3;
	unsigned char *base = hole + 256 * 1024 + 64;
	__asm__ volatile(
		"push %%rbp\n push %%rbx\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n"
		"lea -8(%%rsp), %%r15\n"
		"mov %0, %%r11\n mov %1, %%rax\n"
		"mov %%rax, %%rbx\n add $0x40, %%rbx\n mov $2, %%rcx\n lea 0x1000(%%rax), %%rdx\n"
		"lea 0x2000(%%rax), %%rsi\n lea 0x3000(%%rax), %%rdi\n lea 0x4000(%%rax), %%rbp\n"
		"lea 0x5000(%%rax), %%r8\n mov $3, %%r9\n lea 0x6000(%%rax), %%r10\n"
		"lea 0x7000(%%rax), %%r12\n lea 0x8000(%%rax), %%r13\n lea 0x9000(%%rax), %%r14\n"
		"call *%%r11\n"
		"pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbx\n pop %%rbp\n"
		:
		: "r"(code_page), "r"(base)
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
	if (expect_decoded)
		CHECK_EQUAL(decoded, before + 1);
}

static void set_up(void)
{
	static int done;
	struct sigaction action = {
		.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	static unsigned char stack[65536];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};

	if (done++)
		return;
	code_page = mmap(
		NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	hole = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(code_page != MAP_FAILED && hole != MAP_FAILED);
	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

#define RUN(...)                                                                                   \
	do {                                                                                       \
		static const unsigned char bytes_[] = {__VA_ARGS__};                               \
		run(bytes_, sizeof(bytes_), 1);                                                    \
	} while (0)

TEST(moves)
{
	set_up();
	RUN(0x48, 0x8b, 0x10);                         /* mov (%rax),%rdx */
	RUN(0x48, 0x89, 0x53, 0x10);                   /* mov %rdx,0x10(%rbx) */
	RUN(0x48, 0x89, 0x93, 0x00, 0x10, 0x00, 0x00); /* mov %rdx,0x1000(%rbx) */
	RUN(0x48, 0x8b, 0x43, 0xf8);                   /* mov -8(%rbx),%rax */
	RUN(0x4a, 0x8b, 0x04, 0xc8);                   /* mov (%rax,%r9,8),%rax */
	RUN(0x4b, 0x8b, 0x44, 0x8d, 0x20);             /* mov 0x20(%r13,%r9,4),%rax */
	RUN(0x8a, 0x06);                               /* mov (%rsi),%al */
	RUN(0x66, 0xc7, 0x07, 0x34, 0x12);             /* movw $0x1234,(%rdi) */
	RUN(0x41, 0xc6, 0x45, 0x00, 0x01);             /* movb $1,(%r13) */
	RUN(0x0f, 0xb6, 0x02);                         /* movzbl (%rdx),%eax */
	RUN(0x48, 0x63, 0x45, 0x04);                   /* movslq 4(%rbp),%rax */
}

TEST(arithmetic_and_atomics)
{
	set_up();
	RUN(0x48, 0x01, 0x10);                         /* add %rdx,(%rax) */
	RUN(0x83, 0x38, 0x00);                         /* cmpl $0,(%rax) */
	RUN(0x48, 0x81, 0x3b, 0x00, 0x01, 0x00, 0x00); /* cmpq $0x100,(%rbx) */
	RUN(0xf0, 0x48, 0x0f, 0xb1, 0x0b);             /* lock cmpxchg %rcx,(%rbx) */
	RUN(0xf0, 0x48, 0x0f, 0xc1, 0x0b);             /* lock xadd */
	RUN(0x48, 0x87, 0x0b);                         /* xchg %rcx,(%rbx) */
	RUN(0xf6, 0x03, 0x01);                         /* testb $1,(%rbx) */
	RUN(0xf7, 0x1b);                               /* negl (%rbx) */
	RUN(0x48, 0xff, 0x03);                         /* incq (%rbx) */
	RUN(0xff, 0x33);                               /* push (%rbx) */
	RUN(0xff, 0x13);                               /* call *(%rbx) */
}

TEST(relative_to_rip)
{
	set_up();
	int32_t distance = (int32_t)(hole + 4096 - (code_page + 7));
	unsigned char load[7] = {0x48, 0x8b, 0x05};
	memcpy(load + 3, &distance, 4);
	run(load, sizeof(load), 1);
	distance = (int32_t)(hole + 4096 - (code_page + 10));
	unsigned char compare[10] = {0x81, 0x3d, 0, 0, 0, 0, 1, 2, 3, 4};
	memcpy(compare + 2, &distance, 4);
	run(compare, sizeof(compare), 1);
	distance = (int32_t)(hole + 4096 - (code_page + 7));
	unsigned char byte[7] = {0x80, 0x3d, 0, 0, 0, 0, 1};
	memcpy(byte + 2, &distance, 4);
	run(byte, sizeof(byte), 1);
}

TEST(strings_and_stack)
{
	set_up();
	RUN(0xf3, 0x48, 0xab);       /* rep stosq: (%rdi) */
	RUN(0xf3, 0xa4);             /* rep movsb: reads (%rsi) */
	RUN(0x48, 0x89, 0xc4, 0x50); /* mov %rax,%rsp; push %rax */
	RUN(0x48, 0x89, 0xc4, 0x58); /* pop */
	RUN(0x48, 0x89, 0xc4, 0xc3); /* ret */
	RUN(0x48, 0x89, 0xc4, 0xe8, 0, 0, 0, 0);
}

TEST(vectors)
{
	set_up();
	RUN(0x0f, 0x11, 0x03);                   /* movups %xmm0,(%rbx) */
	RUN(0xf3, 0x0f, 0x6f, 0x47, 0x10);       /* movdqu 0x10(%rdi),%xmm0 */
	RUN(0x66, 0x0f, 0x7f, 0x06);             /* movdqa %xmm0,(%rsi) */
	RUN(0xc5, 0xfe, 0x6f, 0x06);             /* vmovdqu (%rsi),%ymm0 */
	RUN(0xc4, 0xc1, 0x7e, 0x7f, 0x45, 0x20); /* vmovdqu %ymm0,0x20(%r13) */
	RUN(0xf2, 0x0f, 0x10, 0x03);             /* movsd */
	RUN(0x66, 0x0f, 0x3a, 0x16, 0x03, 0x01); /* pextrd */
}

/* Never wrong: random instructions either decode to what the CPU says, or not at all. */
TEST(random_operands_are_never_wrong)
{
	static const unsigned char ops[] = {
		0x01, 0x03, 0x21, 0x2b, 0x31, 0x39, 0x3b, 0x63, 0x85, 0x87, 0x88, 0x89, 0x8a, 0x8b};
	uint32_t seed = 1;

	set_up();
	for (int i = 0; i < 20000; i++) {
		unsigned char bytes[16];
		for (size_t j = 0; j < sizeof(bytes); j++) {
			seed = seed * 1664525 + 1013904223;
			bytes[j] = (unsigned char)(seed >> 24);
		}
		bytes[0] = 0x48 | (bytes[0] & 7);
		bytes[1] = ops[bytes[1] % sizeof(ops)];
		bytes[2] &=
			0x7f; /* 8-bit displacements or none: stay in the hole or far from memory */
		if ((bytes[2] & 7) == 4 || (bytes[2] & 7) == 5 || (bytes[2] & 7) == 7 ||
			(bytes[2] & 7) == 3)
			continue;
		if (!(bytes[0] & 1) && (bytes[2] & 7) == 1)
			continue; /* rcx is a small number */
		if ((bytes[0] & 1) && ((bytes[2] & 7) == 1 || (bytes[2] & 7) == 3))
			continue;
		if ((bytes[0] & 1) && (bytes[2] & 7) > 5)
			continue;
		run(bytes, 7, 0);
	}
	CHECK(decoded > 1000);
}

TEST_DEFINE_MAIN
