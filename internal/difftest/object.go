package difftest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Object is a program that is compiled and not run: what is looked at is the object file. The file is
// objects/<name>.rs. It shows a defect of the Cranelift backend like a Defect does.
type Object struct {
	// Patch is that of cg_clif which mends it, without .toml.
	Patch string `toml:"patch,required"`
	// Name is the program's, objects/<name>.rs beside the file.
	Name string `toml:"name,required"`
	// Note is a file below notes/.
	Note string `toml:"note,required"`
	// Spec has the keys of the target specification, as rustc's JSON names them, that are other than the user space's.
	Spec map[string]any `toml:"spec"`
	// Refused is what the compiler says without the fix, as a regular expression over its output. Where it compiles `has-not` has to be there.
	Refused string `toml:"refused"`
	// Has are regular expressions over the lines in which the object file is listed; each matches at least one.
	Has []string `toml:"has"`
	// HasNot are regular expressions that match none of these lines.
	HasNot []string `toml:"has-not"`
}

func (o *Object) check() error {
	if o.Refused == "" && len(o.HasNot) == 0 {
		return errors.New("refused or has-not has to be there")
	}
	var all *multierror.Error
	for _, expression := range slices.Concat([]string{o.Refused}, o.Has, o.HasNot) {
		if _, err := regexp.Compile(expression); err != nil {
			all = multierror.Append(all, err)
		}
	}
	return all.ErrorOrNil()
}

// Program is the text to compile: what all of them need, and the object's own. objects is recipes/difftest/objects.
func (o *Object) Program(objects fs.FS) ([]byte, error) {
	var program []byte
	for _, name := range []string{"core", o.Name} {
		text, err := fs.ReadFile(objects, name+".rs")
		if err != nil {
			return nil, err
		}
		program = append(program, text...)
	}
	return program, nil
}

// TargetSpec is the user space's target specification, in JSON, with the keys of the object's own.
func (o *Object) TargetSpec(userSpace []byte) ([]byte, error) {
	spec := map[string]any{}
	if err := json.Unmarshal(userSpace, &spec); err != nil {
		return nil, err
	}
	maps.Copy(spec, o.Spec)
	return json.Marshal(spec)
}

// Inspect says what is seen of the defect: in the object file, or in what the compiler printed when it made none and the file is
// nil. "" is nothing; the error is for what is not known of it.
func (o *Object) Inspect(file []byte, printed string) (string, error) {
	if file == nil {
		refusal := regexp.MustCompile(o.Refused).FindString(printed) // compiled when it was read
		if refusal == "" {
			return "", fmt.Errorf("no object file is made, and not in the way that is known (%q):\n%s", o.Refused, printed)
		}
		return refusal, nil
	}
	list, err := List(file)
	if err != nil {
		return "", err
	}
	return strings.Join(o.faults(list), "; "), nil
}

// faults says in which of the lines of List an object is not as it should be.
func (o *Object) faults(list []string) []string {
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
