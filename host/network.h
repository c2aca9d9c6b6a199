/*
 * The network of a VM: what the flags ask for, and what of the host stands behind it.
 *
 * Understood with the other flags; opened just before the VM starts: a tap is attached, passt
 * started, the capture file made. The VM's launcher inherits the descriptors.
 */
#ifndef HOST_NETWORK_H
#define HOST_NETWORK_H

#include "abi/boot_info.h"
#include "host/alloc.h"
#include "lib/net_config.h"

#define NETWORK_PASST_MTU 65520 /* the most that passt takes */

enum network_backend {
	NETWORK_TAP,   /* a character device with virtio_net_header before each frame */
	NETWORK_PASST, /* a stream socket; each frame after its length, 32 bits big-endian */
};

struct network_interface {
	struct boot_interface boot; /* name, MAC address, settings: as the kernel gets them */
	struct net_config config;   /* the same settings, parsed */
	enum network_backend backend;
	const char *tap;  /* its name on the host */
	const char *pcap; /* file to write frames to, or NULL */
	int fd;           /* of the backend; kept over exec. -1 before network_open() */
	int pcap_fd;      /* -1: none; for our monitor */
};

struct network_forward {
	const char *text; /* as given */
	char address[46]; /* of the host to listen on; "": all */
	uint16_t host_port, guest_port;
	bool is_udp;
};

struct network {
	/* as given */
	struct text_list interfaces_text, addresses_text, addresses6_text, macs_text, ports_text,
		pcaps_text;
	const char *hostname;    /* NULL: none */
	const char *time_server; /* NULL: none */
	bool sniff;

	/* understood */
	struct network_interface interfaces[BOOT_MAX_INTERFACES];
	uint32_t interface_count;
	struct network_forward *forwards; /* for the first passt interface */
	size_t forward_count;
};

/* Checks what was given; fails the command on errors. */
void network_understand(struct network *network);

/* Attaches the taps, starts passt, makes the capture files. Fails the command on errors.
 * `verbose`: passt's own messages go to stderr. */
void network_open(struct network *network, bool verbose);

/* ---- of the backends, for network_open() ---------------------------------------- */

/* A descriptor of the tap device. */
int network_tap_open(const char *name);
/* Checks that the ports are free, starts passt and returns our end of its socket. */
int network_passt_open(const struct network_interface *interface,
	const struct network_forward *forwards, size_t count, bool verbose);

#endif
