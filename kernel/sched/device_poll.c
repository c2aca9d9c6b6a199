/* See device_poll.h. */
#include "kernel/sched/device_poll.h"

const struct sched_device_poll *sched_device_poll;
