/* Starting the program; see exec.h. */
#include "kernel/exec/exec.h"

#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"
#include "kernel/console.h"
#include "kernel/arch.h"
#include "kernel/fs/vfs.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/random.h"
#include "kernel/sched/thread.h"
#include "lib/string.h"

#define STATUS_CANNOT_EXECUTE 126
#define RELOCATABLE_BASE      0x555555000000ull
#define RELOCATABLE_PAGES     (1ull << 24) /* random span: 64 GiB */

static struct exec_image image;
static const struct boot_info *boot;

static const char *strings(void)
{
	return platform_phys_to_virt((struct phys){boot->strings});
}

const char *exec_program_path(void)
{
	return strings();
}

static const char *skip_strings(const char *at, uint32_t count)
{
	while (count-- > 0)
		at += strlen(at) + 1;
	return at;
}

const char *exec_arguments(size_t *bytes)
{
	const char *start = skip_strings(strings(), 1);

	*bytes = (size_t)(skip_strings(start, boot->argument_count) - start);
	return start;
}

const char *exec_environment(size_t *bytes)
{
	const char *start = skip_strings(strings(), 1 + boot->argument_count);

	*bytes = (size_t)(skip_strings(start, boot->environment_count) - start);
	return start;
}

static const char *working_directory(void)
{
	const char *at =
		skip_strings(strings(), 1 + boot->argument_count + boot->environment_count);

	return at < strings() + boot->strings_bytes && *at != 0 ? at : "/";
}

/* The launcher's strings must all end inside their block. */
static bool strings_are_whole(void)
{
	uint32_t needed = 1 + boot->argument_count + boot->environment_count;
	uint64_t seen = 0;

	for (uint64_t i = 0; i < boot->strings_bytes; i++)
		seen += strings()[i] == '\0';
	return seen >= needed && boot->strings_bytes > 0 &&
	       strings()[boot->strings_bytes - 1] == '\0';
}

static _Noreturn void refuse(const char *why)
{
	log_notice("%s: cannot run this program: %s", exec_program_path(), why);
	process_exit(STATUS_CANNOT_EXECUTE, 0);
}

static void check_step(const char *step, int error)
{
	if (error == 0)
		return;
	if (error == -LINUX_ENOMEM)
		refuse("not enough memory; give the machine more (--mem)");
	log_notice("%s: cannot run this program: %s failed with error %d", exec_program_path(),
		step, -error);
	process_exit(STATUS_CANNOT_EXECUTE, 0);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static const struct boot_module *find_module(uint32_t type)
{
	for (uint32_t i = 0; i < boot->module_count; i++) {
		if (boot->modules[i].type == type)
			return &boot->modules[i];
	}
	return NULL;
}

static void open_image(void)
{
	const struct boot_module *module = find_module(BOOT_MODULE_PROGRAM);

	if (module == NULL)
		refuse("the launcher gave no program");
	image.file_phys = (struct phys){module->base};
	image.file = platform_phys_to_virt(image.file_phys);
	image.file_bytes = module->bytes;
	enum elf_error error = elf_check(image.file, image.file_bytes, &image.elf);
	if (error != ELF_OK)
		refuse(elf_error_text(error));
	if (image.elf.is_relocatable)
		image.base = RELOCATABLE_BASE + random_below(RELOCATABLE_PAGES) * PAGE_BYTES -
			     ALIGN_DOWN(image.elf.lowest, PAGE_BYTES);
}

static int rewrite_sites(void)
{
	const struct boot_module *module = find_module(BOOT_MODULE_SITES);

	if (module == NULL)
		return 0;
	return exec_rewrite_sites(&image, platform_phys_to_virt((struct phys){module->base}),
		module->bytes / sizeof(struct syscall_site));
}

/* The tree as the program finds it: the archive, and the program itself. */
static void fill_tree(void)
{
	const struct boot_module *files = find_module(BOOT_MODULE_FILES);

	if (vfs_image_error() == -LINUX_EOPNOTSUPP)
		refuse("the image of files is of a kind that is not read (compressed?)");
	if (vfs_image_error() != 0)
		refuse("the image of files is damaged");
	if (files != NULL && vfs_unpack_cpio(platform_phys_to_virt((struct phys){files->base}),
				     files->bytes) != 0)
		refuse("the archive of files is damaged");
	if (vfs_put_file(exec_program_path(), 0755, image.file, image.file_bytes, 0) != 0)
		log_verbose("%s: not put into the tree", exec_program_path());
	int error = vfs_change_directory(LINUX_AT_FDCWD, working_directory());
	if (error != 0)
		log_notice("%s: cannot be the working directory (error %d)", working_directory(),
			-error);
}

void exec_start_program(const struct boot_info *info)
{
	struct trap_frame frame;
	struct thread *thread;
	uintptr_t vdso;

	boot = info;
	if (!strings_are_whole())
		panic("boot information is malformed: strings");
	open_image();
	fill_tree();
	check_step("mapping its segments", exec_load_segments(&image));
	check_step("rewriting system calls", rewrite_sites());
	check_step("mapping the vDSO", exec_map_vdso(&vdso));
	check_step("building its stack", exec_build_stack(&image, info, vdso, &frame));
	check_step("creating its first thread",
		thread_create(&thread, base_name(exec_program_path())));
	check_step("creating its first thread", arch_thread_init_user(thread, &frame));
	signal_thread_init(thread);
	console_send_ready(arch_ticks());
	thread_start(thread);
}
