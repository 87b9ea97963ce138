package front

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/magefile/mage/parse"
)

// Front is the targets of a checkout.
type Front struct {
	// About is one sentence about the project, the package comment of the magefiles.
	About   string    `json:"about"`
	Targets []*Target `json:"targets"` // by name, without those that are generated from recipes

	checkout checkout
	byName   map[string]*Target // also by alias
}

// Target is what a command line can ask for.
type Target struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
	Summary string   `json:"summary"` // one sentence that follows the name, without its full stop
	Comment string   `json:"comment"` // all of what the magefile says, with the summary
	Words   []Input  `json:"words,omitempty"`
	Flags   []Input  `json:"flags,omitempty"`
}

// Input is a word or flag that a target takes.
type Input struct {
	Name string `json:"name"` // lower case
	Type string `json:"type"` // Go's: string, int, float64, bool, time.Duration
}

// Folder has the files that Mage reads targets from; MainFile is there while Mage compiles.
const (
	Folder   = "magefiles"
	MainFile = "mage_output_file.go"
)

// Read reads the targets of the checkout at root as Mage does.
func Read(root string) (*Front, error) {
	entries, err := os.ReadDir(filepath.Join(root, Folder))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && name != MainFile {
			files = append(files, name)
		}
	}
	info, err := parse.PrimaryPackage("go", filepath.Join(root, Folder), files, false)
	if err != nil {
		return nil, fmt.Errorf("reading the targets: %w", err)
	}
	f := &Front{About: info.Description}
	made := generated(info)
	for _, fn := range info.Funcs {
		if !made[fn.Receiver+"."+fn.Name] {
			f.Targets = append(f.Targets, newTarget(fn, info.Aliases))
		}
	}
	f.open(root)
	return f, nil
}

// generated are the methods in generated files, as Receiver.Name: those of the recipes, each `recipe:build NAME` in other words.
func generated(info *parse.PkgInfo) map[string]bool {
	made := map[string]bool{}
	for _, file := range info.AstPkg.Files {
		if !ast.IsGenerated(file) {
			continue
		}
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			if of, ok := fn.Recv.List[0].Type.(*ast.Ident); ok {
				made[of.Name+"."+fn.Name.Name] = true
			}
		}
	}
	return made
}

// newTarget names a target by its alias when it has one: that is what people type.
func newTarget(fn *parse.Function, aliases map[string]*parse.Function) *Target {
	t := &Target{Name: strings.ToLower(fn.TargetName()), Summary: strings.TrimSuffix(fn.Synopsis, "."), Comment: fn.Comment}
	for alias, of := range aliases {
		if of.TargetName() == fn.TargetName() {
			t.Aliases = append(t.Aliases, strings.ToLower(alias))
		}
	}
	slices.Sort(t.Aliases)
	if len(t.Aliases) > 0 {
		t.Name, t.Aliases[0] = t.Aliases[0], t.Name
	}
	for _, a := range fn.Args {
		in := Input{strings.ToLower(a.Name), a.Type}
		if a.Optional {
			t.Flags = append(t.Flags, in)
		} else {
			t.Words = append(t.Words, in)
		}
	}
	return t
}

// open makes what is not kept.
func (f *Front) open(root string) {
	slices.SortFunc(f.Targets, func(a, b *Target) int { return strings.Compare(a.Name, b.Name) })
	f.checkout = checkout{root: root}
	f.byName = map[string]*Target{}
	for _, t := range f.Targets {
		for _, name := range append([]string{t.Name}, t.Aliases...) {
			f.byName[name] = t
		}
	}
}

// Save keeps what Read found, for Load: Go's syntax costs several times as much to read.
func (f *Front) Save(file string) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// Load reads a file that Save wrote. Whether the magefiles are still the same is for the caller to know.
func Load(file, root string) (*Front, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f := &Front{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	f.open(root)
	return f, nil
}

// target finds a target by any of its names.
func (f *Front) target(name string) *Target { return f.byName[strings.ToLower(name)] }

// flag finds one of a target's flags.
func (t *Target) flag(name string) (Input, bool) {
	for _, in := range t.Flags {
		if in.Name == strings.ToLower(name) {
			return in, true
		}
	}
	return Input{}, false
}
