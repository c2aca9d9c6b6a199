/* The same steps as on memory, in a directory of the host: see kernel/fs/files.mk. */
#include "kernel/fs/differential_test.c"
