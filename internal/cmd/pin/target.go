package pin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/ui"
)

// SpecOptions say what TargetSpec does.
type SpecOptions struct {
	// Triple names one target; "" means the user-space one to print, and all of them to write or check.
	Triple string
	// Write writes targets/<triple>.json, Check compares it.
	Write, Check bool
	// Compiler is the release the JSON is for: "1.94", "1.96", "installed"; "" means the pinned one.
	Compiler string
}

// TargetSpec prints, writes or compares the JSON of target specs.
func TargetSpec(ctx context.Context, s *session.Session, o SpecOptions) error {
	if (o.Write || o.Check) && o.Compiler != "" {
		return errors.New("the files in targets/ are for the pinned compiler: -compiler goes with printing only")
	}
	compiler, err := compilerFor(ctx, s, o.Compiler)
	if err != nil {
		return err
	}
	triples, err := triplesFor(s, o)
	if err != nil {
		return err
	}
	var wrong *multierror.Error
	for _, triple := range triples {
		wrong = multierror.Append(wrong, targetSpec(s, triple, compiler, o))
	}
	if o.Check && wrong.ErrorOrNil() == nil {
		s.Say("%d generated targets are what their sources give for rustc %s", len(triples), compiler.Release)
	}
	return errs.One(wrong)
}

func triplesFor(s *session.Session, o SpecOptions) ([]string, error) {
	switch {
	case o.Triple != "":
		return []string{o.Triple}, nil
	case o.Write || o.Check:
		return targetspec.Triples(os.DirFS(s.Config.Targets()))
	}
	return []string{s.Config.Target}, nil
}

func targetSpec(s *session.Session, triple string, compiler targetspec.Compiler, o SpecOptions) error {
	spec, err := targetspec.Load(os.DirFS(s.Config.Targets()), triple)
	if err != nil {
		return err
	}
	path := filepath.Join(s.Config.Targets(), triple+".json")
	if o.Check {
		err := spec.Check(path, compiler)
		if d := (*targetspec.Drift)(nil); errors.As(err, &d) {
			d.File = s.Relative(d.File)
			return fmt.Errorf("%w; mend: mage target:spec -write -triple=%s", d, triple)
		}
		return err
	}
	text, err := spec.JSON(compiler)
	if err != nil {
		return err
	}
	if !o.Write {
		_, err = s.Streams.Out.Write(text)
		return err
	}
	if old, err := os.ReadFile(path); err == nil && string(old) == string(text) {
		return nil
	}
	s.Say("wrote %s for rustc %s", s.Relative(path), compiler.Release)
	return renameio.WriteFile(path, text, 0o644)
}

// compilerFor finds a compiler by the word of -compiler.
func compilerFor(ctx context.Context, s *session.Session, word string) (targetspec.Compiler, error) {
	if word != "" && word != "installed" {
		return targetspec.KnownCompiler(word)
	}
	in, err := s.LookAtToolchain(ctx)
	if err != nil {
		return targetspec.Compiler{}, err
	}
	if word == "installed" {
		if in.Caps == nil {
			return targetspec.Compiler{}, in.Problem
		}
		return in.Caps.Compiler(), nil
	}
	c, err := in.PinnedCompiler()
	if err != nil {
		return c, fmt.Errorf("what the pinned rustc wants is not known without it: mage toolchain:install (%w)", errors.Join(in.Problem))
	}
	return c, nil
}

// TargetList lists the targets with what they are for.
func TargetList(s *session.Session, asJSON bool) error {
	targets, err := targetspec.List(os.DirFS(s.Config.Targets()))
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "target:list", targets)
	}
	for _, t := range targets {
		fmt.Fprintf(s.Streams.Out, "%-40s %-7s %s\n", t.Triple, t.Kind, t.Description)
	}
	return nil
}
