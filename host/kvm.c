/* What KVM this machine has: see host/kvm.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/alloc.h"
#include "host/kvm.h"

int kvm_probe(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0)
		return -errno;
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	close(fd);
	return version == KVM_API_VERSION ? 0 : -ENOTSUP;
}

const char *kvm_error_text(int error)
{
	switch (-error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "there is no /dev/kvm: enable virtualization in the firmware and load "
		       "kvm_intel "
		       "or kvm_amd (in a container: pass --device /dev/kvm)";
	case EACCES:
	case EPERM:
		return "no permission on /dev/kvm: join its group (sudo usermod -aG kvm \"$USER\", "
		       "then "
		       "log in again) or sudo setfacl -m u:\"$USER\":rw /dev/kvm";
	case ENOTSUP:
		return "/dev/kvm does not speak KVM's API version 12";
	default:
		return strerror(-error);
	}
}

/* The value of the first line `name : value` of /proc/cpuinfo; allocated. */
static char *cpuinfo_value(const char *name)
{
	FILE *stream = fopen("/proc/cpuinfo", "re");
	char *line = NULL, *value = NULL;
	size_t capacity = 0;

	while (value == NULL && stream != NULL && getline(&line, &capacity, stream) > 0) {
		char *colon = strchr(line, ':');

		if (colon == NULL || strncmp(line, name, strlen(name)) != 0)
			continue;
		line[strcspn(line, "\n")] = 0;
		value = alloc_text("%s ", colon + 1);
	}
	free(line);
	if (stream != NULL)
		fclose(stream);
	return value != NULL ? value : alloc_text(" ");
}

bool kvm_cpu_has(const char *flag)
{
	static char *flags;
	char *word = alloc_text(" %s ", flag);
	bool found;

	if (flags == NULL)
		flags = cpuinfo_value("flags");
	found = strstr(flags, word) != NULL;
	free(word);
	return found;
}

const char *kvm_cpu_model(void)
{
	char *model = cpuinfo_value("model name");

	model[strlen(model) - 1] = 0;
	return model + strspn(model, " ");
}

enum kvm_kind kvm_kind(void)
{
	if (kvm_cpu_has("vmx"))
		return KVM_VTX;
	return kvm_cpu_has("svm") ? KVM_SVM : KVM_PAGETABLE;
}

const char *kvm_kind_text(enum kvm_kind kind)
{
	static const char *const texts[] = {
		[KVM_VTX] = "VT-x", [KVM_SVM] = "SVM (AMD-V)", [KVM_PAGETABLE] = "pagetable"};

	return texts[kind];
}
