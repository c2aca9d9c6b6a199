/*
 * lwIP's timeouts, without waking an idle machine.
 *
 * lwIP counts ticks of fixed periods (ARP and ND a second, DHCP half a second and a minute,
 * groups a tenth). Here each ticker says how many of its ticks from now something will be due;
 * one kernel timer waits for the earliest, and the ticks in between are made up for then, or
 * before lwIP is used (ip_ticks_catch_up). Nothing due: no timer. What remains in a quiet
 * network: the renewals of DHCP leases and the lifetimes that router advertisements gave.
 */
#include "kernel/net/lwip/layer.h"
#include "kernel/net/net.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/timer.h"

#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>

#define MS                  1000000ull
#define SECOND              (1000 * MS)
#define NEVER               UINT32_MAX
#define CATCH_UP_MAX        7200u
#define ARP_PENDING_SECONDS 5 /* ARP_MAXPENDING of etharp.c */

struct ticker {
	void (*tick)(void);
	uint64_t period_ns;
	/* Ticks until one must not be late; NEVER. */
	uint32_t (*due)(void);
	uint64_t last_ns;
};

static struct timer timer;
static uint64_t arp_until_ns, fragments_until_ns;

/* Queries are repeated each second for five, then given up. */
static uint32_t arp_due(void)
{
	return clock_monotonic_ns() < arp_until_ns ? 1 : NEVER;
}

static uint32_t fragments_due(void)
{
	return clock_monotonic_ns() < fragments_until_ns ? 1 : NEVER;
}

static struct ip_device *layer_after(const struct ip_device *layer)
{
	struct net_device *device = net_device_next(layer ? layer->device : NULL);

	return device ? ip_device_of(device) : NULL;
}

static uint32_t igmp_due(void)
{
	for (struct ip_device *layer = layer_after(NULL); layer; layer = layer_after(layer)) {
		for (struct igmp_group *group = netif_igmp_data(&layer->netifs[0]); group;
			group = group->next) {
			if (group->timer > 0)
				return 1;
		}
	}
	return NEVER;
}

static uint32_t mld_due(void)
{
	for (struct ip_device *layer = layer_after(NULL); layer; layer = layer_after(layer)) {
		for (struct mld_group *group = netif_mld6_data(&layer->netifs[0]); group;
			group = group->next) {
			if (group->timer > 0)
				return 1;
		}
	}
	return NEVER;
}

static uint32_t dhcp_fine_due(void)
{
	uint32_t due = NEVER;

	for (struct ip_device *layer = layer_after(NULL); layer; layer = layer_after(layer)) {
		const struct dhcp *dhcp = netif_dhcp_data(&layer->netifs[0]);

		if (dhcp && dhcp->request_timeout)
			due = MIN(due, dhcp->request_timeout);
	}
	return due;
}

static uint32_t dhcp_coarse_due(void)
{
	uint32_t due = NEVER;

	for (struct ip_device *layer = layer_after(NULL); layer; layer = layer_after(layer)) {
		const struct dhcp *dhcp = netif_dhcp_data(&layer->netifs[0]);

		if (!dhcp || dhcp->state == DHCP_STATE_OFF)
			continue;
		if (dhcp->t1_renew_time)
			due = MIN(due, dhcp->t1_renew_time);
		if (dhcp->t2_rebind_time)
			due = MIN(due, dhcp->t2_rebind_time);
		if (dhcp->t0_timeout > dhcp->lease_used)
			due = MIN(due, (uint32_t)(dhcp->t0_timeout - dhcp->lease_used));
	}
	return due;
}

static uint32_t dhcp6_due(void)
{
	uint32_t due = NEVER;

	for (struct ip_device *layer = layer_after(NULL); layer; layer = layer_after(layer)) {
		const struct dhcp6 *dhcp6 = netif_dhcp6_data(&layer->netifs[0]);

		if (dhcp6 && dhcp6->request_timeout)
			due = MIN(due, dhcp6->request_timeout);
	}
	return due;
}

static uint32_t lifetime(uint32_t seconds)
{
	return seconds == 0 || seconds == 0xffffffff ? NEVER : seconds;
}

static uint32_t nd6_tables_due(void)
{
	uint32_t due = NEVER;

	for (uint32_t i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		uint8_t state = neighbor_cache[i].state;

		if (state == ND6_INCOMPLETE || state == ND6_DELAY || state == ND6_PROBE)
			return 1;
	}
	for (uint32_t i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
		if (default_router_list[i].neighbor_entry)
			due = MIN(due, lifetime(default_router_list[i].invalidation_timer));
	}
	for (uint32_t i = 0; i < LWIP_ND6_NUM_PREFIXES; i++) {
		if (prefix_list[i].netif)
			due = MIN(due, lifetime(prefix_list[i].invalidation_timer));
	}
	return due;
}

static uint32_t nd6_due(void)
{
	uint32_t due = nd6_tables_due();

	for (struct ip_device *layer = layer_after(NULL); layer; layer = layer_after(layer)) {
		const struct netif *netif = &layer->netifs[0];

		/* Solicitations go out every fourth tick. */
		if (netif->rs_count > 0 && !ip6_addr_isinvalid(netif_ip6_addr_state(netif, 0)))
			due = MIN(due, 1u);
		for (uint32_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
			uint8_t state = netif_ip6_addr_state(netif, i);

			if (ip6_addr_istentative(state))
				return 1;
			if (ip6_addr_isinvalid(state) || netif_ip6_addr_isstatic(netif, i))
				continue;
			due = MIN(due, lifetime(netif_ip6_addr_valid_life(netif, i)));
			if (state == IP6_ADDR_PREFERRED)
				due = MIN(due, lifetime(netif_ip6_addr_pref_life(netif, i)));
		}
	}
	return due;
}

static struct ticker tickers[] = {
	{.tick = etharp_tmr, .period_ns = ARP_TMR_INTERVAL * MS, .due = arp_due},
	{.tick = ip_reass_tmr, .period_ns = IP_TMR_INTERVAL * MS, .due = fragments_due},
	{.tick = ip6_reass_tmr, .period_ns = IP6_REASS_TMR_INTERVAL * MS, .due = fragments_due},
	{.tick = igmp_tmr, .period_ns = IGMP_TMR_INTERVAL * MS, .due = igmp_due},
	{.tick = mld6_tmr, .period_ns = MLD6_TMR_INTERVAL * MS, .due = mld_due},
	{.tick = dhcp_fine_tmr, .period_ns = DHCP_FINE_TIMER_MSECS * MS, .due = dhcp_fine_due},
	{.tick = dhcp_coarse_tmr,
		.period_ns = DHCP_COARSE_TIMER_SECS * SECOND,
		.due = dhcp_coarse_due},
	{.tick = dhcp6_tmr, .period_ns = DHCP6_TIMER_MSECS * MS, .due = dhcp6_due},
	{.tick = nd6_tmr, .period_ns = ND6_TMR_INTERVAL * MS, .due = nd6_due},
};

void ip_ticks_catch_up(void)
{
	uint64_t now = clock_monotonic_ns();

	for (uint32_t i = 0; i < ARRAY_SIZE(tickers); i++) {
		struct ticker *ticker = &tickers[i];
		uint64_t missed = (now - ticker->last_ns) / ticker->period_ns;

		if (missed == 0)
			continue;
		ticker->last_ns += missed * ticker->period_ns;
		for (uint64_t n = MIN(missed, CATCH_UP_MAX); n > 0; n--)
			ticker->tick();
		ip_generation++; /* a lifetime may have ended */
	}
}

void ip_ticks_arm(void)
{
	uint64_t deadline = UINT64_MAX;

	for (uint32_t i = 0; i < ARRAY_SIZE(tickers); i++) {
		uint32_t due = tickers[i].due();

		if (due != NEVER)
			deadline = MIN(deadline, tickers[i].last_ns + due * tickers[i].period_ns);
	}
	if (deadline != UINT64_MAX)
		timer_arm(&timer, deadline);
	else
		timer_cancel(&timer);
}

static void expire(struct timer *expired)
{
	(void)expired;
	net_lock();
	ip_ticks_catch_up();
	ip_ticks_arm();
	net_unlock();
}

void ip_ticks_expect_arp(void)
{
	arp_until_ns = clock_monotonic_ns() + (ARP_PENDING_SECONDS + 1) * SECOND;
}

void ip_ticks_expect_fragments(void)
{
	fragments_until_ns = clock_monotonic_ns() + 61 * SECOND;
}

void ip_ticks_init(void)
{
	uint64_t now = clock_monotonic_ns();

	timer_init(&timer, expire);
	for (uint32_t i = 0; i < ARRAY_SIZE(tickers); i++)
		tickers[i].last_ns = now;
}
