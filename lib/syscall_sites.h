/*
 * Finds the `syscall` instructions of a Go program that can become calls.
 *
 * Go keeps them in a few assembly functions; five byte patterns tell them from
 * data and from other instructions. Pure, as lib/elf.h. A program that
 * is not Go has no sites: other compilers' code may branch into the patterns.
 */
#ifndef LIB_SYSCALL_SITES_H
#define LIB_SYSCALL_SITES_H

#include "lib/elf.h"
#include "abi/syscall_site.h"

/* More than any Go program was seen to have (38-40). */
#define SYSCALL_SITES_MAX 256

/*
 * `program` comes from elf_check() of the same image. Stores at most `capacity`
 * sites in ascending order of segment and address; returns how many it stored.
 * What does not fit is served by the trap.
 */
size_t syscall_sites_find(const uint8_t *image, uint64_t bytes, const struct elf_program *program,
	struct syscall_site *out, size_t capacity);

/*
 * Whether the image holds Go code only: it has Go's build-ID note or build info, and
 * starts with Go's own entry code instead of a C library's.
 */
bool syscall_sites_is_go(const uint8_t *image, uint64_t bytes, const struct elf_program *program);

#endif
