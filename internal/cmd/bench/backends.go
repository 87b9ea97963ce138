package bench

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/ui"
)

// backendRounds is how often the base workspace is compiled from nothing by each backend.
const backendRounds = 3

// comparedBackends are compared by the part "backends", the reference first.
var comparedBackends = []string{string(recipe.LLVM), string(recipe.Cranelift)}

// sizedFiles are the files of the initfs whose sizes are shown one by one.
var sizedFiles = []string{"bin/redoxfs", "bin/init", "lib/drivers/virtio-blkd"}

// backendFigures are what one backend comes to.
type backendFigures struct {
	wall, cpu []time.Duration // of compiling the base workspace; cpu is user and system time of all processes
	base      int64           // bytes of its programs, stripped
	initfs    int64           // bytes of the whole image
	files     map[string]int64
	root      int64 // bytes in use in the root file system of the disk image
}

// backends compiles the base workspace from nothing by both backends of one toolchain in turn, and compares the sizes of what
// comes out. It is asked for by name only, because it takes many minutes, and writes a note of its own. Processor time is
// what to compare on a busy machine.
func (b *bench) backends(ctx context.Context) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	load := loadAverage()
	figures := map[string]*backendFigures{}
	for _, backend := range comparedBackends {
		// So that what base is built from is there.
		if _, err := b.command(ctx, b.checkout(), b.settings(), b.bin, "recipe:build", changedRecipe, "-backend="+backend+":*"); err != nil {
			return err
		}
		figures[backend] = &backendFigures{files: map[string]int64{}}
	}
	for round := range backendRounds {
		for _, backend := range comparedBackends {
			wall, cpu, err := b.cleanBase(ctx, backend)
			if err != nil {
				return err
			}
			b.s.Say("base from nothing by %s, %d of %d: %s, %s of processor time", backend, round+1, backendRounds, ui.Seconds(wall), ui.Seconds(cpu))
			f := figures[backend]
			f.wall, f.cpu = append(f.wall, wall), append(f.cpu, cpu)
		}
	}
	for _, backend := range comparedBackends {
		if err := b.sizesBy(ctx, backend, figures[backend]); err != nil {
			return err
		}
		b.s.Say("sizes by %s: initfs %s", backend, ui.Bytes(figures[backend].initfs))
	}
	rows := backendRows(figures[comparedBackends[0]], figures[comparedBackends[1]])
	b.rows = append(b.rows, rows...)
	return b.writeBackendsNote(ctx, load, rows)
}

func backendRows(llvm, cranelift *backendFigures) []benchRow {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
	times := func(what string, a, b []time.Duration) benchRow {
		return benchRow{what, ratio(median(b), median(a)), "", seconds(median(b)) + " / " + seconds(median(a))}
	}
	sizes := func(what string, a, b int64, goal string) benchRow {
		return benchRow{what, fmt.Sprintf("%.2f", float64(b)/float64(max(a, 1))), goal, ui.Bytes(b) + " / " + ui.Bytes(a)}
	}
	rows := []benchRow{
		times("compiling base from nothing, processor time", llvm.cpu, cranelift.cpu),
		times("compiling base from nothing, by the clock", llvm.wall, cranelift.wall),
		sizes("programs of base, stripped", llvm.base, cranelift.base, ""),
	}
	for _, name := range sizedFiles {
		goal := ""
		if name == "bin/redoxfs" {
			goal = "2"
		}
		rows = append(rows, sizes(name, llvm.files[name], cranelift.files[name], goal))
	}
	return append(rows, sizes("the whole initfs image", llvm.initfs, cranelift.initfs, "2"),
		sizes("the root file system of "+diskbuild.DefaultImage+".img, in use", llvm.root, cranelift.root, ""))
}

// sizesBy builds the disk image by a backend, with the user's own cache.
func (b *bench) sizesBy(ctx context.Context, backend string, f *backendFigures) error {
	settings := b.settings("REDOX_BACKEND=" + backend + ":*")
	if _, err := b.command(ctx, b.checkout(), settings, b.bin, "image"); err != nil {
		return err
	}
	out := b.out()
	m, err := manifest.ReadIn(out)
	if err != nil {
		return err
	}
	f.initfs = m.Image.Size
	for _, file := range m.Files {
		if file.Recipe == changedRecipe && file.Backend != "" {
			f.base += file.Size
		}
		if slices.Contains(sizedFiles, file.Path) {
			f.files[file.Path] = file.Size
		}
	}
	v, err := disk.Volume(filepath.Join(out, diskbuild.ToolRecipe, "root", "bin", "redoxfs-tool"), filepath.Join(out, diskbuild.DefaultImage+".img"))
	if err != nil {
		return err
	}
	space, err := v.Df(ctx)
	f.root = space.Size - space.Free
	return err
}

// cleanBase compiles the base workspace where cargo has nothing from before, in a cache that has everything but its programs.
func (b *bench) cleanBase(ctx context.Context, backend string) (wall, cpu time.Duration, err error) {
	cache, err := b.cacheWithout(b.s.Config.Cache, func(step string) bool { return isStep(step, changedStep) })
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(cache)
	args := []string{b.bin, "recipe:build", changedRecipe, "-backend=" + backend + ":*"}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = b.checkout(), slices.Concat(b.environ, b.settings("REDOX_CACHE="+cache))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, said.String())
	}
	wall = time.Since(start)
	// Without it a step that was up to date would be the fastest compiler.
	if !strings.Contains(said.String(), changedStep) || strings.Contains(said.String(), "nothing to do") {
		return 0, 0, fmt.Errorf("%s compiled nothing:\n%s", strings.Join(args, " "), said.String())
	}
	return wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// isStep tells whether an ID is that of a step, in whichever way it is built.
func isStep(id, step string) bool { return id == step || strings.HasPrefix(id, step+"+") }

// cacheWithout is a new cache that shares all content and results of another but those of some steps, and has no
// folders that cargo worked in.
func (b *bench) cacheWithout(of string, left func(step string) bool) (string, error) {
	cache, err := b.cacheWith(of, "cas", "sources", "toolchains", "cargo-home")
	if err != nil {
		return "", err
	}
	own := filepath.Join(cache, "actions")
	if err := os.CopyFS(own, os.DirFS(filepath.Join(of, "actions"))); err != nil {
		return "", err
	}
	actions := action.OpenCache(own)
	_, err = actions.Walk(func(d cas.Digest, r action.Result, _ fs.FileInfo) error {
		if !left(r.Node) {
			return nil
		}
		return actions.Forget(d)
	})
	return cache, err
}

// cacheWith is a new cache that has nothing but some folders of another.
func (b *bench) cacheWith(of string, shared ...string) (string, error) {
	cache, err := os.MkdirTemp(b.scratch, "cache-")
	if err != nil {
		return "", err
	}
	for _, name := range shared {
		if err := os.Symlink(filepath.Join(of, name), filepath.Join(cache, name)); err != nil {
			return "", err
		}
	}
	return cache, nil
}

var backendsNote = note{"backends", "The base workspace by Cranelift and by LLVM"}

// writeBackendsNote writes the figures down.
func (b *bench) writeBackendsNote(ctx context.Context, load string, rows []benchRow) error {
	t, err := b.s.Toolchain(ctx)
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# "+backendsNote.title+"\n\nWritten by `mage bench -only=backends`: one run, %d processors, load average %s at its start and %s at its end, %s.\n"+
		"Cranelift / LLVM, medians of %d.\n\n", runtime.NumCPU(), load, loadAverage(), t.Name(), backendRounds)
	text.WriteString(table("figures", rows) + backendsExplained)
	return b.saveNote(backendsNote, text.String())
}

// backendsExplained is what a reader of the table has to know.
const backendsExplained = `
Both by the same toolchain and the same sources. The sources and the standard library are there, cargo has nothing from
before; compiling includes linking, stripping and mage itself. Both backends take turns. Processor time is user and
system time of all processes, which a busy machine stretches less than the clock. What is LLVM's in either (kernel, bootloader,
assembly) is the same in both.
`
