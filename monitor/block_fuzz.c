/*
 * A guest that writes what it likes into the queue of a disk: nothing outside of its memory and
 * of the disk is touched, and every request that is taken is given back.
 */
#include "monitor/fake_block_guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#define DISK_BYTES 65536u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct block_work work;
	unsigned taken = 0;

	guest_start(DISK_BYTES, count % 7 == 0);
	memcpy(guest, bytes, count < 512 ? count : 512); /* descriptors */
	if (count > 512)
		memcpy(guest + HEADERS, bytes + 512, count - 512 < 512 ? count - 512 : 512);
	for (uint16_t i = 0; i < GUEST_RING; i++)
		guest_offer(count > 0 ? bytes[i % count] % GUEST_RING : 0);
	while (block_take(&disk, &work)) {
		if (!block_execute(&disk, &work, true) && !block_execute(&disk, &work, false))
			abort();
		(void)block_give(&disk, &work);
		taken++;
	}
	if (guest_used()->index != taken && block_broken(&disk) == NULL)
		abort();
	if (lseek(disk.fd, 0, SEEK_END) != DISK_BYTES)
		abort();
	guest_stop();
	return 0;
}
