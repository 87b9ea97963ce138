package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/process"
)

// programsVersion is raised when other programs come out of the same sources.
const programsVersion = 2

// The folders of what a c-programs step makes. For every a/b.c there is either the program bin/a/b or
// refused/a/b, with what the compiler or the linker said.
const (
	programsBin     = "bin"
	programsRefused = "refused"
)

// programLibraries are what C programs are linked with: the C library, and what it leaves to others.
var programLibraries = []string{"libc.a", "libm.a", "libgcc_eh.a"}

// programsRun makes a program of every C file below a folder of the source. A file that does
// not compile is part of the result and no error: these are the tests of somebody else, and who runs them knows
// which ones have to be there.
type programsRun struct {
	t            *step
	src, sysroot *graph.Node
}

func (c *programsRun) check() (n needs, err error) {
	b := c.t.b
	if err := b.needClang(c.t.id()); err != nil {
		return needs{}, err
	}
	if c.src, err = b.sources.Patched(c.t.r.Name); err != nil {
		return needs{}, err
	}
	if c.sysroot, err = b.Stage(c.t.s.Sysroot); err != nil {
		return needs{}, err
	}
	return needs{nodes: []*graph.Node{c.src, c.sysroot}, memory: toolMemory, provenance: provenance{recipe: c.t.r}}, nil
}

func (c *programsRun) plan(in graph.Outputs) (*action.Action, error) {
	b, s := c.t.b, c.t.s
	flags, err := b.clangFlags(c.t.triple, "%{root}/sysroot/include")
	if err != nil {
		return nil, err
	}
	tree, err := c.inputs(in[c.src], in[c.sysroot])
	if err != nil {
		return nil, err
	}
	a := action.Builtin("c-programs", programsVersion, append(flags, s.Args...)...)
	a.Outputs = []string{"out/" + s.Output}
	a.Salt = b.salt()
	a.Salt["clang"] = b.o.Tools.Clang.Identity
	a.Inputs, err = b.store.PutTree(tree)
	return a, err
}

// inputs are the C files in src/, and the sysroot.
func (c *programsRun) inputs(src, sysroot cas.Digest) (*cas.Tree, error) {
	from, err := c.t.b.store.LoadTree(src)
	if err != nil {
		return nil, err
	}
	dir, tree := c.t.s.Dir, cas.NewTree()
	for p, e := range from.Entries {
		if strings.HasPrefix(p, dir+"/") && isC(p) && !e.Dir {
			tree.Entries["src/"+strings.TrimPrefix(p, dir+"/")] = e
		}
	}
	if len(tree.Entries) == 0 {
		return nil, fmt.Errorf("the source has no C files in %s", dir)
	}
	root, err := c.t.b.subdir(sysroot, "root")
	if err != nil {
		return nil, err
	}
	files, err := c.t.b.store.LoadTree(root)
	if err != nil {
		return nil, err
	}
	tree.Graft("sysroot", files)
	return tree, nil
}

func isC(p string) bool { return path.Ext(p) == ".c" || path.Ext(p) == ".h" }

func (c *programsRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	tools := c.t.b.o.Tools
	return c.t.inPlainFolder(ctx, job, func(dir, out string) error {
		p := &programMaker{dir: dir, out: out, clang: tools.Clang.Path, lld: tools.LLD, status: job.Status, run: c.t.b.runner(job, dir)}
		for _, flag := range job.Action.Args[1:] {
			p.flags = append(p.flags, strings.ReplaceAll(flag, "%{root}", dir))
		}
		return p.all(ctx)
	})
}

// programMaker makes programs in plain folders: dir has src/ and sysroot/, out gets bin/ and refused/.
type programMaker struct {
	dir, out, clang, lld string
	flags                []string // of clang
	status               func(string)
	// run runs a tool with one argv.
	run func(ctx context.Context, argv []string) ([]byte, error)
}

func (p *programMaker) all(ctx context.Context) error {
	for _, name := range []string{programsBin, programsRefused} {
		if err := os.MkdirAll(filepath.Join(p.out, name), 0o755); err != nil {
			return err
		}
	}
	src, made := filepath.Join(p.dir, "src"), 0
	err := filepath.WalkDir(src, func(file string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(file) != ".c" {
			return err
		}
		rel, err := filepath.Rel(src, file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.ToSlash(rel), ".c")
		p.status(name)
		refused, err := p.one(ctx, name)
		if err != nil {
			return err
		}
		if refused == "" {
			made++
			return nil
		}
		return writeBelow(filepath.Join(p.out, programsRefused, filepath.FromSlash(name)), refused)
	})
	if err == nil && made == 0 {
		err = errors.New("not one of the C files became a program")
	}
	return err
}

func writeBelow(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// one makes a program. It returns what a tool said that refused it.
func (p *programMaker) one(ctx context.Context, name string) (refused string, err error) {
	src, lib := filepath.Join(p.dir, "src"), filepath.Join(p.dir, "sysroot", "lib")
	object, program := filepath.Join(p.dir, "object.o"), filepath.Join(p.out, programsBin, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return "", err
	}
	compile := append([]string{p.clang}, p.flags...)
	// __FILE__ is as if clang had been started in the folder of the C files.
	compile = append(compile, "-ffile-prefix-map="+p.dir+"/=", "-ffile-prefix-map="+src+"/=", "-I", src, "-c", filepath.Join(src, filepath.FromSlash(name)+".c"), "-o", object)
	link := []string{p.lld, "-flavor", "gnu", "-static", "-z", "muldefs", "--gc-sections", "--strip-all", "-o", program,
		filepath.Join(lib, "crt0.o"), filepath.Join(lib, "crti.o"), object, "--start-group"}
	for _, library := range programLibraries {
		link = append(link, filepath.Join(lib, library))
	}
	link = append(link, "--end-group", filepath.Join(lib, "crtn.o"))
	for _, argv := range [][]string{compile, link} {
		_, err := p.run(ctx, argv)
		if exit := new(process.ExitError); errors.As(err, &exit) && exit.Signal == "" && ctx.Err() == nil && !machineFault.MatchString(err.Error()) {
			// The folder is another one each time, and the tool's path another on each machine.
			return firstError(strings.ReplaceAll(strings.TrimPrefix(err.Error(), exit.Error()+": "), p.dir+"/", "")), nil
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	return "", nil
}

// machineFault is what a tool says when this machine failed it and not the program. What was refused is kept as a result;
// this must not be.
var machineFault = regexp.MustCompile(`(?i)no space left|unable to execute command|cannot allocate|out of memory|input/output error|` +
	`too many open files|unable to open output|cannot open output|permission denied|read-only file system|quota exceeded`)

// firstError is the line of a compiler's words that has the first error.
func firstError(text string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "error: ") {
			return strings.TrimSpace(line) + "\n"
		}
	}
	return text + "\n"
}
