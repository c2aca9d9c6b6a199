/*
 * What KVM is told to show its guest as CPUID, where the guest does not see the
 * processor's own: with VT-x and SVM, and where CPUID in ring 3 can be made to fault.
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

/*
 * True if the guest's XCR0 and CR4 are what KVM was told, as VT-x and SVM do it. A KVM
 * without either of them runs ring 3 directly on the host.
 */
bool cpuid_is_virtualized(void);

/*
 * True if the guest's CPUID instruction gives what KVM was told: with VT-x and SVM, and on
 * processors that let ring 3's CPUID fault (Intel's), of which a KVM without either makes
 * use. Elsewhere the guest sees the processor as the host's programs do.
 */
bool cpuid_is_intercepted(void);

/*
 * Builds the list for vcpu `cpu` from the processor itself, leaving out what a guest in ring 3
 * cannot use: KVM_GET_SUPPORTED_CPUID would take longer than the rest of the start.
 */
void cpuid_fill(struct cpuid_list *list, unsigned cpu);

bool cpuid_has_fsgsbase(void);
/* XCR0 of the host as far as guests may use it (x87, SSE, AVX, AVX-512); 0 without XSAVE. */
uint64_t cpuid_xcr0(void);

#endif
