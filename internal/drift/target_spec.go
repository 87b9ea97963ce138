package drift

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/targetspec"
)

// TargetSpec is a generated target JSON that its TOML does not give for the pinned compiler.
const TargetSpec Kind = "target-spec"

// specFix is the command that writes the generated target JSON files.
const specFix = "mage target:spec -write"

func checkTargetSpecs(_ context.Context, in *inputs, r *Report) error {
	compiler, err := in.toolchain.PinnedCompiler()
	if err != nil {
		r.skip(TargetSpec, "targets/*.json", "what rustc "+in.toolchain.Pin.Expected.Release+" wants is not known without it", installFix)
		return nil
	}
	checkKnownCompiler(compiler, r)
	found, err := in.checkout.specs(compiler)
	r.add(found...)
	return err
}

// checkKnownCompiler compares what is written down of the pinned compiler with what was measured of it; where nothing was, both are one.
func checkKnownCompiler(measured targetspec.Compiler, r *Report) {
	known, err := targetspec.KnownCompiler(measured.Release)
	switch {
	case err != nil:
		r.skip(TargetSpec, "targets/*.json on machines without rustc "+measured.Release, "what it wants is not written down",
			fmt.Sprintf("add to %s: %#v", targetspec.CompilersFile, measured))
	case !known.Equal(measured):
		r.add(Finding{
			Kind: TargetSpec, File: targetspec.CompilersFile, Expected: fmt.Sprintf("%#v", measured), Found: fmt.Sprintf("%#v", known), Fix: "correct it by hand",
		})
	}
}

// specs compares every targets/<triple>.json with what its TOML gives for a compiler, and finds JSON files that have no TOML.
func (c *Checkout) specs(compiler targetspec.Compiler) ([]Finding, error) {
	triples, err := targetspec.Triples(os.DirFS(c.Targets))
	if err != nil {
		return nil, err
	}
	var found []Finding
	var wrong *multierror.Error
	for _, triple := range triples {
		f, err := c.spec(triple, compiler)
		wrong = multierror.Append(wrong, err)
		found = append(found, f...)
	}
	generated, err := globdir.In(c.Targets, "*.json")
	for _, file := range generated {
		if !slices.Contains(triples, strings.TrimSuffix(filepath.Base(file), ".json")) {
			name := path.Join("targets", filepath.Base(file))
			found = append(found, Finding{Kind: TargetSpec, File: name, Expected: "a TOML file that it is generated from", Fix: "rm " + name})
		}
	}
	return found, errs.One(multierror.Append(wrong, err))
}

func (c *Checkout) spec(triple string, compiler targetspec.Compiler) ([]Finding, error) {
	s, err := targetspec.Load(os.DirFS(c.Targets), triple)
	if err != nil {
		return nil, err
	}
	err = s.Check(filepath.Join(c.Targets, triple+".json"), compiler)
	d := (*targetspec.Drift)(nil)
	if !errors.As(err, &d) {
		return nil, err
	}
	f := Finding{Kind: TargetSpec, File: path.Join("targets", triple+".json"), Line: d.Line, Expected: orEnd(d.Want), Found: orEnd(d.Got), Fix: specFix}
	if d.Line == 0 {
		f.Expected, f.Found = "the JSON of "+path.Join("targets", triple+".toml"), ""
	}
	return []Finding{f}, nil
}
