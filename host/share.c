/* See host/share.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/report.h"
#include "host/share.h"

/* Absolute, and the same however it is read. */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || path[1] == 0)
		return false;
	for (const char *at = path; at != NULL && *at != 0; at = strchr(at + 1, '/')) {
		size_t bytes = strcspn(at + 1, "/");

		if (bytes == 0 || (at[1] == '.' && bytes == 1) ||
			(at[1] == '.' && at[2] == '.' && bytes == 2))
			return false;
	}
	return true;
}

/* Is one of two paths the other, or below it? */
static bool meet(const char *a, const char *b)
{
	size_t bytes = MIN(strlen(a), strlen(b));

	return memcmp(a, b, bytes) == 0 && (a[bytes] == 0 || a[bytes] == '/') &&
	       (b[bytes] == 0 || b[bytes] == '/');
}

static void check_mount_path(const struct shares *shares, const char *text, const char *path)
{
	if (!is_plain_path(path) || strlen(path) >= sizeof(((struct boot_share *)NULL)->mount_path))
		report_fail(STATUS_TOOL_FAILED,
			"-v %s: cannot be seen at %s; write an absolute path such as /data", text,
			path);
	for (uint32_t i = 0; i < shares->count; i++) {
		if (meet(shares->shares[i].mount_path, path))
			report_fail(STATUS_TOOL_FAILED,
				"-v %s: %s and %s are one inside the other; give them places apart",
				text, path, shares->shares[i].mount_path);
	}
}

static void check_directory(struct share *share, const char *text, const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		report_fail(STATUS_TOOL_FAILED, "-v %s: %s: %s%s", text, path, strerror(errno),
			errno == ENOENT ? "; make it first" : "");
	if (!S_ISDIR(status.st_mode))
		report_fail(STATUS_TOOL_FAILED,
			"-v %s: %s is not a directory; give files with --add", text, path);
	share->path = realpath(path, NULL);
	if (share->path == NULL)
		report_fail(STATUS_TOOL_FAILED, "-v %s: %s: %s", text, path, strerror(errno));
}

static void understand(struct shares *shares, const char *text)
{
	struct share *share = &shares->shares[shares->count];
	char *path = alloc_text("%s", text), *colon;
	size_t bytes = strlen(path);

	if (shares->count == BOOT_MAX_SHARES)
		report_fail(STATUS_TOOL_FAILED, "-v %s: more than %d directories", text,
			BOOT_MAX_SHARES);
	if (bytes > 3 && strcmp(path + bytes - 3, ":ro") == 0) {
		path[bytes - 3] = 0;
		share->read_only = true;
	}
	colon = strrchr(path, ':');
	if (colon == NULL || colon == path)
		report_fail(STATUS_TOOL_FAILED,
			"-v %s: write HOST:GUEST or HOST:GUEST:ro, such as -v ./data:/data "
			"(messages of the kernel come with --verbose)",
			text);
	*colon = 0;
	check_mount_path(shares, text, colon + 1);
	check_directory(share, text, path);
	share->mount_path = colon + 1;
	shares->count++;
}

void shares_understand(struct shares *shares)
{
	for (size_t i = 0; i < shares->text.count; i++)
		understand(shares, shares->text.items[i]);
}
