/*
 * What an ordinary KVM (VT-x, SVM) is told to show its guest as CPUID.
 */
#ifndef MONITOR_CPUID_H
#define MONITOR_CPUID_H

#include <linux/kvm.h>

#include "lib/compiler.h"

#define CPUID_MAX_ENTRIES 32

/* struct kvm_cpuid2 with room. */
struct cpuid_list {
	uint32_t count;
	uint32_t padding;
	struct kvm_cpuid_entry2 entries[CPUID_MAX_ENTRIES];
};

_Static_assert(offsetof(struct cpuid_list, entries) == sizeof(struct kvm_cpuid2), "KVM layout");

/* XCR0 features that a guest may use: x87, SSE, AVX, AVX-512. */
#define CPUID_XCR0_MASK 0xe7ull

/*
 * True if the guest's CPUID instruction, XCR0 and CR4 are what KVM was told, as VT-x and SVM do
 * it. A KVM without either of them runs ring 3 directly on the host: the guest
 * sees the processor as the host's programs do, and need not be told anything.
 */
bool cpuid_is_virtualized(void);

/*
 * Builds the list for vcpu `cpu` from the processor itself, leaving out what a guest in ring 3
 * cannot use: KVM_GET_SUPPORTED_CPUID would take longer than the rest of the start.
 */
void cpuid_fill(struct cpuid_list *list, unsigned cpu);

bool cpuid_has_fsgsbase(void);
/* XCR0 of the host, limited to CPUID_XCR0_MASK; 0 without XSAVE. */
uint64_t cpuid_xcr0(void);

#endif
