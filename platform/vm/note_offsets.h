/* Offsets inside struct cpu_tables for note.S; note_check.c holds them to the structure. */
#ifndef PLATFORM_VM_NOTE_OFFSETS_H
#define PLATFORM_VM_NOTE_OFFSETS_H

#define NOTE_TABLES_STRIDE 8192
#define NOTE_GDT_OFFSET    0
#define NOTE_GDT_BYTES     80
#define NOTE_TSS_OFFSET    80
#define NOTE_TSS_BYTES     104
#define NOTE_IDT_OFFSET    192
#define NOTE_IDT_BYTES     1536

#endif
