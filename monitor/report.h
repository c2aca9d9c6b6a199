/*
 * What is shown when the VM crashes: registers and a backtrace with names.
 */
#ifndef MONITOR_REPORT_H
#define MONITOR_REPORT_H

#include <linux/kvm.h>

#include "monitor/machine.h"

/* Prints text of a kernel panic, with a name after each address of the kernel. */
void report_text(const struct kernel_file *kernel, const char *text, size_t bytes);

/* Prints registers and a backtrace of a vcpu that cannot go on. */
void report_vcpu(const struct machine *machine, unsigned cpu, const struct kvm_regs *regs,
	const struct kvm_sregs *sregs);

#endif
