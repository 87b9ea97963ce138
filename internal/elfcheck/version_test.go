package elfcheck

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/rules.txt anew")

// TestVersion: whoever changes a rule raises Version, or results that the old rules let through stay in every cache.
// Comments and layout do not count.
func TestVersion(t *testing.T) {
	const kept = "testdata/rules.txt"
	h := sha256.New()
	for _, name := range []string{"check.go", "crt.go", "parse.go", "placement.go"} {
		var code bytes.Buffer
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && spec.Names[0].Name == "Version" {
				spec.Values = nil
			}
			return true
		})
		if err := printer.Fprint(&code, token.NewFileSet(), file); err != nil {
			t.Fatal(err)
		}
		h.Write(code.Bytes())
	}
	now := fmt.Sprintf("version %s has rules %x\n", Version, h.Sum(nil))
	if *update {
		if err := os.WriteFile(kept, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if string(old) != now {
		t.Errorf("the rules changed: raise Version if they judge anything else now, then go test ./internal/elfcheck -run Version -update\nwas %sis  %s", old, now)
	}
}
