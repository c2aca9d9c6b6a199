/* What lwIP asks of a platform's compiler and library: the port to this kernel. */
#ifndef KERNEL_NET_LWIP_PORT_CC_H
#define KERNEL_NET_LWIP_PORT_CC_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_CTYPE_H    1
#define LWIP_NO_UNISTD_H   1
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
typedef long ssize_t;

/* Only for messages, which are compiled out. */
#define X8_F  "x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define LWIP_PLATFORM_DIAG(message) ((void)0)

_Noreturn void lwip_port_panic(const char *message);
uint32_t lwip_port_random(void);

#define LWIP_PLATFORM_ASSERT(message) lwip_port_panic(message)
#define LWIP_RAND()                   lwip_port_random()

#endif
