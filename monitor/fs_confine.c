/*
 * See fs_confine.h.
 */
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/fs_confine.h"

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                                     \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                     \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                       \
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define NEVER                                                                                      \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define REFER    (1ull << 13) /* version 2: rename and link between directories */
#define TRUNCATE (1ull << 14) /* version 3 */

bool fs_confine(int root_fd, bool read_only)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t writes = WRITES | (version >= 3 ? TRUNCATE : 0) | REFER;
	struct landlock_ruleset_attr handled = {.handled_access_fs = READS | writes | NEVER};
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = READS | (read_only ? 0 : writes), .parent_fd = root_fd};
	bool is_done;
	int fd;

	/* Version 1 allows no rename between directories. */
	if (version < 2)
		return false;
	fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (fd < 0)
		return false;
	is_done =
		syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0 &&
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	close(fd);
	return is_done;
}
