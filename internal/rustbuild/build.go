package rustbuild

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/pelletier/go-toml/v2"

	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/process"
)

// Build is one toolchain that is built, or would be.
type Build struct {
	Store  Store
	Recipe *Recipe
	Series []*patch.Series // of Recipe.Patches
	Host   string
	LLVM   *LLVM // the system's; nil when it is compiled too
}

// Stage0 is the released compiler a build begins with.
type Stage0 struct{ Rustc, Cargo string }

// Inputs are what the toolchain is identified by.
func (b *Build) Inputs() (Inputs, error) {
	flags, err := digestOfMap(b.Recipe.Bootstrap)
	if err != nil {
		return Inputs{}, err
	}
	llvm := string(BootstrapLLVM)
	if b.LLVM != nil {
		llvm = b.LLVM.Version
	}
	return Inputs{
		Name: b.Recipe.Name, Release: b.Recipe.Release, Host: b.Host, Source: b.Recipe.Source.SHA256, Stage0: b.Recipe.Stage0,
		LLVM: llvm, Bootstrap: flags, Patches: SeriesDigest(b.Series),
	}, nil
}

// SeriesDigest is the SHA-256 of what several series do, in hexadecimal.
func SeriesDigest(series []*patch.Series) string {
	var digests []string
	for _, s := range series {
		digests = append(digests, s.Digest())
	}
	return hexSum(strings.Join(digests, "\n"))
}

// Work is the lasting folder of this build.
func (b *Build) Work() string { return b.Store.Work(b.Recipe.workName()) }

// Source is the source in it, where x.py runs.
func (b *Build) Source() string { return filepath.Join(b.Work(), "src") }

func (b *Build) originals() string { return filepath.Join(b.Work(), "originals") }
func (b *Build) stamp() string     { return filepath.Join(b.Work(), "source") }

// sourceStamp names what Extract writes.
func (b *Build) sourceStamp() string {
	s := b.Recipe.Source
	return hexSum(strings.Join(slices.Concat([]string{s.SHA256, ""}, s.LeaveOut, []string{""}, s.ManifestsOnly), "\n"))
}

// Extracted tells whether the source is there, whole.
func (b *Build) Extracted() bool {
	text, err := os.ReadFile(b.stamp())
	return err == nil && string(text) == b.sourceStamp()
}

// Extract makes the source by export, which writes the archive's tree into an empty folder. What was built from
// another archive goes.
func (b *Build) Extract(export func(dest string) error) error {
	if b.Extracted() {
		return nil
	}
	partial := b.Source() + ".partial"
	for _, path := range []string{b.stamp(), b.Source(), b.originals(), partial} {
		if err := removeAll(path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return err
	}
	if err := export(partial); err != nil {
		return errors.Join(err, removeAll(partial))
	}
	if err := b.checkStage0(partial); err != nil {
		return errors.Join(err, removeAll(partial))
	}
	if err := os.Rename(partial, b.Source()); err != nil {
		return err
	}
	return renameio.WriteFile(b.stamp(), []byte(b.sourceStamp()), 0o644)
}

// checkStage0 compares the recipe with the compiler that the source says it can be built by.
func (b *Build) checkStage0(source string) error {
	text, err := os.ReadFile(filepath.Join(source, "src", "stage0"))
	if err != nil {
		return fmt.Errorf("the archive is no source of rustc: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "compiler_version="); ok && version != b.Recipe.Stage0 {
			return fmt.Errorf("the source is built by rustc %s (src/stage0), and toolchain/%s/%s.toml says stage0 = %q", version, Folder, b.Recipe.Name, b.Recipe.Stage0)
		}
	}
	return nil
}

// Patch brings the extracted source to the archive's with the series applied.
func (b *Build) Patch(ctx context.Context, opts patch.Options) (*Patched, error) {
	return ApplyPatches(ctx, b.Source(), b.originals(), b.Series, opts)
}

// bootstrapTOML is the recipe's settings with those of the machine.
func (b *Build) bootstrapTOML(stage0 Stage0, jobs int) ([]byte, error) {
	text, err := toml.Marshal(b.Recipe.Bootstrap)
	if err != nil {
		return nil, err
	}
	settings := map[string]any{}
	if err := toml.Unmarshal(text, &settings); err != nil { // a copy
		return nil, err
	}
	set := func(value any, keys ...string) {
		at := settings
		for _, key := range keys[:len(keys)-1] {
			next, ok := at[key].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[key] = next
			}
			at = next
		}
		at[keys[len(keys)-1]] = value
	}
	set(stage0.Rustc, "build", "rustc")
	set(stage0.Cargo, "build", "cargo")
	set(b.Host, "build", "build")
	set(jobs, "build", "jobs")
	if b.LLVM != nil {
		set(b.LLVM.Config, "target", b.Host, "llvm-config")
	}
	return toml.Marshal(settings)
}

// Command is the x.py that builds a toolchain.
type Command struct {
	Args []string
	Env  []string
	Dir  string
}

// Command writes the settings of x.py and returns how it is run; with keepStd it leaves the host's std alone. The
// environment is whole: nothing of the user's is in it.
func (b *Build) Command(p *Programs, stage0 Stage0, jobs int, keepStd bool) (*Command, error) {
	text, err := b.bootstrapTOML(stage0, jobs)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.Source(), "bootstrap.toml")
	if old, err := os.ReadFile(config); err != nil || !bytes.Equal(old, text) {
		if err := renameio.WriteFile(config, text, 0o644); err != nil {
			return nil, err
		}
	}
	home := filepath.Join(b.Work(), "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, err
	}
	var path []string
	for _, program := range []string{p.Python, p.CC, p.CXX, p.CMake, p.Ninja, "/usr/bin/env", "/bin/sh"} {
		if dir := filepath.Dir(program); program != "" && !slices.Contains(path, dir) {
			path = append(path, dir)
		}
	}
	args := []string{p.Python, "x.py", "build", "--stage", "1", "library"}
	if keepStd {
		args = append(args, "--keep-stage-std", "1")
	}
	return &Command{
		Args: args,
		Env: []string{
			"PATH=" + strings.Join(path, ":"), "HOME=" + home, "CARGO_HOME=" + filepath.Join(home, "cargo"), "LC_ALL=C",
			"CARGO_TERM_COLOR=never", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
			// x.py names what it makes of LLVM by the state of the Git checkout it is in: the cache may be in one.
			"GIT_CEILING_DIRECTORIES=" + b.Work(),
		},
		Dir: b.Source(),
	}, nil
}

// Script is a shell script that repeats the command by hand.
func (c *Command) Script() string {
	return "#!/bin/sh\n# What `mage toolchain:build` runs. It goes on where it was stopped.\ncd " + process.Quote([]string{c.Dir}) + " || exit\n" +
		"exec env -i " + process.Quote(c.Env) + " " + process.Quote(c.Args) + "\n"
}

// Run runs the command to its end. Each line of its output goes to line; files are inherited, which keeps a lock on
// one of them for as long as anything of the build runs. All of it ends with this process, whichever way that ends.
func (c *Command) Run(ctx context.Context, line func(string), files ...*os.File) error {
	r, w := io.Pipe()
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			line(scanner.Text())
		}
		_, _ = io.Copy(io.Discard, r) // an overlong line ends the scanner; the program must not block on it
	}()
	p, done, err := process.Guarded(process.Process{Args: c.Args, Env: c.Env, Dir: c.Dir, Output: w, Files: files})
	if err == nil {
		err = process.Exec(ctx, p)
		done()
	}
	_ = w.Close() // a pipe's close never fails
	<-reading
	return err
}

// stage1 is what x.py leaves.
func (b *Build) stage1() string { return filepath.Join(b.Source(), "build", b.Host, "stage1") }

// Assemble puts together the toolchain directory and publishes it. ask runs a program and returns its standard output.
func (b *Build) Assemble(ctx context.Context, stage0 Stage0, ask func(ctx context.Context, argv ...string) (string, error)) (string, error) {
	in, err := b.Inputs()
	if err != nil {
		return "", err
	}
	partial, err := b.Store.partial(b.Recipe.Name)
	if err != nil {
		return "", err
	}
	if err := b.fill(ctx, partial, stage0); err != nil {
		return "", errors.Join(err, removeAll(partial))
	}
	m := &Manifest{Inputs: in, Identity: in.Identity(), Archive: b.Recipe.Source.Archive, Applied: Applied(b.Series), LLVMFrom: b.Recipe.LLVM.From}
	if err := finish(ctx, partial, m, b.LLVM, ask); err != nil {
		return "", errors.Join(err, removeAll(partial))
	}
	return b.Store.publish(partial, m)
}

// Applied names the patches of some series.
func Applied(series []*patch.Series) []string {
	applied := []string{}
	for _, s := range series {
		for _, p := range s.Patches {
			text := s.Name + "/" + p.Name
			if p.Title != "" {
				text += ": " + p.Title
			}
			applied = append(applied, text)
		}
	}
	return applied
}

func (b *Build) fill(ctx context.Context, to string, stage0 Stage0) error {
	if err := copyTree(ctx, b.stage1(), to); err != nil {
		return err
	}
	if err := copyTree(ctx, filepath.Join(b.Source(), "library"), filepath.Join(to, "lib", "rustlib", "src", "rust", "library")); err != nil {
		return err
	}
	return addCargo(to, b.Host, stage0.Cargo)
}

// cargoScript is bin/cargo. The build needs unstable options of cargo (-Zjson-target-spec), and a released cargo has them
// but hides them behind its channel. RUSTC_BOOTSTRAP=1 would show them as well and would also
// reach rustc and every build script; this variable is read by cargo alone.
const cargoScript = `#!/bin/sh
# The cargo of stage 0, told that it belongs to a nightly rustc.
here=${0%%/*}
__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS=nightly exec "$here/../%s" "$@"
`

func addCargo(to, host, cargo string) error {
	at := filepath.Join("lib", "rustlib", host, "bin", "cargo")
	if err := copyFile(cargo, filepath.Join(to, at), true); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "bin", "cargo"), fmt.Appendf(nil, cargoScript, filepath.ToSlash(at)), 0o755)
}

// finish links the tools of the system's LLVM, compares the content with the manifest, if that says one, tries the compiler and
// writes the manifest. l is nil where LLVM is a part of the toolchain.
func finish(ctx context.Context, dir string, m *Manifest, l *LLVM, ask func(ctx context.Context, argv ...string) (string, error)) error {
	bin := filepath.Join(dir, "lib", "rustlib", m.Host, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	links := ownTools
	if l != nil {
		links = l.Tools
	}
	for name, path := range links {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	m.Tools = slices.Sorted(maps.Keys(links))
	content, err := ContentDigest(dir)
	if err != nil {
		return err
	}
	if m.Content == "" {
		m.Content = content
	}
	if m.Content != content {
		return &Tampered{Want: m.Content, Got: content} // nothing of it is run
	}
	if err := tryCompiler(ctx, dir, m, ask); err != nil {
		return err
	}
	if l == nil {
		if err := tryTools(ctx, bin, ask); err != nil {
			return err
		}
	}
	return m.write(dir)
}

// tryCompiler asks the compiler what it is: one that was linked with another LLVM does not even start.
func tryCompiler(ctx context.Context, dir string, m *Manifest, ask func(ctx context.Context, argv ...string) (string, error)) error {
	out, err := ask(ctx, filepath.Join(dir, "bin", "rustc"), "-vV")
	if err != nil {
		return fmt.Errorf("the rustc that was built does not run (its LLVM: %s): %w", m.LLVM, err)
	}
	for key, want := range map[string]string{"release": m.Release, "host": m.Host} {
		if !strings.Contains(out, key+": "+want+"\n") {
			return fmt.Errorf("the rustc that was built is not of %s %s; it says\n%s", key, want, strings.TrimSpace(out))
		}
	}
	return nil
}

// ownTools are the links where LLVM is a part of the toolchain: x.py copies the others.
var ownTools = map[string]string{"llvm-readelf": "llvm-readobj"}

// tryTools starts the tools of an LLVM that was compiled: they have to find its library within the toolchain.
func tryTools(ctx context.Context, bin string, ask func(ctx context.Context, argv ...string) (string, error)) error {
	for _, name := range tools {
		if _, err := ask(ctx, filepath.Join(bin, name), "--version"); err != nil {
			return fmt.Errorf("%s was built and does not run: %w", name, err)
		}
	}
	// lld has no name of its own to be started by; rustc starts it so as well.
	if _, err := ask(ctx, filepath.Join(bin, "rust-lld"), "-flavor", "gnu", "--version"); err != nil {
		return fmt.Errorf("rust-lld was built and does not run: %w", err)
	}
	return nil
}

// copyTree copies the regular files of a tree. Links of x.py lead back into the source and are left out.
func copyTree(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return errors.Join(err, ctx.Err())
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyFile(path, filepath.Join(to, rel), info.Mode()&0o111 != 0)
	})
}

func copyFile(from, to string, executable bool) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeFile(to, executable, in)
}

func writeFile(to string, executable bool, body io.Reader) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, body)
	return errors.Join(err, out.Chmod(mode), out.Close())
}
