package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/diagnostic"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// The messages are those that the tools really print, in their own spelling.
func TestHints(t *testing.T) {
	for message, want := range map[string]string{
		"error: failed to write to `full.rmeta`: No space left on device (os error 28)":             "disk is full",
		"write /cache/x: no space left on device":                                                   "disk is full",
		"open /cache/x: read-only file system":                                                      "REDOX_CACHE",
		"mkdir /x/checkout/out: permission denied":                                                  "out/ may be a link",
		"open /x/out/target/.lock: permission denied":                                               "out/ may be a link",
		"opening the cache /c/cas: mkdir /c: permission denied":                                     "REDOX_CACHE=DIR",
		"locking the step: open /c/locks/12: permission denied":                                     "REDOX_CACHE=DIR",
		"patches/relibc: \n  0001-valist.toml: edit 4: src/a.rs: conflict: anchor \"as_va_list()\"": "in TOML its anchors",
		"error: Defining variadic functions is not yet supported by Cranelift":                      "build the component with LLVM",
		"error: failed to get `libc` as a dependency of package `std v0.0.0`":                       "a download failed",
		"error: failed to get `inner` as a dependency of package `sm v0.1.0 (/x)`: failed to read `/x/inner/Cargo.toml`: No such file or directory (os error 2): exit status 101": "git submodule",
		"error: package ID specification `randd` did not match any packages":                                                                                                      "see packages and bins",
		"error: no bin target named `mount` in `redoxfs` package":                                                                                                                 "see packages and bins",
		"error[E0617]: can't pass `f32` to variadic function":                                                                                                                     "",
		"error[E0308]: mismatched types":                                                                                                                                          "",
	} {
		if got := Hint(message); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
	if err := Hinted(errors.New("mismatched")); err.Error() != "mismatched" {
		t.Errorf("got %v", err)
	}
	full := Hinted(errors.New("write x: no space left on device"))
	if again := Hinted(full); !strings.Contains(full.Error(), "disk is full") || again != full {
		t.Errorf("got %v, then %v", full, again)
	}
	if err := Hinted(fmt.Errorf("booting: %w", context.Canceled)); err.Error() != "stopped (booting: context canceled)" || Hinted(err) != err {
		t.Errorf("got %v", err)
	}
	if err := Hinted(nil); err != nil {
		t.Error(err)
	}
}

func TestChoicesThatDoNothingAreRefused(t *testing.T) {
	recipes, err := recipe.LoadAll("../../recipes", recipe.Releases{"2026-06": nil, "seed": nil})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cfg  config.Config
		want string
	}{
		{config.Config{}, ""},
		{config.Config{Backends: "llvm:init"}, ""},
		{config.Config{Backends: "llvm:initt"}, "initt"},
		{config.Config{Backends: "gcc"}, "neither cranelift nor llvm"},
	} {
		err := checkChoices(&c.cfg, recipes, nil)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}

func TestOfflineMissIsNamed(t *testing.T) {
	s := &Session{Config: &config.Config{Offline: true}}
	var b strings.Builder
	s.explainOne(&b, &graph.Failure{Node: "x/p", Err: errors.New("error: failed to get `inner` as a dependency of package `x`: failed to read `/x/inner/Cargo.toml`: No such file or directory (os error 2)")})
	if strings.Contains(b.String(), "mage fetch") {
		t.Errorf("a missing folder is no download: %s", b.String())
	}
	failure := &graph.Failure{Node: "std/x", Err: errors.New("error: no matching package named `hashbrown` found: exit status 101")}
	for _, offline := range []bool{true, false} {
		s := &Session{Config: &config.Config{Offline: offline}}
		var b strings.Builder
		s.explainOne(&b, failure)
		if strings.Contains(b.String(), "mage fetch") != offline {
			t.Errorf("offline %v: %s", offline, b.String())
		}
	}
}

// Each error of a step is shown whole and gets an annotation of its own, at its line where that is in the checkout.
func TestEveryErrorIsShownAndAnnotated(t *testing.T) {
	s := &Session{Config: &config.Config{Root: "/c", GitHub: true}}
	failed := &execroot.CommandError{First: "/c/recipes/a/x.rs:3:4: error: one", Err: errors.New("cargo exited with status 101"), More: 2, Messages: []diagnostic.Message{
		{Text: "\x1b[31merror\x1b[0m: one\n --> /c/recipes/a/x.rs:3:4\n  |  ^", Place: diagnostic.Place{File: "/c/recipes/a/x.rs", Line: 3, Col: 4}},
		{Text: "error: two\n --> /else/y.rs:5:6", Place: diagnostic.Place{File: "/else/y.rs", Line: 5, Col: 6}},
		{Text: "rust-lld: error: undefined symbol: f"},
	}}
	got := s.Explain(multierror.Append(nil, &graph.Failure{Node: "a/b", Err: failed})).Error()
	for _, want := range []string{
		"a/b failed: recipes/a/x.rs:3:4: error: one: cargo exited with status 101\n",
		"\nerror: one\n --> recipes/a/x.rs:3:4\n  |  ^\n\nerror: two\n --> /else/y.rs:5:6\n\nrust-lld: error: undefined symbol: f\n\n2 more errors are in the log\n",
		"\n::error file=recipes/a/x.rs,line=3,col=4,title=a/b failed::error: one%0A --> recipes/a/x.rs:3:4%0A  |  ^\n",
		"\n::error title=a/b failed::error: two%0A --> /else/y.rs:5:6\n",
		"\n::error title=a/b failed::rust-lld: error: undefined symbol: f",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout\n%s", got, want)
		}
	}
	if strings.Count(got, "\n::error") != 3 {
		t.Errorf("annotations:\n%s", got)
	}
}
