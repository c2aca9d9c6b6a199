/*
 * The monitor as part of a built file (abi/image.h): what the command line says when
 * `burrow run` starts the monitor is here found in the file itself, its manifest, and the
 * environment. The arguments are the program's, all of them.
 */
#ifndef MONITOR_BUILT_H
#define MONITOR_BUILT_H

#include "abi/image.h"
#include "host/network.h"
#include "monitor/machine.h"

/* NULL: this is burrow-monitor, which is part of no built file. */
const struct image_header *built_find(void);

/* Fills options from manifest, environment and arguments. Ends the monitor with a message
 * if they are wrong, or lack what the program needs. */
void built_options(
	struct machine *machine, const struct image_header *header, int argc, char **argv);

/* Opens the file and says where its parts are. */
void built_open(struct machine *machine, const struct image_header *header);

/* Understands what is wanted of the network, starts it, and fills options->interfaces. In a
 * monitor without network (no_net.c) it refuses if anything is wanted. */
void built_start_network(struct options *options, struct network *network);

#endif
