/* Last words and the end of the machine, by whichever port this launcher listens to. */
#include "abi/boot_info.h"
#include "kernel/platform.h"
#include "platform/vm/ports.h"

#define SERIAL_PORT     0x3f8
#define SERIAL_STATUS   (SERIAL_PORT + 5)
#define SERIAL_CAN_SEND 0x20
#define DEBUG_EXIT_PORT 0xf4
#define RESET_PORT      0x64
#define RESET_COMMAND   0xfe
#define PANIC_STATUS    70 /* EX_SOFTWARE of sysexits(3) */

static bool is_direct(void)
{
	const struct boot_info *info = platform_boot_info();

	/* Before boot_info is known there is only our monitor's way or a serial port; both
	 * take bytes at the same address. */
	return info->magic == BOOT_INFO_MAGIC && (info->flags & BOOT_DIRECT) != 0;
}

void platform_emergency_write(const char *text, size_t bytes)
{
	bool direct = is_direct();

	for (size_t i = 0; i < bytes; i++) {
		for (int tries = 0; !direct && tries < 10000; tries++) {
			if (port_read8(SERIAL_STATUS) & SERIAL_CAN_SEND)
				break;
		}
		port_write8(SERIAL_PORT, (uint8_t)text[i]);
	}
}

static _Noreturn void end(uint32_t direct_value, int status)
{
	uint32_t flags = platform_boot_info()->flags;

	if (flags & BOOT_DIRECT)
		port_write32(BOOT_EXIT_PORT, direct_value);
	if (flags & BOOT_EXIT_DEBUG_PORT)
		port_write32(DEBUG_EXIT_PORT, (uint32_t)status);
	port_write8(RESET_PORT, RESET_COMMAND);
	for (;;)
		platform_idle();
}

_Noreturn void platform_exit(int status)
{
	end((uint32_t)status & 0xff, status);
}

_Noreturn void platform_panic_exit(void)
{
	end(BOOT_EXIT_PANIC | PANIC_STATUS, PANIC_STATUS);
}
