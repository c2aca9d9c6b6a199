/* What lwIP asks of its platform (port/arch/cc.h). */
#include "kernel/mm/heap.h"
#include "kernel/net/lwip/layer.h"
#include "kernel/panic.h"
#include "kernel/random.h"
#include "kernel/sched/clock.h"

#include <lwip/sys.h>

_Noreturn void lwip_port_panic(const char *message)
{
	panic("lwip: %s", message);
}

uint32_t lwip_port_random(void)
{
	return (uint32_t)random_u64();
}

uint32_t sys_now(void)
{
	return (uint32_t)(clock_monotonic_ns() / 1000000);
}

#ifdef BURROW_KERNEL
/* mem.c's allocator, by the names that third_party/lwip/files.mk gives it. */
void *heap_calloc(size_t count, size_t bytes);
void *heap_calloc(size_t count, size_t bytes)
{
	return heap_zalloc(count * bytes);
}

/* netif_find(), which nobody calls. */
int lwip_port_number(const char *text);
int lwip_port_number(const char *text)
{
	(void)text;
	return 0;
}
#endif
