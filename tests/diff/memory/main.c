/* Arguments of the memory calls, good and bad. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include "check/trace.h"

#define PAGE 4096ul

static char *base; /* 8 pages: rw, rw, r, none, rw, hole, rw, rw */

static void build(void)
{
	base = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	base += 16 * PAGE;
	mmap(base, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		0);
	mprotect(base + 2 * PAGE, PAGE, PROT_READ);
	mprotect(base + 3 * PAGE, PAGE, PROT_NONE);
	munmap(base + 5 * PAGE, PAGE);
	base[0] = base[PAGE] = base[4 * PAGE] = 1;
}

static long map(void *at, size_t bytes, int protection, int flags, int fd, long offset)
{
	long result = syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
	if (result != -1)
		syscall(SYS_munmap, result, bytes);
	return result == -1 ? -1 : 1;
}

static void mappings(int file, int readable)
{
	int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	TRY(map(NULL, 0, PROT_READ, anonymous, -1, 0));
	TRY(map(NULL, 1, PROT_READ, anonymous, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, 0, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0));
	TRY(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0));
	TRY(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 1));
	TRY(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, -4096));
	TRY(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 1l << 40));
	TRY(map(NULL, PAGE, PROT_WRITE, MAP_SHARED, readable, 0));
	TRY(map(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, readable, 0));
	TRY(map((void *)1, PAGE, PROT_READ, fixed, -1, 0));
	TRY(map((void *)0x7fffffffffff000, PAGE, PROT_READ, fixed, -1, 0));
	TRY(map((void *)0xffffffff80000000, PAGE, PROT_READ, fixed, -1, 0));
	TRY(map((void *)0xffffffff80000000, PAGE, PROT_READ, anonymous, -1, 0));
	TRY(map(NULL, 1ul << 62, PROT_READ, anonymous, -1, 0));
	TRY(map(NULL, -1ul, PROT_READ, anonymous, -1, 0));
	TRY(map(NULL, 1ul << 47, PROT_NONE, anonymous | MAP_NORESERVE, -1, 0));
	TRY(map(NULL, 1ul << 45, PROT_NONE, anonymous | MAP_NORESERVE, -1, 0));
	TRY(map(base, PAGE, PROT_READ, anonymous | MAP_FIXED_NOREPLACE, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, anonymous, -1, 0) == -1 &&
		errno != EACCES && errno != EPERM);
	TRY(map(NULL, PAGE, 0x1000000 | PROT_READ, anonymous, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, anonymous | MAP_32BIT, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, anonymous | MAP_POPULATE, -1, 0));
	TRY(map(NULL, PAGE, PROT_READ, anonymous | MAP_STACK | MAP_NORESERVE | MAP_GROWSDOWN, -1,
		0));
}

static void protections(void)
{
	TRY(syscall(SYS_mprotect, base, PAGE, PROT_READ));
	TRY(syscall(SYS_mprotect, base, PAGE, PROT_READ | PROT_WRITE));
	TRY(syscall(SYS_mprotect, base + 1, PAGE, PROT_READ));
	TRY(syscall(SYS_mprotect, base, 0, PROT_READ));
	TRY(syscall(SYS_mprotect, base, 1, PROT_READ | PROT_WRITE));
	TRY(syscall(SYS_mprotect, base, 8 * PAGE, PROT_READ | PROT_WRITE));
	TRY(syscall(SYS_mprotect, base + 5 * PAGE, PAGE, PROT_READ));
	TRY(syscall(SYS_mprotect, base, -1ul, PROT_READ));
	TRY(syscall(SYS_mprotect, base, -PAGE, PROT_READ));
	TRY(syscall(SYS_mprotect, base, PAGE, 0x40));
	TRY(syscall(SYS_mprotect, 0xffffffff80000000, PAGE, PROT_READ));
	TRY(syscall(SYS_mprotect, base, PAGE, PROT_READ | PROT_WRITE | 0x03000000));
}

static void advice(void)
{
	int all[] = {0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
		24, 26, 77, -1};
	unsigned char vector[16];
	char label[64];
	build();
	for (size_t i = 0; i < ROWS(all); i++) {
		if (all[i] == 12 || all[i] == 13)
			continue; /* same-page merging: depends on the host's configuration */
		snprintf(label, sizeof(label), "madvise(one page, %d)", all[i]);
		trace(label, syscall(SYS_madvise, base, PAGE, all[i]));
		snprintf(label, sizeof(label), "madvise(with a hole, %d)", all[i]);
		trace(label, syscall(SYS_madvise, base + 4 * PAGE, 3 * PAGE, all[i]));
		snprintf(label, sizeof(label), "madvise(no length, %d)", all[i]);
		trace(label, syscall(SYS_madvise, base, 0, all[i]));
	}
	TRY(syscall(SYS_madvise, base + 1, PAGE, MADV_DONTNEED));
	TRY(syscall(SYS_madvise, base, -1ul, MADV_DONTNEED));
	TRY(syscall(SYS_madvise, base, -PAGE, MADV_DONTNEED));
	build();
	TRY(syscall(SYS_mincore, base, PAGE, vector));
	TRY(syscall(SYS_mincore, base + 1, PAGE, vector));
	TRY(syscall(SYS_mincore, base, 0, vector));
	TRY(syscall(SYS_mincore, base, 8 * PAGE, vector));
	TRY(syscall(SYS_mincore, base, PAGE, 8));
	TRY(syscall(SYS_mincore, base, -1ul, vector));
	TRY(syscall(SYS_msync, base, PAGE, MS_SYNC));
	TRY(syscall(SYS_msync, base, PAGE, MS_SYNC | MS_ASYNC));
	TRY(syscall(SYS_msync, base, PAGE, 99));
	TRY(syscall(SYS_msync, base + 1, PAGE, MS_SYNC));
	TRY(syscall(SYS_msync, base, 8 * PAGE, MS_SYNC));
	TRY(syscall(SYS_msync, base, 0, MS_SYNC));
}

static long remap(char *at, size_t old, size_t new, int flags, void *where)
{
	long result = syscall(SYS_mremap, at, old, new, flags, where);
	if (result == -1)
		return -1;
	return result == (long)at ? 1 : result == (long)where ? 2 : 3;
}

static void remaps(int file)
{
	build();
	TRY(remap(base, PAGE, PAGE, 0, 0));
	TRY(remap(base, 2 * PAGE, PAGE, 0, 0));
	build();
	TRY(remap(base, PAGE, 2 * PAGE, 0, 0));
	TRY(remap(base, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0));
	build();
	TRY(remap(base + 1, PAGE, PAGE, 0, 0));
	TRY(remap(base, PAGE, 0, 0, 0));
	TRY(remap(base, 0, PAGE, MREMAP_MAYMOVE, 0));
	TRY(remap(base, PAGE, PAGE, 0x80, 0));
	TRY(remap(base, PAGE, PAGE, MREMAP_FIXED, base + 6 * PAGE));
	TRY(remap(base, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, base + 6 * PAGE));
	build();
	TRY(remap(base, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, base));
	TRY(remap(base, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, base + 1));
	TRY(remap(base, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, base + PAGE));
	TRY(remap(base + 5 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0));
	TRY(remap(base, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0));
	char *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	shared[0] = 'S';
	long moved = syscall(SYS_mremap, shared, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	printf("shared mapping after growing: %c\n", moved == -1 ? '?' : *(char *)moved);
}

static void unmaps(void)
{
	build();
	TRY(syscall(SYS_munmap, base + 1, PAGE));
	TRY(syscall(SYS_munmap, base, 0));
	TRY(syscall(SYS_munmap, base, 1));
	TRY(syscall(SYS_munmap, base, PAGE));
	TRY(syscall(SYS_munmap, base + 4 * PAGE, 4 * PAGE));
	TRY(syscall(SYS_munmap, base, -1ul));
	TRY(syscall(SYS_munmap, base, 1ul << 62));
	TRY(syscall(SYS_munmap, 0xffffffff80000000, PAGE));
	TRY(syscall(SYS_munmap, 0, PAGE));
	long start = syscall(SYS_brk, 0);
	printf("brk grows: %d\n", syscall(SYS_brk, start + 10000) == start + 10000);
	((char *)start)[9999] = 1;
	printf("brk shrinks: %d\n", syscall(SYS_brk, start) == start);
	printf("brk below start: %d\n", syscall(SYS_brk, 4096) == start);
	printf("brk huge: %d\n", syscall(SYS_brk, 1ul << 46) == start);
	printf("brk grown memory is zero again: ");
	syscall(SYS_brk, start + 10000);
	printf("%d\n", ((char *)start)[9999]);
}

int main(void)
{
	int file = open("file", O_CREAT | O_TRUNC | O_RDWR, 0600);
	ftruncate(file, 2 * 4096);
	int readable = open("file", O_RDONLY);
	build();
	mappings(file, readable);
	build();
	protections();
	advice();
	remaps(file);
	unmaps();
	unlink("file");
	return 0;
}
