/* The kernel's log for host unit tests: the last line is kept. */
#ifndef ARCH_HOST_FAKE_LOG_H
#define ARCH_HOST_FAKE_LOG_H

#include "kernel/log.h"

extern char fake_log_line[512];
extern unsigned fake_log_lines;

#endif
