package drift

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/pannous/redox-clif/internal/recipe/gen"
)

// Magefile is a generated list of targets that is not the recipes'.
const Magefile Kind = "magefile"

func checkMagefile(_ context.Context, in *inputs, r *Report) error {
	got := map[string][]byte{}
	for _, name := range []string{gen.TargetsFile, gen.AliasesFile} {
		text, err := os.ReadFile(in.checkout.path(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			got[name] = text
		}
	}
	if got[gen.AliasesFile] == nil {
		r.add(Finding{Kind: Magefile, File: gen.AliasesFile, Expected: "the file with the aliases of the targets", Fix: "git checkout " + gen.AliasesFile})
		return nil
	}
	want, err := gen.Files(in.checkout.Recipes, got[gen.AliasesFile])
	if err != nil {
		return err
	}
	r.add(compareGenerated(want, got, gen.Command)...)
	return nil
}

// compareGenerated compares generated files with what the generator gives. got has the files that are there.
func compareGenerated(want, got map[string][]byte, fix string) []Finding {
	var found []Finding
	for name, text := range want {
		present, ok := got[name]
		if ok && string(present) == string(text) {
			continue
		}
		f := Finding{Kind: Magefile, File: name, Expected: "a target for every recipe", Fix: fix}
		if ok {
			f.Line, f.Expected, f.Found = firstDifference(text, present)
			f.Expected, f.Found = orEnd(f.Expected), orEnd(f.Found)
		}
		found = append(found, f)
	}
	return found
}
