/* Words of the kernel command line; see command_line.h. */
#include "platform/vm/command_line.h"

#include "abi/kernel_image.h"
#include "lib/compiler.h"
#include "lib/string.h"

#define REGISTER_DEVICE_ID 0x008 /* virtio 1.2, section 4.2.2 */

static const char *after(const char *word, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(word, prefix, length) == 0 ? word + length : NULL;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* Decimal, or hexadecimal with 0x. Moves *text behind the digits. */
static uint64_t number(const char **text)
{
	uint64_t value = 0;
	int base = 10;

	if ((*text)[0] == '0' && (*text)[1] == 'x') {
		base = 16;
		*text += 2;
	}
	while (digit(**text) < base)
		value = value * (uint64_t)base + (uint64_t)digit(*(*text)++);
	return value;
}

static void add_device(const char *text, struct boot_info *info)
{
	uint64_t base, line;

	while (*text != '@' && *text != '\0' && *text != ' ')
		text++;
	if (*text++ != '@')
		return;
	base = number(&text);
	if (*text++ != ':' || info->device_count == BOOT_MAX_DEVICES || base >= 1ull << 32)
		return;
	line = number(&text);
	const volatile uint32_t *registers = (void *)(uintptr_t)(LINEAR_BASE + base);
	struct boot_device device = {
		.transport = BOOT_TRANSPORT_MMIO,
		.virtio_id = registers[REGISTER_DEVICE_ID / 4],
		.interrupt = (uint32_t)line,
		.base = base,
	};
	/* In ascending order of address: roles depend on it (abi/bundle.h). */
	uint32_t i = info->device_count++;
	while (i > 0 && info->devices[i - 1].base > base) {
		info->devices[i] = info->devices[i - 1];
		i--;
	}
	info->devices[i] = device;
}

void command_line_read(const char *line, struct boot_info *info)
{
	const char *value;

	for (const char *at = line; *at != '\0';) {
		if ((value = after(at, "virtio_mmio.device=")) != NULL) {
			add_device(value, info);
		} else if ((value = after(at, "burrow.cpus=")) != NULL) {
			uint64_t cpus = number(&value);
			if (cpus >= 1 && cpus <= BOOT_MAX_CPUS)
				info->cpu_count = (uint32_t)cpus;
		} else if ((value = after(at, "burrow.tsc_hz=")) != NULL) {
			info->tsc_hz = number(&value);
		}
		while (*at != ' ' && *at != '\0')
			at++;
		while (*at == ' ')
			at++;
	}
}
