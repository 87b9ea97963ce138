package stair

import (
	"bufio"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../../.."
	module = "github.com/pannous/redox-clif/"
	list   = "testdata/stair.txt"
)

// readList is the list: each package with what it may import, and their order.
func readList(t *testing.T) (order []string, may map[string][]string) {
	t.Helper()
	f, err := os.Open(list)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	may = map[string][]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		name, imports, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		if _, twice := may[name]; twice {
			t.Errorf("%s: %s is there twice", list, name)
		}
		order = append(order, name)
		may[name] = strings.Fields(imports)
	}
	return order, may
}

// pkg is a package as its files have it, without tests.
type pkg struct {
	comment string
	imports map[string]string // package below internal/ -> a file that imports it
}

// readPackages reads all packages below internal/, by their path there.
func readPackages(t *testing.T) map[string]*pkg {
	t.Helper()
	all := map[string]*pkg{}
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && e.Name() == "testdata" {
			return fs.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		dir, err := filepath.Rel(filepath.Join(root, "internal"), filepath.Dir(file))
		if err != nil {
			return err
		}
		name := filepath.ToSlash(dir)
		if all[name] == nil {
			all[name] = &pkg{imports: map[string]string{}}
		}
		return all[name].read(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *pkg) read(file string) error {
	syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	p.comment += syntax.Doc.Text()
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if below, ours := strings.CutPrefix(imported, module+"internal/"); ours {
			p.imports[below] = file
		}
	}
	return nil
}

// TestImports: a package imports what the list says and nothing else, and the list has nothing that is not so.
func TestImports(t *testing.T) {
	_, may := readList(t)
	packages := readPackages(t)
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		allowed, listed := may[name]
		if !listed {
			t.Errorf("package %s is not in %s", name, list)
			continue
		}
		for imported, file := range packages[name].imports {
			if !slices.Contains(allowed, imported) {
				t.Errorf("%s: package %s may not import %s; read in its comment what it must not know, then change the code or its line in %s", file, name, imported, list)
			}
		}
		for _, imported := range allowed {
			if packages[name].imports[imported] == "" {
				t.Errorf("%s: %s may import %s and does not: take it off", list, name, imported)
			}
		}
	}
	for name := range may {
		if packages[name] == nil {
			t.Errorf("%s: there is no package %s", list, name)
		}
	}
}

// TestOrder: what a package imports stands above it in the list, so no arrow goes up and none in a circle.
func TestOrder(t *testing.T) {
	order, may := readList(t)
	for i, name := range order {
		for _, imported := range may[name] {
			if !slices.Contains(order[:i], imported) {
				t.Errorf("%s: %s imports %s, which stands below it", list, name, imported)
			}
		}
	}
}

// TestAreas: an area of targets imports no other one; what two of them need goes down. Nothing but the targets imports an area.
func TestAreas(t *testing.T) {
	for name, p := range readPackages(t) {
		for imported, file := range p.imports {
			if strings.HasPrefix(imported, "cmd/") {
				t.Errorf("%s: package %s imports the area %s", file, name, imported)
			}
		}
	}
}

// TestComments: every package says what it owns and what it must not know.
func TestComments(t *testing.T) {
	for name, p := range readPackages(t) {
		begin := "Package " + path.Base(name) + " "
		if strings.HasPrefix(p.comment, "Command ") {
			begin = "Command " + path.Base(name) + " "
		}
		if !strings.HasPrefix(p.comment, begin) {
			t.Errorf("package %s: its comment does not begin with %q", name, begin)
		}
		text := strings.Join(strings.Fields(p.comment), " ")
		if !regexp.MustCompile(`\b([Ii]t|and) owns\b`).MatchString(text) {
			t.Errorf("package %s: its comment does not say what it owns", name)
		}
		if strings.HasPrefix(begin, "Package") && !strings.Contains(text, "must not ") && !strings.HasPrefix(name, "test/") && !strings.HasSuffix(name, "test") {
			t.Errorf("package %s: its comment does not say what it must not know", name)
		}
	}
}

// hidden are names of folders that many people have git ignore everywhere: what is new below one does not show in git status.
var hidden = []string{"bin", "build", "dist", "env", "lib", "node_modules", "obj", "out", "target", "tmp", "vendor", "venv"}

// TestNothingHides: no folder of ours has such a name.
func TestNothingHides(t *testing.T) {
	for _, top := range []string{"internal", "magefiles"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() && slices.Contains(hidden, e.Name()) {
				err = fmt.Errorf("%s: many people have git ignore folders of this name", p)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
