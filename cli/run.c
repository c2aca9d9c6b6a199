/* `burrow run`: a program, or a Go package, in a VM. */
#include "cli/command.h"
#include "cli/file_images.h"
#include "cli/session.h"

#define FLAGS_OF_RUN_AND_EXEC                                                                      \
	"  --platform P       kvm, qemu (emulated, any machine) or qemu-kvm; default: kvm if\n"    \
	"                     this machine has it, else qemu\n"                                    \
	"  --machine M        QEMU's machine: microvm (default) or q35, with a PCI bus\n"          \
	"  --mem SIZE         memory of the VM, such as 512M (default) or 2G; used as needed\n"    \
	"  --cpus N           processors (default: as many as this process may use)\n"             \
	"  --env NAME=VALUE   set in the program's environment; may be repeated\n"                 \
	"  --clean-env        do not pass this environment on, only --env, PATH and HOME\n"        \
	"  --files FILE.cpio  archive (cpio newc) to unpack over the VM's root\n"                  \
	"  --add HOST[:GUEST] copy a file or directory into the VM; may be repeated\n"             \
	"  --rootfs DIR|TAR|IMAGE  a container's file tree (docker export), or an EROFS image\n"   \
	"  --fs-size SIZE     most that files written in memory may take (default: half of it)\n"  \
	"  --files-limit SIZE most that --add and exec may copy (default 256M)\n"                  \
	"  --net NAME=tap:DEV a network interface of the VM on this tap device (NAME: eth0)\n"     \
	"  --net NAME=passt   one that reaches what this machine reaches, without root\n"          \
	"  -p [IP:]HOST:GUEST[/udp]  forward a port to the VM, by passt; may be repeated\n"        \
	"  --ip [NAME=]IP/BITS,gw=IP,dns=IP  addresses and routes; default on taps: DHCP\n"        \
	"  --ip6 [NAME=]IP/BITS  the same for IPv6; default: router advertisements\n"              \
	"  --mac [NAME=]MAC   of an interface (default: always the same, by names)\n"              \
	"  --hostname NAME    of the VM\n"                                                         \
	"  --ntp SERVER       set the clock by this time server\n"                                 \
	"  --pcap [NAME=]FILE write what passes an interface, for tcpdump or Wireshark\n"          \
	"  --sniff            one line for each packet, on stderr\n"                               \
	"  --name NAME        of the VM for burrow ps (default: after the program)\n"              \
	"  --detach, -d       in the background; its output goes to burrow logs\n"                 \
	"  --restart WHEN     with -d: no (default), on-failure, on-failure:N or always\n"         \
	"  --disk NAME=FILE[:ro]  a file or block device as /dev/NAME; may be repeated\n"          \
	"  --disk NAME=FILE:PATH[:ro]  and the ext4 file system on it mounted at PATH\n"           \
	"  -v HOST:GUEST[:ro] the directory HOST at GUEST; may be repeated (KVM only)\n"           \
	"  --verbose          kernel log and a summary, on stderr\n"                               \
	"  --trace-syscalls   one line for each system call, on stderr\n"                          \
	"  --json[=FD]        result or error as one JSON object on stderr, or on FD\n"            \
	"  --help, -h         this text\n"

const char run_help[] =
	"usage: burrow run [flags] PROGRAM [arguments…]\n"
	"\n"
	"Runs PROGRAM in a virtual machine of its own. Its streams, signals and exit status\n"
	"are those of a process. PROGRAM is a static linux/amd64 executable or a Go package\n"
	"(., ./cmd/x, example.com/x@v1.2.3), which is built with your own `go`.\n"
	"\n"
	"  --cwd DIR          current directory inside the VM (default /)\n" FLAGS_OF_RUN_AND_EXEC
	"\n"
	"Status: the program's own, 128+n if signal n killed it; 70: the VM broke;\n"
	"125: burrow could not start it; 126: PROGRAM cannot run; 127: no such PROGRAM.\n";

const char exec_help[] =
	"usage: burrow exec [flags] PROGRAM [arguments…]\n"
	"       CGO_ENABLED=0 go test -exec 'burrow exec' ./…\n"
	"       CGO_ENABLED=0 go run -exec 'burrow exec' .\n"
	"\n"
	"As `burrow run`, for a program that expects the files around it: the current\n"
	"directory is copied into the VM under the same path and is its current directory;\n"
	"TMPDIR is /tmp. What the program writes stays in the VM.\n"
	"\n"
	"  --cwd DIR          current directory inside the VM (default: the same as here)\n"
	"  --no-cwd-files     do not copy the current directory\n" FLAGS_OF_RUN_AND_EXEC "\n"
	"Status: as burrow run.\n";

int run_main(int argc, char **argv)
{
	struct options options = {0};
	struct program *program = alloc_zeroed(sizeof(*program));
	struct file_images files;
	struct file_tree tree;

	options_parse(&options, argc, argv, run_help);
	program_open(program, options.program);
	file_tree_init(&tree, options.files_limit_bytes, options.verbose);
	file_images_fill(&tree, &options);
	file_images_open(&files, &options);
	file_images_add(&files, &tree);
	return session_run(&options, program,
		options.working_directory != NULL ? options.working_directory : "/", &files);
}
