package elfcheck

import (
	"debug/elf"
	"slices"
)

// placement holds sections to the segments that they are loaded by. A linker that puts a section behind the end of its segment's file part,
// or at another distance than its address says, makes a program that starts and reads something else there: wild 0.11 did so with a
// .got that a script had placed elsewhere, and the kernel died of its first use.
func (c *checker) placement() {
	loads := c.loads()
	for i := range c.f.sections {
		s := &c.f.sections[i]
		if elf.SectionFlag(s.Flags)&elf.SHF_ALLOC == 0 || s.Size == 0 || isTLSWithoutBytes(s) {
			continue
		}
		at := slices.IndexFunc(loads, func(p elf.Prog64) bool { return s.Addr >= p.Vaddr && s.Addr-p.Vaddr < p.Memsz })
		if at < 0 {
			c.report(RulePlacement, "section %s at %#x is in no loaded segment", s.name, s.Addr)
			continue
		}
		p := loads[at]
		within := s.Addr - p.Vaddr
		switch {
		case s.Size > p.Memsz-within:
			c.report(RulePlacement, "section %s at %#x has %#x bytes, and its segment ends after %#x", s.name, s.Addr, s.Size, p.Memsz-within)
		case elf.SectionType(s.Type) == elf.SHT_NOBITS:
		case within > p.Filesz || s.Size > p.Filesz-within:
			c.report(RulePlacement, "section %s at %#x has bytes behind the end of its segment's part of the file: in memory they are zeros", s.name, s.Addr)
		case s.Off-p.Off != within:
			c.report(RulePlacement, "section %s lies %#x bytes into its segment in the file and %#x in memory", s.name, s.Off-p.Off, within)
		}
		if len(c.out.Findings) > maxFindings {
			return
		}
	}
}

// maxFindings is enough of a crafted table.
const maxFindings = 100

// isTLSWithoutBytes: .tbss has an address and takes no room there.
func isTLSWithoutBytes(s *section) bool {
	return elf.SectionFlag(s.Flags)&elf.SHF_TLS != 0 && elf.SectionType(s.Type) == elf.SHT_NOBITS
}

// permissions: what is written must not be executed.
func (c *checker) permissions() {
	const both = elf.PF_W | elf.PF_X
	for _, p := range c.loads() {
		if elf.ProgFlag(p.Flags)&both == both {
			c.report(RulePermissions, "PT_LOAD at %#x is writable and executable", p.Vaddr)
		}
	}
}
