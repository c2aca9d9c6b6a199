/* Metrics of all VMs for Prometheus, over HTTP: `burrow stats --listen`. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

/* Serves GET /metrics on "[ADDRESS:]PORT" (an IPv6 address in brackets) until it is killed;
 * fails the command if it cannot listen there. */
_Noreturn void metrics_serve(const char *where);

#endif
