/*
 * CPUID for the guest; see cpuid.h. Bits are those of the processor manuals (Intel
 * volume 2, CPUID; AMD volume 3, appendix E).
 */
#include <asm/prctl.h>
#include <cpuid.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/cpuid.h"

#define XCR0_MASK 0xe7ull /* x87, SSE, AVX, AVX-512 */

#define LEAF1_ECX_VMX        (1u << 5)
#define LEAF1_ECX_OSXSAVE    (1u << 27)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define EXTENDED1_ECX_SVM    (1u << 2)
#define LEAF7_EBX_FSGSBASE   (1u << 0)

/* One leaf, and the bits of each register that are passed on. */
struct leaf {
	uint32_t function, index;
	uint32_t eax, ebx, ecx, edx;
	bool has_index;
};

#define ALL 0xffffffffu

static const struct leaf leaves[] = {
	{0x0, 0, ALL, ALL, ALL, ALL, false},
	/* ecx: SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT TSC-deadline AES XSAVE
	 * AVX F16C RDRAND; edx: all but thermal and debug-store bits */
	{0x1, 0, ALL, 0x00ffff00, 0x77f83203 & ~LEAF1_ECX_OSXSAVE, 0x1f8bfbff & ~(1u << 21), false},
	/* ebx: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA AVX-512;
	 * ecx: VBMI UMIP VBMI2 GFNI VAES VPCLMUL VNNI BITALG VPOPCNTDQ RDPID; edx: FSRM */
	{0x7, 0, 1, 0xf1bf03a9, 0x00405f46, 0x00000010, true},
	{0x7, 1, 0x00000030, 0, 0, 0, true},
	{0xd, 0, XCR0_MASK, ALL, ALL, 0, true},
	{0xd, 1, 0x7, 0, 0, 0, true}, /* XSAVEOPT XSAVEC XGETBV1 */
	{0xd, 2, ALL, ALL, ALL, ALL, true},
	{0xd, 5, ALL, ALL, ALL, ALL, true},
	{0xd, 6, ALL, ALL, ALL, ALL, true},
	{0xd, 7, ALL, ALL, ALL, ALL, true},
	{0x80000000, 0, ALL, ALL, ALL, ALL, false},
	{0x80000001, 0, ALL, 0, 0x000001f1, 0x2fd3fbff, false},
	{0x80000002, 0, ALL, ALL, ALL, ALL, false},
	{0x80000003, 0, ALL, ALL, ALL, ALL, false},
	{0x80000004, 0, ALL, ALL, ALL, ALL, false},
	{0x80000007, 0, 0, 0, 0, 1u << 8, false}, /* invariant TSC */
	{0x80000008, 0, ALL, 0, 0, 0, false},
};

_Static_assert(ARRAY_SIZE(leaves) <= CPUID_MAX_ENTRIES, "the list holds all leaves");

/* Reads a leaf; false if the processor does not have it. */
static bool read_leaf(uint32_t function, uint32_t index, struct kvm_cpuid_entry2 *entry,
	uint32_t highest, uint32_t highest_extended)
{
	if (function > (function >= 0x80000000 ? highest_extended : highest))
		return false;
	__cpuid_count(function, index, entry->eax, entry->ebx, entry->ecx, entry->edx);
	entry->function = function;
	entry->index = index;
	return true;
}

bool cpuid_is_virtualized(void)
{
	unsigned eax, ebx, ecx, edx;

	__cpuid(1, eax, ebx, ecx, edx);
	if (ecx & LEAF1_ECX_VMX)
		return true;
	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & EXTENDED1_ECX_SVM);
}

bool cpuid_is_intercepted(void)
{
	/* Asks for CPUID as it is, which fails where it cannot be made to fault. */
	return cpuid_is_virtualized() || syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1) == 0;
}

bool cpuid_has_fsgsbase(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & LEAF7_EBX_FSGSBASE);
}

uint64_t cpuid_xcr0(void)
{
	unsigned eax, ebx, ecx, edx;

	__cpuid(1, eax, ebx, ecx, edx);
	if (!(ecx & LEAF1_ECX_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return ((uint64_t)edx << 32 | eax) & XCR0_MASK;
}

void cpuid_fill(struct cpuid_list *list, unsigned cpu)
{
	uint32_t highest = __get_cpuid_max(0, NULL);
	uint32_t highest_extended = __get_cpuid_max(0x80000000, NULL);

	memset(list, 0, sizeof(*list));
	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
		const struct leaf *leaf = &leaves[i];
		struct kvm_cpuid_entry2 *entry = &list->entries[list->count];

		if (!read_leaf(leaf->function, leaf->index, entry, highest, highest_extended))
			continue;
		entry->flags = leaf->has_index ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
		entry->eax &= leaf->eax;
		entry->ebx &= leaf->ebx;
		entry->ecx &= leaf->ecx;
		entry->edx &= leaf->edx;
		if (leaf->function == 1) {
			entry->ebx |= cpu << 24;
			entry->ecx |= LEAF1_ECX_HYPERVISOR;
		}
		list->count++;
	}
}
