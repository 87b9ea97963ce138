package relibctest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/manifest"
)

const (
	// Folder has a folder for each backend, in the guest.
	Folder = "/relibc-tests"
	// Bin is the folder of the static programs: where upstream's makefile puts them, which some of the tests print.
	Bin = "bins_static"
)

// Suite is the tests that were built, and what is known of tests.
type Suite struct {
	List  *List
	Tests map[string]*Test // by name
}

// NewSuite makes a suite without tests.
func NewSuite(l *List) *Suite { return &Suite{List: l, Tests: map[string]*Test{}} }

// CheckLibrary refuses a C library that its recipe has tied to the other backend: it would be compared with itself. m is the
// manifest of its staged tree.
func CheckLibrary(m *manifest.Manifest, backend string) error {
	for _, f := range m.Files {
		if f.Backend != backend {
			return fmt.Errorf("%s of relibc is compiled by %q and not by %s, so that there is nothing to compare (reason: %s); `mage toolchain:build` makes a toolchain whose Cranelift can",
				f.Path, f.Backend, backend, f.Reason)
		}
	}
	return nil
}

// Collect adds the tests of one backend, and what upstream expects of them. dir is the root of the staged tree of
// recipes/relibc-tests.
func (s *Suite) Collect(dir, backend string) error {
	programs, err := filesBelow(filepath.Join(dir, "programs", "bin"))
	if err != nil {
		return err
	}
	refused, err := filesBelow(filepath.Join(dir, "programs", "refused"))
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(programs, refused) {
		if err := s.add(filepath.Join(dir, "tests", "expected"), name); err != nil {
			return err
		}
	}
	for _, name := range refused {
		message, err := os.ReadFile(filepath.Join(dir, "programs", "refused", filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		s.Tests[name].Refused[backend] = string(message)
	}
	return nil
}

// filesBelow are the files below a folder, as slash paths.
func filesBelow(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		names = append(names, filepath.ToSlash(rel))
		return err
	})
	return names, err
}

func (s *Suite) add(expected, name string) (err error) {
	if s.Tests[name] != nil {
		return nil
	}
	test := &Test{Name: name, Refused: map[string]string{}, Results: map[string]Result{}}
	if test.Stdout, err = expectedOutput(expected, name+".stdout"); err != nil {
		return err
	}
	test.Stderr, err = expectedOutput(expected, name+".stderr")
	s.Tests[name] = test
	return err
}

// expectedOutput reads a file from where upstream's runner looks for it, nil when there is none.
func expectedOutput(dir, name string) (*string, error) {
	for _, file := range []string{filepath.Join(dir, Bin, name), filepath.Join(dir, name)} {
		text, err := os.ReadFile(file)
		if err == nil {
			return new(string(text)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// Names are those of all tests, sorted.
func (s *Suite) Names() []string { return slices.Sorted(maps.Keys(s.Tests)) }

// Choose keeps the tests that are named, by themselves or by a folder ("stdio/"), with commas between; "" keeps all.
func (s *Suite) Choose(only string) error {
	if only == "" {
		return nil
	}
	chosen := map[string]*Test{}
	for _, word := range strings.Split(only, ",") {
		found := false
		for name, test := range s.Tests {
			if name == word || strings.HasSuffix(word, "/") && strings.HasPrefix(name, word) {
				chosen[name], found = test, true
			}
		}
		if !found {
			return fmt.Errorf("-only names %q; there are %s", word, strings.Join(s.Names(), ", "))
		}
	}
	s.Tests = chosen
	return nil
}

// WriteOutputs keeps in a folder what the tests printed, for diff -r of the two backends' folders in it.
func (s *Suite) WriteOutputs(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for name, test := range s.Tests {
		for backend, r := range test.Results {
			if err := r.write(filepath.Join(dir, backend, filepath.FromSlash(name))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r Result) write(stem string) error {
	if err := os.MkdirAll(filepath.Dir(stem), 0o755); err != nil {
		return err
	}
	for ext, text := range map[string]string{".end": r.Ended + "\n", ".stdout": r.Stdout, ".stderr": r.Stderr} {
		if err := os.WriteFile(stem+ext, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
