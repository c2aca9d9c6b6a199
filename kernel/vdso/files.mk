# The vDSO is linked by itself, checked for having no relocations, and embedded.
KERNEL_SOURCES += kernel/vdso/image.S
VDSO := $(BUILD)/kernel/kernel/vdso/vdso.so
VDSO_CFLAGS = $(COMMON) $(WARNINGS) -ffreestanding -fPIC -fvisibility=default -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fcf-protection=none -fno-builtin

$(VDSO): kernel/vdso/vdso.c kernel/vdso/vdso.lds
	@mkdir -p $(@D)
	@echo "  VDSO    $@"
	@$(CC) $(VDSO_CFLAGS) -c $< -o $(@:.so=.o)
	@$(CC) -shared -nostdlib -Wl,-T,kernel/vdso/vdso.lds -Wl,--hash-style=both -Wl,-Bsymbolic \
		-Wl,-soname=linux-vdso.so.1 -Wl,--build-id=none -Wl,-z,noexecstack \
		-Wl,-z,max-page-size=4096 -Wl,--no-undefined -Wl,-z,text -s -o $@ $(@:.so=.o)

$(BUILD)/kernel/kernel/vdso/image.S.o: $(VDSO)
$(BUILD)/kernel/kernel/vdso/image.S.o: KERNEL_CFLAGS += -Wa,-I$(dir $(VDSO))
