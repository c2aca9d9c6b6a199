/* Memory that the host may have back. */
#include "abi/boot_info.h"
#include "kernel/platform.h"
#include "platform/vm/ports.h"

bool platform_give_back(struct phys base, uint64_t bytes)
{
	if ((platform_boot_info()->flags & BOOT_DIRECT) == 0)
		return false; /* other launchers do not ask for it */
	for (uint64_t at = 0; at < bytes; at += HUGE_PAGE_BYTES)
		port_write32(BOOT_GIVE_BACK_PORT, (uint32_t)((base.raw + at) >> HUGE_PAGE_SHIFT));
	return true;
}
