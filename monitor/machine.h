/*
 * One virtual machine: what the threads of the monitor share.
 *
 * Everything is written during start-up, before the gate that its readers wait
 * for; afterwards only `io` changes, under its own lock.
 */
#ifndef MONITOR_MACHINE_H
#define MONITOR_MACHINE_H

#include "monitor/gate.h"
#include "monitor/guest_memory.h"
#include "monitor/kernel_file.h"
#include "monitor/layout.h"
#include "monitor/options.h"

struct machine_file {
	const char *path; /* NULL: not given */
	int fd;
	uint64_t offset; /* of the part of the file that is meant; on a page */
	uint64_t bytes;
};

struct machine {
	struct options options;
	struct kernel_file kernel;
	struct machine_file program, files, sites, images[BOOT_MAX_IMAGES];
	char program_path[4096]; /* absolute */
	struct layout layout;
	struct guest_memory memory;
	uint64_t page_tables; /* CR3 */
	uint64_t tsc_hz;

	int kvm_fd;
	int vm_fd;
	unsigned run_bytes;  /* of each vcpu's struct kvm_run */
	bool is_virtualized; /* an ordinary KVM, with VT-x or SVM */
	bool needs_cpuid;    /* the guest's CPUID gives what KVM_SET_CPUID2 says */
	int doorbell_fd;     /* eventfd, set before `image_ready` */

	struct gate vm_ready;    /* vm_fd may be used */
	struct gate slots_ready; /* guest memory is there */
	struct gate image_ready; /* image, tables, boot info are complete; vcpu 0 exists */
};

#endif
