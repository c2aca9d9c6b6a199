/*
 * The program's standard streams, the kernel's log, and the control channel.
 *
 * All three are virtio-console devices (virtio 1.2, section 5.3, without
 * MULTIPORT) found in boot_info by their role. Writes copy into ring buffers and
 * return; the launcher takes the bytes when it likes. Memory for bulk is taken
 * when bulk is written and given back when it is gone. Until console_init(), and
 * where a device is missing, output goes to platform_emergency_write().
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include "lib/compiler.h"

struct file;

enum console_which {
	CONSOLE_STDIN = 0,
	CONSOLE_STDOUT = 1,
	CONSOLE_STDERR = 2,
	CONSOLE_TERMINAL = 3, /* /dev/tty, /dev/console: stdin and stdout of a terminal */
};

/* Finds and starts the devices of boot_info. After the heap, the page allocator and
 * the scheduler's data exist; before the file tree. Never fails: see above. */
void console_init(void);

/* Installs the descriptors 0, 1 and 2; a stream that is closed at the launcher is
 * left out. -ENOMEM, -EMFILE. */
int console_open_standard(void);

/* A new open description of a stream, with one reference. NULL: no memory, the
 * stream is closed, or (CONSOLE_TERMINAL) there is no terminal. */
struct file *console_file(int which);
/* The same for vnode_ops.open: sets file->ops and file->data. -ENXIO. */
int console_open(int which, struct file *file);
/* enum boot_stream_kind of a stream. */
int console_stream_kind(int which);

/* Kernel log lines to stderr (whole lines, newline included). Never sleeps; what does
 * not fit goes out through a bounded wait. Any context. */
void console_write_log(const char *text, size_t bytes);

/* The last word to the launcher: how the program ended. Call after console_drain(). */
void console_send_exit(int status, int signal);
/* A kernel panic, with its text. Takes no locks: other vcpus may hold them. */
void console_send_panic(const char *text, size_t bytes);
/* The program is about to be entered. */
void console_send_ready(uint64_t ticks);
/* Waits, by polling the rings, until the launcher has taken all output, or made no
 * progress for two seconds. */
void console_drain(void);

#endif
