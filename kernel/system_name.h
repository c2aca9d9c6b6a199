/*
 * What the machine calls itself: uname(2), sethostname(2), /proc/sys/kernel.
 */
#ifndef KERNEL_SYSTEM_NAME_H
#define KERNEL_SYSTEM_NAME_H

#include "lib/compiler.h"

#define SYSTEM_NAME_BYTES 65 /* with NUL, as in struct utsname */

enum system_name {
	SYSTEM_NAME,
	SYSTEM_NODE_NAME,
	SYSTEM_RELEASE,
	SYSTEM_VERSION,
	SYSTEM_MACHINE,
	SYSTEM_DOMAIN_NAME,
	SYSTEM_NAME_COUNT,
};

void system_get_name(enum system_name which, char text[SYSTEM_NAME_BYTES]);
/* Node or domain name. -EINVAL: longer than 64 bytes. */
int system_set_node_name(const char *text, size_t bytes);
int system_set_domain_name(const char *text, size_t bytes);

#endif
