package e2e

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Files get their mode whatever built relibc only if nothing calls its variadic open: not the crate libc, and not the
// standard library, which has a libc of its own. Both are patched, each in its way.
func TestFilesAreCreatedByOpenMode(t *testing.T) {
	w := setUp(t)
	w.mustRun(t, "recipe:build", "modetest-calls")
	called := undefined(t, filepath.Join(w.checkout, "out", target, "modetest-calls/root/lib/libmodetest.a"))
	for _, from := range []string{"modetest", "std"} {
		calls := called[from]
		if !calls["__open_mode"] {
			t.Errorf("nothing of %s calls __open_mode", from)
		}
		if calls["open"] || calls["open64"] {
			t.Errorf("something of %s calls the variadic open", from)
		}
	}
}

// undefined lists the undefined symbols of an archive's objects by the crate that their names begin with.
func undefined(t *testing.T, name string) map[string]map[string]bool {
	t.Helper()
	data, err := os.ReadFile(name)
	check(t, err)
	found := map[string]map[string]bool{}
	for _, m := range members(t, data) {
		object, err := elf.NewFile(bytes.NewReader(m.data))
		if err != nil {
			continue
		}
		symbols, err := object.Symbols()
		if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
			t.Fatal(err)
		}
		crate := m.name
		if end := strings.IndexAny(crate, "-."); end >= 0 {
			crate = crate[:end]
		}
		if found[crate] == nil {
			found[crate] = map[string]bool{}
		}
		for _, s := range symbols {
			if s.Section == elf.SHN_UNDEF && s.Name != "" {
				found[crate][s.Name] = true
			}
		}
	}
	return found
}

type member struct {
	name string
	data []byte
}

// members are the files in an archive of the GNU kind: 60 bytes of header, of which 16 are the name (a slash
// ends it, or "/N" is its place in the member "//") and 10 from byte 48 on the size; members begin at even places.
func members(t *testing.T, data []byte) []member {
	t.Helper()
	rest, ok := bytes.CutPrefix(data, []byte("!<arch>\n"))
	if !ok {
		t.Fatal("this is no archive")
	}
	var all []member
	var names []byte
	for len(rest) >= 60 {
		name := strings.TrimRight(string(rest[:16]), " ")
		size, err := strconv.Atoi(strings.TrimSpace(string(rest[48:58])))
		check(t, err)
		content := rest[60 : 60+size]
		switch {
		case name == "//":
			names = content
		case len(name) > 1 && name[0] == '/' && name[1] >= '0' && name[1] <= '9':
			at, err := strconv.Atoi(name[1:])
			check(t, err)
			name, _, _ = strings.Cut(string(names[at:]), "/\n")
		}
		all = append(all, member{strings.TrimSuffix(name, "/"), content})
		rest = rest[min(60+size+size%2, len(rest)):]
	}
	return all
}
