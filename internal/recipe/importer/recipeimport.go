// Package importer reads recipes of Redox's cookbook and writes ours.
//
// It owns what is known of the cookbook's recipe.toml (the keys below; read from its recipes, since there is
// no other description) and the translation with a list of what could not be carried over. It must not
// fetch anything or know how recipes are built; what it writes is read by package recipe. What a branch is at it asks its
// caller.
//
//	[source]  git, rev, branch, upstream, shallow_clone | tar, blake3 | path | same_as; patches, script
//	[build]   template = cargo, custom, configure, cmake, meson, go, remote, none; dependencies,
//	          dev-dependencies, cargoflags, package_path, script, …flags
//	[package] dependencies
//
// The file is foreign: unknown keys are reported, not refused.
package importer

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/recipe/draft"
)

// cookbook is a foreign recipe, as far as it is understood.
type cookbook struct {
	Source struct {
		Git          string   `toml:"git"`
		Rev          string   `toml:"rev"`
		Branch       string   `toml:"branch"`
		Upstream     string   `toml:"upstream"`
		ShallowClone bool     `toml:"shallow_clone"`
		Tar          string   `toml:"tar"`
		Blake3       string   `toml:"blake3"`
		Path         string   `toml:"path"`
		SameAs       string   `toml:"same_as"`
		Patches      []string `toml:"patches"`
		Script       string   `toml:"script"`
	} `toml:"source"`
	Build struct {
		Template        string   `toml:"template"`
		Dependencies    []string `toml:"dependencies"`
		DevDependencies []string `toml:"dev-dependencies"`
		CargoFlags      any      `toml:"cargoflags"`
		PackagePath     string   `toml:"package_path"`
		Script          string   `toml:"script"`
	} `toml:"build"`
	Package struct {
		Dependencies []string `toml:"dependencies"`
	} `toml:"package"`
}

// Reason is why something was not carried over, the same words for all recipes so that they can be counted.
type Reason string

// The reasons.
const (
	NoSource   Reason = "it has no source"
	NoCommit   Reason = "its git source names no full commit"
	NoDigest   Reason = "its archive has no digest"
	Packing    Reason = "its archive is packed in a way that is not read"
	Script     Reason = "it is built by a script"
	Template   Reason = "its template builds no Cargo workspace"
	Depends    Reason = "it needs libraries of other recipes"
	Runs       Reason = "it needs other packages when it runs"
	Folder     Reason = "its source is a folder beside it"
	Patched    Reason = "it has patches"
	CargoFlags Reason = "it gives flags to cargo"
	Unknown    Reason = "it has a key that is not known"
)

// Loss is one thing that was not carried over.
type Loss struct {
	Reason Reason
	// What is the thing itself: "rev = \"v1.2\"".
	What string
}

func (l Loss) String() string {
	if l.What == "" {
		return string(l.Reason)
	}
	return fmt.Sprintf("%s: %s", l.Reason, l.What)
}

// Result is a translated recipe.
type Result struct {
	// Text is our recipe.toml. With losses it is a skeleton that package recipe may refuse.
	Text string
	// Losses are what a person has to decide, in the order of the foreign file. None means that the
	// recipe is whole.
	Losses []Loss
	// Assumed are guesses that the foreign file does not settle.
	Assumed []string
	// Unanswered is why the commit of a branch or tag could not be found out; nil also where nobody was asked.
	Unanswered error
}

var (
	fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)
	fullBlake3 = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// otherPacking is the end of a file that is no tar file as it is, or packed by gzip, bzip2 or xz.
	otherPacking = regexp.MustCompile(`\.(?:zip|7z|rar|(?:tar\.)?(?:lz|lzma|lz4|lzo|zst|Z|br))$`)
)

// AskCommit finds the full commit that a ref of a repository is at: "HEAD", a full name as refs/heads/main, or the name of a
// tag or else of a branch.
type AskCommit func(ctx context.Context, url, ref string) (string, error)

// Import translates the cookbook recipe of that name. Where a recipe follows a branch or names a tag, ask gives the commit; with
// a nil ask it stays a loss. The error is the context's or of the foreign file: it is no TOML, or a known key has a value of
// another kind.
func Import(ctx context.Context, name string, text []byte, ask AskCommit) (*Result, error) {
	var c cookbook
	meta, err := toml.Decode(string(text), &c)
	if err != nil {
		return nil, err
	}
	i := &importer{name: name, c: &c, ask: ask}
	i.unknown(meta)
	i.source(ctx)
	i.build()
	i.result.Text = i.draft.Text()
	return &i.result, ctx.Err()
}

type importer struct {
	name   string
	c      *cookbook
	ask    AskCommit
	draft  draft.Draft
	result Result
}

func (i *importer) lose(reason Reason, format string, args ...any) {
	i.result.Losses = append(i.result.Losses, Loss{reason, printable(fmt.Sprintf(format, args...))})
}

func (i *importer) assume(format string, args ...any) {
	i.result.Assumed = append(i.result.Assumed, printable(fmt.Sprintf(format, args...)))
}

// printable takes out of a foreign text what would steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func (i *importer) unknown(meta toml.MetaData) {
	for _, key := range meta.Undecoded() {
		// A flag of a template that is lost as a whole says nothing more.
		if last := key[len(key)-1]; strings.HasSuffix(last, "flags") && !slices.Contains([]string{"", "none", "cargo"}, i.c.Build.Template) {
			continue
		}
		i.lose(Unknown, "%s", key)
	}
}

func (i *importer) source(ctx context.Context) {
	s := i.c.Source
	to := &i.draft.Source
	i.draft.Description = i.name + ", imported from the cookbook"
	switch {
	case s.SameAs != "":
		to.SameAs = path.Base(s.SameAs)
	case s.Git != "":
		to.Git, to.Commit = s.Git, i.commit(ctx)
	case s.Tar != "":
		i.archive()
	case s.Path != "":
		to.Path = s.Path
		i.lose(Folder, "path = %q", s.Path)
	default:
		i.lose(NoSource, "")
	}
	for _, p := range s.Patches {
		i.lose(Patched, "%s", p)
	}
	if s.Script != "" {
		i.lose(Script, "source.script")
	}
}

// commit is the full commit of a git source, or what there is in its place.
func (i *importer) commit(ctx context.Context) string {
	s := i.c.Source
	if fullCommit.MatchString(s.Rev) {
		return s.Rev
	}
	ref := "HEAD"
	switch {
	case s.Rev != "":
		ref = s.Rev
	case s.Branch != "":
		ref = "refs/heads/" + s.Branch
	}
	why := ""
	if i.ask != nil {
		commit, err := i.ask(ctx, s.Git, ref)
		if err == nil {
			i.assume("commit %s, which is what %s of %s is at now", commit, ref, s.Git)
			return commit
		}
		i.result.Unanswered = err
		why = ": " + err.Error()
	}
	i.lose(NoCommit, "rev = %q, branch = %q%s; %s", s.Rev, s.Branch, why, commitCommand(s.Git, ref))
	return s.Rev
}

// shortCommit is what may be the beginning of a commit. Servers do not look for those.
var shortCommit = regexp.MustCompile(`^[0-9a-f]{7,39}$`)

// commitCommand says how a person finds a commit.
func commitCommand(url, ref string) string {
	if shortCommit.MatchString(ref) {
		return fmt.Sprintf("if it is the beginning of a commit, `%s && %s` gives all of it",
			process.Quote([]string{"git", "clone", "--bare", "--filter=tree:0", url, "x.git"}), process.Quote([]string{"git", "-C", "x.git", "rev-parse", ref}))
	}
	return fmt.Sprintf("`%s` gives one", process.Quote([]string{"git", "ls-remote", url, ref}))
}

func (i *importer) archive() {
	s := i.c.Source
	i.draft.Source.Archive, i.draft.Source.Strip = s.Tar, 1
	if fullBlake3.MatchString(s.Blake3) {
		i.draft.Source.Blake3 = s.Blake3
	} else {
		i.lose(NoDigest, "blake3 = %q; `%s | shasum -a 256` gives one for sha256", s.Blake3, process.Quote([]string{"curl", "-L", s.Tar}))
	}
	if otherPacking.MatchString(s.Tar) {
		i.lose(Packing, "%s", path.Base(s.Tar))
	}
}

func (i *importer) build() {
	b := i.c.Build
	switch b.Template {
	case "cargo":
		i.cargo()
	case "custom":
		i.lose(Script, "template = \"custom\"")
	case "", "none":
		// A recipe that only fetches a source for others, or only has dependencies.
	default:
		i.lose(Template, "template = %q", b.Template)
	}
	if b.Script != "" && b.Template != "custom" {
		i.lose(Script, "build.script")
	}
	for _, d := range slices.Concat(b.Dependencies, b.DevDependencies) {
		i.lose(Depends, "%s", d)
	}
	for _, d := range i.c.Package.Dependencies {
		i.lose(Runs, "%s", d)
	}
}

// cargo is the cookbook's template of that name: all programs of one package go to usr/bin.
func (i *importer) cargo() {
	b := i.c.Build
	if b.CargoFlags != nil && b.CargoFlags != "" {
		i.lose(CargoFlags, "%v", b.CargoFlags)
	}
	i.assume("package and program are both called %q", i.name)
	i.draft.Step = recipe.Step{Name: "programs", Kind: recipe.KindCargo, Dir: b.PackagePath, Packages: []string{i.name}}
	i.draft.Programs = []string{i.name}
}
