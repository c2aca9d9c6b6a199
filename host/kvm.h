/* Whether this machine's KVM can be used, and what it is. */
#ifndef HOST_KVM_H
#define HOST_KVM_H

#include "lib/compiler.h"

enum kvm_kind { KVM_VTX, KVM_SVM, KVM_PAGETABLE };

/* Returns 0, or -errno of opening /dev/kvm, or -ENOTSUP for an unknown API version. */
int kvm_probe(void);
/* Why kvm_probe() failed and what to do, for one line. */
const char *kvm_error_text(int error);
/* From the processor's flags: without VT-x and SVM a KVM is pagetable-based. */
enum kvm_kind kvm_kind(void);
const char *kvm_kind_text(enum kvm_kind kind);

/* Whether the first "flags" line of /proc/cpuinfo holds the word. */
bool kvm_cpu_has(const char *flag);
/* The first "model name" of /proc/cpuinfo; never NULL. */
const char *kvm_cpu_model(void);

#endif
