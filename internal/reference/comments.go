package reference

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/globdir"
)

const module = "github.com/pannous/redox-clif/"

// comments are those of the packages of a checkout, read when they are asked for.
type comments struct {
	root     string
	packages map[string]map[string]string // by import path: "Type", "Type.Field" and "Type=value" of a constant
}

// of is the comment on a type or, with a field's name, on the field.
func (c *comments) of(t reflect.Type, field string) (string, error) {
	key := t.Name()
	if field != "" {
		key += "." + field
	}
	return c.get(t, key)
}

// ofValue is the comment on the constant of a type that has the value.
func (c *comments) ofValue(t reflect.Type, value string) (string, error) {
	return c.get(t, t.Name()+"="+value)
}

func (c *comments) get(t reflect.Type, key string) (string, error) {
	found, ok := c.packages[t.PkgPath()]
	if !ok {
		var err error
		if found, err = c.read(t.PkgPath()); err != nil {
			return "", err
		}
		c.packages[t.PkgPath()] = found
	}
	if found[key] == "" {
		return "", fmt.Errorf("%s: %s has no comment, which the reference is made of", t.PkgPath(), key)
	}
	return found[key], nil
}

func (c *comments) read(pkg string) (map[string]string, error) {
	below, ours := strings.CutPrefix(pkg, module)
	if !ours {
		return nil, fmt.Errorf("%s is no package of the project, so its comments are not at hand", pkg)
	}
	files, err := globdir.In(filepath.Join(c.root, filepath.FromSlash(below)), "*.go")
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range syntax.Decls {
			if decl, ok := d.(*ast.GenDecl); ok {
				collect(found, decl)
			}
		}
	}
	return found, nil
}

func collect(found map[string]string, decl *ast.GenDecl) {
	for _, s := range decl.Specs {
		switch spec := s.(type) {
		case *ast.TypeSpec:
			found[spec.Name.Name] = spec.Doc.Text() + decl.Doc.Text()
			if table, ok := spec.Type.(*ast.StructType); ok {
				collectFields(found, spec.Name.Name, table)
			}
		case *ast.ValueSpec:
			collectValue(found, spec)
		}
	}
}

func collectFields(found map[string]string, owner string, table *ast.StructType) {
	for _, field := range table.Fields.List {
		for _, name := range field.Names {
			found[owner+"."+name.Name] = field.Doc.Text() + field.Comment.Text()
		}
	}
}

// collectValue keeps the comment on a constant of a named type of string.
func collectValue(found map[string]string, spec *ast.ValueSpec) {
	kind, named := spec.Type.(*ast.Ident)
	if !named || len(spec.Values) != 1 {
		return
	}
	if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
		if value, err := strconv.Unquote(literal.Value); err == nil {
			found[kind.Name+"="+value], _ = withoutName(spec.Doc.Text()+spec.Comment.Text(), spec.Names[0].Name)
		}
	}
}
