# What runs on the host and is shared by the command and the monitor that stands in a built file.
HOST_SOURCES := host/alloc.c host/report.c host/json.c host/size.c host/child.c host/kvm.c host/environment.c \
	host/machines.c host/share.c host/network.c host/network_tap.c host/network_passt.c host/disk.c

UNIT_TESTS += host/size_test host/json_test host/environment_test
host/size_test_SOURCES := host/size.c
host/json_test_SOURCES := host/json.c
UNIT_TESTS += host/machines_test
host/machines_test_SOURCES := host/machines.c host/alloc.c
host/environment_test_SOURCES := host/environment.c host/alloc.c
