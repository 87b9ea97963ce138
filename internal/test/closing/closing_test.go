package closing

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

var (
	// makesWriter are functions that return what is written to.
	makesWriter = regexp.MustCompile(`^(Create|CreateTemp|OpenWritable|OpenFromPath|NewPendingFile|NewWriter\w*)$`)
	writing     = regexp.MustCompile(`\bO_(WRONLY|RDWR|CREATE|APPEND)\b`)
)

// isWriter tells of a call whether what it returns is written to.
func isWriter(call *ast.CallExpr) bool {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	opensFor := func(arg ast.Expr) bool { return writing.MatchString(types.ExprString(arg)) }
	return makesWriter.MatchString(name) || name == "OpenFile" && slices.ContainsFunc(call.Args, opensFor)
}

// forgotten are the places in a function where a writer's close is deferred and its error goes nowhere.
func forgotten(body *ast.BlockStmt) (at []token.Pos) {
	writers := map[string]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			call, ok := n.Rhs[0].(*ast.CallExpr)
			if ok && isWriter(call) {
				writers[types.ExprString(n.Lhs[0])] = true
			}
		case *ast.DeferStmt:
			f, ok := n.Call.Fun.(*ast.SelectorExpr)
			if ok && f.Sel.Name == "Close" && writers[types.ExprString(f.X)] {
				at = append(at, n.Pos())
			}
		}
		return true
	})
	return at
}

// inFile are the places in a file; text nil reads it from the disk.
func inFile(t *testing.T, file string, text any) (places []string) {
	t.Helper()
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range syntax.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			for _, pos := range forgotten(f.Body) {
				places = append(places, set.Position(pos).String())
			}
		}
	}
	return places
}

func TestAWritersCloseIsAskedForItsError(t *testing.T) {
	files := 0
	for _, top := range []string{"internal", "magefiles"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(file string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.IsDir() && e.Name() == "testdata" {
				return fs.SkipDir
			}
			if e.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			files++
			for _, place := range inFile(t, file, nil) {
				t.Errorf("%s: errors.Join what this Close returns to the function's error, or assign it to _ and say why nothing is lost", place)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("only %d files were looked at", files)
	}
}

func TestWhatIsAWriter(t *testing.T) {
	for _, c := range []struct {
		opened string
		found  bool
	}{
		{`os.Open(name)`, false},
		{`os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)`, false},
		{`initfs.OpenFile(name)`, false},
		{`os.OpenFile(name, os.O_RDWR, 0)`, true},
		{`w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)`, true},
		{`os.Create(name)`, true},
		{`os.CreateTemp("", "x")`, true},
		{`xz.NewWriter(to)`, true},
		{`zlib.NewWriterLevel(to, 9)`, true},
	} {
		body := "package p\nfunc f() error {\n\tf, err := " + c.opened + "\n\tdefer f.Close()\n\treturn err\n}\n"
		if found := len(inFile(t, "f.go", body)) == 1; found != c.found {
			t.Errorf("%s: found %t", c.opened, found)
		}
		asked := strings.Replace(body, "defer f.Close()", "defer func() { err = errors.Join(err, f.Close()) }()", 1)
		if places := inFile(t, "f.go", asked); len(places) > 0 {
			t.Errorf("%s: asked, and found all the same: %v", c.opened, places)
		}
	}
}
