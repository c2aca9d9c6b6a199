/* What `burrow run` and `burrow exec` are asked to do. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "host/alloc.h"
#include "cli/supervisor.h"
#include "host/disk.h"
#include "host/share.h"
#include "host/network.h"

/* Of QEMU. */
enum machine { MACHINE_MICROVM, MACHINE_Q35 };
enum platform { PLATFORM_AUTOMATIC, PLATFORM_KVM, PLATFORM_QEMU, PLATFORM_QEMU_KVM };

struct options {
	/* as given */
	const char *platform_text;
	const char *machine_text;
	const char *memory_text;
	const char *cpus_text;
	const char *json_text;
	const char *files_limit_text;
	const char *files; /* cpio archive to unpack over the root, or NULL */
	const char *working_directory;
	struct text_list environment;          /* NAME=VALUE */
	struct text_list environment_defaults; /* the same, of a built file */
	struct text_list add;                  /* HOST[:GUEST] */
	const char *fs_size_text;
	const char *rootfs; /* a container's file tree, or NULL */
	bool clean_environment;
	bool no_working_directory_files; /* exec: do not pack the current directory */
	const char *name;                /* of the VM for `burrow ps`, or NULL */
	const char *restart_text;
	bool detach;
	bool verbose;
	bool trace_syscalls;
	struct network network;
	struct disks disks;
	struct shares shares;

	/* understood */
	enum platform platform;
	enum machine machine;
	uint64_t memory_bytes;
	uint64_t files_limit_bytes;
	uint64_t fs_bytes; /* most that files in memory may take; 0: half of the memory */
	unsigned cpus;
	struct restart_policy restart;
	int json_fd; /* -1: no JSON */

	const char *program;
	struct text_list arguments; /* argv[1]... of the program */
};

/* Fills the understood part, but for the network; fails the command on errors. */
void options_understand(struct options *options);

/* Reads the words after the subcommand; fails the command on errors. */
void options_parse(struct options *options, int argc, char **argv, const char *help);

#endif
