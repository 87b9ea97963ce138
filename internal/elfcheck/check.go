package elfcheck

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Rule names what a Finding breaks; the names are stable, so that output can be
// compared and filtered.
type Rule string

// The rules.
const (
	RuleFormat   Rule = "format"   // headers or tables that make no sense
	RuleMachine  Rule = "machine"  // another processor
	RuleStatic   Rule = "static"   // interpreter or needed libraries
	RuleExec     Rule = "exec"     // PIE, shared object or object file
	RuleEntry    Rule = "entry"    // entry not in executable, loaded bytes
	RuleSegments Rule = "segments" // PT_LOADs that cannot be mapped by pages
	RuleFlat     Rule = "flat"     // not where a flat mapping needs it
	// RulePlacement is for sections that do not lie where their segment loads them.
	RulePlacement   Rule = "placement"
	RulePermissions Rule = "permissions" // writable and executable
	RuleUndefined   Rule = "undefined"   // symbols without a definition
	RuleCRT         Rule = "crt-once"    // CRT objects linked twice or not at all
	RuleSymbols     Rule = "symbols"     // stripped, though symbols were to be checked
)

// Version is part of the key of every result that was held to the rules. It is raised when they change: what the
// old rules let through is then linked and checked again. TestVersion notices a change.
const Version = "2"

// Finding is one broken rule.
type Finding struct {
	Rule Rule
	Msg  string
}

func (f Finding) Error() string { return string(f.Rule) + ": " + f.Msg }

// Rules says what to check besides what holds for everything.
type Rules struct {
	Machine  elf.Machine
	PageSize uint64 // in bytes; 0 means 4096
	// Flat programs are mapped whole, file offset by file offset, by somebody
	// who reads no program headers: p_vaddr - p_offset must be FlatDelta, and
	// filesz must equal memsz.
	Flat      bool
	FlatDelta uint64
	// NeedSymbols makes a stripped file a finding: use it on what the linker
	// wrote, before strip, where undefined symbols and CRT objects show.
	NeedSymbols bool
}

// Deltas of flat mappings.
const (
	BootstrapDelta = 0x2000             // image base 0x1000 + header page 0x1000
	KernelDelta    = 0xFFFFFF0000000000 // where the bootloader maps an aarch64 kernel's file
)

// Program is the rule set of user-space programs.
func Program(m elf.Machine) Rules { return Rules{Machine: m} }

// Bootstrap is the rule set of the initfs bootstrap.
func Bootstrap(m elf.Machine) Rules {
	return Rules{Machine: m, Flat: true, FlatDelta: BootstrapDelta}
}

// Kernel is the rule set of the Redox kernel. The flat mapping is known, and
// checked, for aarch64 only.
func Kernel(m elf.Machine) Rules {
	if m != elf.EM_AARCH64 {
		return Rules{Machine: m}
	}
	return Rules{Machine: m, Flat: true, FlatDelta: KernelDelta}
}

// MachineOf returns the ELF machine of a Rust target architecture.
func MachineOf(arch string) (elf.Machine, error) {
	switch arch {
	case "aarch64":
		return elf.EM_AARCH64, nil
	case "x86_64":
		return elf.EM_X86_64, nil
	}
	return 0, fmt.Errorf("architecture %q: want aarch64 or x86_64", arch)
}

// Report is what Check found out.
type Report struct {
	Findings      []Finding
	Entry         uint64
	Stripped      bool     // no .symtab: undefined symbols and CRT files were not checked
	WeakUndefined []string // allowed; sorted
	Provenance    Provenance
}

// Err returns all findings as one error, or nil.
func (r *Report) Err() error {
	var all *multierror.Error
	for _, f := range r.Findings {
		all = multierror.Append(all, f)
	}
	return all.ErrorOrNil()
}

// CheckFile checks a file by name. The error is about reading it.
func CheckFile(name string, rules Rules) (*Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return Check(f, info.Size(), rules), nil
}

// Check checks an ELF file of size bytes. What cannot be decoded is a finding
// of RuleFormat, like any other.
func Check(r io.ReaderAt, size int64, rules Rules) *Report {
	if rules.PageSize == 0 {
		rules.PageSize = 4096
	}
	c := &checker{rules: rules}
	f, err := parse(r, size)
	if err != nil {
		c.report(RuleFormat, "%v", err)
		return &c.out
	}
	c.f = f
	c.out.Entry = f.header.Entry
	c.header()
	c.static()
	c.segments()
	c.placement()
	c.permissions()
	c.entry()
	c.symbols()
	c.initSections()
	if c.out.Provenance, err = f.provenance(); err != nil {
		c.report(RuleFormat, "%v", err)
	}
	return &c.out
}

type checker struct {
	f     *file
	rules Rules
	out   Report
}

func (c *checker) report(rule Rule, format string, args ...any) {
	c.out.Findings = append(c.out.Findings, Finding{rule, fmt.Sprintf(format, args...)})
}

func (c *checker) header() {
	h := c.f.header
	if m := elf.Machine(h.Machine); m != c.rules.Machine {
		c.report(RuleMachine, "%s, want %s", m, c.rules.Machine)
	}
	switch t := elf.Type(h.Type); t {
	case elf.ET_EXEC:
	case elf.ET_DYN:
		c.report(RuleExec, "position-independent (ET_DYN): link with -no-pie and relocation-model=static")
	default:
		c.report(RuleExec, "%s, want ET_EXEC", t)
	}
}

func (c *checker) static() {
	seen := map[elf.ProgType]bool{} // more than one of these is nonsense, and only the first is read
	for _, p := range c.f.progs {
		t := elf.ProgType(p.Type)
		if seen[t] {
			continue
		}
		switch t {
		case elf.PT_INTERP:
			seen[t] = true
			b, err := c.f.bytes(p.Off, min(p.Filesz, maxName), "PT_INTERP")
			if err != nil {
				c.report(RuleFormat, "%v", err)
			}
			c.report(RuleStatic, "asks for the dynamic loader %q", text(b, 0, 256))
		case elf.PT_DYNAMIC:
			seen[t] = true
			c.needed(p)
		}
	}
}

// needed reports DT_NEEDED. A static program may have a dynamic segment of its
// own; what it must not have is a library to look for.
func (c *checker) needed(p elf.Prog64) {
	b, err := c.f.bytes(p.Off, p.Filesz, "PT_DYNAMIC")
	if err != nil {
		c.report(RuleFormat, "%v", err)
		return
	}
	names := c.dynamicStrings()
	for ; len(b) >= 16; b = b[16:] {
		tag, value := elf.DynTag(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:])
		switch {
		case tag == elf.DT_NULL:
			return
		case tag == elf.DT_NEEDED:
			c.report(RuleStatic, "needs the shared library %q", text(names, uint32(min(value, 1<<32-1)), 256))
		case tag == elf.DT_FLAGS_1 && elf.DynFlag1(value)&elf.DF_1_PIE != 0:
			c.report(RuleExec, "position-independent (DF_1_PIE)")
		}
		if len(c.out.Findings) > maxFindings {
			return
		}
	}
}

func (c *checker) dynamicStrings() []byte {
	for i := range c.f.sections {
		s := &c.f.sections[i]
		if elf.SectionType(s.Type) == elf.SHT_DYNAMIC && uint64(s.Link) < uint64(len(c.f.sections)) {
			b, _ := c.f.data(&c.f.sections[s.Link]) // without names the finding still stands
			return b
		}
	}
	return nil
}

func (c *checker) loads() []elf.Prog64 {
	var out []elf.Prog64
	for _, p := range c.f.progs {
		if elf.ProgType(p.Type) == elf.PT_LOAD && (p.Memsz > 0 || p.Filesz > 0) {
			out = append(out, p)
		}
	}
	return out
}

func (c *checker) segments() {
	loads := c.loads()
	if len(loads) == 0 {
		c.report(RuleSegments, "nothing to load")
	}
	page := c.rules.PageSize
	for _, p := range loads {
		at := fmt.Sprintf("PT_LOAD at %#x", p.Vaddr)
		switch {
		case p.Off > uint64(c.f.size) || p.Filesz > uint64(c.f.size)-p.Off:
			c.report(RuleSegments, "%s: %#x bytes at file offset %#x end outside the file of %#x bytes", at, p.Filesz, p.Off, c.f.size)
		case p.Filesz > p.Memsz:
			c.report(RuleSegments, "%s: %#x bytes in the file, room for %#x", at, p.Filesz, p.Memsz)
		case p.Vaddr+p.Memsz < p.Vaddr:
			c.report(RuleSegments, "%s: %#x bytes do not fit the address space", at, p.Memsz)
		case p.Align > 1 && p.Align&(p.Align-1) != 0:
			c.report(RuleSegments, "%s: alignment %#x is no power of two", at, p.Align)
		case p.Vaddr%page != p.Off%page:
			c.report(RuleSegments, "%s: cannot be mapped by pages of %d bytes from file offset %#x", at, page, p.Off)
		}
		if c.rules.Flat {
			c.flat(p, at)
		}
	}
	if !c.rules.Flat {
		c.sharedPages(loads)
	}
}

func (c *checker) flat(p elf.Prog64, at string) {
	if d := p.Vaddr - p.Off; d != c.rules.FlatDelta {
		c.report(RuleFlat, "%s: p_vaddr - p_offset is %#x, want %#x: the file is mapped as it lies", at, d, c.rules.FlatDelta)
	}
	if p.Filesz != p.Memsz {
		c.report(RuleFlat, "%s: %#x bytes in the file, %#x in memory: nobody zeroes the rest; put .bss into .data", at, p.Filesz, p.Memsz)
	}
}

// sharedPages: two segments on one page get the permissions of whichever is
// mapped last.
func (c *checker) sharedPages(loads []elf.Prog64) {
	sort.Slice(loads, func(i, j int) bool { return loads[i].Vaddr < loads[j].Vaddr })
	for i := 1; i < len(loads); i++ {
		a, b := loads[i-1], loads[i]
		if a.Memsz > 0 && (a.Vaddr+a.Memsz-1)/c.rules.PageSize >= b.Vaddr/c.rules.PageSize {
			c.report(RuleSegments, "PT_LOAD at %#x and PT_LOAD at %#x share a page of %d bytes", a.Vaddr, b.Vaddr, c.rules.PageSize)
		}
	}
}

func (c *checker) entry() {
	e := c.f.header.Entry
	for _, p := range c.loads() {
		if e < p.Vaddr || e-p.Vaddr >= p.Filesz {
			continue
		}
		if elf.ProgFlag(p.Flags)&elf.PF_X == 0 {
			c.report(RuleEntry, "%#x is in a segment that is not executable", e)
		}
		return
	}
	c.report(RuleEntry, "%#x is in no loaded segment", e)
}

// maxListed keeps messages readable when nothing at all was linked in.
const maxListed = 20

func (c *checker) symbols() {
	var undefined, weak nameSet
	files := map[string]int{}
	start := false
	visit := func(s symbol) {
		if s.Name == 0 {
			return
		}
		switch {
		case s.kind() == elf.STT_FILE:
			if crt := crtObject(s.name()); crt != "" {
				files[crt]++
			}
		case s.defined():
			if s.bind() != elf.STB_LOCAL && !start && s.isNamed("_start") && s.Value != c.f.header.Entry {
				start = true
				c.report(RuleEntry, "%#x is not _start, %#x", c.f.header.Entry, s.Value)
			}
		case s.bind() == elf.STB_WEAK:
			weak.add(s)
		case s.bind() == elf.STB_GLOBAL:
			undefined.add(s)
		}
	}
	found, err := c.f.eachSymbol(elf.SHT_SYMTAB, visit)
	if err == nil {
		_, err = c.f.eachSymbol(elf.SHT_DYNSYM, visit)
	}
	if err != nil {
		c.report(RuleFormat, "%v", err)
	}
	c.out.Stripped = !found
	if c.out.Stripped && c.rules.NeedSymbols {
		c.report(RuleSymbols, "stripped: undefined symbols cannot be checked, check what the linker wrote")
	}
	c.out.WeakUndefined = weak.sorted()
	if names := undefined.sorted(); len(names) > 0 {
		c.report(RuleUndefined, "%s", listed(names))
	}
	for _, crt := range crtObjects {
		if files[crt] > 1 {
			c.report(RuleCRT, "%s is linked %d times", crt, files[crt])
		}
	}
}

// nameSet keeps the names of the first maxNames symbols it is given: names are
// copies, and a crafted string table makes all of them long.
type nameSet struct {
	names map[string]bool
	given int
}

const maxNames = 1000

func (n *nameSet) add(s symbol) {
	if n.given++; n.given > maxNames {
		return
	}
	if n.names == nil {
		n.names = map[string]bool{}
	}
	n.names[s.name()] = true
}

func (n *nameSet) sorted() []string {
	return slices.Sorted(maps.Keys(n.names))
}

func listed(names []string) string {
	if len(names) > maxListed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}
