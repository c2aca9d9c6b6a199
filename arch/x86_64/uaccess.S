/*
 * The instructions that touch the program's memory (kernel/mm/user_access.h).
 *
 * Each may fault between its labels; the fault handler then either serves the
 * fault and continues there, or continues at the fixup, which reports failure.
 */
	.text

/* size_t user_access_copy(void *dst, const void *src, size_t bytes) */
	.globl user_access_copy
	.type user_access_copy, @function
user_access_copy:
	cmp	$64, %rdx
	ja	.Lcopy_string
	mov	%rdx, %rcx
	shr	$3, %edx
	jz	.Lcopy_tail
.Lcopy_words_start:
	mov	(%rsi), %rax
	mov	%rax, (%rdi)
.Lcopy_words_end:
	add	$8, %rsi
	add	$8, %rdi
	sub	$8, %rcx
	dec	%edx
	jnz	.Lcopy_words_start
.Lcopy_tail:
	test	%ecx, %ecx
	jz	.Lcopy_done
.Lcopy_bytes_start:
	movzbl	(%rsi), %eax
	mov	%al, (%rdi)
.Lcopy_bytes_end:
	inc	%rsi
	inc	%rdi
	dec	%ecx
	jnz	.Lcopy_bytes_start
.Lcopy_done:
	xor	%eax, %eax
	ret
.Lcopy_string:
	mov	%rdx, %rcx
.Lcopy_string_start:
	rep movsb
.Lcopy_string_end:
.Lcount_left:
	mov	%rcx, %rax
	ret
	.size user_access_copy, . - user_access_copy

/* size_t user_access_zero(void *dst, size_t bytes) */
	.globl user_access_zero
	.type user_access_zero, @function
user_access_zero:
	mov	%rsi, %rcx
	xor	%eax, %eax
.Lzero_start:
	rep stosb
.Lzero_end:
	mov	%rcx, %rax
	ret
	.size user_access_zero, . - user_access_zero

/* int user_access_load_u32(uintptr_t address, uint32_t *value) */
	.globl user_access_load_u32
	.type user_access_load_u32, @function
user_access_load_u32:
.Lload_start:
	mov	(%rdi), %eax
.Lload_end:
	mov	%eax, (%rsi)
	xor	%eax, %eax
	ret
	.size user_access_load_u32, . - user_access_load_u32

/* int user_access_exchange_u32(address, uint32_t expected, uint32_t desired, uint32_t *old) */
	.globl user_access_exchange_u32
	.type user_access_exchange_u32, @function
user_access_exchange_u32:
	mov	%esi, %eax
.Lexchange_start:
	lock cmpxchg %edx, (%rdi)
.Lexchange_end:
	mov	%eax, (%rcx)
	xor	%eax, %eax
	ret
	.size user_access_exchange_u32, . - user_access_exchange_u32

/* int user_access_touch(uintptr_t address, bool write) */
	.globl user_access_touch
	.type user_access_touch, @function
user_access_touch:
	test	%sil, %sil
	jnz	.Ltouch_start
.Lpeek_start:
	movzbl	(%rdi), %eax
.Lpeek_end:
	xor	%eax, %eax
	ret
.Ltouch_start:
	lock orb $0, (%rdi)
.Ltouch_end:
	xor	%eax, %eax
	ret
.Lfailed:
	mov	$-1, %eax
	ret
	.size user_access_touch, . - user_access_touch

	.section .rodata
	.balign	8
	.globl user_access_entries
user_access_entries:
	/* The tail goes on byte by byte, to the very one that faults. */
	.quad	.Lcopy_words_start, .Lcopy_words_end, .Lcopy_tail, 0
	.quad	.Lcopy_bytes_start, .Lcopy_bytes_end, .Lcount_left, 0
	.quad	.Lcopy_string_start, .Lcopy_string_end, .Lcount_left, 0
	.quad	.Lzero_start, .Lzero_end, .Lcount_left, 0
	.quad	.Lload_start, .Lload_end, .Lfailed, 1
	.quad	.Lexchange_start, .Lexchange_end, .Lfailed, 1
	.quad	.Lpeek_start, .Lpeek_end, .Lfailed, 0
	.quad	.Ltouch_start, .Ltouch_end, .Lfailed, 0
	.globl user_access_entry_count
user_access_entry_count:
	.quad	(user_access_entry_count - user_access_entries) / 32

	.section .note.GNU-stack, "", @progbits
