/*
 * In place of net.c and its kin, in monitors of files that have no network. None of the
 * functions is called, as there are no interfaces: the one that would make them refuses.
 */
#include "monitor/built.h"
#include "monitor/message.h"
#include "monitor/net.h"

void built_start_network(struct options *options, struct network *network)
{
	if (network->interfaces_text.count || network->ports_text.count || network->sniff ||
		network->addresses_text.count || network->macs_text.count ||
		network->pcaps_text.count)
		message_fail(STATUS_MONITOR_FAILED,
			"this file was built without a network: build it with --net NAME, or -p");
	options->hostname = network->hostname;
}

bool net_capture_start(const struct net_capture *capture)
{
	(void)capture;
	return false;
}

void net_open_tap(struct net_device *device, int fd)
{
	(void)device;
	(void)fd;
}

bool net_open_stream(struct net_device *device, int fd)
{
	(void)device;
	(void)fd;
	return false;
}

uint64_t net_features(const struct net_device *device)
{
	(void)device;
	return 0;
}

bool net_receive(struct net_device *device)
{
	(void)device;
	return false;
}

bool net_transmit(struct net_device *device)
{
	(void)device;
	return false;
}

bool net_prepare_sleep(struct net_device *device)
{
	(void)device;
	return false;
}

short net_events(const struct net_device *device)
{
	(void)device;
	return 0;
}

void net_note_events(struct net_device *device, short events)
{
	(void)device;
	(void)events;
}

const char *net_broken(const struct net_device *device)
{
	(void)device;
	return NULL;
}
