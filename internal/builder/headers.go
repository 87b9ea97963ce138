package builder

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
)

// headersVersion is raised when other headers come out of the same sources.
const headersVersion = 1

// What relibc's own makefile takes its headers from: two folders that are copied, and Rust modules that
// have a cbindgen.toml, each of which becomes one header. The settings that all of them share are in one
// more file.
const (
	headerModules  = "src/header"
	headerSettings = "cbindgen.toml"
	sharedSettings = "cbindgen.globdefs.toml"
)

// copiedHeaders are taken as they are, the later over the earlier. openlibm is where relibc has <math.h>
// and <fenv.h> from.
var copiedHeaders = []string{"include", "openlibm/include", "openlibm/src"}

// headersRun makes the C headers of relibc, whose source the recipe has, by the cbindgen that is its input.
type headersRun struct {
	t   *step
	src *graph.Node // patched
}

func (h *headersRun) check() (needs, error) {
	n, err := h.t.bind(h.t.s.Inputs...)
	if err != nil {
		return needs{}, err
	}
	h.src, err = h.t.b.sources.Patched(h.t.r.Name)
	n.nodes = append(n.nodes, h.src)
	return n, err
}

func (h *headersRun) plan(in graph.Outputs) (*action.Action, error) {
	cbindgen, err := h.t.file(in, h.t.inputs[0])
	if err != nil {
		return nil, err
	}
	from, err := h.t.b.store.LoadTree(in[h.src])
	if err != nil {
		return nil, err
	}
	tree := cas.NewTree()
	for p, e := range from.Entries {
		if isHeaderInput(p) && !e.Dir {
			tree.Entries["src/"+p] = e
		}
	}
	tree.Entries["cbindgen"] = cbindgen
	a := action.Builtin("c-headers", headersVersion)
	a.Outputs = []string{"out/" + h.t.s.Output}
	a.Inputs, err = h.t.b.store.PutTree(tree)
	return a, err
}

func (h *headersRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	return h.t.inPlainFolder(ctx, job, func(dir, out string) error {
		g := &headerMaker{tool: filepath.Join(dir, "cbindgen"), src: filepath.Join(dir, "src"), scratch: dir, out: out, job: job, run: h.t.b.runner(job, dir)}
		return g.all(ctx)
	})
}

// isHeaderInput keeps the rest of relibc out of the digest: a changed function body is no changed header.
func isHeaderInput(p string) bool {
	for _, dir := range copiedHeaders {
		if strings.HasPrefix(p, dir+"/") && path.Ext(p) == ".h" {
			return true
		}
	}
	return p == sharedSettings || strings.HasPrefix(p, headerModules+"/")
}

// headerMaker makes headers in plain folders. tool is cbindgen, scratch a folder for its settings.
type headerMaker struct {
	tool, src, scratch, out string
	job                     *graph.Job
	// run runs the tool with one argv.
	run func(ctx context.Context, argv []string) ([]byte, error)
}

func (g *headerMaker) all(ctx context.Context) error {
	for _, dir := range copiedHeaders {
		if err := g.copied(dir); err != nil {
			return err
		}
	}
	shared, err := os.ReadFile(filepath.Join(g.src, sharedSettings))
	if err != nil {
		return fmt.Errorf("the source is no relibc: %w", err)
	}
	modules, err := os.ReadDir(filepath.Join(g.src, filepath.FromSlash(headerModules)))
	if err != nil {
		return err
	}
	for _, m := range modules {
		// With an underscore in front they are templates and headers that are written by hand.
		if !m.IsDir() || strings.HasPrefix(m.Name(), "_") {
			continue
		}
		own, err := os.ReadFile(filepath.Join(g.src, filepath.FromSlash(headerModules), m.Name(), headerSettings))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := g.generated(ctx, m.Name(), append(append(own, '\n'), shared...)); err != nil {
			return fmt.Errorf("%s: %w", headerName(m.Name()), err)
		}
	}
	return nil
}

// headerName is the header of a module: sys_types is <sys/types.h>.
func headerName(module string) string { return strings.ReplaceAll(module, "_", "/") + ".h" }

func (g *headerMaker) generated(ctx context.Context, module string, settings []byte) error {
	config := filepath.Join(g.scratch, headerSettings)
	if err := os.WriteFile(config, settings, 0o644); err != nil {
		return err
	}
	to := filepath.Join(g.out, filepath.FromSlash(headerName(module)))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	g.job.Status(headerName(module))
	args := []string{g.tool, filepath.Join(g.src, filepath.FromSlash(headerModules), module, "mod.rs"), "--config", config, "--output", to}
	_, err := g.run(ctx, args)
	return err
}

// copied takes the headers of a folder, which need not be there.
func (g *headerMaker) copied(dir string) error {
	from := filepath.Join(g.src, filepath.FromSlash(dir))
	if _, err := os.Stat(from); os.IsNotExist(err) {
		return nil
	}
	return filepath.WalkDir(from, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		to := filepath.Join(g.out, rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	})
}
