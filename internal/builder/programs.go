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
	"github.com/pannous/redox-clif/internal/recipe"
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

// programsStep is the node that makes a program of every C file below a folder of the source. A file that does
// not compile is part of the result and no error: these are the tests of somebody else, and who runs them knows
// which ones have to be there.
func (b *Builder) programsStep(r *recipe.Recipe, s *recipe.Step) (*graph.Node, error) {
	return b.once(r.Name+"/"+s.Name, func(n *graph.Node) error {
		if err := b.clangFor(r, s); err != nil {
			return err
		}
		src, err := b.patched(r.Name)
		if err != nil {
			return err
		}
		sysroot, err := b.Stage(s.Sysroot)
		if err != nil {
			return err
		}
		t := &toolRun{Builder: b, r: r, s: s, triple: b.Triple(s.Target)}
		n.Deps = uniqueNodes([]*graph.Node{src, sysroot})
		n.Memory = 256 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			return t.programsAction(in[src], in[sysroot])
		}
		n.Run = t.programs
		b.provenance[n] = provenance{recipe: r}
		return nil
	})
}

func (t *toolRun) programsAction(src, sysroot cas.Digest) (*action.Action, error) {
	flags, err := t.clangFlags(t.triple, "%{root}/sysroot/include")
	if err != nil {
		return nil, err
	}
	from, err := t.Store.LoadTree(src)
	if err != nil {
		return nil, err
	}
	tree := cas.NewTree()
	for p, e := range from.Entries {
		if strings.HasPrefix(p, t.s.Dir+"/") && isC(p) && !e.Dir {
			tree.Entries["src/"+strings.TrimPrefix(p, t.s.Dir+"/")] = e
		}
	}
	if len(tree.Entries) == 0 {
		return nil, fmt.Errorf("the source has no C files in %s", t.s.Dir)
	}
	root, err := t.subdir(sysroot, "root")
	if err != nil {
		return nil, err
	}
	files, err := t.Store.LoadTree(root)
	if err != nil {
		return nil, err
	}
	tree.Graft("sysroot", files)
	a := builtin("c-programs", programsVersion, append(flags, t.s.Args...)...)
	a.Outputs = []string{"out/" + t.s.Output}
	a.Platform = t.platform()
	a.Platform["clang"] = t.Tools.Clang.Identity
	a.Inputs, err = t.Store.PutTree(tree)
	return a, err
}

func isC(p string) bool { return path.Ext(p) == ".c" || path.Ext(p) == ".h" }

// programs compiles and links them all.
func (t *toolRun) programs(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	return t.inPlainFolder(ctx, job, func(dir, out string) error {
		p := &programsRun{dir: dir, out: out, clang: t.Tools.Clang.Path, lld: t.Tools.LLD, status: job.Status, run: t.runner(job)}
		for _, flag := range job.Action.Args[1:] {
			p.flags = append(p.flags, strings.ReplaceAll(flag, "%{root}", dir))
		}
		return p.all(ctx)
	})
}

// programsRun makes programs in plain folders: dir has src/ and sysroot/, out gets bin/ and refused/.
type programsRun struct {
	dir, out, clang, lld string
	flags                []string // of clang
	status               func(string)
	// run runs a tool with one argv.
	run func(ctx context.Context, argv []string) ([]byte, error)
}

func (p *programsRun) all(ctx context.Context) error {
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
func (p *programsRun) one(ctx context.Context, name string) (refused string, err error) {
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
