/* Where the Go distribution is. */
#ifndef CLI_GO_ROOT_H
#define CLI_GO_ROOT_H

/* $GOROOT, which go test sets from Go 1.19 on, else where the `go` in PATH lies; NULL: none. */
char *go_root_find(void);

#endif
