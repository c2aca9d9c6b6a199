/*
 * Kernel stacks, switching, and vector state.
 *
 * A thread that entered through a rewritten call site has dead vector registers
 * (the call is a function call of the program), so most switches save nothing.
 * Whoever runs after a thread with live state gets the initial state instead, so
 * that Go's zero register (X15) and MXCSR are right.
 */
#include "arch/x86_64/cpu.h"

#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/uaccess.h"
#include "kernel/panic.h"
#include "kernel/sched/thread.h"
#include "lib/string.h"

#define STACK_CANARY 0x6b636174732d6f6bull
#define MXCSR_INIT   0x1f80

/* What programs may use: x87, SSE, AVX, AVX-512. AMX is had on request only, which is
 * refused (arch_prctl), and there are no protection keys. */
#define VECTOR_COMPONENTS 0xe7ull
#define VECTOR_MAX_BYTES  4096 /* of these; 2,688 on today's processors */
#define VECTOR_UNTOUCHED  0xa5 /* no byte of a register, freshly booted */

extern void switch_stacks(uint64_t *save_rsp, uint64_t load_rsp);
extern const char entry_new_thread[], entry_kernel_thread[];

/* What switch_stacks pops. */
struct switch_frame {
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};

/* Legacy region and header of an XSAVE image in its initial state (SDM volume 1, 13.6). */
static struct {
	uint8_t bytes[512 + 64];
} initial_vector_state ALIGNED(64);

static size_t vector_bytes;
static uint64_t vector_mask;
static uint32_t mxcsr_mask;

static void vector_save(void *area)
{
	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)vector_mask), "d"((uint32_t)(vector_mask >> 32))
			 : "memory");
}

static void vector_restore(const void *area)
{
	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)vector_mask), "d"((uint32_t)(vector_mask >> 32))
			 : "memory");
}

/*
 * The length of what XSAVE writes of our components. CPUID would tell, but leaves gaps
 * between the manufacturers' layouts to add up, one dear instruction each; XSAVE writes
 * every component asked for, also where it is in its initial state (SDM volume 1, 13.7).
 */
static uint32_t saved_bytes(void)
{
	static uint8_t area[VECTOR_MAX_BYTES] ALIGNED(64);
	uint32_t bytes = sizeof(area);

	memset(area, VECTOR_UNTOUCHED, sizeof(area));
	memset(area + 512, 0, 64); /* the header */
	vector_save(area);
	while (bytes > sizeof(initial_vector_state.bytes) && area[bytes - 1] == VECTOR_UNTOUCHED)
		bytes--;
	return bytes;
}

static void vector_init(void)
{
	uint32_t low, high;
	uint32_t mxcsr = MXCSR_INIT;
	uint16_t control = 0x37f;

	/* XCR0 may name more than CPUID tells the guest of: where ring 3 runs on the host
	 * itself it is the host's. */
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	vector_mask = ((uint64_t)high << 32 | low) & VECTOR_COMPONENTS;
	memcpy(initial_vector_state.bytes, &control, sizeof(control));
	memcpy(initial_vector_state.bytes + 24, &mxcsr, sizeof(mxcsr));
	uint8_t image[512] ALIGNED(16);
	__asm__ volatile("fxsave64 %0" : "=m"(image));
	memcpy(&mxcsr_mask, image + 28, sizeof(mxcsr_mask));
	if (mxcsr_mask == 0)
		mxcsr_mask = 0xffbf; /* SDM volume 1, 11.6.6 */
	vector_bytes = ALIGN_UP(saved_bytes(), 64);
}

size_t arch_vector_bytes(void)
{
	if (vector_bytes == 0)
		vector_init();
	return vector_bytes;
}

int arch_vector_save_user(uintptr_t user_area)
{
	void *image = arch_current_thread()->arch.vector_state;

	vector_save(image);
	return user_copy_out(user_area, image, arch_vector_bytes());
}

/* XRSTOR faults on a malformed header (SDM volume 1, 13.8.1), so it is checked here. */
static bool vector_image_is_valid(const uint8_t *image)
{
	uint64_t header[8];
	uint32_t mxcsr;

	memcpy(header, image + 512, sizeof(header));
	memcpy(&mxcsr, image + 24, sizeof(mxcsr));
	if ((header[0] & ~vector_mask) != 0 || (mxcsr & ~mxcsr_mask) != 0)
		return false;
	for (size_t i = 1; i < ARRAY_SIZE(header); i++) {
		if (header[i] != 0)
			return false;
	}
	return true;
}

int arch_vector_restore_user(uintptr_t user_area)
{
	void *image = arch_current_thread()->arch.vector_state;

	if (user_area == 0) {
		vector_restore(initial_vector_state.bytes);
		return 0;
	}
	int error = user_copy_in(image, user_area, arch_vector_bytes());

	if (error != 0)
		return error;
	if (!vector_image_is_valid(image)) {
		memset(image, 0, arch_vector_bytes());
		return -LINUX_EINVAL;
	}
	vector_restore(image);
	return 0;
}

static int thread_init(struct thread *thread)
{
	struct phys stack;

	if (!page_alloc(KERNEL_STACK_BYTES / PAGE_BYTES, 0, &stack))
		return -LINUX_ENOMEM;
	thread->arch.kernel_stack = (uint64_t)(uintptr_t)platform_phys_to_virt(stack);
	*(uint64_t *)(uintptr_t)thread->arch.kernel_stack = STACK_CANARY;
	thread->arch.fs_base = 0;
	thread->arch.vector_state = NULL;
	thread->arch.vector_live = false;
	return 0;
}

static uint64_t stack_top(const struct thread *thread)
{
	return thread->arch.kernel_stack + KERNEL_STACK_BYTES;
}

struct trap_frame *arch_thread_frame(struct thread *thread)
{
	return (struct trap_frame *)(uintptr_t)(stack_top(thread) - sizeof(struct trap_frame));
}

static bool entered_with_live_vectors(struct thread *thread)
{
	return !thread->is_kernel && arch_thread_frame(thread)->vector != TRAP_SYSCALL_CALL;
}

int arch_thread_init_user(struct thread *thread, const struct trap_frame *frame)
{
	struct thread *parent = arch_current_thread();
	int error = thread_init(thread);

	if (error != 0)
		return error;
	thread->arch.vector_state = heap_zalloc(arch_vector_bytes());
	if (thread->arch.vector_state == NULL) {
		arch_thread_release(thread);
		return -LINUX_ENOMEM;
	}
	if (parent != NULL && !parent->is_kernel && entered_with_live_vectors(parent)) {
		vector_save(thread->arch.vector_state);
		thread->arch.vector_live = true;
	}
	*arch_thread_frame(thread) = *frame;
	struct switch_frame *start = (void *)((char *)arch_thread_frame(thread) - sizeof(*start));
	*start = (struct switch_frame){.rip = (uint64_t)(uintptr_t)entry_new_thread};
	thread->arch.kernel_rsp = (uint64_t)(uintptr_t)start;
	return 0;
}

int arch_thread_init_kernel(struct thread *thread, void (*entry)(void *), void *argument)
{
	int error = thread_init(thread);

	if (error != 0)
		return error;
	struct switch_frame *start = (void *)(uintptr_t)(stack_top(thread) - 16 - sizeof(*start));
	*start = (struct switch_frame){
		.rip = (uint64_t)(uintptr_t)entry_kernel_thread,
		.r12 = (uint64_t)(uintptr_t)entry,
		.r13 = (uint64_t)(uintptr_t)argument,
	};
	thread->arch.kernel_rsp = (uint64_t)(uintptr_t)start;
	return 0;
}

void arch_thread_release(struct thread *thread)
{
	if (thread->arch.kernel_stack != 0) {
		ASSERT(*(uint64_t *)(uintptr_t)thread->arch.kernel_stack == STACK_CANARY);
		page_free(platform_virt_to_phys((void *)(uintptr_t)thread->arch.kernel_stack),
			KERNEL_STACK_BYTES / PAGE_BYTES);
	}
	heap_free(thread->arch.vector_state);
	thread->arch.kernel_stack = 0;
	thread->arch.vector_state = NULL;
}

static void load_fs_base(uint64_t fs_base)
{
	__asm__ volatile("wrfsbase %0" : : "r"(fs_base));
}

void arch_set_fs_base(struct thread *thread, uint64_t fs_base)
{
	thread->arch.fs_base = fs_base;
	if (thread == arch_current_thread())
		load_fs_base(fs_base);
}

/* FS is writable in ring 3 (wrfsbase), so the register may differ from what was set. */
static uint64_t read_fs_base(void)
{
	uint64_t fs_base;

	__asm__ volatile("rdfsbase %0" : "=r"(fs_base));
	return fs_base;
}

void arch_switch(struct thread *from, struct thread *to)
{
	struct arch_cpu *cpu = arch_cpu();
	bool was_live = false;

	if (!from->is_kernel) {
		from->arch.fs_base = read_fs_base();
		was_live = entered_with_live_vectors(from);
		from->arch.vector_live = was_live;
		if (was_live)
			vector_save(from->arch.vector_state);
	}
	cpu->thread = to;
	if (!to->is_kernel) {
		cpu->stack_top = stack_top(to);
		load_fs_base(to->arch.fs_base);
		cpu->vectors_dirty |= was_live;
		if (to->arch.vector_live)
			vector_restore(to->arch.vector_state);
		else if (cpu->vectors_dirty)
			vector_restore(initial_vector_state.bytes);
		cpu->vectors_dirty = false;
	} else {
		cpu->vectors_dirty |= was_live;
	}
	switch_stacks(&from->arch.kernel_rsp, to->arch.kernel_rsp);
}
