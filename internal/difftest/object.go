package difftest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Object is a program that is compiled and not run: what is looked at is the object file. The file is
// objects/<name>.rs. It shows a defect of the Cranelift backend like a Defect does.
type Object struct {
	Patch string         `toml:"patch"` // of cg_clif that mends it
	Name  string         `toml:"name"`
	Note  string         `toml:"note"`
	Spec  map[string]any `toml:"spec"` // keys of the target specification that are other than the user space's
	// Refused is what the compiler says without the fix, as a regular expression over its output; "" where it compiles.
	Refused string `toml:"refused"`
	// Has and HasNot are regular expressions over the lines of List: each of Has matches at least one, none of HasNot any.
	Has    []string `toml:"has"`
	HasNot []string `toml:"has-not"`
}

func (o *Object) check() error {
	if o.Name == "" || o.Note == "" || o.Patch == "" || o.Refused == "" && len(o.HasNot) == 0 {
		return errors.New("patch, name, note and refused or has-not have to be there")
	}
	var all *multierror.Error
	for _, expression := range slices.Concat([]string{o.Refused}, o.Has, o.HasNot) {
		if _, err := regexp.Compile(expression); err != nil {
			all = multierror.Append(all, err)
		}
	}
	return all.ErrorOrNil()
}

// Faults says in which of the lines of List an object is not as it should be.
func (o *Object) Faults(list []string) []string {
	var faults []string
	for _, expression := range o.Has {
		want := regexp.MustCompile(expression) // check has compiled it
		if !slices.ContainsFunc(list, want.MatchString) {
			faults = append(faults, fmt.Sprintf("nothing matches %q", expression))
		}
	}
	for _, expression := range o.HasNot {
		if i := slices.IndexFunc(list, regexp.MustCompile(expression).MatchString); i >= 0 {
			faults = append(faults, list[i])
		}
	}
	return faults
}

// List describes a relocatable ELF file of 64 bits, sorted:
//
//	section NAME: SYMBOL SYMBOL    with the functions and objects in it by name
//	undefined SYMBOL
//	relocation TYPE SYMBOL         of sections that are loaded
//	size SYMBOL BYTES              of each function
func List(object []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	if f.Type != elf.ET_REL || f.Class != elf.ELFCLASS64 {
		return nil, fmt.Errorf("%s %s is no object file of 64 bits", f.Class, f.Type)
	}
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	within := make([][]string, len(f.Sections))
	var list []string
	for _, s := range symbols {
		switch at := int(s.Section); {
		case s.Section == elf.SHN_UNDEF && s.Name != "":
			list = append(list, "undefined "+s.Name)
		case at > 0 && at < len(within) && s.Name != "" && elf.ST_TYPE(s.Info) != elf.STT_SECTION && !strings.HasPrefix(s.Name, "$"): // $x, $d: mapping symbols
			within[at] = append(within[at], s.Name)
			if elf.ST_TYPE(s.Info) == elf.STT_FUNC {
				list = append(list, fmt.Sprintf("size %s %d", s.Name, s.Size))
			}
		}
	}
	for i, section := range f.Sections {
		if section.Flags&elf.SHF_ALLOC != 0 && section.Size > 0 {
			slices.Sort(within[i])
			list = append(list, strings.TrimSpace("section "+section.Name+": "+strings.Join(within[i], " ")))
		}
		relocations, err := relocations(f, section, symbols)
		if err != nil {
			return nil, err
		}
		list = append(list, relocations...)
	}
	slices.Sort(list)
	return list, nil
}

// relocations lists those of a section that has some for a section that is loaded.
func relocations(f *elf.File, section *elf.Section, symbols []elf.Symbol) ([]string, error) {
	if section.Type != elf.SHT_RELA || int(section.Info) >= len(f.Sections) || f.Sections[section.Info].Flags&elf.SHF_ALLOC == 0 {
		return nil, nil
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	entries := make([]elf.Rela64, len(data)/24)
	if err := binary.Read(bytes.NewReader(data), f.ByteOrder, entries); err != nil {
		return nil, err
	}
	var list []string
	for _, r := range entries {
		name := ""
		if at := int(elf.R_SYM64(r.Info)) - 1; at >= 0 && at < len(symbols) { // the list leaves out the first, which is none
			name = symbols[at].Name
		}
		kind := fmt.Sprint(elf.R_TYPE64(r.Info))
		if f.Machine == elf.EM_AARCH64 {
			kind = elf.R_AARCH64(elf.R_TYPE64(r.Info)).String()
		}
		list = append(list, "relocation "+kind+" "+name)
	}
	return list, nil
}
