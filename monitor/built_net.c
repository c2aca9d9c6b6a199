/* The network of a built file: what `burrow run` prepares for burrow-monitor is prepared here. */
#include <string.h>

#include "monitor/built.h"

static void add_interface(struct options *options, const struct network_interface *from)
{
	struct options_interface *to = &options->interfaces[options->interface_count++];

	memcpy(to->name, from->boot.name, sizeof(to->name));
	memcpy(to->mac, from->boot.mac, sizeof(to->mac));
	to->is_stream = from->backend == NETWORK_PASST;
	to->fd = from->fd;
	to->pcap_fd = from->pcap_fd >= 0 ? from->pcap_fd : 0;
	to->settings = from->boot.settings;
	to->mtu = to->is_stream ? NETWORK_PASST_MTU : 0;
}

void built_start_network(struct options *options, struct network *network)
{
	network_understand(network);
	network_open(network, options->verbose);
	options->sniff = network->sniff;
	options->hostname = network->hostname;
	for (uint32_t i = 0; i < network->interface_count; i++)
		add_interface(options, &network->interfaces[i]);
}
