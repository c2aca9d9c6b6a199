/*
 * The command line of the monitor.
 */
#ifndef MONITOR_OPTIONS_H
#define MONITOR_OPTIONS_H

#include "abi/boot_info.h"
#include "lib/compiler.h"

#define OPTIONS_MEM_MIN     (16ull << 20)
#define OPTIONS_MEM_MAX     (512ull << 30)
#define OPTIONS_MEM_DEFAULT (512ull << 20)

/* A network interface; its descriptors are inherited. */
struct options_interface {
	char name[16];
	uint8_t mac[6];
	bool is_stream; /* passt; else a tap */
	int fd;
	int pcap_fd;          /* 0: none */
	const char *settings; /* lib/net_config.h */
	unsigned mtu;         /* 0: the usual 1500 */
};

/* A disk. */
struct options_disk {
	char name[BOOT_DISK_NAME_BYTES];
	bool read_only;
	const char *path;
	const char *mount_path; /* "": not mounted */
};

/* A directory of the host. */
struct options_share {
	bool read_only;
	const char *path;
	const char *mount_path;
};

struct options {
	const char *kernel;
	const char *files; /* NULL: none */
	const char *images[BOOT_MAX_IMAGES];
	unsigned image_count;
	uint64_t fs_bytes;     /* most that files in memory may take; 0: the kernel's default */
	const char *sites;     /* NULL: the monitor finds them itself */
	const char *name;      /* path and argv[0] that the program sees; NULL: those of the file */
	const char *directory; /* working directory of the program; NULL: / */
	uint64_t mem_bytes;    /* multiple of 2 MiB */
	unsigned cpus;
	int record_fd; /* of abi/machine_record.h; 0: none */
	bool verbose;
	bool trace_syscalls;
	bool host_environment;
	bool sniff;
	const char *hostname; /* NULL: none given */
	struct options_interface interfaces[BOOT_MAX_INTERFACES];
	unsigned interface_count;
	struct options_disk disks[BOOT_MAX_DISKS];
	unsigned disk_count;
	struct options_share shares[BOOT_MAX_SHARES];
	unsigned share_count;
	const char *disk_log; /* NULL: none */
	char **environment;   /* the K=V of each --env, in order */
	unsigned environment_count;
	char **arguments; /* the program's path as given, then its arguments */
	unsigned argument_count;
};

/* Ends the monitor with a message if the command line is wrong. */
void options_parse(struct options *options, int argc, char **argv);

/* One value, checked; `name` is for the message. End the monitor if it is wrong. */
void options_set_mem(struct options *options, const char *name, const char *text);
void options_set_cpus(struct options *options, const char *name, const char *text);
/* As many as this process may use. */
unsigned options_usable_cpus(void);

/* "512M", "1G", "65536K", bytes without a suffix; false if it is no such number. */
bool options_parse_size(const char *text, uint64_t *bytes);

#endif
