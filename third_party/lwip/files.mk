# lwIP: fetched and unpacked by the recipe beside this file, compiled into the kernel with its
# flags but for the warnings that it was not written for.
LWIP := build/third_party/lwip
LWIP_FILES := init def inet_chksum ip mem memp netif pbuf udp \
	ipv4/dhcp ipv4/etharp ipv4/icmp ipv4/igmp ipv4/ip4_frag ipv4/ip4 ipv4/ip4_addr \
	ipv6/dhcp6 ipv6/ethip6 ipv6/icmp6 ipv6/inet6 ipv6/ip6 ipv6/ip6_addr ipv6/ip6_frag \
	ipv6/mld6 ipv6/nd6
LWIP_SOURCES := $(LWIP_FILES:%=$(LWIP)/src/core/%.c) $(LWIP)/src/netif/ethernet.c
LWIP_INCLUDES := -Ikernel/net/lwip/port -isystem $(LWIP)/src/include
LWIP_WARNINGS := -Wno-cast-qual -Wno-undef -Wno-shadow -Wno-null-dereference -Wno-unused-parameter \
	-Wno-address -Wno-sign-compare -Wno-type-limits

LWIP_UNPACKED := $(LWIP)/src/include/lwip/init.h
LWIP_OBJECTS := $(LWIP_SOURCES:$(LWIP)/%=$(BUILD)/lwip/%.o)
KERNEL_EXTRA_OBJECTS += $(LWIP_OBJECTS)

$(LWIP_UNPACKED): third_party/lwip/fetch
	@third_party/lwip/fetch $(LWIP)
	@touch $@

$(LWIP_SOURCES): $(LWIP_UNPACKED) ;

$(BUILD)/lwip/%.c.o: $(LWIP)/%.c $(LWIP_UNPACKED) third_party/lwip/files.mk \
	$(wildcard kernel/net/lwip/port/*.h kernel/net/lwip/port/*/*.h)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(KERNEL_CFLAGS) $(LWIP_WARNINGS) $(LWIP_INCLUDES) -c $< -o $@

# The C library's allocator is the kernel's heap; what it calls for a name's number is not used.
$(BUILD)/lwip/src/core/mem.c.o: KERNEL_CFLAGS += -Dmalloc=heap_alloc -Dcalloc=heap_calloc -Dfree=heap_free
$(BUILD)/lwip/src/core/netif.c.o: KERNEL_CFLAGS += -D__NO_INLINE__ -Datoi=lwip_port_number

# Those of our files that include lwIP's headers.
LWIP_GLUE_OBJECTS := $(patsubst %,$(BUILD)/kernel/%.o,$(wildcard kernel/net/lwip/*.c))
$(LWIP_GLUE_OBJECTS): $(LWIP_UNPACKED)
$(LWIP_GLUE_OBJECTS): KERNEL_CFLAGS += $(LWIP_INCLUDES)
