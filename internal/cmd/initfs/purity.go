package initfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/purity"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Purity lists what made every file of an image, and every use of LLVM, clang or C with its reason. of is an
// image file, or a recipe that makes one, which is built first; "" is the real initfs.
func Purity(ctx context.Context, s *session.Session, of string, asJSON bool) error {
	file, err := imageOf(ctx, s, of)
	if err != nil || file == "" {
		return err
	}
	r, err := purity.Of(file)
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "purity", r)
	}
	return printPurity(s.Streams.Out, r)
}

// imageOf is the image file that a word stands for, built when it is a recipe's; "" after a dry run.
func imageOf(ctx context.Context, s *session.Session, of string) (string, error) {
	if of == "" {
		of = "initfs"
	}
	recipes, err := s.Recipes()
	if err != nil {
		return "", err
	}
	if recipes[of] == nil {
		if _, err := os.Stat(of); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%s is neither an image nor a recipe; `mage recipe:list` lists the recipes", of)
		} else if err != nil {
			return "", err
		}
		return of, nil
	}
	built, err := s.Build(ctx, session.BuildOptions{FallBack: of == "demo"}, session.InitfsOf(of))
	if err != nil || built == nil {
		return "", err
	}
	if _, err := s.ExportInitfs(ctx, built.Output(0)); err != nil {
		return "", err
	}
	return filepath.Join(s.Config.Out(), builder.ImageName), nil
}

func printPurity(out io.Writer, r *purity.Report) error {
	table := [][]string{{"FILE", "SIZE", "BACKEND", "LINKED IN", "COMPILER", "SOURCE", "PATCHES"}}
	for _, f := range r.Files {
		table = append(table, []string{f.Path, fmt.Sprint(f.Size), ui.Dash(f.Backend), ui.Dash(strings.Join(f.Linked, "+")), ui.Dash(f.Compiler),
			ui.Dash(f.Source), ui.Dash(strings.Join(f.Patches, ","))})
	}
	if err := ui.Table(out, table); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nwhere LLVM, clang or C have a part:")
	for _, u := range r.Uses {
		fmt.Fprintf(out, "  %s: %s\n", u.What, ui.Some(u.Files))
	}
	if len(r.Uses) == 0 {
		fmt.Fprintln(out, "  nowhere that is known")
	}
	if r.Purity.Compiled == 0 {
		fmt.Fprintf(out, "\n%s: nothing in it says what compiled it\n", r.Image)
		return nil
	}
	fmt.Fprintf(out, "\n%s: %s\n", r.Image, purityText(r.Purity))
	if !r.Manifest {
		fmt.Fprintln(out, "no manifest that fits lies beside it: this is what the files say of themselves")
	}
	return nil
}

// purityText says what is counted: it is another number than that of the programs alone.
func purityText(p manifest.Purity) string {
	return fmt.Sprintf("%.1f %% by Cranelift: %s of %s compiled, the bootstrap included, each file whole with what is linked into it",
		p.Percent, ui.Bytes(p.Cranelift), ui.Bytes(p.Compiled))
}
