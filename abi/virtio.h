/*
 * Virtio 1.2: split virtqueues (section 2.7), status and feature bits (2.1, 6), and
 * the registers of the MMIO transport (4.2.2). Little-endian throughout.
 */
#ifndef ABI_VIRTIO_H
#define ABI_VIRTIO_H

#include <stddef.h>
#include <stdint.h>

enum virtio_descriptor_flags {
	VIRTIO_DESCRIPTOR_NEXT = 1,
	VIRTIO_DESCRIPTOR_WRITE = 2, /* the device writes */
	VIRTIO_DESCRIPTOR_INDIRECT = 4,
};

struct virtio_descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next;
};

#define VIRTIO_AVAILABLE_NO_INTERRUPT 1
#define VIRTIO_USED_NO_NOTIFY         1

struct virtio_available {
	uint16_t flags;
	uint16_t index;
	uint16_t entries[]; /* size of them, then used_event */
};

struct virtio_used_entry {
	uint32_t id;
	uint32_t bytes;
};

struct virtio_used {
	uint16_t flags;
	uint16_t index;
	struct virtio_used_entry entries[]; /* size of them, then avail_event */
};

/* Bytes of the three parts of a queue with `size` entries. */
#define VIRTIO_DESCRIPTOR_BYTES(size) (16ull * (size))
#define VIRTIO_AVAILABLE_BYTES(size)  (6 + 2ull * (size))
#define VIRTIO_USED_BYTES(size)       (6 + 8ull * (size))

enum virtio_id {
	VIRTIO_ID_NET = 1,
	VIRTIO_ID_BLOCK = 2,
	VIRTIO_ID_CONSOLE = 3,
	VIRTIO_ID_ENTROPY = 4,
	VIRTIO_ID_FS = 26,
};

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

#define VIRTIO_CONSOLE_F_MULTIPORT (1ull << 1)

/* Messages on a multiport console's control queues (section 5.3.6.2). */
enum virtio_console_event {
	VIRTIO_CONSOLE_DEVICE_READY = 0,
	VIRTIO_CONSOLE_PORT_READY = 3,
	VIRTIO_CONSOLE_PORT_OPEN = 6,
};

struct virtio_console_control {
	uint32_t port;
	uint16_t event;
	uint16_t value;
};

/* ---- network device (section 5.1): queue 2n receives, 2n + 1 transmits ---------- */

#define VIRTIO_NET_F_CSUM       (1ull << 0) /* the device completes checksums */
#define VIRTIO_NET_F_GUEST_CSUM (1ull << 1) /* the driver takes incomplete ones */
#define VIRTIO_NET_F_MTU        (1ull << 3)
#define VIRTIO_NET_F_MAC        (1ull << 5)
#define VIRTIO_NET_F_GUEST_TSO4 (1ull << 7)
#define VIRTIO_NET_F_GUEST_TSO6 (1ull << 8)
#define VIRTIO_NET_F_GUEST_ECN  (1ull << 9)
#define VIRTIO_NET_F_HOST_TSO4  (1ull << 11)
#define VIRTIO_NET_F_HOST_TSO6  (1ull << 12)
#define VIRTIO_NET_F_HOST_ECN   (1ull << 13)
#define VIRTIO_NET_F_MRG_RXBUF  (1ull << 15)
#define VIRTIO_NET_F_STATUS     (1ull << 16)
#define VIRTIO_NET_F_CTRL_VQ    (1ull << 17)
#define VIRTIO_NET_F_MQ         (1ull << 22)
#define VIRTIO_NET_F_GUEST_USO4 (1ull << 54)
#define VIRTIO_NET_F_GUEST_USO6 (1ull << 55)
#define VIRTIO_NET_F_HOST_USO   (1ull << 56)

#define VIRTIO_NET_STATUS_LINK_UP 1

struct virtio_net_config {
	uint8_t mac[6];         /* F_MAC */
	uint16_t status;        /* F_STATUS */
	uint16_t maximum_pairs; /* F_MQ: pairs of queues */
	uint16_t mtu;           /* F_MTU */
};

enum virtio_net_header_flags {
	VIRTIO_NET_NEEDS_CHECKSUM = 1,
	VIRTIO_NET_DATA_VALID = 2, /* received: the checksum has been checked */
};

enum virtio_net_segmentation {
	VIRTIO_NET_GSO_NONE = 0,
	VIRTIO_NET_GSO_TCP4 = 1,
	VIRTIO_NET_GSO_TCP6 = 4,
	VIRTIO_NET_GSO_UDP = 5, /* UDP_L4: USO */
	VIRTIO_NET_GSO_ECN = 0x80,
};

/* Before every frame. */
struct virtio_net_header {
	uint8_t flags;
	uint8_t segmentation;
	uint16_t header_bytes;    /* of all headers up to the payload; a hint */
	uint16_t segment_bytes;   /* payload of each segment */
	uint16_t checksum_start;  /* from the first byte of the frame */
	uint16_t checksum_offset; /* from checksum_start */
	uint16_t buffer_count;    /* received, F_MRG_RXBUF: how many buffers the frame fills */
};

/* ---- file system device (section 5.11): queue 0 is for FORGET and INTERRUPT, the others
 * for requests (abi/fuse.h) ---- */

#define VIRTIO_FS_TAG_BYTES 36

struct virtio_fs_config {
	char tag[VIRTIO_FS_TAG_BYTES]; /* filled up with NULs; may have none */
	uint32_t request_queues;
};

/* ---- block device (section 5.2): all queues carry requests -------------------------- */

#define VIRTIO_BLK_F_SIZE_MAX     (1ull << 1)
#define VIRTIO_BLK_F_SEG_MAX      (1ull << 2)
#define VIRTIO_BLK_F_RO           (1ull << 5)
#define VIRTIO_BLK_F_BLK_SIZE     (1ull << 6)
#define VIRTIO_BLK_F_FLUSH        (1ull << 9)
#define VIRTIO_BLK_F_CONFIG_WCE   (1ull << 11)
#define VIRTIO_BLK_F_MQ           (1ull << 12)
#define VIRTIO_BLK_F_DISCARD      (1ull << 13)
#define VIRTIO_BLK_F_WRITE_ZEROES (1ull << 14)

#define VIRTIO_BLK_SECTOR_BYTES 512u /* the unit of all sector numbers */
#define VIRTIO_BLK_ID_BYTES     20u

struct virtio_blk_config {
	uint64_t capacity; /* sectors */
	uint32_t size_max; /* F_SIZE_MAX: bytes of a segment */
	uint32_t seg_max;  /* F_SEG_MAX: segments of a request */
	uint8_t geometry[4];
	uint32_t blk_size; /* F_BLK_SIZE: bytes of a block, the unit that is best used */
	uint8_t topology[8];
	uint8_t writeback;
	uint8_t unused;
	uint16_t num_queues;          /* F_MQ */
	uint32_t max_discard_sectors; /* F_DISCARD: of one segment */
	uint32_t max_discard_seg;
	uint32_t discard_sector_alignment;
	uint32_t max_write_zeroes_sectors; /* F_WRITE_ZEROES */
	uint32_t max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap;
	uint8_t unused1[3];
};

enum virtio_blk_type {
	VIRTIO_BLK_T_IN = 0,
	VIRTIO_BLK_T_OUT = 1,
	VIRTIO_BLK_T_FLUSH = 4,
	VIRTIO_BLK_T_GET_ID = 8, /* fills VIRTIO_BLK_ID_BYTES; NUL only if there is room */
	VIRTIO_BLK_T_DISCARD = 11,
	VIRTIO_BLK_T_WRITE_ZEROES = 13,
};

enum virtio_blk_status {
	VIRTIO_BLK_S_OK = 0,
	VIRTIO_BLK_S_IOERR = 1,
	VIRTIO_BLK_S_UNSUPP = 2,
};

/* A request: this, data, and one byte of status that the device writes. */
struct virtio_blk_header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

#define VIRTIO_BLK_ZEROES_UNMAP 1u

/* Data of DISCARD and WRITE_ZEROES. */
struct virtio_blk_range {
	uint64_t sector;
	uint32_t sector_count;
	uint32_t flags;
};

enum virtio_status {
	VIRTIO_STATUS_ACKNOWLEDGE = 1,
	VIRTIO_STATUS_DRIVER = 2,
	VIRTIO_STATUS_DRIVER_OK = 4,
	VIRTIO_STATUS_FEATURES_OK = 8,
	VIRTIO_STATUS_NEEDS_RESET = 64,
	VIRTIO_STATUS_FAILED = 128,
};

enum virtio_mmio_register {
	VIRTIO_MMIO_MAGIC = 0x000,
	VIRTIO_MMIO_VERSION = 0x004,
	VIRTIO_MMIO_DEVICE_ID = 0x008,
	VIRTIO_MMIO_VENDOR_ID = 0x00c,
	VIRTIO_MMIO_DEVICE_FEATURES = 0x010,
	VIRTIO_MMIO_DEVICE_FEATURES_SELECT = 0x014,
	VIRTIO_MMIO_DRIVER_FEATURES = 0x020,
	VIRTIO_MMIO_DRIVER_FEATURES_SELECT = 0x024,
	VIRTIO_MMIO_QUEUE_SELECT = 0x030,
	VIRTIO_MMIO_QUEUE_SIZE_MAX = 0x034,
	VIRTIO_MMIO_QUEUE_SIZE = 0x038,
	VIRTIO_MMIO_QUEUE_READY = 0x044,
	VIRTIO_MMIO_QUEUE_NOTIFY = 0x050,
	VIRTIO_MMIO_INTERRUPT_STATUS = 0x060,
	VIRTIO_MMIO_INTERRUPT_ACKNOWLEDGE = 0x064,
	VIRTIO_MMIO_STATUS = 0x070,
	VIRTIO_MMIO_QUEUE_DESCRIPTORS_LOW = 0x080,
	VIRTIO_MMIO_QUEUE_DESCRIPTORS_HIGH = 0x084,
	VIRTIO_MMIO_QUEUE_AVAILABLE_LOW = 0x090,
	VIRTIO_MMIO_QUEUE_AVAILABLE_HIGH = 0x094,
	VIRTIO_MMIO_QUEUE_USED_LOW = 0x0a0,
	VIRTIO_MMIO_QUEUE_USED_HIGH = 0x0a4,
	VIRTIO_MMIO_CONFIG_GENERATION = 0x0fc,
	VIRTIO_MMIO_CONFIG = 0x100,
	VIRTIO_MMIO_BYTES = 0x200,
};

#define VIRTIO_MMIO_MAGIC_VALUE   0x74726976u
#define VIRTIO_MMIO_VERSION_VALUE 2u /* 1 is the legacy interface */

/* ---- PCI transport (section 4.1) -------------------------------------------------- */

#define VIRTIO_PCI_VENDOR       0x1af4
#define VIRTIO_PCI_TRANSITIONAL 0x1000 /* to 0x103f: the subsystem tells the virtio id */
#define VIRTIO_PCI_MODERN       0x1040 /* plus the virtio id */
#define VIRTIO_PCI_END          0x1080
#define VIRTIO_PCI_NO_VECTOR    0xffff

/* Where the registers lie: vendor capabilities of the function (section 4.1.4). */
enum virtio_pci_region {
	VIRTIO_PCI_COMMON = 1,
	VIRTIO_PCI_NOTIFY = 2,
	VIRTIO_PCI_ISR = 3,
	VIRTIO_PCI_DEVICE = 4,
};

struct virtio_pci_capability {
	uint8_t id;
	uint8_t next;
	uint8_t bytes;
	uint8_t region;
	uint8_t bar;
	uint8_t reserved[3];
	uint32_t offset;
	uint32_t length;
	uint32_t notify_multiplier; /* VIRTIO_PCI_NOTIFY only */
};

struct virtio_pci_common {
	uint32_t device_features_select;
	uint32_t device_features;
	uint32_t driver_features_select;
	uint32_t driver_features;
	uint16_t config_vector;
	uint16_t queue_count;
	uint8_t status;
	uint8_t config_generation;
	uint16_t queue_select;
	uint16_t queue_size;
	uint16_t queue_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_offset;
	uint32_t queue_descriptors[2]; /* low, high */
	uint32_t queue_available[2];
	uint32_t queue_used[2];
};

_Static_assert(sizeof(struct virtio_pci_capability) == 20, "virtio layout");
_Static_assert(sizeof(struct virtio_pci_common) == 56, "virtio layout");
_Static_assert(offsetof(struct virtio_pci_common, queue_descriptors) == 32, "virtio layout");
_Static_assert(sizeof(struct virtio_descriptor) == 16, "virtio layout");
_Static_assert(sizeof(struct virtio_used_entry) == 8, "virtio layout");
_Static_assert(sizeof(struct virtio_fs_config) == 40, "virtio layout");
_Static_assert(sizeof(struct virtio_net_config) == 12, "virtio layout");
_Static_assert(sizeof(struct virtio_net_header) == 12, "virtio layout");
_Static_assert(sizeof(struct virtio_blk_config) == 64, "virtio layout");
_Static_assert(offsetof(struct virtio_blk_config, max_discard_sectors) == 36, "virtio layout");
_Static_assert(sizeof(struct virtio_blk_header) == 16, "virtio layout");
_Static_assert(sizeof(struct virtio_blk_range) == 16, "virtio layout");
_Static_assert(offsetof(struct virtio_available, entries) == 4, "virtio layout");
_Static_assert(offsetof(struct virtio_used, entries) == 4, "virtio layout");

#endif
