package pin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/ui"
)

// TestEveryDriftAtOnce: a tree that has every kind of drift; all of it is found in one run, none twice, and
// nothing is after the mending commands.
func TestEveryDriftAtOnce(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	c.wantNothing("a mended checkout")
	if got := c.read("recipes/base/recipe.toml"); !strings.Contains(got, `"pin-base"`) || !strings.HasPrefix(got, "# by hand\n") {
		t.Errorf("the recipe does not name the pin's series, or lost its comment:\n%s", got)
	}

	// The upstream of base goes on: other toolchain file form, other lock, and our patch does not fit.
	base := filepath.Join(filepath.Dir(c.root), "base")
	if err := os.Remove(filepath.Join(base, "rust-toolchain.toml")); err != nil {
		t.Fatal(err)
	}
	second := c.commit(base, map[string]string{"rust-toolchain": "nightly-2025-11-15\n", "src/main.rs": "fn main() {\n    older_one();\n}\n"})
	recipeText := c.read("recipes/base/recipe.toml")
	at := strings.Index(recipeText, "commit = \"") + len("commit = \"")
	c.write("recipes/base/recipe.toml", recipeText[:at]+second+recipeText[at+40:])

	c.write("crates/rust-toolchain.toml", "# ours\n[toolchain]\nprofile = \"minimal\"\nchannel = \"nightly-2025-11-15\"\n")
	c.write("old/rust-toolchain", "nightly-2025-01-01\n")
	c.write(".github/workflows/ci.yml", "jobs:\n  a:\n    - run: rustup toolchain install nightly-2025-10-03\n    - run: cargo +nightly fmt\n    - run: echo "+testPin+"\n")
	c.replace("toolchain/toolchain.lock.toml", "b54051b15", "000000000")
	c.replace("targets/aarch64-unknown-redox-clif.json", `"os": "redox"`, `"os": "linux"`)
	c.write("targets/left-over.json", "{}\n")
	c.replace("recipes/lock.toml", "cargo-lock]\n'Cargo.lock' = '", "cargo-lock]\n'Cargo.lock' = 'ff") // of base, whose identity hides it
	c.replace("recipes/lock.toml", "[source.tool-kit.cargo-lock]\n'Cargo.lock' = '", "[source.tool-kit.cargo-lock]\n'Cargo.lock' = 'ff")
	c.recipe("added", "[source]\npath = \".\"\n")
	c.replace(c.sysroot()+"/manifest.json", "1.94.0", "1.93.0")
	c.write(c.sysroot()+"/root/lib/libc.a", "a library from somewhere")
	c.write(c.sysroot()+"/root/lib/libfound.a", "another one")

	r := c.drift(config.Flags{})
	want := []string{
		"toolchain-file crates/rust-toolchain.toml:4",
		"toolchain-file old/rust-toolchain:1",
		"toolchain-file base: rust-toolchain:1",
		"workflow .github/workflows/ci.yml:3",
		"workflow .github/workflows/ci.yml:4",
		"toolchain-lock toolchain/toolchain.lock.toml:10",
		fmt.Sprintf("target-spec targets/aarch64-unknown-redox-clif.json:%d", lineOf(c.read("targets/aarch64-unknown-redox-clif.json"), `"os": "linux"`)),
		"target-spec targets/left-over.json",
		"source-lock recipes/lock.toml:5",
		"source-lock tool-kit: Cargo.lock",
		"patch-series patches/fix/0001-new.toml:4",
		"magefile magefiles/zz_generated_recipes.go:9",
		"sysroot " + c.sysroot() + "/manifest.json:5",
		"sysroot " + c.sysroot() + "/root/lib/libc.a",
		"sysroot " + c.sysroot() + "/root/lib/libfound.a",
	}
	if diff := cmp.Diff(want, places(r)); diff != "" {
		t.Fatalf("want(-) got(+):\n%s\n%+v", diff, r.Findings)
	}
	for _, f := range r.Findings {
		if f.Fix == "" || f.Expected == "" {
			t.Errorf("%s: expected %q, mended by %q", f.Place(), f.Expected, f.Fix)
		}
	}
	for _, k := range r.Kinds {
		if !slices.ContainsFunc(r.Findings, func(f drift.Finding) bool { return f.Kind == k.Kind }) {
			t.Errorf("nothing of the kind %s drifted", k.Kind)
		}
	}

	// By hand: what no command can do. The findings say so.
	c.replace("patches/fix/0001-new.toml", `"old();"`, `"older_one();"`)
	if err := os.Remove(filepath.Join(c.root, "targets/left-over.json")); err != nil {
		t.Fatal(err)
	}
	c.mend()
	c.wantNothing("after the mending commands")
	for name, want := range map[string]string{
		"crates/rust-toolchain.toml": "# ours\n[toolchain]\nprofile = \"minimal\"\nchannel = \"" + testPin + "\"\n",
		"old/rust-toolchain":         testPin + "\n",
		".github/workflows/ci.yml":   "jobs:\n  a:\n    - run: rustup toolchain install " + testPin + "\n    - run: cargo +" + testPin + " fmt\n    - run: echo " + testPin + "\n",
	} {
		if got := c.read(name); got != want {
			t.Errorf("%s is\n%s", name, got)
		}
	}
}

// TestNotFetchedIsSaid: what cannot be looked at is reported, and is no drift.
func TestNotFetchedIsSaid(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	yes := true
	c.env[3] = "REDOX_CACHE=" + t.TempDir() // nothing is fetched there
	r := c.drift(config.Flags{Offline: &yes})
	if len(r.Findings) != 0 {
		t.Errorf("found %+v", r.Findings)
	}
	want := []drift.Unchecked{
		{Kind: drift.ToolchainFile, What: "source of base", Why: "it is not fetched", Fix: "mage fetch"},
		{Kind: drift.ToolchainFile, What: "source of tool-kit", Why: "it is not fetched", Fix: "mage fetch"},
		{Kind: drift.SourceLock, What: "source of base", Why: "it is not fetched", Fix: "mage fetch"},
		{Kind: drift.SourceLock, What: "source of tool-kit", Why: "it is not fetched", Fix: "mage fetch"},
		{Kind: drift.PatchSeries, What: "source of base", Why: "it is not fetched", Fix: "mage fetch"},
	}
	if diff := cmp.Diff(want, r.Unchecked); diff != "" {
		t.Error(diff)
	}

	s, out := c.open(config.Flags{Offline: &yes})
	if err := Drift(t.Context(), s, DriftFlags{}); err != nil {
		t.Error(err)
	}
	said := "not checked: it is not fetched: source of base, source of tool-kit (2 toolchain-file, 2 source-lock, 1 patch-series)\n    mend:     mage fetch\n"
	if !strings.HasPrefix(out.String(), said) || strings.Count(out.String(), "not checked") != 1 {
		t.Errorf("got\n%s", out)
	}
	if err := Drift(t.Context(), s, DriftFlags{Strict: true}); !errors.As(err, new(*UncheckedError)) || err.Error() != "5 comparisons could not be made, and -strict wants all" {
		t.Errorf("-strict: %v", err)
	}
}

// TestStrict: with everything here -strict wants nothing more; what drifted and what was not compared are both said.
func TestStrict(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	s, out := c.open(config.Flags{})
	if err := Drift(t.Context(), s, DriftFlags{Strict: true}); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	c.write("x/rust-toolchain", "nightly-2025-01-01\n")
	s, out = c.open(config.Flags{}, "REDOX_SOURCE_BASE="+t.TempDir(), "GITHUB_ACTIONS=true")
	err := Drift(t.Context(), s, DriftFlags{Strict: true})
	if !errors.As(err, new(*DriftError)) || !errors.As(err, new(*UncheckedError)) {
		t.Errorf("got %v\n%s", err, out)
	}
	if want := "\n::error title=drift%3A not checked::it is overridden: source of base (1 source-lock)%0Abuild without the override\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

// TestOverrideFolder: a fork's own folder is compared and pinned in place, and is no reason to complain of
// the lock.
func TestOverrideFolder(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	fork := t.TempDir()
	for name, text := range map[string]string{"rust-toolchain": "nightly-2024-01-01\n", "Cargo.lock": "version = 3\n", "src/main.rs": "fn main() { new(); }\n"} {
		c.writeAt(filepath.Join(fork, name), text, 0o644)
	}
	c.env = append(c.env, "REDOX_SOURCE_BASE="+fork)
	r := c.drift(config.Flags{})
	if diff := cmp.Diff([]string{"toolchain-file base: rust-toolchain:1"}, places(r)); diff != "" {
		t.Errorf("%s\n%+v", diff, r.Findings)
	}
	if len(r.Unchecked) != 1 || r.Unchecked[0].Why != "it is overridden" {
		t.Errorf("not checked: %+v", r.Unchecked)
	}
	s, out := c.open(config.Flags{})
	if err := Pin(t.Context(), s, testPin, true, false); err != nil {
		t.Fatal(err, out)
	}
	if r := c.drift(config.Flags{}); len(r.Findings) != 0 {
		t.Errorf("after -symlink: %+v", r.Findings)
	}
	if to, err := os.Readlink(filepath.Join(fork, "rust-toolchain")); err != nil || filepath.Base(to) != "toolchain.toml" {
		t.Errorf("rust-toolchain leads to %q, %v", to, err)
	}
}

// TestPinAllOrNone: one unreadable file, and nothing at all is written.
func TestPinAllOrNone(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	c.write("good/rust-toolchain", "nightly-2025-01-01\n")
	c.write("bad/rust-toolchain.toml", "[toolchain\n")
	before := c.read("toolchain/toolchain.toml")
	c.offer("2026-03-01")
	s, _ := c.open(config.Flags{})
	err := Pin(t.Context(), s, "nightly-2026-03-01", false, false)
	if err == nil || !strings.Contains(err.Error(), "bad/rust-toolchain.toml") {
		t.Errorf("the error does not name the file: %v", err)
	}
	for name, want := range map[string]string{"good/rust-toolchain": "nightly-2025-01-01\n", "toolchain/toolchain.toml": before} {
		if got := c.read(name); got != want {
			t.Errorf("%s was changed:\n%s", name, got)
		}
	}
}

// TestNewPin: a new channel goes everywhere, and what has to follow is reported.
func TestNewPin(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	c.offer("2026-03-01")
	s, _ := c.open(config.Flags{})
	if err := Pin(t.Context(), s, "nightly-2026-03-01", false, false); err != nil {
		t.Fatal(err)
	}
	r := c.drift(config.Flags{})
	if diff := cmp.Diff([]string{"toolchain-lock toolchain/toolchain.lock.toml:2"}, places(r)); diff != "" {
		t.Errorf("%s\n%+v", diff, r.Findings)
	}
	if got := c.read("patches/pin-base/0001-toolchain.toml"); !strings.Contains(got, "nightly-2026-03-01") || strings.Contains(got, testPin) {
		t.Errorf("the series was not brought along:\n%s", got)
	}
	var unknown []drift.Kind
	for _, u := range r.Unchecked {
		unknown = append(unknown, u.Kind)
	}
	if diff := cmp.Diff([]drift.Kind{drift.ToolchainLock, drift.TargetSpec, drift.Sysroot}, unknown); diff != "" {
		t.Errorf("%s\n%+v", diff, r.Unchecked)
	}
}

// TestPinIsOffered: a day that rustup does not have changes nothing; where that is not known, or only what is optional lacks, it is said.
func TestPinIsOffered(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	pin := c.read("toolchain/toolchain.toml")
	c.write("toolchain/toolchain.toml", pin+"\n[optional]\ncomponents = [\"cranelift\"]\n")
	c.offer("2026-03-02")
	c.offer("2026-03-03", "cranelift")
	yes := true
	for _, test := range []struct {
		channel    string
		flags      config.Flags
		server     string // "" is the checkout's
		err        string // part of it
		unasked    string // part of it
		wantOffer  bool
		isOptional string // component that is missing
	}{
		{channel: "nightly-2026-02-30", err: "there is no day 2026-02-30"},
		{channel: "nightly-2026-03-01", err: "offers no nightly-2026-03-01"},
		{channel: "nightly-2026-03-01", flags: config.Flags{Offline: &yes}, unasked: "offline"},
		{channel: "nightly-2026-03-01", server: "http://127.0.0.1:1", unasked: "http://127.0.0.1:1/dist/2026-03-01/"},
		{channel: "nightly-2026-03-02", wantOffer: true, isOptional: "cranelift"},
		{channel: "nightly-2026-03-03", wantOffer: true},
		{channel: testPin},
	} {
		test.flags.DryRun = &yes
		var extra []string
		if test.server != "" {
			extra = []string{"RUSTUP_DIST_SERVER=" + test.server}
		}
		s, out := c.open(test.flags, extra...)
		err := Pin(t.Context(), s, test.channel, false, true)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || out.Len() > 0 {
				t.Errorf("%s: %v\n%s", test.channel, err, out)
			}
			continue
		}
		var got repinned
		if err := errors.Join(err, ui.ReadJSON(out.Bytes(), "toolchain:pin", &got)); err != nil {
			t.Fatal(test.channel, err)
		}
		if (got.Unasked != "") != (test.unasked != "") || !strings.Contains(got.Unasked, test.unasked) || (got.Offer != nil) != test.wantOffer {
			t.Errorf("%s: %+v, unasked %q", test.channel, got.Offer, got.Unasked)
		}
		if got.Offer != nil && strings.Join(got.Offer.Missing, " ") != test.isOptional {
			t.Errorf("%s lacks %v", test.channel, got.Offer.Missing)
		}
		if changes := len(got.Changes) > 0; changes != (test.channel != testPin) {
			t.Errorf("%s: changes %+v", test.channel, got.Changes)
		}
	}
}

// TestUpstream: a pin that is one commit behind, a patch that is satisfied there, a host that is not there.
func TestUpstream(t *testing.T) {
	c := newCheckout(t)
	c.commit(filepath.Join(filepath.Dir(c.root), "base"), map[string]string{"src/main.rs": "fn main() {\n    new();\n}\n"})
	c.recipe("far", "[source]\ngit = \""+filepath.Join(c.root, "nowhere")+"\"\ncommit = \""+testCommit+"\"\n")
	s, out := c.open(config.Flags{})
	if err := DriftUpstream(t.Context(), s, true); err != nil {
		t.Fatal(err)
	}
	var got []drift.Upstream
	if err := ui.ReadJSON(out.Bytes(), "drift:upstream", &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 {
		t.Fatalf("got %s", out)
	}
	base, far, tool := got[0], got[1], got[2]
	if base.Behind != 1 || base.Ahead != 0 || base.PinDate != "2026-01-01" || len(base.Patches) != 1 || base.Patches[0].Summary != "1 satisfied" || base.Problem != "" {
		t.Errorf("base: %+v", base)
	}
	if tool.Behind != 0 || tool.Head != tool.Pin {
		t.Errorf("tool: %+v", tool)
	}
	if far.Head != "" || !strings.Contains(far.Problem, "cannot be reached") {
		t.Errorf("far: %+v", far)
	}
	out.Reset()
	if err := DriftUpstream(t.Context(), s, false); err != nil || !strings.Contains(out.String(), "fix: 1 satisfied") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestDriftText: what people and GitHub see.
func TestDriftText(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	c.write("x/rust-toolchain", "nightly-2025-01-01\n")
	s, out := c.open(config.Flags{}, "GITHUB_ACTIONS=true")
	err := Drift(t.Context(), s, DriftFlags{})
	if err == nil || err.Error() != "1 thing drifted" {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{
		"toolchain-file: x/rust-toolchain:1\n    expected: nightly-2026-01-02\n    found:    nightly-2025-01-01\n    mend:     mage toolchain:pin nightly-2026-01-02\n",
		"::error file=x/rust-toolchain,line=1,title=drift%3A toolchain-file::expected nightly-2026-01-02, found nightly-2025-01-01%0Amage toolchain:pin nightly-2026-01-02\n",
		"patches/fix on base: 1 applied\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestOneComparisonFails: what cannot be compared is an error, and the rest is compared nevertheless.
func TestOneComparisonFails(t *testing.T) {
	c := newCheckout(t)
	c.mend()
	c.write("x/rust-toolchain", "nightly-2025-01-01\n")
	c.write("recipes/lock.toml", "[source\n")
	s, out := c.open(config.Flags{})
	err := Drift(t.Context(), s, DriftFlags{})
	if err == nil || !strings.Contains(err.Error(), "recipes/lock.toml:1") {
		t.Errorf("the error does not name the file: %v", err)
	}
	if !strings.Contains(out.String(), "toolchain-file: x/rust-toolchain:1\n") {
		t.Errorf("the rest was not compared:\n%s", out)
	}
}
