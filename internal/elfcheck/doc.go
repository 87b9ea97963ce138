// Package elfcheck looks at linked ELF programs and says what would keep them
// from running on Redox: dynamic linking, PIE, the wrong machine, undefined
// symbols, CRT objects linked twice, a bootstrap whose segments are not where
// the kernel maps them. It also reads where a program came from (.comment and
// notes) and which libraries it needs.
//
// It owns these rules and nothing else: it must not know about initfs images,
// recipes or toolchains. Every rule returns findings instead of stopping at the
// first, and no input makes it panic or allocate more than a small multiple of
// its size: it decodes debug/elf's structures itself, bounded by the file,
// because elf.NewFile copies one string per section and symbol, which a crafted
// string table turns into gigabytes.
//
// # Where the rules come from
//
//   - Programs are static ET_EXEC: there is no dynamic loader in the initfs and
//     the bootstrap's loader does not relocate.
//   - The bootstrap lies raw at file offset 4096 of the initfs, which the kernel
//     maps at 0x1000 and enters at e_entry: p_vaddr - p_offset must be 0x2000 for
//     every PT_LOAD, and nobody zeroes .bss, so filesz must equal memsz.
//   - The aarch64 kernel is mapped flat too: p_vaddr - p_offset is
//     0xFFFFFF0000000000.
//   - crt0.o, crti.o and crtn.o are named once, by the target spec or by flags,
//     never by both. With -z muldefs the linker does not complain about a second
//     copy; it keeps the first _start and strings two _init prologues together.
//
// # What of "CRT objects once" a linked file still shows
//
// The linker merges global symbols, so a duplicate _start is never seen as
// such. Visible are, in an unstripped file, two STT_FILE symbols of the same
// CRT object; and, stripped or not, more than one prologue or return in .init
// or .fini, which hold nothing but what crti.o and crtn.o put there (relibc
// dropped both functions later; its newer crti.o and crtn.o are empty and show
// nothing). CheckLinkLine looks at the cause instead: the link command.
package elfcheck
