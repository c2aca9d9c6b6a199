/*
 * The I/O thread: standard streams, control messages, signals.
 */
#ifndef MONITOR_IO_H
#define MONITOR_IO_H

#include "abi/virtio.h"
#include "monitor/machine.h"

/* Opens the network interfaces of the options. Before image_build(). */
void io_open_nets(struct machine *machine);
/* Feature bits of the n-th of them. */
uint64_t io_net_features(unsigned number);

/* Opens the disks of the options. Before image_build(). */
void io_open_disks(struct machine *machine);
/* Starts serving them. After image_build() and vm_ready, before the guest runs. */
void io_connect_disks(struct machine *machine);
/* The guest ended: waits for requests that are under way, and unlocks the files. */
void io_finish_disks(const struct machine *machine);
/* Queues that each disk has; feature bits and configuration of the n-th of them. */
unsigned io_disk_queues(const struct machine *machine);
uint64_t io_disk_features(unsigned number);
struct virtio_blk_config io_disk_config(const struct machine *machine, unsigned number);
/* From a vcpu thread: the doorbell of a disk was written. */
void io_disk_doorbell(struct machine *machine, uint64_t address);

/* The directories of the host: opened, before image_build(); connected and served, as disks. */
void io_open_shares(struct machine *machine);
void io_connect_shares(struct machine *machine);
void io_share_doorbell(struct machine *machine, uint64_t address);

/* Makes the doorbell and rings. After image_build(), before the guest runs. */
void io_init(struct machine *machine);

/* Lets KVM ring the doorbell by itself. After vm_ready. */
void io_connect(struct machine *machine);

/* The loop of the I/O thread. */
_Noreturn void io_run(struct machine *machine);

/* From a vcpu thread, on its way through the monitor: a doorbell was written. */
void io_doorbell(struct machine *machine);

/*
 * From a vcpu thread: the guest ended. Writes out all output that it queued, then
 * ends the monitor with `status`, or by the signal that killed the program.
 */
_Noreturn void io_finish(struct machine *machine, int status);

#endif
