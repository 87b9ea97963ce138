package elfcheck

import (
	"fmt"
	"strings"
)

// NoteSection holds our note in programs. It is not loaded.
const NoteSection = ".note.redox-clif"

// noteOwner and noteMaking name our note; another type would be another format.
const (
	noteOwner  = "redox-clif"
	noteMaking = 1
)

// Making is what a program built here says of itself, in a note of lines KEY=VALUE.
type Making struct {
	Backend  string // "cranelift" or "llvm"
	Compiler string
	Recipe   string
	Set      string // release set that the recipe differs in; "" where it says nothing of one
	Source   string // what the recipe names; whether a user has put something else in its place is in the manifest alone
	Patches  []string
	C        bool   // has C code, compiled by clang
	Sysroot  string // recipe of the C library linked in
}

// Note encodes it.
func (m Making) Note() Note {
	var b strings.Builder
	for _, f := range [][2]string{
		{"backend", m.Backend}, {"compiler", m.Compiler}, {"recipe", m.Recipe}, {"set", m.Set}, {"source", m.Source}, {"patches", strings.Join(m.Patches, ",")},
		{"sysroot", m.Sysroot},
	} {
		if f[1] != "" {
			fmt.Fprintf(&b, "%s=%s\n", f[0], f[1])
		}
	}
	if m.C {
		b.WriteString("c=clang\n")
	}
	return Note{Name: noteOwner, Type: noteMaking, Desc: []byte(b.String())}
}

// Making returns what our note says; false if there is none.
func (p Provenance) Making() (Making, bool) {
	n, ok := p.Find(noteOwner)
	if !ok || n.Type != noteMaking {
		return Making{}, false
	}
	var m Making
	for _, line := range strings.Split(string(n.Desc), "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "backend":
			m.Backend = value
		case "compiler":
			m.Compiler = value
		case "recipe":
			m.Recipe = value
		case "set":
			m.Set = value
		case "source":
			m.Source = value
		case "patches":
			m.Patches = strings.Split(value, ",")
		case "sysroot":
			m.Sysroot = value
		case "c":
			m.C = true
		}
	}
	return m, true
}

// Compilers are what .comment names of code generators, without versions: "cranelift", "llvm" (a rustc that
// names no other backend, as it also assembles for Cranelift), "clang", "gcc". Linkers are left out.
func (p Provenance) Compilers() []string {
	found := map[string]bool{}
	for _, c := range p.Comments {
		switch lower := strings.ToLower(c); {
		case strings.HasPrefix(lower, "rustc version") && strings.Contains(lower, "cranelift"):
			found["cranelift"] = true
		case strings.HasPrefix(lower, "rustc version"):
			found["llvm"] = true
		case strings.Contains(lower, "clang version"):
			found["clang"] = true
		case strings.HasPrefix(lower, "gcc:"):
			found["gcc"] = true
		}
	}
	var out []string
	for _, name := range []string{"cranelift", "llvm", "clang", "gcc"} {
		if found[name] {
			out = append(out, name)
		}
	}
	return out
}
