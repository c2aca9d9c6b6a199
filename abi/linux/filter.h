/*
 * Classic BPF on Linux: bpf programs of SO_ATTACH_FILTER (socket(7)).
 */
#ifndef ABI_LINUX_FILTER_H
#define ABI_LINUX_FILTER_H

#include <stdint.h>

#define LINUX_BPF_MAXINSNS 4096u
#define LINUX_BPF_MEMWORDS 16u

struct linux_sock_filter {
	uint16_t code;
	uint8_t jump_true, jump_false;
	uint32_t k;
};

struct linux_sock_fprog {
	uint16_t count;
	uint16_t padding[3];
	uint64_t instructions;
};

_Static_assert(sizeof(struct linux_sock_filter) == 8, "Linux layout");
_Static_assert(sizeof(struct linux_sock_fprog) == 16, "Linux layout");

/* An instruction is the sum of a class and, by class, a size and a mode, or an operation and a
 * source. */
enum linux_bpf_class {
	LINUX_BPF_LD = 0x00,
	LINUX_BPF_LDX = 0x01,
	LINUX_BPF_ST = 0x02,
	LINUX_BPF_STX = 0x03,
	LINUX_BPF_ALU = 0x04,
	LINUX_BPF_JMP = 0x05,
	LINUX_BPF_RET = 0x06,
	LINUX_BPF_MISC = 0x07,
};

enum linux_bpf_size {
	LINUX_BPF_W = 0x00,
	LINUX_BPF_H = 0x08,
	LINUX_BPF_B = 0x10,
};

enum linux_bpf_mode {
	LINUX_BPF_IMM = 0x00,
	LINUX_BPF_ABS = 0x20,
	LINUX_BPF_IND = 0x40,
	LINUX_BPF_MEM = 0x60,
	LINUX_BPF_LEN = 0x80,
	LINUX_BPF_MSH = 0xa0,
};

enum linux_bpf_operation {
	LINUX_BPF_ADD = 0x00,
	LINUX_BPF_SUB = 0x10,
	LINUX_BPF_MUL = 0x20,
	LINUX_BPF_DIV = 0x30,
	LINUX_BPF_OR = 0x40,
	LINUX_BPF_AND = 0x50,
	LINUX_BPF_LSH = 0x60,
	LINUX_BPF_RSH = 0x70,
	LINUX_BPF_NEG = 0x80,
	LINUX_BPF_MOD = 0x90,
	LINUX_BPF_XOR = 0xa0,
};

enum linux_bpf_jump {
	LINUX_BPF_JA = 0x00,
	LINUX_BPF_JEQ = 0x10,
	LINUX_BPF_JGT = 0x20,
	LINUX_BPF_JGE = 0x30,
	LINUX_BPF_JSET = 0x40,
};

enum linux_bpf_source {
	LINUX_BPF_K = 0x00,
	LINUX_BPF_X = 0x08,
	LINUX_BPF_A = 0x10, /* of RET */
};

enum linux_bpf_misc {
	LINUX_BPF_TAX = 0x00,
	LINUX_BPF_TXA = 0x80,
};

/* Offsets of LD ABS that are no offsets into the data. */
#define LINUX_SKF_AD_OFF  (-0x1000)
#define LINUX_SKF_NET_OFF (-0x100000)
#define LINUX_SKF_LL_OFF  (-0x200000)

enum linux_skf_ad {
	LINUX_SKF_AD_PROTOCOL = 0,
	LINUX_SKF_AD_PKTTYPE = 4,
	LINUX_SKF_AD_IFINDEX = 8,
	LINUX_SKF_AD_NLATTR = 12,
	LINUX_SKF_AD_NLATTR_NEST = 16,
	LINUX_SKF_AD_MARK = 20,
	LINUX_SKF_AD_QUEUE = 24,
	LINUX_SKF_AD_HATYPE = 28,
	LINUX_SKF_AD_RXHASH = 32,
	LINUX_SKF_AD_CPU = 36,
	LINUX_SKF_AD_ALU_XOR_X = 40,
	LINUX_SKF_AD_VLAN_TAG = 44,
	LINUX_SKF_AD_VLAN_TAG_PRESENT = 48,
	LINUX_SKF_AD_PAY_OFFSET = 52,
	LINUX_SKF_AD_RANDOM = 56,
	LINUX_SKF_AD_VLAN_TPID = 60,
	LINUX_SKF_AD_MAX = 64,
};

#endif
