/*
 * Creates the VM; see vm.h. What each call costs is in docs/monitor.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "monitor/message.h"
#include "monitor/timeline.h"
#include "monitor/vm.h"

#define KVM_DEVICE "/dev/kvm"

static const char *open_advice(int error)
{
	switch (error) {
	case ENOENT:
		return "this machine offers no KVM; load the kvm module, enable virtualization, or "
		       "use burrow run --platform qemu";
	case EACCES:
	case EPERM:
		return "no permission; add yourself to the group that owns it (usually kvm) and "
		       "log "
		       "in again";
	default:
		return "KVM cannot be used; see burrow doctor";
	}
}

void vm_open(struct machine *machine)
{
	int version;

	machine->kvm_fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
	if (machine->kvm_fd < 0)
		message_fail(STATUS_MONITOR_FAILED, KVM_DEVICE ": %s: %s", strerror(errno),
			open_advice(errno));
	version = ioctl(machine->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		message_fail(STATUS_MONITOR_FAILED,
			KVM_DEVICE ": API version %d instead of %d: not a Linux KVM that Burrow "
				   "knows",
			version, KVM_API_VERSION);
}

void vm_create(struct machine *machine)
{
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP};
	int run_bytes, tsc_khz;

	do {
		machine->vm_fd = ioctl(machine->kvm_fd, KVM_CREATE_VM, 0);
	} while (machine->vm_fd < 0 && errno == EINTR);
	if (machine->vm_fd < 0)
		message_fail(STATUS_MONITOR_FAILED, "cannot create a VM: %s; see burrow doctor",
			strerror(errno));
	/* The local APIC only: a full irqchip makes memory changes and the end slow. */
	if (ioctl(machine->vm_fd, KVM_ENABLE_CAP, &split) < 0)
		message_fail(STATUS_MONITOR_FAILED,
			"KVM without split irqchip: %s; a Linux from 4.5 on is needed",
			strerror(errno));
	run_bytes = ioctl(machine->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_bytes < (int)sizeof(struct kvm_run))
		message_fail(STATUS_MONITOR_FAILED, "KVM_GET_VCPU_MMAP_SIZE: %s", strerror(errno));
	machine->run_bytes = (unsigned)run_bytes;
	tsc_khz = ioctl(machine->vm_fd, KVM_GET_TSC_KHZ, 0);
	machine->tsc_hz = tsc_khz > 0 ? (uint64_t)tsc_khz * 1000 : 0;
	timeline_mark(MARK_VM);
	gate_open(&machine->vm_ready);
}

void vm_set_memory(struct machine *machine)
{
	const struct layout *layout = &machine->layout;

	for (unsigned i = 0; i < layout->slot_count; i++) {
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = layout->slots[i].base,
			.memory_size = layout->slots[i].bytes,
			.userspace_addr = (uintptr_t)layout->slots[i].host,
		};

		if (ioctl(machine->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
			message_fail(STATUS_MONITOR_FAILED,
				"memory: KVM does not take %lu MiB: %s; give a smaller --mem",
				(unsigned long)(region.memory_size >> 20), strerror(errno));
	}
	timeline_mark(MARK_SLOTS);
	gate_open(&machine->slots_ready);
}
