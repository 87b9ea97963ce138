package initfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// purityRow is one file of an image, with everything that is known of its making.
type purityRow struct {
	path               string
	size               int64
	backend, compiler  string
	source             string
	patches            []string
	reason, c, sysroot string
	linked             []string // code generators that .comment names
}

// Purity lists what made every file of an image, and every use of LLVM, clang or C with its reason. of is an
// image file, or a recipe that makes one, which is built first; "" is the real initfs.
func Purity(ctx context.Context, s *session.Session, of string) error {
	if of == "" {
		of = "initfs"
	}
	if _, err := os.Stat(of); err == nil && s.Recipes[of] == nil {
		return purityOf(s, of)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.Recipes[of] == nil {
		return fmt.Errorf("%s is neither an image nor a recipe; `mage recipe:list` lists the recipes", of)
	}
	built, err := s.Build(ctx, session.BuildOptions{FallBack: of == "demo"}, session.InitfsOf(of))
	if err != nil || built == nil {
		return err
	}
	if _, err := s.ExportInitfs(ctx, built.Output(0)); err != nil {
		return err
	}
	return purityOf(s, filepath.Join(s.Config.Out(), builder.ImageName))
}

func purityOf(s *session.Session, file string) error {
	img, err := initfs.OpenFile(file)
	if err != nil {
		return err
	}
	defer img.Close()
	m, records := manifestBeside(file), recordsBeside(file)
	var rows []purityRow
	err = img.Walk(func(path string, n *initfs.Node) error {
		if n.Kind == initfs.File {
			name := strings.TrimPrefix(path, "/")
			rows = append(rows, rowOf(name, n, records[name]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if img.Bootstrap != nil {
		boot := &initfs.Node{Kind: initfs.File, Content: img.Bootstrap}
		var rec manifest.File
		if m != nil && m.Image.Bootstrap != nil {
			rec = *m.Image.Bootstrap
		}
		rows = append(rows, rowOf("(bootstrap)", boot, rec))
	}
	return printPurity(s, file, m, rows)
}

// rowOf joins what a file says of itself with what the manifest says of it.
func rowOf(name string, n *initfs.Node, rec manifest.File) purityRow {
	said := making(n, rec)
	_, linked := provenanceOf(n)
	row := purityRow{
		path: name, size: n.Size(), backend: said.Backend, compiler: said.Compiler, source: said.Source, patches: said.Patches,
		sysroot: said.Sysroot, linked: linked, reason: rec.Reason,
	}
	if said.C {
		row.c = "C code of its crates, by clang"
	}
	// Not ours, and still a program: what .comment names is all that is known.
	if row.backend == "" && slices.Contains(linked, "cranelift") {
		row.backend = "cranelift?"
	} else if row.backend == "" && slices.Contains(linked, "llvm") {
		row.backend = "llvm?"
	}
	return row
}

func printPurity(s *session.Session, file string, m *manifest.Manifest, rows []purityRow) error {
	table := [][]string{{"FILE", "SIZE", "BACKEND", "LINKED IN", "COMPILER", "SOURCE", "PATCHES"}}
	for _, r := range rows {
		table = append(table, []string{r.path, fmt.Sprint(r.size), ui.Dash(r.backend), ui.Dash(strings.Join(r.linked, "+")), ui.Dash(r.compiler),
			ui.Dash(r.source), ui.Dash(strings.Join(r.patches, ","))})
	}
	if err := ui.Table(s.Streams.Out, table); err != nil {
		return err
	}
	out := s.Streams.Out
	fmt.Fprintln(out, "\nwhere LLVM, clang or C have a part:")
	var sysroots map[string][]string
	if m != nil {
		sysroots = m.Sysroots
	}
	for _, line := range impurities(rows, sysroots) {
		fmt.Fprintln(out, "  "+line)
	}
	p := purityOfRows(rows)
	if p.Compiled == 0 {
		fmt.Fprintf(out, "\n%s: nothing in it says what compiled it\n", file)
		return nil
	}
	fmt.Fprintf(out, "\n%s: %s\n", file, purityText(p))
	if m == nil {
		fmt.Fprintln(out, "no manifest that fits lies beside it: this is what the files say of themselves")
	}
	return nil
}

// impurities are the uses of LLVM, clang or C, each once, with the files concerned.
func impurities(rows []purityRow, sysroots map[string][]string) []string {
	files := map[string][]string{}
	add := func(what, file string) { files[what] = append(files[what], file) }
	for _, r := range rows {
		switch {
		case strings.HasPrefix(r.backend, "llvm") && r.reason != "":
			add("compiled by LLVM: "+r.reason, r.path)
		case strings.HasPrefix(r.backend, "llvm"):
			add("compiled by LLVM, for a reason that the image does not tell", r.path)
		case strings.HasPrefix(r.backend, "cranelift"):
			// rustc assembles for Cranelift with its LLVM backend, and the two leave the same .comment.
			add("assembly in the crates (core, compiler_builtins, system calls) is assembled by LLVM", r.path)
		}
		if r.c != "" {
			add(r.c, r.path)
		}
		for _, compiler := range []string{"clang", "gcc"} {
			if r.c == "" && slices.Contains(r.linked, compiler) {
				add("objects by "+compiler+" are linked in", r.path)
			}
		}
		if uses, known := sysroots[r.sysroot]; known {
			for _, use := range uses {
				add("linked with "+use, r.path)
			}
		} else if r.sysroot != "" {
			add("linked with the C library of recipe "+r.sysroot, r.path)
		}
	}
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(files)) {
		lines = append(lines, fmt.Sprintf("%s: %s", what, ui.Some(files[what])))
	}
	if len(lines) == 0 {
		return []string{"nowhere that is known"}
	}
	return lines
}

// purityOfRows counts as the manifest does.
func purityOfRows(rows []purityRow) *manifest.Purity {
	p := &manifest.Purity{}
	for _, r := range rows {
		if r.backend == "" {
			continue
		}
		p.Compiled += r.size
		if strings.HasPrefix(r.backend, string(recipe.Cranelift)) {
			p.Cranelift += r.size
		}
	}
	if p.Compiled > 0 {
		p.Percent = float64(p.Cranelift*1000/p.Compiled) / 10
	}
	return p
}

func purityText(p *manifest.Purity) string {
	return fmt.Sprintf("%.1f %% by Cranelift: %s of %s compiled, files counted whole", p.Percent, ui.Bytes(p.Cranelift), ui.Bytes(p.Compiled))
}
