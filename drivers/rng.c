/* See rng.h. */
#include "kernel/entropy.h"
#include "drivers/virtio_device.h"
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "kernel/platform.h"
#include "kernel/random.h"
#include "lib/string.h"

#define REQUEST_BYTES 64u

static struct {
	struct virtio_device device;
	struct virtio_ring ring;
	uint8_t *buffer;
} rng;

static void on_interrupt(void *argument)
{
	uint32_t token, bytes;

	(void)argument;
	virtio_device_acknowledge(&rng.device);
	if (!virtio_ring_take(&rng.ring, &token, &bytes))
		return;
	random_add(rng.buffer, bytes);
	memset(rng.buffer, 0, REQUEST_BYTES);
}

static void send_request(void)
{
	struct virtio_buffer buffer = {platform_virt_to_phys(rng.buffer).raw, REQUEST_BYTES, true};

	if (virtio_ring_arm(&rng.ring, 1) || !virtio_ring_add(&rng.ring, &buffer, 1, 0))
		return;
	if (virtio_ring_publish(&rng.ring))
		virtio_device_notify(&rng.device, 0);
}

static int start(const struct boot_device *boot)
{
	int error = virtio_device_start(&rng.device, boot, VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1);

	if (error == 0)
		error = virtio_device_add_queue(&rng.device, 0, 1, &rng.ring);
	if (error == 0)
		error = platform_interrupt_attach(boot, on_interrupt, NULL);
	return error;
}

void rng_init(void)
{
	const struct boot_device *boot = virtio_device_find(VIRTIO_ID_ENTROPY, BOOT_ROLE_NONE);
	int error;

	if (boot == NULL)
		return;
	rng.buffer = heap_zalloc(REQUEST_BYTES);
	if (rng.buffer == NULL)
		return;
	error = start(boot);
	if (error != 0) {
		log_verbose("entropy device: error %d", -error);
		return;
	}
	virtio_device_set_ready(&rng.device);
	send_request();
}
