/*
 * A guest that tries the monitor, without any kernel: argv[1] names what to do.
 *
 *   hello         "hello\n" to stdout, "warning\n" to stderr, status 0
 *   exit N        status N at once
 *   bytes N       N MiB of lines to stdout
 *   cat           stdin to stdout until the end of stdin, then its length to stderr
 *   tell          command line, environment and memory regions to stdout
 *   signal        waits for a signal, prints its number
 *   kill N        says that signal N killed the program
 *   panic         a kernel panic with addresses
 *   crash         an undefined instruction without a handler: a triple fault
 *   write-text    writes to the kernel's text; read-nucleus: reads ring 0's page
 *   port          text to the serial port
 *   vector        vector registers survive exits
 *   cpus          all vcpus run
 *   ring-N        breaks a ring in the Nth way
 */
#include "abi/boot_info.h"
#include "abi/control.h"
#include "abi/kernel_image.h"
#include "lib/format.h"
#include "lib/string.h"

#define LINEAR(type, phys) ((type *)(LINEAR_BASE + (phys)))

void guest_main(uint64_t info_phys, uint64_t cpu);
extern char nucleus_start[];

struct descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

struct queue {
	const struct boot_queue *boot;
	volatile struct descriptor *descriptors;
	volatile uint16_t *available; /* flags, index, entries, used_event */
	volatile uint16_t *used;      /* flags, index, 8-byte entries, avail_event */
	uint16_t next, seen;
};

static const struct boot_info *info;
static struct queue to_guest[3], from_guest[3];
static volatile uint32_t cpus_running;
static char text[4096];
static uint8_t input[65536];
static uint8_t big[1 << 20];

static void port_write(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "d"(port));
}

static _Noreturn void leave(uint32_t status)
{
	port_write(BOOT_EXIT_PORT, status);
	for (;;)
		__builtin_ia32_pause();
}

static uint64_t phys_of(const void *pointer)
{
	uint64_t address = (uint64_t)pointer;

	if (address >= KERNEL_VIRT_BASE)
		return address - KERNEL_VIRT_BASE + info->kernel_base;
	return address - LINEAR_BASE;
}

static void doorbell(const struct queue *queue)
{
	/* The doorbell is not mapped by the launcher: map it in the last page table slot. */
	static bool mapped;
	uint64_t *table = LINEAR(uint64_t, info->page_tables);

	if (!mapped) {
		for (int level = 3; level > 0; level--)
			table = LINEAR(
				uint64_t, table[(DEVICE_VIRT_BASE >> (12 + 9 * level)) % 512] &
						  0x000ffffffffff000ull);
		table[1] = queue->boot->doorbell | 0x8000000000000077ull;
		mapped = true;
	}
	*(volatile uint32_t *)(DEVICE_VIRT_BASE + 4096) = 0;
}

static void queue_open(struct queue *queue, const struct boot_queue *boot)
{
	queue->boot = boot;
	queue->descriptors = LINEAR(volatile struct descriptor, boot->descriptors);
	queue->available = LINEAR(volatile uint16_t, boot->available);
	queue->used = LINEAR(volatile uint16_t, boot->used);
}

static void queue_add(struct queue *queue, const void *data, uint32_t bytes, uint16_t flags)
{
	uint16_t mask = (uint16_t)(queue->boot->size - 1), slot = queue->next & mask;
	uint16_t event, old = queue->next;

	queue->descriptors[slot].address = phys_of(data);
	queue->descriptors[slot].bytes = bytes;
	queue->descriptors[slot].flags = flags;
	queue->available[2 + slot] = slot;
	queue->next++;
	__atomic_store_n(&queue->available[1], queue->next, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = queue->used[2 + 4 * queue->boot->size];
	if ((uint16_t)(queue->next - event - 1) < (uint16_t)(queue->next - old))
		doorbell(queue);
}

static uint32_t queue_wait(struct queue *queue)
{
	uint16_t slot = queue->seen & (uint16_t)(queue->boot->size - 1);

	while (__atomic_load_n(&queue->used[1], __ATOMIC_ACQUIRE) == queue->seen)
		__builtin_ia32_pause();
	queue->seen++;
	return *(const volatile uint32_t *)(const volatile void *)&queue->used[2 + 4 * slot + 2];
}

static void put(unsigned device, const void *data, uint32_t bytes)
{
	queue_add(&from_guest[device], data, bytes, 0);
	queue_wait(&from_guest[device]);
}

static void put_text(unsigned device, const char *string)
{
	put(device, string, (uint32_t)strlen(string));
}

static uint64_t number(const char *digits)
{
	uint64_t value = 0;

	while (*digits)
		value = value * 10 + (uint64_t)(*digits++ - '0');
	return value;
}

static const char *string_at(unsigned index)
{
	const char *at = LINEAR(const char, info->strings);

	while (index--)
		at += strlen(at) + 1;
	return at;
}

static void write_bytes(uint64_t mib)
{
	struct queue *queue = &from_guest[0];

	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = i % 64 == 63 ? '\n' : (uint8_t)('0' + i % 64);
	for (uint64_t chunk = 0; chunk < mib * 16; chunk++) {
		while ((uint16_t)(queue->next - queue->seen) == queue->boot->size)
			queue_wait(queue);
		queue_add(queue, big + chunk % 16 * 65536, 65536, 0);
	}
	while (queue->next != queue->seen)
		queue_wait(queue);
}

static void send_control(uint32_t type, uint64_t value, const char *payload)
{
	struct control_header *header = (void *)text;

	*header = (struct control_header){type, payload ? (uint32_t)strlen(payload) : 0, value};
	if (payload)
		memcpy(text + sizeof(*header), payload, header->bytes);
	put(2, text, (uint32_t)sizeof(*header) + header->bytes);
}

static struct control_header receive_control(void)
{
	static struct control_header header;

	queue_add(&to_guest[2], &header, sizeof(header), 2);
	queue_wait(&to_guest[2]);
	return header;
}

/* stdin chunks may still come after the message that tells their sum. */
static void cat(void)
{
	static struct control_header header;
	uint64_t total = 0, end = UINT64_MAX;

	queue_add(&to_guest[2], &header, sizeof(header), 2);
	queue_add(&to_guest[0], input, sizeof(input), 2);
	while (total != end) {
		if (to_guest[2].used[1] != to_guest[2].seen) {
			queue_wait(&to_guest[2]);
			if (header.type == CONTROL_STDIN_END)
				end = header.value;
			else
				queue_add(&to_guest[2], &header, sizeof(header), 2);
		}
		if (to_guest[0].used[1] != to_guest[0].seen) {
			uint32_t bytes = queue_wait(&to_guest[0]);

			total += bytes;
			put(0, input, bytes);
			queue_add(&to_guest[0], input, sizeof(input), 2);
		}
	}
	put(1, text, (uint32_t)format_text(text, sizeof(text), "%lu\n", total));
}

static void tell(void)
{
	size_t at = 0;
	unsigned strings = info->argument_count + info->environment_count + 1;

	at += format_text(text, sizeof(text), "cpus %u flags %#x streams %u %u %u\n",
		info->cpu_count, info->flags, info->streams[0], info->streams[1], info->streams[2]);
	for (unsigned i = 1; i <= strings; i++)
		at += format_text(text + at, sizeof(text) - at, "string %s\n", string_at(i));
	for (unsigned i = 0; i < info->region_count; i++)
		at += format_text(text + at, sizeof(text) - at, "region %#lx %#lx %u\n",
			info->regions[i].base, info->regions[i].bytes, info->regions[i].type);
	for (unsigned i = 0; i < info->module_count; i++)
		at += format_text(text + at, sizeof(text) - at, "module %u %.4s\n",
			info->modules[i].type, LINEAR(const char, info->modules[i].base));
	put(0, text, (uint32_t)at);
}

/* Touches the first and last page of each RAM region; all must read as zeroes. */
static void touch_memory(void)
{
	for (unsigned i = 0; i < info->region_count; i++) {
		const struct boot_region *region = &info->regions[i];
		volatile uint64_t *first = LINEAR(volatile uint64_t, region->base);
		volatile uint64_t *last =
			LINEAR(volatile uint64_t, region->base + region->bytes - 8);

		if (region->type != BOOT_REGION_RAM)
			continue;
		if (*first || *last)
			leave(1);
		*first = *last = region->base + 1;
		if (*first != region->base + 1 || *last != region->base + 1)
			leave(2);
	}
}

static void check_vector(void)
{
	static uint8_t before[64] __attribute__((aligned(64))),
		after[64] __attribute__((aligned(64)));

	for (unsigned i = 0; i < 64; i++)
		before[i] = (uint8_t)(i * 7 + 1);
	__asm__ volatile("vmovups %0, %%ymm7" : : "m"(before));
	for (unsigned i = 0; i < 100; i++) {
		put_text(0, "x\n");
		port_write(0x80, 0);
	}
	__asm__ volatile("vmovups %%ymm7, %0" : "=m"(after));
	leave(memcmp(before, after, 32) != 0);
}

static void break_ring(unsigned way)
{
	struct queue *queue = &from_guest[way % 2];
	volatile struct descriptor *first = &queue->descriptors[0];

	first->address = phys_of(text);
	first->bytes = 1;
	first->flags = 0;
	queue->available[2] = 0;
	switch (way) {
	case 0:
		first->address = 1ull << 45;
		break;
	case 1:
		first->bytes = UINT32_MAX;
		break;
	case 2:
		first->flags = 1;
		first->next = 0;
		break;
	case 3:
		first->flags = 4;
		break;
	case 4:
		first->flags = 2;
		break;
	case 5:
		queue->available[2] = 60000;
		break;
	case 6:
		first->flags = 1;
		first->next = 60000;
		break;
	default:
		queue->available[1] = 30000;
		break;
	}
	__atomic_store_n(&queue->available[1], way == 7 ? 30000 : 1, __ATOMIC_SEQ_CST);
	doorbell(queue);
	for (;;)
		__builtin_ia32_pause();
}

static void panic(void)
{
	size_t at = format_text(
		text + 16, 1024, "panic: for the test\n  at 0x%016lx\n", (uint64_t)panic + 5);

	*(struct control_header *)text = (struct control_header){CONTROL_PANIC, (uint32_t)at, 0};
	put(2, text, (uint32_t)at + 16);
	leave(BOOT_EXIT_PANIC);
}

static void wait_for_cpus(void)
{
	while (cpus_running != info->cpu_count)
		__builtin_ia32_pause();
}

static void memory_case(const char *name)
{
	if (strcmp(name, "touch") == 0)
		touch_memory();
	else if (strcmp(name, "crash") == 0)
		__asm__ volatile("ud2");
	else if (strcmp(name, "write-text") == 0)
		*(volatile uint8_t *)(uint64_t)guest_main = 0;
	else if (strcmp(name, "write-text-linear") == 0)
		*LINEAR(volatile uint8_t, phys_of((void *)(uint64_t)guest_main)) = 0;
	else if (strcmp(name, "read-nucleus") == 0)
		(void)*(volatile uint8_t *)nucleus_start;
	else if (strcmp(name, "execute-data") == 0)
		((void (*)(void))(uint64_t)big)();
	else
		leave(99);
}

static void run(const char *name, const char *argument)
{
	if (strcmp(name, "hello") == 0) {
		put_text(0, "hello\n");
		put_text(1, "warning\n");
	} else if (strcmp(name, "exit") == 0) {
		leave((uint32_t)number(argument));
	} else if (strcmp(name, "bytes") == 0) {
		write_bytes(number(argument));
	} else if (strcmp(name, "cat") == 0) {
		cat();
	} else if (strcmp(name, "tell") == 0) {
		tell();
	} else if (strcmp(name, "kill") == 0) {
		send_control(CONTROL_KILLED, number(argument), NULL);
		leave(1);
	} else if (strcmp(name, "signal") == 0) {
		put_text(0, "ready\n");
		put(0, text,
			(uint32_t)format_text(
				text, sizeof(text), "signal %lu\n", receive_control().value));
	} else if (strcmp(name, "panic") == 0) {
		panic();
	} else if (strcmp(name, "port") == 0) {
		__asm__ volatile("outb %0, %1" : : "a"((uint8_t)'!'), "d"((uint16_t)0x3f8));
	} else if (strcmp(name, "vector") == 0) {
		check_vector();
	} else if (strcmp(name, "cpus") == 0) {
		wait_for_cpus();
	} else if (strncmp(name, "ring-", 5) == 0) {
		break_ring((unsigned)number(name + 5));
	} else {
		memory_case(name);
	}
	leave(0);
}

void guest_main(uint64_t info_phys, uint64_t cpu)
{
	info = LINEAR(const struct boot_info, info_phys);
	__atomic_fetch_add(&cpus_running, 1, __ATOMIC_SEQ_CST);
	while (cpu > 0)
		__builtin_ia32_pause();
	if (info->magic != BOOT_INFO_MAGIC || info->version != BOOT_INFO_VERSION)
		leave(98);
	for (unsigned i = 0; i < 3; i++) {
		queue_open(&to_guest[i], &info->devices[i].queues[0]);
		queue_open(&from_guest[i], &info->devices[i].queues[1]);
	}
	run(string_at(2), info->argument_count > 2 ? string_at(3) : "0");
}
