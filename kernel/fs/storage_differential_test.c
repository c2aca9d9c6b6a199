/* The same steps as on memory, on a file system on storage: see files.mk. */
#include "kernel/fs/differential_test.c"
