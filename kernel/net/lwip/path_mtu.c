/* Path MTUs learned from ICMP (RFC 1191, RFC 8201): a small table, the oldest gives way. */
#include "kernel/net/lwip/layer.h"
#include "kernel/sched/clock.h"

#define ENTRIES     64u
#define LIFETIME_NS (600ull * 1000000000) /* as Linux's mtu_expires */
#define MINIMUM4    552u                  /* as Linux's min_pmtu */
#define MINIMUM6    1280u

struct path {
	struct ip_address destination;
	uint32_t mtu; /* 0: free */
	uint64_t expires_ns;
};

static struct path paths[ENTRIES];
static uint32_t used; /* none, mostly */

static struct path *find(const struct ip_address *destination)
{
	for (uint32_t i = 0; i < ENTRIES; i++) {
		if (paths[i].mtu && ip_address_equal(&paths[i].destination, destination))
			return &paths[i];
	}
	return NULL;
}

static struct path *oldest(void)
{
	struct path *victim = &paths[0];

	for (uint32_t i = 0; i < ENTRIES; i++) {
		if (!paths[i].mtu)
			return &paths[i];
		if (paths[i].expires_ns < victim->expires_ns)
			victim = &paths[i];
	}
	return victim;
}

void ip_set_path_mtu(const struct ip_address *destination, uint32_t mtu)
{
	uint32_t minimum = ip_address_is_v4(destination) ? MINIMUM4 : MINIMUM6;
	struct path *path = find(destination);

	mtu = MAX(mtu, minimum);
	if (path && path->mtu < mtu)
		return;
	if (!path) {
		path = oldest();
		used += path->mtu == 0;
		path->destination = *destination;
	}
	path->mtu = mtu;
	path->expires_ns = clock_monotonic_ns() + LIFETIME_NS;
	ip_generation++;
}

uint32_t ip_path_mtu(const struct ip_address *destination, uint32_t limit)
{
	struct path *path = used ? find(destination) : NULL;

	if (!path)
		return limit;
	if (path->expires_ns <= clock_monotonic_ns()) {
		path->mtu = 0;
		used--;
		return limit;
	}
	return MIN(path->mtu, limit);
}
