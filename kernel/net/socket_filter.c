/* Classic BPF: see socket_filter.h. */
#include "kernel/net/socket_filter.h"
#include "kernel/arch.h"
#include "kernel/mm/heap.h"
#include "kernel/net/device.h"
#include "kernel/net/packet.h"
#include "kernel/random.h"
#include "abi/linux/errno.h"
#include "abi/linux/inet.h"
#include "lib/endian.h"
#include "lib/string.h"

struct socket_filter {
	uint32_t count;
	struct linux_sock_filter program[];
};

#define LINK_BYTES 14

#define CLASS(code)     ((code)&7u)
#define SIZE(code)      ((code)&0x18u)
#define MODE(code)      ((code)&0xe0u)
#define OPERATION(code) ((code)&0xf0u)

/* ---- checking ------------------------------------------------------------------------- */

static bool is_load(const struct linux_sock_filter *at)
{
	switch (MODE(at->code)) {
	case LINUX_BPF_ABS:
	case LINUX_BPF_IND:
		return CLASS(at->code) == LINUX_BPF_LD && SIZE(at->code) <= LINUX_BPF_B;
	case LINUX_BPF_MSH:
		return at->code == (LINUX_BPF_LDX | LINUX_BPF_MSH | LINUX_BPF_B);
	case LINUX_BPF_MEM:
		return SIZE(at->code) == LINUX_BPF_W && at->k < LINUX_BPF_MEMWORDS;
	case LINUX_BPF_IMM:
	case LINUX_BPF_LEN:
		return SIZE(at->code) == LINUX_BPF_W;
	default:
		return false;
	}
}

static bool is_operation(const struct linux_sock_filter *at)
{
	bool is_constant = (at->code & LINUX_BPF_X) == 0;

	switch (OPERATION(at->code)) {
	case LINUX_BPF_DIV:
	case LINUX_BPF_MOD:
		return !is_constant || at->k != 0;
	case LINUX_BPF_LSH:
	case LINUX_BPF_RSH:
		return !is_constant || at->k < 32;
	case LINUX_BPF_NEG:
		return is_constant;
	default:
		return OPERATION(at->code) <= LINUX_BPF_XOR;
	}
}

static bool is_jump(const struct linux_sock_filter *at, uint32_t after)
{
	if (at->code == (LINUX_BPF_JMP | LINUX_BPF_JA))
		return at->k < after;
	return OPERATION(at->code) >= LINUX_BPF_JEQ && OPERATION(at->code) <= LINUX_BPF_JSET &&
	       at->jump_true < after && at->jump_false < after;
}

/* `after`: how many instructions follow. */
static bool is_valid(const struct linux_sock_filter *at, uint32_t after)
{
	if (at->code > 0xff)
		return false;
	switch (CLASS(at->code)) {
	case LINUX_BPF_LD:
	case LINUX_BPF_LDX:
		return is_load(at);
	case LINUX_BPF_ST:
	case LINUX_BPF_STX:
		return (at->code & ~7u) == 0 && at->k < LINUX_BPF_MEMWORDS;
	case LINUX_BPF_ALU:
		return is_operation(at);
	case LINUX_BPF_JMP:
		return is_jump(at, after);
	case LINUX_BPF_RET:
		return at->code == (LINUX_BPF_RET | LINUX_BPF_K) ||
		       at->code == (LINUX_BPF_RET | LINUX_BPF_A);
	default:
		return at->code == (LINUX_BPF_MISC | LINUX_BPF_TAX) ||
		       at->code == (LINUX_BPF_MISC | LINUX_BPF_TXA);
	}
}

/* Every word of memory that is loaded was stored on all ways there: a bit for each. Jumps only
 * go forward, so one pass does. */
static bool stores_before_loads(
	const struct linux_sock_filter *program, uint32_t count, uint16_t *stored)
{
	uint16_t now = 0;

	memset(stored, 0xff, count * sizeof(*stored));
	for (uint32_t i = 0; i < count; i++) {
		const struct linux_sock_filter *at = &program[i];
		uint32_t kind = CLASS(at->code);

		now &= stored[i];
		if (kind == LINUX_BPF_ST || kind == LINUX_BPF_STX) {
			now |= (uint16_t)(1u << at->k);
		} else if (kind <= LINUX_BPF_LDX && MODE(at->code) == LINUX_BPF_MEM) {
			if (!(now >> at->k & 1))
				return false;
		} else if (at->code == (LINUX_BPF_JMP | LINUX_BPF_JA)) {
			stored[i + 1 + at->k] &= now;
			now = 0xffff;
		} else if (kind == LINUX_BPF_JMP) {
			stored[i + 1 + at->jump_true] &= now;
			stored[i + 1 + at->jump_false] &= now;
			now = 0xffff;
		} else if (kind == LINUX_BPF_RET) {
			now = 0xffff;
		}
	}
	return true;
}

static int check(const struct linux_sock_filter *program, uint32_t count)
{
	uint16_t *stored;
	int error = 0;

	if (count == 0 || count > LINUX_BPF_MAXINSNS ||
		CLASS(program[count - 1].code) != LINUX_BPF_RET)
		return -LINUX_EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (!is_valid(&program[i], count - 1 - i))
			return -LINUX_EINVAL;
	}
	stored = heap_alloc(count * sizeof(*stored));
	if (stored == NULL)
		return -LINUX_ENOMEM;
	if (!stores_before_loads(program, count, stored))
		error = -LINUX_EINVAL;
	heap_free(stored);
	return error;
}

int socket_filter_create(
	const struct linux_sock_filter *instructions, uint32_t count, struct socket_filter **filter)
{
	int error = check(instructions, count);

	if (error != 0)
		return error;
	*filter = heap_alloc(sizeof(**filter) + count * sizeof(instructions[0]));
	if (*filter == NULL)
		return -LINUX_ENOMEM;
	(*filter)->count = count;
	memcpy((*filter)->program, instructions, count * sizeof(instructions[0]));
	return 0;
}

void socket_filter_free(struct socket_filter *filter)
{
	heap_free(filter);
}

const struct linux_sock_filter *socket_filter_program(
	const struct socket_filter *filter, uint32_t *count)
{
	*count = filter->count;
	return filter->program;
}

/* ---- running ---------------------------------------------------------------------------- */

struct run {
	const struct packet *packet;
	const struct socket_filter_context *context;
	uint32_t a, x;
	uint32_t memory[LINUX_BPF_MEMWORDS];
};

static bool load_extra(struct run *run, uint32_t what)
{
	const struct net_device *device = run->context->device;

	switch (what) {
	case LINUX_SKF_AD_PROTOCOL:
		run->a = run->context->protocol;
		return true;
	case LINUX_SKF_AD_PKTTYPE:
		run->a = run->context->packet_type;
		return true;
	case LINUX_SKF_AD_IFINDEX:
		run->a = device ? device->index : 0;
		return device != NULL;
	case LINUX_SKF_AD_HATYPE:
		if (device)
			run->a = device->flags & NET_DEVICE_LOOPBACK ? LINUX_ARPHRD_LOOPBACK
								     : LINUX_ARPHRD_ETHER;
		return device != NULL;
	case LINUX_SKF_AD_CPU:
		run->a = arch_cpu_index();
		return true;
	case LINUX_SKF_AD_ALU_XOR_X:
		run->a ^= run->x;
		return true;
	case LINUX_SKF_AD_RANDOM:
		random_bytes(&run->a, sizeof(run->a));
		return true;
	case LINUX_SKF_AD_MARK:
	case LINUX_SKF_AD_QUEUE:
	case LINUX_SKF_AD_RXHASH:
	case LINUX_SKF_AD_VLAN_TAG:
	case LINUX_SKF_AD_VLAN_TAG_PRESENT:
	case LINUX_SKF_AD_VLAN_TPID:
		run->a = 0; /* tags stay in the frame */
		return true;
	default:
		return false;
	}
}

static uint32_t data_bytes(const struct run *run)
{
	return (uint32_t)((int64_t)run->packet->bytes - run->context->start);
}

/* From the packet or, before its first byte, from the link header. False: there are none. */
static bool copy_at(const struct run *run, int64_t position, uint32_t bytes, uint8_t *raw)
{
	if (position >= 0 && position + bytes <= run->packet->bytes) {
		packet_copy(run->packet, (uint32_t)position, raw, bytes);
		return true;
	}
	if (position >= -LINK_BYTES && position + bytes <= 0 && run->context->link != NULL) {
		memcpy(raw, run->context->link + LINK_BYTES + position, bytes);
		return true;
	}
	return false;
}

/* Bytes at an offset of the data or, far below zero, of a header. */
static bool load_bytes(const struct run *run, int64_t offset, uint32_t bytes, uint32_t *value)
{
	const struct socket_filter_context *context = run->context;
	int64_t base = context->start;
	uint8_t raw[4];

	if (offset < 0 && offset >= LINUX_SKF_NET_OFF) {
		base = context->network_offset;
		offset -= LINUX_SKF_NET_OFF;
	} else if (offset < 0 && offset >= LINUX_SKF_LL_OFF) {
		base = context->link_offset;
		offset -= LINUX_SKF_LL_OFF;
	}
	if (offset < 0 || base == SOCKET_FILTER_NONE || !copy_at(run, base + offset, bytes, raw))
		return false;
	*value = bytes == 4 ? load_be32(raw) : bytes == 2 ? load_be16(raw) : raw[0];
	return true;
}

static uint32_t size_of(uint16_t code)
{
	return SIZE(code) == LINUX_BPF_W ? 4 : SIZE(code) == LINUX_BPF_H ? 2 : 1;
}

static bool load(struct run *run, const struct linux_sock_filter *at)
{
	int64_t offset = (int32_t)at->k;

	switch (MODE(at->code)) {
	case LINUX_BPF_IMM:
		run->a = at->k;
		return true;
	case LINUX_BPF_LEN:
		run->a = data_bytes(run);
		return true;
	case LINUX_BPF_MEM:
		run->a = run->memory[at->k];
		return true;
	case LINUX_BPF_IND:
		return load_bytes(run, (int32_t)(at->k + run->x), size_of(at->code), &run->a);
	default:
		if (offset < 0 && offset >= LINUX_SKF_AD_OFF)
			return load_extra(run, (uint32_t)(offset - LINUX_SKF_AD_OFF));
		return load_bytes(run, offset, size_of(at->code), &run->a);
	}
}

static bool load_x(struct run *run, const struct linux_sock_filter *at)
{
	uint32_t value;

	switch (MODE(at->code)) {
	case LINUX_BPF_LEN:
		run->x = data_bytes(run);
		return true;
	case LINUX_BPF_MEM:
		run->x = run->memory[at->k];
		return true;
	case LINUX_BPF_MSH:
		if (!load_bytes(run, (int32_t)at->k, 1, &value))
			return false;
		run->x = (value & 15) * 4;
		return true;
	default:
		run->x = at->k;
		return true;
	}
}

static bool compute(struct run *run, const struct linux_sock_filter *at)
{
	uint32_t operand = at->code & LINUX_BPF_X ? run->x : at->k;

	switch (OPERATION(at->code)) {
	case LINUX_BPF_ADD:
		run->a += operand;
		return true;
	case LINUX_BPF_SUB:
		run->a -= operand;
		return true;
	case LINUX_BPF_MUL:
		run->a *= operand;
		return true;
	case LINUX_BPF_DIV:
		run->a = operand ? run->a / operand : 0;
		return operand != 0;
	case LINUX_BPF_MOD:
		run->a = operand ? run->a % operand : 0;
		return operand != 0;
	case LINUX_BPF_OR:
		run->a |= operand;
		return true;
	case LINUX_BPF_AND:
		run->a &= operand;
		return true;
	case LINUX_BPF_XOR:
		run->a ^= operand;
		return true;
	case LINUX_BPF_LSH:
		run->a <<= operand & 31;
		return true;
	case LINUX_BPF_RSH:
		run->a >>= operand & 31;
		return true;
	default:
		run->a = -run->a;
		return true;
	}
}

static uint32_t jump(const struct run *run, const struct linux_sock_filter *at)
{
	uint32_t operand = at->code & LINUX_BPF_X ? run->x : at->k;
	bool holds;

	switch (OPERATION(at->code)) {
	case LINUX_BPF_JA:
		return at->k;
	case LINUX_BPF_JEQ:
		holds = run->a == operand;
		break;
	case LINUX_BPF_JGT:
		holds = run->a > operand;
		break;
	case LINUX_BPF_JGE:
		holds = run->a >= operand;
		break;
	default:
		holds = (run->a & operand) != 0;
	}
	return holds ? at->jump_true : at->jump_false;
}

uint32_t socket_filter_run(const struct socket_filter *filter, const struct packet *packet,
	const struct socket_filter_context *context)
{
	struct run run = {.packet = packet, .context = context};
	bool goes_on = true;

	for (uint32_t i = 0; goes_on && i < filter->count; i++) {
		const struct linux_sock_filter *at = &filter->program[i];

		switch (CLASS(at->code)) {
		case LINUX_BPF_LD:
			goes_on = load(&run, at);
			break;
		case LINUX_BPF_LDX:
			goes_on = load_x(&run, at);
			break;
		case LINUX_BPF_ST:
			run.memory[at->k] = run.a;
			break;
		case LINUX_BPF_STX:
			run.memory[at->k] = run.x;
			break;
		case LINUX_BPF_ALU:
			goes_on = compute(&run, at);
			break;
		case LINUX_BPF_JMP:
			i += jump(&run, at);
			break;
		case LINUX_BPF_RET:
			return at->code & LINUX_BPF_A ? run.a : at->k;
		default:
			if (at->code & LINUX_BPF_TXA)
				run.a = run.x;
			else
				run.x = run.a;
		}
	}
	return 0;
}
