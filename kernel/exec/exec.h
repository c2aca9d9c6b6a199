/*
 * Starting the program: loading its ELF file, rewriting its system call sites, and
 * the stack that its first instruction sees.
 */
#ifndef KERNEL_EXEC_EXEC_H
#define KERNEL_EXEC_EXEC_H

#include "abi/boot_info.h"
#include "abi/syscall_site.h"
#include "kernel/platform.h"
#include "lib/elf.h"

struct trap_frame;

/*
 * Loads the program of boot_info and creates its first thread, ready to run. Once,
 * at boot, when everything else is up. A program that cannot run ends the machine
 * with one line and status 126, as a shell does for what it cannot execute.
 */
void exec_start_program(const struct boot_info *info);

/* Path of the program, for /proc/self/exe; valid for ever. */
const char *exec_program_path(void);
/* Arguments and environment as they were given: `bytes` of NUL-terminated strings. */
const char *exec_arguments(size_t *bytes);
const char *exec_environment(size_t *bytes);
/* Auxiliary vector as it lies on the stack, for /proc/self/auxv. */
const void *exec_auxiliary_vector(size_t *bytes);

/* ---- between the files of this folder ------------------------------------- */

struct exec_image {
	struct elf_program elf;
	uint64_t base; /* added to the addresses of a position-independent program */
	const uint8_t *file;
	uint64_t file_bytes;
	struct phys file_phys;
};

/* Maps the segments and applies relocations. 0 or -E. */
int exec_load_segments(struct exec_image *image);
/* Copies the pages that hold system call sites and turns the sites into calls. What
 * cannot be rewritten stays: it traps. After exec_load_segments(). 0 or -E. */
int exec_rewrite_sites(struct exec_image *image, const struct syscall_site *sites, size_t count);
/* Builds stack and auxiliary vector; fills in the first register state. 0 or -E. */
int exec_build_stack(const struct exec_image *image, const struct boot_info *info, uintptr_t vdso,
	struct trap_frame *frame);
/* Maps the vDSO and its data page; *address is its ELF header. 0 or -E. */
int exec_map_vdso(uintptr_t *address);

#endif
