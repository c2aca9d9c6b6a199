/* arch_relax() for host unit tests: nobody waits for a flush. */
#include <sched.h>

#include "kernel/arch.h"

void arch_relax(void)
{
	(void)sched_yield();
}
