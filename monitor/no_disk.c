/*
 * In place of io_disk.c and what it needs, in monitors of files that have no disks: nothing of a
 * disk is in them, so nothing of one can be attacked.
 */
#include "monitor/io.h"

void io_open_disks(struct machine *machine)
{
	(void)machine;
}

void io_connect_disks(struct machine *machine)
{
	(void)machine;
}

void io_finish_disks(const struct machine *machine)
{
	(void)machine;
}

/* Not 0: memory is planned before anybody counts. */
unsigned io_disk_queues(const struct machine *machine)
{
	(void)machine;
	return 1;
}

uint64_t io_disk_features(unsigned number)
{
	(void)number;
	return 0;
}

struct virtio_blk_config io_disk_config(const struct machine *machine, unsigned number)
{
	(void)machine;
	(void)number;
	return (struct virtio_blk_config){0};
}

void io_disk_doorbell(struct machine *machine, uint64_t address)
{
	(void)machine;
	(void)address;
}
