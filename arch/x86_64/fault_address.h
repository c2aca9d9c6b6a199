/*
 * Which address an instruction faulted on, worked out from the instruction.
 *
 * CR2 can only be read in ring 0, which costs as much as the whole fault on hosts
 * that emulate ring 0. For most instructions the address follows from the operand
 * bytes and the registers (Intel SDM volume 2, chapter 2).
 */
#ifndef ARCH_X86_64_FAULT_ADDRESS_H
#define ARCH_X86_64_FAULT_ADDRESS_H

#include "lib/compiler.h"
#include "arch/x86_64/trap_frame.h"

#define INSTRUCTION_MAX_BYTES 15

/*
 * `code` holds the `code_bytes` bytes at frame->rip that may be read. True and
 * *address, the first byte of the operand, when it is certain that the fault is on
 * that byte's page; false when CR2 must tell.
 */
bool fault_address_decode(const struct trap_frame *frame, uint64_t fs_base, const uint8_t *code,
	size_t code_bytes, uintptr_t *address);

#endif
