/* Decoding of memory operands; see fault_address.h. */
#include "arch/x86_64/fault_address.h"

#define ERROR_WRITE 0x2
#define ERROR_FETCH 0x10

/* No operand of an instruction decoded here is wider (ZMM registers; x87 and XSAVE
 * images are left to CR2). */
#define WIDEST_OPERAND 64
#define PAGE_MASK      0xfff

enum opcode_map { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A };

struct instruction {
	const struct trap_frame *frame;
	uint64_t fs_base;
	const uint8_t *code;
	size_t bytes;
	size_t at; /* next byte to read */
	bool failed;

	bool operand_16, rex_w, uses_fs, is_evex;
	uint8_t rex_x, rex_b; /* 8 when set */
	enum opcode_map map;
	uint8_t opcode;
};

static uint8_t next_byte(struct instruction *in)
{
	if (in->at >= in->bytes) {
		in->failed = true;
		return 0;
	}
	return in->code[in->at++];
}

static uint64_t register_value(const struct trap_frame *f, unsigned number)
{
	const uint64_t values[16] = {f->rax, f->rcx, f->rdx, f->rbx, f->rsp, f->rbp, f->rsi, f->rdi,
		f->r8, f->r9, f->r10, f->r11, f->r12, f->r13, f->r14, f->r15};

	return values[number & 15];
}

static int64_t next_displacement(struct instruction *in, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)next_byte(in) << (8 * i);
	return bytes == 1 ? (int8_t)value : (int32_t)value;
}

/* Two-byte VEX, three-byte VEX, EVEX: the fields that matter for the operand. */
static void read_vector_prefix(struct instruction *in, uint8_t first)
{
	uint8_t p0 = next_byte(in);

	in->map = MAP_0F;
	if (first != 0xc5) {
		unsigned map = first == 0x62 ? p0 & 7 : p0 & 31;
		in->rex_x = p0 & 0x40 ? 0 : 8;
		in->rex_b = p0 & 0x20 ? 0 : 8;
		in->map = map == 1 ? MAP_0F : map == 2 ? MAP_0F38 : MAP_0F3A;
		if (map < 1 || map > 3)
			in->failed = true;
		next_byte(in);
	}
	if (first == 0x62) {
		in->is_evex = true;
		next_byte(in);
	}
	in->opcode = next_byte(in);
	/* Gathers and scatters have an address per element. */
	if (in->map == MAP_0F38 && (in->opcode & 0xf0) >= 0x90 && (in->opcode & 0x0f) <= 3 &&
		((in->opcode & 0xf0) == 0x90 || (in->opcode & 0xf0) == 0xa0))
		in->failed = true;
	if (in->map == MAP_0F38 && (in->opcode == 0xc6 || in->opcode == 0xc7))
		in->failed = true;
}

static void read_opcode(struct instruction *in, uint8_t first)
{
	in->map = MAP_ONE_BYTE;
	in->opcode = first;
	if (first == 0xc4 || first == 0xc5 || first == 0x62) {
		read_vector_prefix(in, first);
		return;
	}
	if (first != 0x0f)
		return;
	in->map = MAP_0F;
	in->opcode = next_byte(in);
	if (in->opcode == 0x38 || in->opcode == 0x3a) {
		in->map = in->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
		in->opcode = next_byte(in);
	}
}

static void read_prefixes_and_opcode(struct instruction *in)
{
	for (;;) {
		uint8_t byte = next_byte(in);
		if (in->failed)
			return;
		switch (byte) {
		case 0x66:
			in->operand_16 = true;
			continue;
		case 0x64:
			in->uses_fs = true;
			continue;
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x26:
		case 0xf0:
		case 0xf2:
		case 0xf3:
			continue;
		case 0x65: /* GS is the kernel's */
		case 0x67: /* 32-bit addresses: not worth it */
			in->failed = true;
			return;
		}
		if ((byte & 0xf0) == 0x40) {
			in->rex_w = byte & 8;
			in->rex_x = byte & 2 ? 8 : 0;
			in->rex_b = byte & 1 ? 8 : 0;
			byte = next_byte(in);
		}
		read_opcode(in, byte);
		return;
	}
}

static bool one_byte_has_modrm(uint8_t op)
{
	if (op < 0x40)
		return (op & 7) < 4;
	return op == 0x63 || op == 0x69 || op == 0x6b || (op >= 0x80 && op <= 0x8b) || op == 0xc0 ||
	       op == 0xc1 || op == 0xc6 || op == 0xc7 || (op >= 0xd0 && op <= 0xd3) || op == 0xf6 ||
	       op == 0xf7 || op == 0xfe || op == 0xff;
}

/* Two-byte opcodes that Go's and C's compilers use on memory; the rest is rare. */
static bool map_0f_has_modrm(uint8_t op)
{
	return (op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2f) ||
	       (op >= 0x40 && op <= 0x76) || (op >= 0x7c && op <= 0x7f) ||
	       (op >= 0x90 && op <= 0x9f) || op == 0xa3 || op == 0xa4 || op == 0xab || op == 0xac ||
	       op == 0xaf || op == 0xb0 || op == 0xb1 || (op >= 0xb6 && op <= 0xbf) ||
	       (op >= 0xc0 && op <= 0xc6) || op >= 0xd0;
}

/* Bytes of immediate after the operand: needed for addresses relative to rip. */
static unsigned immediate_bytes(const struct instruction *in, uint8_t modrm)
{
	unsigned wide = in->operand_16 ? 2 : 4;

	if (in->map == MAP_0F3A)
		return 1;
	if (in->map == MAP_0F)
		return (in->opcode >= 0x70 && in->opcode <= 0x73) || in->opcode == 0xa4 ||
		       in->opcode == 0xac || in->opcode == 0xba || in->opcode == 0xc2 ||
		       (in->opcode >= 0xc4 && in->opcode <= 0xc6);
	if (in->map != MAP_ONE_BYTE)
		return 0;
	switch (in->opcode) {
	case 0x6b:
	case 0x80:
	case 0x82:
	case 0x83:
	case 0xc0:
	case 0xc1:
	case 0xc6:
		return 1;
	case 0x69:
	case 0x81:
	case 0xc7:
		return wide;
	case 0xf6:
		return (modrm & 0x38) <= 8 ? 1 : 0;
	case 0xf7:
		return (modrm & 0x38) <= 8 ? wide : 0;
	}
	return 0;
}

static uint64_t operand_address(struct instruction *in, uint8_t modrm)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;
	uint64_t address = 0;
	bool has_base = true;

	if (rm == 4) {
		uint8_t sib = next_byte(in);
		unsigned index = ((sib >> 3) & 7) | in->rex_x;
		unsigned base = sib & 7;
		if (index != 4)
			address = register_value(in->frame, index) << (sib >> 6);
		has_base = !(base == 5 && mod == 0);
		if (has_base)
			address += register_value(in->frame, base | in->rex_b);
	} else if (mod == 0 && rm == 5) {
		int64_t displacement = next_displacement(in, 4);
		return in->frame->rip + in->at + immediate_bytes(in, modrm) +
		       (uint64_t)displacement;
	} else {
		address = register_value(in->frame, rm | in->rex_b);
	}
	if (mod == 1)
		address += (uint64_t)next_displacement(in, 1);
	else if (mod == 2 || !has_base)
		address += (uint64_t)next_displacement(in, 4);
	if (mod == 1 && in->is_evex) /* the displacement is scaled by the operand's size */
		in->failed = true;
	return address;
}

/* Instructions whose operand is implied. */
static bool implied_operand(const struct instruction *in, uint64_t *address)
{
	const struct trap_frame *f = in->frame;
	bool write = f->error & ERROR_WRITE;

	if (in->map != MAP_ONE_BYTE)
		return false;
	switch (in->opcode) {
	case 0xa4: /* movs */
	case 0xa5:
		*address = write ? f->rdi : f->rsi;
		return true;
	case 0xaa: /* stos, scas */
	case 0xab:
	case 0xae:
	case 0xaf:
		*address = f->rdi;
		return true;
	case 0xac: /* lods */
	case 0xad:
		*address = f->rsi;
		return true;
	case 0x68: /* push, call */
	case 0x6a:
	case 0xe8:
		*address = f->rsp - 8;
		return !in->operand_16;
	case 0xc3:
		*address = f->rsp;
		return true;
	}
	if (in->opcode >= 0x50 && in->opcode <= 0x5f && !in->operand_16) {
		*address = in->opcode < 0x58 ? f->rsp - 8 : f->rsp;
		return true;
	}
	return false;
}

/* call, jmp and push through memory touch the stack as well. */
static bool is_stack_write(const struct instruction *in, uint8_t modrm)
{
	unsigned extension = (modrm >> 3) & 7;

	return in->map == MAP_ONE_BYTE && in->opcode == 0xff && (in->frame->error & ERROR_WRITE) &&
	       (extension == 2 || extension == 6);
}

static bool explicit_operand(struct instruction *in, uint64_t *address)
{
	if (in->map == MAP_ONE_BYTE && !one_byte_has_modrm(in->opcode))
		return false;
	if (in->map == MAP_0F && !map_0f_has_modrm(in->opcode))
		return false;
	uint8_t modrm = next_byte(in);
	if (is_stack_write(in, modrm)) {
		*address = in->frame->rsp - 8;
		return true;
	}
	if (modrm >> 6 == 3)
		return false;
	*address = operand_address(in, modrm);
	/* Bit tests with a register reach beyond their operand. */
	if (in->map == MAP_0F && (in->opcode == 0xa3 || in->opcode == 0xab || in->opcode == 0xb3 ||
					 in->opcode == 0xbb))
		return false;
	return true;
}

bool fault_address_decode(const struct trap_frame *frame, uint64_t fs_base, const uint8_t *code,
	size_t code_bytes, uintptr_t *address)
{
	struct instruction in = {
		.frame = frame,
		.fs_base = fs_base,
		.code = code,
		.bytes = MIN(code_bytes, (size_t)INSTRUCTION_MAX_BYTES),
	};
	uint64_t found;

	if (frame->error & ERROR_FETCH)
		return false;
	read_prefixes_and_opcode(&in);
	if (in.failed || (!implied_operand(&in, &found) && !explicit_operand(&in, &found)) ||
		in.failed)
		return false;
	if (in.uses_fs)
		found += fs_base;
	/* On the page's last bytes, the fault may be on the next page. */
	if ((found & PAGE_MASK) > PAGE_MASK + 1 - WIDEST_OPERAND)
		return false;
	*address = found;
	return true;
}
