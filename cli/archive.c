/* Opens the archive of --files: see cli/archive.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cli/archive.h"
#include "cli/cpio.h"
#include "host/report.h"

int archive_open(const char *path, uint64_t limit_bytes)
{
	int fd = open(path, O_RDONLY);
	struct stat status;
	void *data;
	size_t bytes;
	bool is_good;

	if (fd < 0 || fstat(fd, &status) != 0)
		report_fail(STATUS_TOOL_FAILED, "--files %s: %s", path, strerror(errno));
	bytes = (size_t)status.st_size;
	data = bytes == 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	is_good = data != MAP_FAILED && cpio_check(data, bytes) >= 0;
	if (!is_good)
		report_fail(STATUS_TOOL_FAILED,
			"--files %s: not a complete cpio archive of the newc format; "
			"make one with: find . | cpio -o -H newc",
			path);
	if (bytes > limit_bytes)
		report_fail(STATUS_TOOL_FAILED, "--files %s: exceeds %ju MiB; raise --files-limit",
			path, (uintmax_t)(limit_bytes >> 20));
	munmap(data, bytes);
	return fd;
}
