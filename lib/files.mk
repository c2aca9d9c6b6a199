KERNEL_SOURCES += lib/string.c lib/format.c lib/elf.c lib/syscall_sites.c
MONITOR_SOURCES += lib/format.c lib/elf.c lib/syscall_sites.c
CLI_SOURCES += lib/format.c lib/elf.c lib/syscall_sites.c

KERNEL_SOURCES += lib/boot_tables.c
MONITOR_SOURCES += lib/boot_tables.c
UNIT_TESTS += lib/boot_tables_test
lib/boot_tables_test_SOURCES := lib/boot_tables.c
KERNEL_SOURCES += lib/tree.c
UNIT_TESTS += lib/tree_test
lib/tree_test_SOURCES := lib/tree.c

UNIT_TESTS += lib/elf_test lib/syscall_sites_test
lib/elf_test_SOURCES := lib/elf.c
lib/syscall_sites_test_SOURCES := lib/syscall_sites.c lib/elf.c
FUZZERS += lib/elf_fuzz lib/syscall_sites_fuzz
lib/elf_fuzz_SOURCES := lib/elf.c
lib/syscall_sites_fuzz_SOURCES := lib/syscall_sites.c lib/elf.c

KERNEL_SOURCES += lib/net_config.c
MONITOR_SOURCES += lib/net_config.c
CLI_SOURCES += lib/net_config.c
UNIT_TESTS += lib/net_config_test
lib/net_config_test_SOURCES := lib/net_config.c
FUZZERS += lib/net_config_fuzz
lib/net_config_fuzz_SOURCES := lib/net_config.c

CLI_SOURCES += lib/go_binary.c
UNIT_TESTS += lib/go_binary_test
lib/go_binary_test_SOURCES := lib/go_binary.c
FUZZERS += lib/go_binary_fuzz
lib/go_binary_fuzz_SOURCES := lib/go_binary.c
KERNEL_SOURCES += lib/erofs.c
CLI_SOURCES += lib/erofs.c
UNIT_TESTS += lib/erofs_test
lib/erofs_test_SOURCES := lib/erofs.c
FUZZERS += lib/erofs_fuzz
lib/erofs_fuzz_SOURCES := lib/erofs.c


KERNEL_SOURCES += lib/crc32c.c
UNIT_TESTS += lib/crc32c_test
lib/crc32c_test_SOURCES := lib/crc32c.c

KERNEL_SOURCES += lib/image.c lib/manifest.c
MONITOR_SOURCES += lib/image.c lib/manifest.c
CLI_SOURCES += lib/image.c lib/manifest.c
UNIT_TESTS += lib/manifest_test
lib/manifest_test_SOURCES := lib/manifest.c
FUZZERS += lib/manifest_fuzz lib/image_fuzz
lib/manifest_fuzz_SOURCES := lib/manifest.c
lib/image_fuzz_SOURCES := lib/image.c
