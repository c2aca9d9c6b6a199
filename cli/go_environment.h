/* What `go` needs in its environment to make and run VMs. */
#ifndef CLI_GO_ENVIRONMENT_H
#define CLI_GO_ENVIRONMENT_H

#include "host/alloc.h"

enum go_environment_parts {
	GO_LINKS_VMS = 1, /* -toolexec: what `go build` and `go install` link becomes a VM */
	GO_RUNS_VMS = 2,  /* -exec: `go run` and `go test` start what they built in a VM */
};

/*
 * NAME=VALUE for GOOS, GOARCH, CGO_ENABLED and GOFLAGS, which keeps the flags it has. With
 * CGO_ENABLED=1 set by the user, and a static libc here, C is linked statically. Fails the
 * command where `burrow` lies in a directory that GOFLAGS cannot name.
 */
void go_environment(unsigned parts, struct text_list *out);

#endif
