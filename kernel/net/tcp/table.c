/* Connections by name, listeners by port, and the keyed hash. See connection.h. */
#include "kernel/mm/heap.h"
#include "kernel/net/tcp/connection.h"
#include "kernel/random.h"
#include "abi/linux/errno.h"

#define BUCKETS_FIRST    256u
#define BUCKETS_MAX      65536u
#define LISTENER_BUCKETS 64u

static struct tcp_entry **buckets;
static uint32_t bucket_count, entry_count;
static struct list listeners[LISTENER_BUCKETS];
static uint64_t key[2];

/* ---- SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF") ------------------ */

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static uint64_t sip_words(const uint64_t *words, uint32_t count, uint32_t rounds)
{
	struct sip s = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};

	for (uint32_t i = 0; i < count; i++) {
		s.v3 ^= words[i];
		for (uint32_t round = 0; round < rounds; round++)
			sip_round(&s);
		s.v0 ^= words[i];
	}
	s.v2 ^= 0xff;
	for (uint32_t round = 0; round < rounds * 2; round++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static void name_words(const struct tcp_name *name, uint64_t words[5])
{
	memcpy(words, name->local.bytes, 16);
	memcpy(words + 2, name->remote.bytes, 16);
	words[4] =
		(uint64_t)name->local_port << 48 | (uint64_t)name->remote_port << 32 | name->scope;
}

uint64_t tcp_name_hash(const struct tcp_name *name, uint64_t word)
{
	uint64_t words[6];

	name_words(name, words);
	words[5] = word;
	return sip_words(words, 6, 2);
}

uint32_t tcp_initial_sequence(const struct tcp_name *name)
{
	return (uint32_t)tcp_name_hash(name, 1) + (uint32_t)(tcp_now_ns >> 6);
}

static uint32_t table_hash(const struct tcp_name *name)
{
	uint64_t words[5];

	name_words(name, words);
	return (uint32_t)sip_words(words, 5, 1);
}

/* ---- connections ------------------------------------------------------------------------ */

int tcp_table_init(void)
{
	if (!buckets)
		buckets = heap_zalloc(BUCKETS_FIRST * sizeof(buckets[0]));
	if (!buckets)
		return -LINUX_ENOMEM;
	bucket_count = BUCKETS_FIRST;
	random_bytes(key, sizeof(key));
	for (uint32_t i = 0; i < LISTENER_BUCKETS; i++)
		list_init(&listeners[i]);
	return 0;
}

static bool names_equal(const struct tcp_name *a, const struct tcp_name *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       a->scope == b->scope && ip_address_equal(&a->remote, &b->remote) &&
	       ip_address_equal(&a->local, &b->local);
}

struct tcp_entry *tcp_table_find(const struct tcp_name *name)
{
	uint32_t hash = table_hash(name);
	struct tcp_entry *entry = buckets[hash & (bucket_count - 1)];

	while (entry && !(entry->hash == hash && names_equal(&entry->name, name)))
		entry = entry->next;
	return entry;
}

/* Twice the buckets, if there is memory for them; else the chains are longer. */
static void grow(void)
{
	uint32_t count = bucket_count * 2;
	struct tcp_entry **wider = heap_zalloc(count * sizeof(wider[0]));

	if (!wider)
		return;
	for (uint32_t i = 0; i < bucket_count; i++) {
		struct tcp_entry *entry = buckets[i], *next;

		for (; entry; entry = next) {
			next = entry->next;
			entry->next = wider[entry->hash & (count - 1)];
			wider[entry->hash & (count - 1)] = entry;
		}
	}
	heap_free(buckets);
	buckets = wider;
	bucket_count = count;
}

void tcp_table_add(struct tcp_entry *entry)
{
	struct tcp_entry **bucket;

	if (entry_count >= bucket_count && bucket_count < BUCKETS_MAX)
		grow();
	entry->hash = table_hash(&entry->name);
	bucket = &buckets[entry->hash & (bucket_count - 1)];
	entry->next = *bucket;
	*bucket = entry;
	entry->is_linked = true;
	entry_count++;
}

void tcp_table_remove(struct tcp_entry *entry)
{
	struct tcp_entry **at = &buckets[entry->hash & (bucket_count - 1)];

	if (!entry->is_linked)
		return;
	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	entry->is_linked = false;
	entry_count--;
}

struct tcp_entry *tcp_table_nth(uint32_t n)
{
	for (uint32_t i = 0; i < bucket_count; i++) {
		for (struct tcp_entry *entry = buckets[i]; entry; entry = entry->next) {
			if (n-- == 0)
				return entry;
		}
	}
	return NULL;
}

/* ---- listeners ---------------------------------------------------------------------------- */

void tcp_listener_add(struct tcp *tcp)
{
	list_add_last(&listeners[tcp->binding.port % LISTENER_BUCKETS], &tcp->listener->link);
}

/* How well a listener fits; 0: not at all. */
static uint32_t score(const struct tcp *tcp, const struct tcp_name *name, uint32_t device_index)
{
	const struct port_binding *binding = &tcp->binding;
	uint32_t points = 1;

	if (binding->port != name->local_port)
		return 0;
	if (binding->device_index != 0 && binding->device_index != device_index)
		return 0;
	if (!ip_address_is_any(&binding->address)) {
		if (!ip_address_equal(&binding->address, &name->local))
			return 0;
		points += 4;
	} else if (ip_address_is_v4(&name->local)) {
		if (binding->is_v6 && (binding->v6_only || ip_address_is_v4(&binding->address)) &&
			!ip_address_is_v4(&binding->address))
			return 0;
		points += binding->is_v6 ? 0 : 1;
	} else if (!binding->is_v6 || ip_address_is_v4(&binding->address)) {
		return 0;
	}
	return points + (binding->device_index != 0 ? 2 : 0);
}

struct tcp *tcp_listener_find(const struct tcp_name *name, const struct net_device *device)
{
	uint32_t best_score = 0, equals = 0, choice;
	uint32_t device_index = device ? device->index : 0;
	struct list *bucket = &listeners[name->local_port % LISTENER_BUCKETS];
	struct tcp *best = NULL;

	LIST_FOR_EACH (link, bucket) {
		struct tcp *tcp = LIST_ENTRY(link, struct tcp_listener, link)->tcp;
		uint32_t points = score(tcp, name, device_index);

		if (points > best_score) {
			best_score = points;
			best = tcp;
			equals = 1;
		} else if (points != 0 && points == best_score) {
			equals++;
		}
	}
	if (equals <= 1)
		return best;
	/* SO_REUSEPORT: a connection's name decides, so that its segments find the same one. */
	choice = (uint32_t)(tcp_name_hash(name, 2) % equals);
	LIST_FOR_EACH (link, bucket) {
		struct tcp *tcp = LIST_ENTRY(link, struct tcp_listener, link)->tcp;

		if (score(tcp, name, device_index) == best_score && choice-- == 0)
			return tcp;
	}
	return best;
}

uint32_t tcp_listener_count(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < LISTENER_BUCKETS; i++) {
		LIST_FOR_EACH (link, &listeners[i])
			count++;
	}
	return count;
}

bool tcp_listener_row(uint32_t n, struct tcp_row *row)
{
	for (uint32_t i = 0; i < LISTENER_BUCKETS; i++) {
		LIST_FOR_EACH (link, &listeners[i]) {
			struct tcp *tcp = LIST_ENTRY(link, struct tcp_listener, link)->tcp;

			if (n-- != 0)
				continue;
			*row = (struct tcp_row){
				.local = {tcp->binding.address, tcp->binding.port, 0},
				.state = TCP_LISTEN,
				.receive_queue = tcp->listener->accepted_count,
				.send_queue = tcp->listener->backlog,
				.number = tcp->number};
			return true;
		}
	}
	return false;
}
