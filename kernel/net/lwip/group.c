/* Groups: lwIP counts members a device and speaks IGMP and MLD. */
#include "kernel/net/lwip/layer.h"

int ip_group_join(const struct ip_address *group, struct net_device *device)
{
	struct netif *netif = &ip_device_of(device)->netifs[0];
	err_t error;

	ip_ticks_catch_up();
	if (ip_address_is_v4(group)) {
		ip4_addr_t v4 = ip4_of(group);

		error = igmp_joingroup_netif(netif, &v4);
	} else {
		ip6_addr_t v6 = ip6_of(group, netif);

		error = mld6_joingroup_netif(netif, &v6);
	}
	ip_ticks_arm();
	return ip_error_of_lwip(error);
}

void ip_group_leave(const struct ip_address *group, struct net_device *device)
{
	struct netif *netif = &ip_device_of(device)->netifs[0];

	ip_ticks_catch_up();
	if (ip_address_is_v4(group)) {
		ip4_addr_t v4 = ip4_of(group);

		igmp_leavegroup_netif(netif, &v4);
	} else {
		ip6_addr_t v6 = ip6_of(group, netif);

		mld6_leavegroup_netif(netif, &v6);
	}
	ip_ticks_arm();
}

static bool entry4(const struct netif *netif, uint32_t n, struct ip_group_entry *result)
{
	const struct igmp_group *group = netif_igmp_data(netif);

	while (group && n-- > 0)
		group = group->next;
	if (!group)
		return false;
	*result = (struct ip_group_entry){ip_address_of_ip4(&group->group_address), group->use};
	return true;
}

static bool entry6(const struct netif *netif, uint32_t n, struct ip_group_entry *result)
{
	const struct mld_group *group = netif_mld6_data(netif);

	while (group && n-- > 0)
		group = group->next;
	if (!group)
		return false;
	*result = (struct ip_group_entry){ip_address_of_ip6(&group->group_address), group->use};
	return true;
}

bool ip_group_entry(
	const struct net_device *device, bool is_v6, uint32_t n, struct ip_group_entry *result)
{
	const struct netif *netif = &ip_device_of(device)->netifs[0];

	return is_v6 ? entry6(netif, n, result) : entry4(netif, n, result);
}
