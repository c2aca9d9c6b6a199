/*
 * The devices of the console, shared by console.c (devices, messages) and
 * console_file.c (descriptors).
 */
#ifndef DRIVERS_CONSOLE_STATE_H
#define DRIVERS_CONSOLE_STATE_H

#include "drivers/console_input.h"
#include "drivers/console_output.h"

/* struct termios of the kernel's own interface (asm-generic/termbits.h). */
struct console_termios {
	uint32_t input, output, control, local; /* flags */
	uint8_t line;
	uint8_t characters[19];
};

_Static_assert(sizeof(struct console_termios) == 36, "Linux layout");

struct console_state {
	struct virtio_device stdio_device, error_device, control_device;
	struct console_input stdio_input;
	struct console_output stdio_output, error_output, control_output;
	uint16_t rows, columns;          /* of the terminal; torn reads are harmless */
	struct console_termios terminal; /* as last told by the launcher or the program */
};

extern struct console_state console;

/* What each stream reads and writes, from boot_info. */
void console_streams_init(void);
/* Settings of a fresh terminal, until the launcher tells. */
void console_terminal_init(void);
/* Tells the launcher the settings in console.terminal. */
void console_send_terminal_settings(void);

#endif
