/*
 * Crash reports; see report.h. Nothing the guest says is trusted here either.
 */
#include <string.h>

#include "lib/format.h"
#include "monitor/message.h"
#include "monitor/report.h"

#define MAX_FRAMES   32
#define ADDRESS_TEXT 18 /* 0x and 16 digits */
#define LINE_BYTES   512

static void print_line(const char *format, ...) PRINTF_LIKE(1, 2);

static void print_line(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;
	size_t bytes;

	va_start(args, format);
	bytes = format_text_args(line, sizeof(line) - 1, format, args);
	va_end(args);
	bytes = MIN(bytes, sizeof(line) - 2);
	line[bytes++] = '\n';
	message_write(line, bytes);
}

/* "name+0x1c (source.c)", or "" */
static void name_address(
	const struct kernel_file *kernel, uint64_t address, char *text, size_t capacity)
{
	const char *source;
	uint64_t offset;
	const char *name = kernel_file_symbol(kernel, address, &offset, &source);

	text[0] = '\0';
	if (name)
		format_text(text, capacity, "%s+0x%lx%s%s%s", name, offset, *source ? " (" : "",
			source, *source ? ")" : "");
}

/* A kernel address at the start of `text`: "0x" and 16 hexadecimal digits. */
static bool parse_address(const char *text, size_t bytes, uint64_t *address)
{
	*address = 0;
	if (bytes < ADDRESS_TEXT || text[0] != '0' || text[1] != 'x')
		return false;
	for (unsigned i = 2; i < ADDRESS_TEXT; i++) {
		const char *digits = "0123456789abcdef";
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit)
			return false;
		*address = *address << 4 | (uint64_t)(digit - digits);
	}
	return *address >= KERNEL_VIRT_BASE;
}

void report_text(const struct kernel_file *kernel, const char *text, size_t bytes)
{
	size_t shown = 0;

	for (size_t i = 0; i < bytes; i++) {
		char name[256], piece[300];
		uint64_t address;

		if (!parse_address(text + i, bytes - i, &address))
			continue;
		name_address(kernel, address, name, sizeof(name));
		i += ADDRESS_TEXT - 1;
		message_write(text + shown, i + 1 - shown);
		shown = i + 1;
		if (name[0])
			message_write(piece, format_text(piece, sizeof(piece), " %s", name));
	}
	message_write(text + shown, bytes - shown);
	if (bytes && text[bytes - 1] != '\n')
		message_write("\n", 1);
}

static void print_address(const struct machine *machine, const char *label, uint64_t address)
{
	char name[256];

	name_address(&machine->kernel, address, name, sizeof(name));
	print_line("  %s 0x%016lx %s", label, address, name);
}

static void print_backtrace(const struct machine *machine, uint64_t root, uint64_t frame)
{
	for (unsigned depth = 0; depth < MAX_FRAMES; depth++) {
		uint64_t words[2]; /* caller's frame, return address */

		if (frame % 8 || !guest_memory_read_virtual(
					 &machine->memory, root, frame, words, sizeof(words)))
			return;
		print_address(machine, "at", words[1]);
		if (words[0] <= frame)
			return;
		frame = words[0];
	}
}

void report_vcpu(const struct machine *machine, unsigned cpu, const struct kvm_regs *regs,
	const struct kvm_sregs *sregs)
{
	print_line("vcpu %u: cs %04x ss %04x rflags %08llx cr2 %016llx cr3 %016llx", cpu,
		sregs->cs.selector, sregs->ss.selector, regs->rflags, sregs->cr2, sregs->cr3);
	print_line("  rax %016llx rbx %016llx rcx %016llx rdx %016llx", regs->rax, regs->rbx,
		regs->rcx, regs->rdx);
	print_line("  rsi %016llx rdi %016llx rbp %016llx rsp %016llx", regs->rsi, regs->rdi,
		regs->rbp, regs->rsp);
	print_line("  r8  %016llx r9  %016llx r10 %016llx r11 %016llx", regs->r8, regs->r9,
		regs->r10, regs->r11);
	print_line("  r12 %016llx r13 %016llx r14 %016llx r15 %016llx", regs->r12, regs->r13,
		regs->r14, regs->r15);
	print_line("  fs  %016llx gs  %016llx tr  %016llx idt %016llx", sregs->fs.base,
		sregs->gs.base, sregs->tr.base, sregs->idt.base);
	print_address(machine, "rip", regs->rip);
	print_backtrace(machine, sregs->cr3, regs->rbp);
}
