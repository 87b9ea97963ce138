// Package gen writes the Go that makes a target of every recipe: mage finds targets in the syntax
// tree of magefiles/, so `mage recipe:helix` has to exist as a method.
//
// It owns the form of magefiles/zz_generated_recipes.go and of the marked lines in magefiles/aliases.go
// (a Go name has no hyphens, and mage reads aliases from one variable of package main only). It must
// not know what a recipe is beyond its name and description.
//
// The directive is here because `go generate` passes over files with the build tag mage.
package gen

//go:generate go run ./magefile ../../..

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"go/token"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/terminal"
)

// The files, as slash paths in the checkout, and the command that writes them.
const (
	TargetsFile = "magefiles/zz_generated_recipes.go"
	AliasesFile = "magefiles/aliases.go"
	Command     = "go generate ./internal/recipe/gen"
)

// reserved are the methods of Recipe written by hand: no recipe can have one of these names.
var reserved = []string{"Build", "Clean", "Import", "List", "Lock", "Log", "New"}

// Files are both files as they should be, by slash path. aliases is the present text of AliasesFile,
// whose other lines stay as they are.
func Files(recipes recipe.Set, aliases []byte) (map[string][]byte, error) {
	methods, err := methodNames(recipes)
	if err != nil {
		return nil, err
	}
	targets, err := targetsFile(recipes, methods)
	if err != nil {
		return nil, err
	}
	marked, err := aliasesFile(recipes, methods, aliases)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{TargetsFile: targets, AliasesFile: marked}, nil
}

// Check says what is wrong with the recipes' names as names of targets.
func Check(recipes recipe.Set) error {
	_, err := methodNames(recipes)
	return err
}

// methodNames gives every recipe its method. Two that differ in hyphens and dots only are an error.
func methodNames(recipes recipe.Set) (map[string]string, error) {
	methods, taken := map[string]string{}, map[string]string{}
	for _, name := range recipes.Names() {
		method := MethodName(name)
		other, twice := taken[strings.ToLower(method)]
		switch {
		case !token.IsIdentifier(method):
			return nil, fmt.Errorf("recipe %s: %s is no Go name, so it can be no target", name, method)
		case slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, method) }):
			return nil, fmt.Errorf("recipe %s: mage recipe:%s is another target already", name, name)
		case twice:
			return nil, fmt.Errorf("recipes %s and %s would be one target, recipe:%s", other, name, strings.ToLower(method))
		}
		methods[name], taken[strings.ToLower(method)] = method, name
	}
	return methods, nil
}

// MethodName is a recipe's name as a Go name: "demo-sysroot" is DemoSysroot.
func MethodName(name string) string {
	var b strings.Builder
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_.+", r) }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	method := b.String()
	if method != "" && method[0] >= '0' && method[0] <= '9' {
		method = "R" + method
	}
	return method
}

func targetsFile(recipes recipe.Set, methods map[string]string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `// Code generated from recipes/ by %q. DO NOT EDIT.

//go:build mage

package main

import "context"
`, Command)
	for _, name := range recipes.Names() {
		fmt.Fprintf(&b, `
// %s builds %s: %s.
func (Recipe) %s(ctx context.Context, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, %q, dryRun, k, offline, j, set, backend, std, remote)
}
`, methods[name], name, oneLine(recipes[name].Description), methods[name], name)
	}
	return format.Source(b.Bytes())
}

func oneLine(text string) string {
	return terminal.Bare(strings.TrimSuffix(strings.Join(strings.Fields(text), " "), "."))
}

// The lines of the aliases file that are ours are between these.
const (
	begin = "\t// Generated from recipes/ by \"" + Command + "\", up to the next mark."
	end   = "\t// End of what is generated."
)

// ErrNoAliases says that the aliases file does not have the variable that mage reads.
var ErrNoAliases = errors.New("no line \"var Aliases = map[string]any{\" to put the aliases below")

// aliasesFile replaces the marked lines, or puts them first in the map.
func aliasesFile(recipes recipe.Set, methods map[string]string, present []byte) ([]byte, error) {
	const head = "var Aliases = map[string]any{\n"
	before, rest, found := strings.Cut(string(present), head)
	if !found {
		return nil, fmt.Errorf("%s: %w", AliasesFile, ErrNoAliases)
	}
	if first, _, marked := strings.Cut(rest, begin+"\n"); marked {
		_, after, closed := strings.Cut(rest, end+"\n")
		if !closed {
			return nil, fmt.Errorf("%s: the mark %q is gone", AliasesFile, strings.TrimSpace(end))
		}
		rest = first + after
	}
	var b strings.Builder
	b.WriteString(before + head)
	lines := aliasLines(recipes, methods)
	if len(lines) > 0 {
		b.WriteString(begin + "\n" + strings.Join(lines, "") + end + "\n")
	}
	b.WriteString(rest)
	return format.Source([]byte(b.String()))
}

// aliasLines are those of the recipes whose method is not spelt like their name.
func aliasLines(recipes recipe.Set, methods map[string]string) []string {
	var lines []string
	for _, name := range recipes.Names() {
		if !strings.EqualFold(name, methods[name]) {
			lines = append(lines, fmt.Sprintf("\t%q: Recipe.%s,\n", "recipe:"+name, methods[name]))
		}
	}
	return lines
}

// Paths are where the files are below a checkout.
func Paths(root string) (targets, aliases string) {
	return filepath.Join(root, filepath.FromSlash(TargetsFile)), filepath.Join(root, filepath.FromSlash(AliasesFile))
}
