/*
 * vcpus; see vcpu.h, and abi/kernel_image.h for the state the kernel starts in.
 *
 * Registers are handed over in struct kvm_run with the first KVM_RUN: each vcpu
 * ioctl costs 5 us on a pagetable-based KVM.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "monitor/cpuid.h"
#include "monitor/give_back.h"
#include "monitor/io.h"
#include "monitor/message.h"
#include "monitor/report.h"
#include "monitor/timeline.h"
#include "monitor/vcpu.h"

/* Sandbox, base: ioctl futex */

#define CR0_START    0x80050033ull /* PG AM WP NE ET MP PE */
#define CR4_PAE      (1ull << 5)
#define CR4_OSFXSR   (1ull << 9)
#define CR4_OSXMM    (1ull << 10)
#define CR4_FSGSBASE (1ull << 16)
#define CR4_OSXSAVE  (1ull << 18)
#define EFER_START   0xd01ull /* SCE LME LMA NXE */

#define APIC_BASE      (LAYOUT_LOCAL_APIC | 1u << 11) /* enabled, xAPIC */
#define APIC_BASE_BOOT (1u << 8)
#define RFLAGS_START   0x202ull

#define MSR_STAR   0xc0000081u
#define MSR_LSTAR  0xc0000082u
#define MSR_SFMASK 0xc0000084u
#define SFMASK     0x500u /* TF DF */
#define SFMASK_IF  0x200u
/* sysret: SS = base + 8, CS = base + 16 */
#define STAR ((uint64_t)SELECTOR_KERNEL_CODE << 32 | (uint64_t)(SELECTOR_USER_DATA - 8) << 48)

#define SERIAL_PORT     0x3f8
#define SERIAL_STATUS   (SERIAL_PORT + 5)
#define SERIAL_IS_EMPTY 0x60

static _Noreturn void fail(const struct vcpu *vcpu, const char *call)
{
	message_fail(STATUS_MONITOR_FAILED, "vcpu %u: %s: %s; see burrow doctor", vcpu->number,
		call, strerror(errno));
}

/* ---- first state -------------------------------------------------------------- */

static void set_cpuid(const struct vcpu *vcpu)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.value = cpuid_xcr0()}}};
	struct cpuid_list list;

	cpuid_fill(&list, vcpu->number);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, &list) < 0)
		fail(vcpu, "KVM_SET_CPUID2");
	if (xcrs.xcrs[0].value && ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs) < 0)
		fail(vcpu, "KVM_SET_XCRS");
}

/*
 * LSTAR: where a pagetable-based KVM takes `syscall` in ring 3, it stays in ring 3
 * and so must the entry. On other hosts it arrives there in ring 0, at code that
 * copes with both, and with interrupts off. In ring 3 they must stay on: nothing
 * there could turn them on again.
 */
static void set_msrs(const struct vcpu *vcpu)
{
	uint64_t sfmask = vcpu->machine->is_virtualized ? SFMASK | SFMASK_IF : SFMASK;
	struct {
		uint32_t count, padding; /* struct kvm_msrs with room */
		struct kvm_msr_entry entries[3];
	} msrs = {
		.count = 3,
		.entries = {{.index = MSR_STAR, .data = STAR},
			{.index = MSR_LSTAR, .data = vcpu->machine->kernel.note.syscall_entry},
			{.index = MSR_SFMASK, .data = sfmask}},
	};

	if (ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) != 3)
		fail(vcpu, "KVM_SET_MSRS");
}

static uint64_t start_cr4(const struct machine *machine)
{
	uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMM;

	if (!machine->is_virtualized || cpuid_has_fsgsbase())
		cr4 |= CR4_FSGSBASE;
	/* The OSXSAVE bit of an intercepted CPUID follows CR4. Where CPUID is the host's,
	 * setting it would only make KVM compare XCR0 at every entry. */
	if (machine->needs_cpuid && cpuid_xcr0())
		cr4 |= CR4_OSXSAVE;
	return cr4;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_code)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.dpl = 3,
		.s = 1,
		.l = is_code,
		.db = !is_code,
		.g = 1,
	};
}

static void set_sregs(const struct vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct machine *machine = vcpu->machine;
	const struct kernel_note *note = &machine->kernel.note;
	uint64_t tables = note->cpu_tables + (uint64_t)vcpu->number * note->cpu_tables_stride;
	struct kvm_segment data = segment(SELECTOR_USER_DATA, 3, false);

	*sregs = (struct kvm_sregs){
		.cs = segment(SELECTOR_USER_CODE, 11, true),
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.tr = {.base = tables + note->tss_offset,
			.limit = note->tss_bytes - 1,
			.selector = SELECTOR_TSS,
			.type = 11,
			.present = 1},
		.ldt = {.unusable = 1, .type = 2, .present = 1},
		.gdt = {.base = tables + note->gdt_offset,
			.limit = (uint16_t)(note->gdt_bytes - 1)},
		.idt = {.base = tables + note->idt_offset,
			.limit = (uint16_t)(note->idt_bytes - 1)},
		.cr0 = CR0_START,
		.cr3 = machine->page_tables,
		.cr4 = start_cr4(machine),
		.efer = EFER_START,
		.apic_base = APIC_BASE | (vcpu->number == 0 ? APIC_BASE_BOOT : 0u),
	};
}

void vcpu_create(struct vcpu *vcpu, struct machine *machine, unsigned number)
{
	struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};

	*vcpu = (struct vcpu){.machine = machine, .number = number};
	vcpu->fd = ioctl(machine->vm_fd, KVM_CREATE_VCPU, number);
	if (vcpu->fd < 0)
		fail(vcpu, "cannot be created");
	vcpu->run = mmap(NULL, machine->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		fail(vcpu, "mmap");
	if (machine->needs_cpuid)
		set_cpuid(vcpu);
	set_msrs(vcpu);
	if (number > 0 && ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable) < 0)
		fail(vcpu, "KVM_SET_MP_STATE");
	set_sregs(vcpu, &vcpu->run->s.regs.sregs);
	vcpu->run->s.regs.regs = (struct kvm_regs){
		.rip = machine->kernel.note.entry,
		.rdi = LAYOUT_BOOT_INFO,
		.rsi = number,
		.rflags = RFLAGS_START,
	};
	vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

/* ---- exits ---------------------------------------------------------------------- */

static _Noreturn void crash(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	struct kvm_regs regs = {0};
	struct kvm_sregs sregs = {0};

	message_print("the VM crashed: %s (%#lx); this is a bug of Burrow's kernel or monitor",
		what, detail);
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) == 0 &&
		ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) == 0)
		report_vcpu(vcpu->machine, vcpu->number, &regs, &sregs);
	io_finish(vcpu->machine, STATUS_VM_FAILED);
}

/* Its last byte is not there any more. */
static bool is_cut_short(const struct machine_file *file)
{
	char byte;
	struct iovec part = {&byte, 1};

	return file->path && file->bytes &&
	       syscall(SYS_preadv2, file->fd, &part, 1, file->offset + file->bytes - 1, 0, 0) == 0;
}

/* The host could not give a page: the guest wrote what it may not, or a file that the
 * VM is mapped from was cut short meanwhile. */
static _Noreturn void crash_without_page(struct vcpu *vcpu)
{
	const struct machine *machine = vcpu->machine;
	const struct machine_file *files[3 + BOOT_MAX_IMAGES] = {
		&machine->program, &machine->files, &machine->sites};

	for (unsigned i = 0; i < BOOT_MAX_IMAGES; i++)
		files[3 + i] = &machine->images[i];
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		if (is_cut_short(files[i])) {
			message_print("%s: truncated while the VM ran from it; replace files by "
				      "rename instead",
				files[i]->path);
			io_finish(vcpu->machine, STATUS_VM_FAILED);
		}
	}
	crash(vcpu, "access to memory that the host cannot give", vcpu->number);
}

static void handle_exit_port(struct vcpu *vcpu, uint32_t value)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (!(value & BOOT_EXIT_PANIC))
		io_finish(vcpu->machine, value & 0xff);
	if (vcpu->machine->options.verbose && ioctl(vcpu->fd, KVM_GET_REGS, &regs) == 0 &&
		ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) == 0)
		report_vcpu(vcpu->machine, vcpu->number, &regs, &sregs);
	io_finish(vcpu->machine, STATUS_VM_FAILED);
}

static void handle_port(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	size_t bytes = (size_t)run->io.size * run->io.count;
	uint32_t value = 0;

	if (run->io.direction == KVM_EXIT_IO_IN) {
		memset(data, run->io.port == SERIAL_STATUS ? SERIAL_IS_EMPTY : 0xff, bytes);
	} else if (run->io.port == BOOT_EXIT_PORT) {
		memcpy(&value, data, MIN(bytes, sizeof(value)));
		handle_exit_port(vcpu, value);
	} else if (run->io.port == BOOT_GIVE_BACK_PORT) {
		memcpy(&value, data, MIN(bytes, sizeof(value)));
		if (!give_back_block(&vcpu->machine->layout, value) &&
			vcpu->machine->options.verbose)
			message_print("guest bug: gives back block %#x, which is not its", value);
	} else if (run->io.port == SERIAL_PORT) {
		message_write((char *)data, bytes);
	} else if (vcpu->machine->options.verbose) {
		message_print("guest bug: write to port %#x", run->io.port);
	}
}

static void handle_mmio(struct vcpu *vcpu)
{
	static bool is_reported;
	struct kvm_run *run = vcpu->run;

	if (run->mmio.is_write && run->mmio.phys_addr == LAYOUT_DOORBELL) {
		io_doorbell(vcpu->machine);
		return;
	}
	if (run->mmio.is_write && run->mmio.phys_addr >= LAYOUT_DISK_DOORBELL(0) &&
		run->mmio.phys_addr < LAYOUT_DISK_DOORBELL(BOOT_MAX_DISKS)) {
		io_disk_doorbell(vcpu->machine, run->mmio.phys_addr);
		return;
	}
	if (run->mmio.is_write && run->mmio.phys_addr >= LAYOUT_SHARE_DOORBELL(0) &&
		run->mmio.phys_addr < LAYOUT_SHARE_DOORBELL(BOOT_MAX_SHARES)) {
		io_share_doorbell(vcpu->machine, run->mmio.phys_addr);
		return;
	}
	if (!run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
	if (vcpu->machine->options.verbose && !is_reported) {
		is_reported = true;
		message_print("guest bug: %s of physical address %#llx, which is no memory",
			run->mmio.is_write ? "write" : "read", run->mmio.phys_addr);
	}
}

static void handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_port(vcpu);
		break;
	case KVM_EXIT_MMIO:
		handle_mmio(vcpu);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_IOAPIC_EOI:
		break;
	case KVM_EXIT_SHUTDOWN:
		crash(vcpu, "triple fault", vcpu->number);
	case KVM_EXIT_FAIL_ENTRY:
		crash(vcpu, "the processor refused to enter the guest",
			run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		crash(vcpu, "KVM internal error", run->internal.suberror);
	case KVM_EXIT_SYSTEM_EVENT:
		crash(vcpu, "system event", run->system_event.type);
	default:
		crash(vcpu, "unexpected exit from the guest", run->exit_reason);
	}
}

void vcpu_run(struct vcpu *vcpu)
{
	if (vcpu->number == 0)
		timeline_mark(MARK_ENTER);
	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
			handle_exit(vcpu);
		else if (errno == EFAULT)
			crash_without_page(vcpu);
		else if (errno != EINTR && errno != EAGAIN)
			crash(vcpu, strerror(errno), (uint64_t)errno);
	}
}
