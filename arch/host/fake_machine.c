/* See fake_machine.h. */
#include "arch/host/fake_machine.h"

/* libc declares another sched_yield than kernel/sched/sched.h. */
#define sched_yield libc_sched_yield
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <sanitizer/common_interface_defs.h>
#undef sched_yield

#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/futex.h"
#include "kernel/sched/sched.h"

#define STACK_BYTES (256 * 1024)

/* arch.vector_state of a thread. */
struct context {
	ucontext_t ucontext;
	void *stack; /* NULL: the pthread's own */
	const void *stack_bottom;
	size_t stack_bytes;
	void *fake_stack; /* AddressSanitizer's */
	void (*fn)(void *);
	void *argument;
};

struct fake_cpu {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool kicked;
	uint64_t timer; /* ns, UINT64_MAX: none */
};

static struct fake_cpu cpus[BOOT_MAX_CPUS];
static uint32_t cpu_count;
static _Thread_local uint32_t self_index;
static _Thread_local struct thread *self_thread;
static _Thread_local struct context *switched_from;
static struct boot_info boot_info = {.wall_ns = 1700000000ull * 1000000000};
uint32_t fake_signals_sent[LINUX_NSIG + 1];
struct linux_siginfo fake_signal_last;

/* ---- arch.h ---- */

uint64_t arch_ticks(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The host has fewer CPUs than the machine has vcpus: give way now and then. */
void arch_relax(void)
{
	static _Thread_local uint32_t count;

	__builtin_ia32_pause();
	if (++count % 64 == 0)
		syscall(SYS_sched_yield);
}

struct thread *arch_current_thread(void)
{
	return self_thread;
}

void arch_set_current_thread(struct thread *thread)
{
	self_thread = thread;
}

uint32_t arch_cpu_index(void)
{
	return self_index;
}

static struct context *context_of(struct thread *thread)
{
	if (!thread->arch.vector_state) /* an idle thread */
		thread->arch.vector_state = calloc(1, sizeof(struct context));
	return thread->arch.vector_state;
}

static NOINLINE void finish_fiber(struct context *self)
{
	__sanitizer_finish_switch_fiber(
		self->fake_stack, &switched_from->stack_bottom, &switched_from->stack_bytes);
}

void arch_switch(struct thread *from, struct thread *to)
{
	struct context *old = context_of(from), *new = context_of(to);

	switched_from = old;
	__sanitizer_start_switch_fiber(from->state == THREAD_DEAD ? NULL : &old->fake_stack,
		new->stack_bottom, new->stack_bytes);
	swapcontext(&old->ucontext, &new->ucontext);
	finish_fiber(old);
}

static void context_main(void)
{
	struct context *self = context_of(thread_current());

	finish_fiber(self);
	sched_thread_entered();
	self->fn(self->argument);
	thread_exit(0);
}

static int init_context(struct thread *thread, void (*fn)(void *), void *argument)
{
	struct context *context = calloc(1, sizeof(*context));

	context->stack = malloc(STACK_BYTES);
	context->stack_bottom = context->stack;
	context->stack_bytes = STACK_BYTES;
	context->fn = fn;
	context->argument = argument;
	getcontext(&context->ucontext);
	context->ucontext.uc_stack.ss_sp = context->stack;
	context->ucontext.uc_stack.ss_size = STACK_BYTES;
	makecontext(&context->ucontext, context_main, 0);
	thread->arch.vector_state = context;
	return 0;
}

int arch_thread_init_user(struct thread *thread, const struct trap_frame *frame)
{
	return init_context(thread, (void (*)(void *))frame->rip, (void *)frame->rdi);
}

int arch_thread_init_kernel(struct thread *thread, void (*entry)(void *), void *argument)
{
	return init_context(thread, entry, argument);
}

void arch_thread_release(struct thread *thread)
{
	struct context *context = thread->arch.vector_state;

	if (context)
		free(context->stack);
	free(context);
}

bool arch_interrupt_pending(void)
{
	struct fake_cpu *cpu = &cpus[self_index];

	return __atomic_load_n(&cpu->kicked, __ATOMIC_ACQUIRE) || arch_ticks() >= cpu->timer;
}

void arch_take_interrupts(void)
{
	struct fake_cpu *cpu = &cpus[self_index];

	if (__atomic_exchange_n(&cpu->kicked, false, __ATOMIC_ACQ_REL))
		sched_on_kick();
	if (arch_ticks() >= cpu->timer) {
		cpu->timer = UINT64_MAX;
		sched_on_timer();
	}
}

/* ---- platform.h ---- */

const struct boot_info *platform_boot_info(void)
{
	return &boot_info;
}

uint32_t platform_cpu_count(void)
{
	return cpu_count;
}

uint64_t platform_ticks_hz(void)
{
	return 1000000000;
}

void platform_timer_set(uint64_t ticks)
{
	cpus[self_index].timer = ticks;
}

void platform_idle(void)
{
	struct fake_cpu *cpu = &cpus[self_index];
	/* Never longer: a lost wake-up shows in a test's time limit all the same. */
	uint64_t until = MIN(cpu->timer, arch_ticks() + 3600000000000);
	struct timespec deadline = {(time_t)(until / 1000000000), (long)(until % 1000000000)};

	pthread_mutex_lock(&cpu->mutex);
	while (!arch_interrupt_pending())
		pthread_cond_timedwait(&cpu->changed, &cpu->mutex, &deadline);
	pthread_mutex_unlock(&cpu->mutex);
}

void platform_kick(uint32_t index)
{
	struct fake_cpu *cpu = &cpus[index];

	pthread_mutex_lock(&cpu->mutex);
	__atomic_store_n(&cpu->kicked, true, __ATOMIC_RELEASE);
	pthread_cond_signal(&cpu->changed);
	pthread_mutex_unlock(&cpu->mutex);
}

static void learn_stack(struct thread *idle)
{
	struct context *context = context_of(idle);
	pthread_attr_t attributes;
	void *bottom;

	pthread_getattr_np(pthread_self(), &attributes);
	pthread_attr_getstack(&attributes, &bottom, &context->stack_bytes);
	context->stack_bottom = bottom;
	pthread_attr_destroy(&attributes);
}

static void *secondary_main(void *index)
{
	self_index = (uint32_t)(uintptr_t)index;
	learn_stack(&sched_cpus[self_index].idle);
	sched_cpu_main(self_index);
}

int platform_cpu_start(uint32_t index)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, secondary_main, (void *)(uintptr_t)index);
}

__attribute__((weak)) void page_alloc_begin_return(void)
{
}

__attribute__((weak)) bool page_alloc_has_returnable(void)
{
	return false;
}

__attribute__((weak)) uint32_t page_alloc_return_free(uint32_t max_blocks)
{
	(void)max_blocks;
	return 0;
}

bool vm_next_area(uintptr_t address, struct vm_area_info *info)
{
	memset(info, 0, sizeof(*info));
	info->start = address & ~0xfffull;
	info->end = info->start + 4096;
	return true;
}

/* ---- signals: counted ---- */

void signal_thread_init(struct thread *thread)
{
	(void)thread;
}

void signal_thread_release(struct thread *thread)
{
	(void)thread;
}

void signal_deliver(struct trap_frame *frame)
{
	(void)frame;
	thread_current()->signal.interrupted = false;
}

int signal_send_process(const struct linux_siginfo *info)
{
	fake_signal_last = *info;
	__atomic_add_fetch(&fake_signals_sent[info->signo], 1, __ATOMIC_SEQ_CST);
	return 0;
}

int signal_send_thread(struct thread *thread, const struct linux_siginfo *info)
{
	(void)thread;
	return signal_send_process(info);
}

void process_exit(int status, int signal)
{
	panic("the program ended (%d, %d)", status, signal);
}

/* ---- the machine ---- */

static sem_t is_started;

static void start_thread(struct thread **thread, void (*fn)(void *), void *argument)
{
	const struct trap_frame frame = {.rip = (uint64_t)fn, .rdi = (uint64_t)argument};

	if (thread_create(thread, "test") != 0)
		panic("no memory for a thread");
	arch_thread_init_user(*thread, &frame);
	thread_acquire(*thread);
	thread_start(*thread);
}

struct thread *fake_machine_spawn(void (*fn)(void *), void *argument)
{
	struct thread *thread;

	start_thread(&thread, fn, argument);
	return thread;
}

/* Work handed in from outside. */
struct job {
	void (*fn)(void *);
	void *argument;
	sem_t done;
};

static struct job *current_job;

static void run_job(void *argument)
{
	struct job *job = argument;

	job->fn(job->argument);
}

void fake_machine_join(struct thread *thread)
{
	while (__atomic_load_n(&thread->references, __ATOMIC_ACQUIRE) > 1)
		thread_sleep(clock_monotonic_ns() + 100000);
	thread_release(thread);
}

/* The first thread: it never ends, so that the program does not. */
static void serve_jobs(void *unused)
{
	(void)unused;
	sem_post(&is_started);
	for (;;) {
		struct job *job = __atomic_exchange_n(&current_job, NULL, __ATOMIC_ACQ_REL);

		if (job) {
			fake_machine_join(fake_machine_spawn(run_job, job));
			sem_post(&job->done);
		}
		thread_sleep(clock_monotonic_ns() + 1000000);
	}
}

static void *boot_main(void *unused)
{
	struct thread *thread;

	(void)unused;
	clock_init();
	sched_init();
	futex_init();
	learn_stack(thread_current());
	thread = fake_machine_spawn(serve_jobs, NULL);
	thread_release(thread);
	sched_start();
}

void fake_machine_start(uint32_t count)
{
	pthread_condattr_t attributes;
	pthread_t thread;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < BOOT_MAX_CPUS; i++) {
		pthread_mutex_init(&cpus[i].mutex, NULL);
		pthread_cond_init(&cpus[i].changed, &attributes);
		cpus[i].timer = UINT64_MAX;
	}
	cpu_count = count;
	boot_info.wall_tsc = arch_ticks();
	sem_init(&is_started, 0, 0);
	pthread_create(&thread, NULL, boot_main, NULL);
	sem_wait(&is_started);
}

void fake_machine_run(void (*fn)(void *), void *argument)
{
	struct job job = {.fn = fn, .argument = argument};

	sem_init(&job.done, 0, 0);
	__atomic_store_n(&current_job, &job, __ATOMIC_RELEASE);
	while (sem_wait(&job.done) != 0)
		;
	sem_destroy(&job.done);
}

void fake_machine_return(void)
{
	struct trap_frame frame;

	arch_take_interrupts();
	kernel_on_return(&frame);
}

void fake_machine_compute(uint64_t ns)
{
	uint64_t end = arch_ticks() + ns;

	while (arch_ticks() < end) {
		fake_machine_return();
		arch_relax();
	}
}
