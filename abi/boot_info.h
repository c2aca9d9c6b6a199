/*
 * What a launcher tells the kernel at boot.
 *
 * Our monitor writes a struct boot_info into guest memory and starts each vcpu
 * in ring 3 at the kernel's entry with RDI = the *physical* address of it (see
 * abi/kernel_image.h). Under a PVH loader the nucleus builds the same structure
 * from hvm_start_info, the command line and the bundle (abi/bundle.h) that was
 * given as the initial ramdisk. All addresses are guest-physical, in bytes.
 * The guest trusts its launcher; it still checks magic and version, to give a
 * clear message when kernel and monitor do not belong together.
 */
#ifndef ABI_BOOT_INFO_H
#define ABI_BOOT_INFO_H

#include <stdint.h>

#define BOOT_INFO_MAGIC   0x776f7272754221ull
#define BOOT_INFO_VERSION 3

#define BOOT_MAX_REGIONS 16
#define BOOT_MAX_MODULES 8
#define BOOT_MAX_IMAGES  4
#define BOOT_MAX_DEVICES 16
#define BOOT_MAX_QUEUES  18 /* a network device: 8 pairs and its control queue */
#define BOOT_MAX_CPUS    64

#define BOOT_MAX_INTERFACES  8
#define BOOT_MAX_DISKS       8
#define BOOT_HOSTNAME_BYTES  64
#define BOOT_DISK_NAME_BYTES 24 /* of which a virtio block device can tell 20 */

enum boot_region_type {
	BOOT_REGION_RAM = 1,      /* free for the kernel; fresh regions read as zeroes */
	BOOT_REGION_RESERVED = 2, /* RAM the launcher uses: page tables, rings, boot info */
};

struct boot_region {
	uint64_t base;
	uint64_t bytes;
	uint32_t type;
	uint32_t is_zero; /* RAM never written: the kernel need not clear it */
};

enum boot_module_type {
	BOOT_MODULE_PROGRAM = 1, /* the ELF file to run, whole, page-aligned */
	BOOT_MODULE_FILES = 2,   /* cpio "newc" archive unpacked over the root at boot */
	BOOT_MODULE_SITES = 3,   /* struct syscall_site[] (abi/syscall_site.h) */
	BOOT_MODULE_IMAGE = 4,   /* EROFS: the tree of files; the next one lies over it */
};

struct boot_module {
	uint64_t base;
	uint64_t bytes;
	uint32_t type;
	uint32_t writable; /* private to this VM: the kernel may patch it in place */
};

/* How the kernel reaches a device. */
enum boot_transport {
	BOOT_TRANSPORT_STATIC = 1, /* rings laid out by the launcher, below */
	BOOT_TRANSPORT_MMIO = 2,   /* virtio-mmio registers at `base` */
	BOOT_TRANSPORT_PCI = 3,    /* virtio-pci, the PCI function `base` (kernel/platform.h) */
};

enum boot_device_role {
	BOOT_ROLE_NONE = 0,
	BOOT_ROLE_STDIO = 1,   /* virtio-console: receive is stdin, transmit is stdout */
	BOOT_ROLE_STDERR = 2,  /* virtio-console: transmit is stderr */
	BOOT_ROLE_CONTROL = 3, /* virtio-console carrying abi/control.h messages */
};

/* One split virtqueue (virtio 1.2, section 2.7) prepared by the launcher. */
struct boot_queue {
	uint64_t descriptors;
	uint64_t available;
	uint64_t used;
	uint64_t doorbell; /* physical address; a 32-bit write of the queue index notifies */
	uint32_t size;     /* entries, a power of two */
	uint32_t reserved;
};

struct boot_device {
	uint32_t transport;
	uint32_t virtio_id; /* virtio 1.2, section 5: 1 net, 2 block, 3 console, 4 entropy */
	uint32_t role;
	uint32_t interrupt; /* STATIC: vector, edge; MMIO: global system interrupt, level */
	uint64_t features;  /* STATIC: the negotiated feature bits */
	uint64_t base;      /* MMIO: registers; STATIC: device configuration (net: struct
			     * virtio_net_config of abi/virtio.h), or 0 */
	uint32_t queue_count;
	uint32_t reserved;
	struct boot_queue queues[BOOT_MAX_QUEUES];
};

/*
 * A network interface that the user asked for. It belongs to the network device whose
 * configuration has this MAC address; one of zeroes stands for the next device. A device without an
 * entry is named eth0, eth1... (the first free name) and has no settings.
 */
struct boot_interface {
	char name[16]; /* "eth0", ends in NUL */
	uint8_t mac[6];
	uint16_t reserved;
	char settings[488]; /* text of lib/net_config.h, ends in NUL; may be empty */
};

enum boot_disk_flags {
	BOOT_DISK_READ_ONLY = 1,
};

/*
 * A block device that the user named. Of the STATIC block devices the n-th has the n-th
 * entry; another belongs to the entry whose name its identifier is (VIRTIO_BLK_T_GET_ID). A
 * device without an entry is named disk0, disk1... and is not mounted.
 */
struct boot_disk {
	char name[BOOT_DISK_NAME_BYTES]; /* letters, digits, - and _; ends in NUL */
	char mount_path[224];            /* absolute, ends in NUL; empty: not mounted */
	uint32_t flags;                  /* enum boot_disk_flags */
	uint32_t reserved;
};

#define BOOT_MAX_SHARES 4

/*
 * A directory of the host. A STATIC file system device has this as its configuration; it begins
 * with that of virtio-fs (struct virtio_fs_config of abi/virtio.h).
 */
struct boot_share {
	char tag[36];
	uint32_t request_queues;
	uint32_t flags;       /* BOOT_DISK_READ_ONLY */
	char mount_path[212]; /* absolute, ends in NUL */
};

enum boot_stream_kind {
	BOOT_STREAM_CLOSED = 0,
	BOOT_STREAM_PIPE = 1,
	BOOT_STREAM_FILE = 2,
	BOOT_STREAM_TTY = 3,
	BOOT_STREAM_NULL = 4, /* the host's /dev/null */
};

enum boot_flags {
	BOOT_VERBOSE = 1u << 0,         /* kernel log and the summary at exit go to stderr */
	BOOT_TRACE_SYSCALLS = 1u << 1,  /* one line a system call on stderr */
	BOOT_EXIT_DEBUG_PORT = 1u << 2, /* QEMU isa-debug-exit at 0xf4 */
	BOOT_DIRECT = 1u << 3,          /* our monitor: exit port 0x600, no serial, no PIC */
};

struct boot_info {
	uint64_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t cpu_count;
	uint32_t region_count;
	uint32_t module_count;
	uint32_t device_count;

	uint64_t kernel_base; /* where the kernel image's first byte lies */
	uint64_t page_tables; /* root, as loaded in CR3 */
	uint64_t tables_next; /* free pages for more page tables, inside a RESERVED region */
	uint64_t tables_end;

	uint64_t tsc_hz;   /* 0: the kernel calibrates */
	uint64_t lapic_hz; /* timer input clock; 0: the kernel calibrates */
	uint64_t wall_ns;  /* CLOCK_REALTIME at the instant the TSC read wall_tsc */
	uint64_t wall_tsc;
	uint64_t start_tsc; /* TSC when the launcher was started, 0 if unknown */
	uint8_t seed[64];   /* fresh randomness; the kernel wipes it */

	/* The program's path, argument_count strings argv[0]..., environment_count strings
	 * NAME=VALUE, the working directory (absent or empty: /); each ends in NUL. */
	uint64_t strings;
	uint64_t strings_bytes;
	uint32_t argument_count;
	uint32_t environment_count;

	uint8_t streams[4]; /* enum boot_stream_kind of stdin, stdout, stderr */
	uint16_t tty_rows;
	uint16_t tty_columns;

	uint64_t interfaces;      /* struct boot_interface[interface_count]; stays where it is */
	uint32_t interface_count; /* at most BOOT_MAX_INTERFACES */
	uint32_t reserved;
	char hostname[BOOT_HOSTNAME_BYTES]; /* ends in NUL; empty: the kernel's default */

	uint64_t disks;      /* struct boot_disk[disk_count]; stays where it is */
	uint32_t disk_count; /* at most BOOT_MAX_DISKS */
	uint32_t files_mib;  /* most that files in memory may take; 0: half of the memory */

	struct boot_region regions[BOOT_MAX_REGIONS];
	struct boot_module modules[BOOT_MAX_MODULES];
	struct boot_device devices[BOOT_MAX_DEVICES];
};

_Static_assert(sizeof(struct boot_region) == 24, "shared layout");
_Static_assert(sizeof(struct boot_module) == 24, "shared layout");
_Static_assert(sizeof(struct boot_queue) == 40, "shared layout");
_Static_assert(sizeof(struct boot_device) == 40 + 18 * 40, "shared layout");
_Static_assert(sizeof(struct boot_interface) == 512, "shared layout");
_Static_assert(sizeof(struct boot_disk) == 256, "shared layout");
_Static_assert(sizeof(struct boot_share) == 256, "shared layout");
_Static_assert(sizeof(struct boot_info) == 296 + 16 * 24 + 8 * 24 + 16 * 760, "shared layout");

/* Port of our monitor: a 32-bit write ends the VM with that exit status (0-255),
 * a write with bit 31 set reports a kernel panic (registers follow on CONTROL). */
#define BOOT_EXIT_PORT  0x600
#define BOOT_EXIT_PANIC 0x80000000u

/* Port of our monitor: a 32-bit write of N says that the 2 MiB of RAM at N * 2 MiB hold
 * nothing of worth. When the write is done the host has them back, and they read as zeroes. */
#define BOOT_GIVE_BACK_PORT 0x604

#endif
