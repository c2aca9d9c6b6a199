/* Any bytes as an archive: no crash, no leak, and the tree can be torn down. */
#include "arch/host/fake_tree.h"
#include "kernel/fs/vfs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	void *archive = malloc(bytes ? bytes : 1); /* names refer to it until the end */

	memcpy(archive, data, bytes);
	fake_tree_start(16 << 20);
	(void)vfs_unpack_cpio(archive, bytes);
	fake_tree_finish();
	free(archive);
	return 0;
}
