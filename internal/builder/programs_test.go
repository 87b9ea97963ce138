package builder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/process"
)

func TestProgramsOfAFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"src/plain.c": "ok", "src/sub/deep.c": "ok", "src/sub/broken.c": "no", "src/alone.c": "no main", "src/help.h": ""} {
		if err := writeBelow(filepath.Join(dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
	var compiled [][]string
	p := &programMaker{dir: dir, out: filepath.Join(dir, "out"), clang: "clang", lld: "lld", flags: []string{"-std=c11"}, status: func(string) {},
		run: func(_ context.Context, argv []string) ([]byte, error) {
			out := argv[slices.Index(argv, "-o")+1]
			if argv[0] == "clang" {
				compiled = append(compiled, argv)
				from := argv[slices.Index(argv, "-c")+1]
				text, err := os.ReadFile(from)
				if err == nil && string(text) == "no" {
					err = errorOf(argv, from+":3: warning: old\n"+from+":7: error: no such thing\nnote: really")
				}
				if err != nil {
					return nil, err
				}
				return nil, os.WriteFile(out, text, 0o644)
			}
			text, err := os.ReadFile(filepath.Join(dir, "object.o"))
			if err == nil && string(text) == "no main" {
				err = errorOf(argv, "rust-lld: error: undefined symbol: main")
			}
			if err != nil {
				return nil, err
			}
			return nil, os.WriteFile(out, text, 0o755)
		}}
	if err := p.all(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"bin/plain": "ok", "bin/sub/deep": "ok",
		"refused/sub/broken": "src/sub/broken.c:7: error: no such thing\n",
		"refused/alone":      "rust-lld: error: undefined symbol: main\n",
	}
	if diff := cmp.Diff(want, below(t, p.out)); diff != "" {
		t.Error(diff)
	}
	if len(compiled) != 4 || !slices.Contains(compiled[0], "-std=c11") || !slices.Contains(compiled[0], "-ffile-prefix-map="+filepath.Join(dir, "src")+"/=") {
		t.Errorf("%q", compiled)
	}
}

// errorOf is a tool's failure with its words, as Builder.runner returns it.
func errorOf(argv []string, words string) error {
	return errors.Join(&process.ExitError{Args: argv, Code: 1}, errors.New(words))
}

func TestToolsThatDoNotRunAreNoRefusal(t *testing.T) {
	dir := t.TempDir()
	if err := writeBelow(filepath.Join(dir, "src/a.c"), ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{fs.ErrNotExist, "a: file does not exist"},
		{&process.ExitError{Args: []string{"clang"}, Code: -1, Signal: "killed"}, "a: clang was ended by signal killed"},
		{errorOf([]string{"clang"}, "error: unable to open output file: 'No space left on device'"), "a: "},
		{errorOf([]string{"clang"}, "error: unable to execute command: Killed"), "a: "},
		{errorOf([]string{"clang"}, "error: everything"), "not one of the C files"},
	} {
		p := &programMaker{dir: dir, out: filepath.Join(dir, "out"), clang: "clang", lld: "lld", status: func(string) {},
			run: func(context.Context, []string) ([]byte, error) { return nil, c.err }}
		if err := p.all(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v", c.err, err)
		}
	}
}

// below is every file of a folder with its content.
func below(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCProgramsWantAClang(t *testing.T) {
	_, err := newBuilder(t, nil).Stage("relibc-tests")
	var missing *NoClangError
	if !errors.As(err, &missing) || missing.Component != "relibc-tests/programs" {
		t.Errorf("got %v", err)
	}
	stage, err := newBuilder(t, withClang).Stage("relibc-tests")
	if err != nil {
		t.Fatal(err)
	}
	if !reaches(stage, "relibc-headers/headers") || !reaches(stage, "relibc/libc") {
		t.Error("the tests are linked without the C library or compiled without its headers")
	}
}
