/*
 * The VMs of this user: a directory with a record for each (abi/machine_record.h).
 *
 * $BURROW_STATE, else $XDG_RUNTIME_DIR/burrow, else /run/burrow for root, else
 * /tmp/burrow-UID. NAME.vm is the record, NAME.log what a detached VM wrote. No daemon:
 * whoever looks removes what is left of VMs that ended by themselves.
 */
#ifndef HOST_MACHINES_H
#define HOST_MACHINES_H

#include "abi/machine_record.h"
#include "lib/compiler.h"

struct machine_handle {
	struct machine_record *record; /* mapped shared */
	int fd;                        /* holds the lock, or -1: of somebody else */
	bool is_running;               /* somebody holds the lock */
};

/* Letters, digits, '.', '_' and '-', not first; at most 63. */
bool machines_is_name(const char *name);

/*
 * Registers a VM under `wish`, or, with a wish of NULL, under `program`'s last part, with a
 * number behind if that is taken. Returns 0; -EEXIST: a VM of that name runs; else -errno of
 * the directory or file. The descriptor stays open over exec, and its lock with it.
 */
int machines_register(const char *wish, const char *program, struct machine_handle *machine);
/* Ends the registration; the record goes unless `keep`. */
void machines_unregister(struct machine_handle *machine, bool keep);

/* The VM of this name, for reading: 0, -ENOENT, -errno. machines_close() it. */
int machines_open(const char *name, struct machine_handle *machine);
void machines_close(struct machine_handle *machine);

/* Calls `visit` for each VM in order of names; ended ones too if they were kept. */
int machines_visit(
	void (*visit)(const struct machine_handle *machine, void *context), void *context);

/* Removes the record and log of a VM that has ended. -EBUSY: it runs. */
int machines_remove(const char *name);

/* Path of NAME.log, allocated. NULL: no directory. */
char *machines_log_path(const char *name);

#endif
