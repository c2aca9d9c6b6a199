/*
 * What ring 3 and the nucleus agree on: the requests, the vectors, and where things
 * lie in the per-vcpu block (struct arch_cpu) that GS points to. For assembly too.
 */
#ifndef ABI_NUCLEUS_H
#define ABI_NUCLEUS_H

/* Real-mode code of secondary vcpus lies at this physical page. */
#define AP_CODE_PAGE 8

#define CPU_SELF            0
#define CPU_IN_KERNEL       8
#define CPU_FLUSH_REQUESTED 9
#define CPU_PENDING         12 /* 32 bits: vectors, then CPU_INTERRUPTS_OFF */
#define CPU_INTERRUPTS_OFF  14
#define CPU_STACK_TOP       16
#define CPU_SCRATCH         24
#define CPU_THREAD          32
#define CPU_NUCLEUS_FRAME   40
#define CPU_IDT_RUN         48
#define CPU_IDT_IDLE        64
#define CPU_FAULT_STACK     80

#define FRAME_BYTES  176
#define FRAME_RAX    80
#define FRAME_RCX    88
#define FRAME_RDX    96
#define FRAME_RSI    104
#define FRAME_RDI    112
#define FRAME_R8     72
#define FRAME_R9     64
#define FRAME_R10    56
#define FRAME_VECTOR 120
#define FRAME_RIP    136
#define FRAME_RSP    160

/* One bit each in struct arch_cpu.pending. */
#define VECTOR_FIRST    0x50
#define VECTOR_DEVICES  12
#define VECTOR_KICK     0x5c
#define VECTOR_TIMER    0x5d
#define VECTOR_FLUSH    0x5e
#define VECTOR_SPURIOUS 0x5f
#define VECTOR_COUNT    0x60

/* Requests to the nucleus (nucleus/nucleus.S), in eax; argument in rdi, rsi. */
#define NUCLEUS_READ_FAULT_ADDRESS 0
#define NUCLEUS_FLUSH_ALL          1
#define NUCLEUS_FLUSH_PAGE         2
#define NUCLEUS_HALT               3
#define NUCLEUS_ENABLE_INTERRUPTS  4
#define NUCLEUS_WRITE_MSR          5
#define NUCLEUS_OUT8               6 /* rdi port, rsi value */
#define NUCLEUS_OUT32              7
#define NUCLEUS_IN8                8
#define NUCLEUS_IN32               9

#endif
