package builder

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/crates"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/remote"
	"github.com/pannous/redox-clif/internal/worker"
)

// elsewhere says how a worker makes the output of a step. A step without one is run here.
type elsewhere struct {
	how worker.How
	// shape makes the step's output of what the worker has left, as the Collect of a run here does.
	shape func(ctx context.Context, left *cas.Tree) (*cas.Tree, error)
}

// runElsewhere has a worker perform an action. It is a [graph.HereError] when none does.
func (b *Builder) runElsewhere(ctx context.Context, job *graph.Job, s execroot.Spec, e elsewhere) (cas.Digest, error) {
	if s.Key != "" {
		// What a tool has kept saves it more than a worker could.
		if lasts, err := b.roots.Lasts(s.Key); err != nil || lasts {
			return cas.Digest{}, errors.Join(err, &graph.HereError{Why: "its folder is kept here"})
		}
	}
	e.how.Name, e.how.Status, e.how.Env = job.Node, job.Status, map[string]string{"CARGO_TERM_COLOR": "always"}
	done, err := b.o.Workers.Run(ctx, job.Action, e.how)
	if unavailable := (*remote.UnavailableError)(nil); errors.As(err, &unavailable) {
		return cas.Digest{}, &graph.HereError{Why: unavailable.Why}
	}
	if err != nil {
		return cas.Digest{}, err
	}
	said := append(done.Stdout, done.Stderr...)
	if s.Ran = "a worker"; done.Worker != "" {
		s.Ran += " (" + done.Worker + ")"
	}
	if err := b.roots.LogElsewhere(s, said); err != nil {
		return cas.Digest{}, err
	}
	if done.ExitCode != 0 {
		return cas.Digest{}, b.roots.FailedElsewhere(ctx, s, said, &process.ExitError{Args: []string{tool(job.Action.Args[0]) + " on " + s.Ran}, Code: done.ExitCode})
	}
	tree, err := e.shape(ctx, done.Outputs)
	if err != nil {
		return cas.Digest{}, fmt.Errorf("%w (it ran on %s)", err, s.Ran)
	}
	job.Remote()
	return b.store.PutTree(tree)
}

// tool is the name of what a word of package toolenv stands for.
func tool(word string) string { return strings.Trim(word, "%{}") }

// stdElsewhere is how a worker builds the standard library.
func (b *Builder) stdElsewhere(triple string) elsewhere {
	return elsewhere{worker.How{NeedsCC: always}, func(_ context.Context, left *cas.Tree) (*cas.Tree, error) {
		deps, tree := left.Sub(path.Join("target", triple, "release/deps")), cas.NewTree()
		for name, e := range deps.Entries {
			if path.Ext(name) == ".rlib" && path.Base(name) == name {
				tree.Entries[path.Join("lib/rustlib", triple, "lib", name)] = cas.Entry{Digest: e.Digest}
			}
		}
		return tree, checkCore(tree, "the worker's target folder")
	}}
}

// always is for what has a build script in every version of it.
func always() (bool, error) { return true, nil }

// oneFile is how a worker makes one file that is to have a name in the output. check holds it to its rules.
func (b *Builder) oneFile(out, name string, executable bool, check func(file string) error) elsewhere {
	return elsewhere{shape: func(_ context.Context, left *cas.Tree) (*cas.Tree, error) {
		e, err := b.leftFile(left, out, check)
		tree := cas.NewTree()
		tree.Entries[name] = cas.Entry{Digest: e.Digest, Executable: executable}
		return tree, err
	}}
}

// leftFile is a file that a worker has left, held to its rules.
func (b *Builder) leftFile(left *cas.Tree, out string, check func(file string) error) (cas.Entry, error) {
	e, ok := left.Entries[out]
	if !ok || e.Dir || e.Link != "" {
		return e, fmt.Errorf("the tool ended well but did not make %s", path.Base(out))
	}
	if check == nil {
		return e, nil
	}
	file, err := b.store.Path(e.Digest)
	if err != nil {
		return e, err
	}
	return e, check(file)
}

// elsewhere is how a worker runs cargo.
func (c *cargoRun) elsewhere(job *graph.Job) elsewhere {
	e := elsewhere{worker.How{NeedsCC: func() (bool, error) { return c.t.b.needsCC(job.Action.Inputs) }}, c.leftByCargo}
	if !c.recordsLinks() {
		return e
	}
	e.how.Programs, e.how.Given = c.outputs(), c.given()
	e.shape = func(_ context.Context, left *cas.Tree) (*cas.Tree, error) {
		for _, program := range c.programs() {
			if _, ok := left.Entries[path.Join(program, linkline.LineName)]; !ok {
				return nil, fmt.Errorf("cargo ended well but did not make %s", program)
			}
		}
		return left, nil
	}
	return e
}

func (c *cargoRun) leftByCargo(_ context.Context, left *cas.Tree) (*cas.Tree, error) {
	tree := cas.NewTree()
	for _, out := range c.outputs() {
		e, err := c.t.b.leftFile(left, out, func(file string) error { return c.t.b.checkLinked(file, c.t.s) })
		if err != nil {
			return nil, err
		}
		tree.Entries[path.Base(out)] = cas.Entry{Digest: e.Digest, Executable: e.Executable}
	}
	return tree, nil
}

// mayGo tells whether a worker can do the step: what the host's linker or another compiler than the toolchain's makes, it cannot.
func (c *cargoRun) mayGo() bool { return !c.host() && !c.t.s.CC && !c.hasOwnStd() }

var hasScript = regexp.MustCompile(`(?m)^\s*(proc-macro|proc_macro)\s*=\s*true|^\s*build\s*=\s*"`)

// needsCC tells whether crates of an input tree have build scripts or macros, which the host's compiler links.
func (b *Builder) needsCC(inputs cas.Digest) (bool, error) {
	all, err := b.store.LoadTree(inputs)
	if err != nil {
		return false, err
	}
	for p, e := range all.Entries {
		top, _, _ := strings.Cut(p, "/")
		_, leftOut := all.Entries[path.Join(path.Dir(p), crates.StubSource)]
		if top != "src" && top != prepare.VendorFolder || leftOut {
			continue
		}
		switch path.Base(p) {
		case "build.rs":
			return true, nil
		case "Cargo.toml":
			if text, err := b.store.ReadAll(e.Digest); err != nil || hasScript.Match(text) {
				return err == nil, err
			}
		}
	}
	return false, nil
}
