package releaseset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const january = "set = \"2026-01\"\n[toolchain]\nchannel = \"nightly-2026-01-02\"\n"

// written is a folder of toolchains with these files.
func written(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestASetHasAPinOfItsOwnOrInheritsOne(t *testing.T) {
	dir := written(t, map[string]string{
		"toolchain.toml":                   january,
		"sets/seed/toolchain.toml":         "description = \"forks\"\ninherits = \"2026-01\"\n",
		"sets/2026-06/toolchain.toml":      "inherits = \"2026-01\"\n[toolchain]\nchannel = \"nightly-2026-05-24\"\n",
		"sets/2026-06/toolchain.lock.toml": "channel = \"nightly-2026-05-24\"\n",
		"sets/mine/toolchain.toml":         "inherits = \"2026-06\"\n",
		"sets/other/toolchain.toml":        "[toolchain]\nchannel = \"nightly-2026-05-25\"\n",
	})
	sets, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2026-01", "2026-06", "mine", "other", "seed"}, sets.Names()); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]struct{ pin, lock, tables, variant string }{
		"":        {"toolchain.toml", "toolchain.lock.toml", "2026-01", ""},
		"2026-01": {"toolchain.toml", "toolchain.lock.toml", "2026-01", ""},
		"seed":    {"toolchain.toml", "toolchain.lock.toml", "2026-01 seed", ""},
		"2026-06": {"sets/2026-06/toolchain.toml", "sets/2026-06/toolchain.lock.toml", "2026-01 2026-06", "2026-06"},
		"mine":    {"sets/2026-06/toolchain.toml", "sets/2026-06/toolchain.lock.toml", "2026-01 2026-06 mine", "2026-06"},
		"other":   {"sets/other/toolchain.toml", "sets/other/toolchain.lock.toml", "other", ""},
	} {
		s, err := sets.Find(name)
		if err != nil {
			t.Error(name, err)
			continue
		}
		got := []string{s.Pin, s.PinLock, strings.Join(s.Tables, " "), s.Variant}
		if diff := cmp.Diff([]string{filepath.Join(dir, want.pin), filepath.Join(dir, want.lock), want.tables, want.variant}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if s.Active != (name == "" || name == "2026-01") {
			t.Errorf("%s: active is %v", name, s.Active)
		}
	}
}

// Which set is active is no matter of which one inherits: the files change places, and nothing else.
func TestASetThatInheritsMayBeTheActiveOne(t *testing.T) {
	dir := written(t, map[string]string{
		"toolchain.toml":              "set = \"2026-06\"\ninherits = \"2026-01\"\n[toolchain]\nchannel = \"nightly-2026-05-24\"\n",
		"sets/2026-01/toolchain.toml": "[toolchain]\nchannel = \"nightly-2026-01-02\"\n",
		"sets/seed/toolchain.toml":    "inherits = \"2026-01\"\n",
	})
	sets, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		pin, tables, variant string
		active               bool
	}{
		"":        {"toolchain.toml", "2026-01 2026-06", "2026-06", true},
		"2026-01": {"sets/2026-01/toolchain.toml", "2026-01", "", false},
		"seed":    {"sets/2026-01/toolchain.toml", "2026-01 seed", "", false},
	} {
		s, err := sets.Find(name)
		if err != nil || s.Pin != filepath.Join(dir, want.pin) || strings.Join(s.Tables, " ") != want.tables || s.Variant != want.variant || s.Active != want.active {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
}

func TestACheckoutMayHaveOneSetWithoutAName(t *testing.T) {
	sets, err := Load(written(t, map[string]string{"toolchain.toml": "[toolchain]\nchannel = \"nightly-2026-01-02\"\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := sets.Find(""); err != nil || s.Name != "" || len(sets.Names()) != 0 {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := sets.Find("seed"); err == nil || !strings.Contains(err.Error(), `no release set "seed"`) {
		t.Error(err)
	}
}

func TestWhatIsWrongWithSetsHasItsPlaceAndAWayOut(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"no pin":         {map[string]string{"sets/a/toolchain.toml": "description = \"a\"\n"}, []string{"sets/a/toolchain.toml:1:1: a has no pin"}},
		"unknown":        {map[string]string{"sets/a/toolchain.toml": "description = \"a\"\ninherits = \"2026-10\"\n"}, []string{`sets/a/toolchain.toml:2:1: there is no release set "2026-10"; did you mean "2026-01"?`}},
		"round":          {map[string]string{"sets/a/toolchain.toml": "inherits = \"b\"\n", "sets/b/toolchain.toml": "inherits = \"a\"\n"}, []string{"sets/a/toolchain.toml:1:1: a inherits from itself", "sets/b/toolchain.toml:1:1: b inherits from itself"}},
		"the active one": {map[string]string{"sets/2026-01/toolchain.toml": "inherits = \"2026-01\"\n"}, []string{"the active set is called 2026-01 too"}},
		"says its name":  {map[string]string{"sets/a/toolchain.toml": "set = \"a\"\ninherits = \"2026-01\"\n"}, []string{"sets/a/toolchain.toml:1:1: the active set alone is named here"}},
		"typo":           {map[string]string{"sets/a/toolchain.toml": "inherit = \"2026-01\"\n", "sets/b/toolchain.toml": "inherits = 1\n"}, []string{"sets/a/toolchain.toml:1:1: unknown key \"inherit\"; did you mean", "sets/b/toolchain.toml:1:12: key \"inherits\" must be a string"}},
		"channel moves":  {map[string]string{"sets/a/toolchain.toml": "[toolchain]\nchannel = \"nightly\"\n"}, []string{`sets/a/toolchain.toml:2:1: channel "nightly" moves`}},
	} {
		c.files["toolchain.toml"] = january
		_, err := Load(written(t, c.files))
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: want %q in %v", name, want, err)
			}
		}
	}
	for text, want := range map[string]string{
		"set = \"a/b\"\n[toolchain]\nchannel = \"nightly-2026-01-02\"\n": `toolchain.toml:1:1: "a/b" is no name of a release set`,
		"set = \"a\"\n": "", // whoever needs the pin says that it has none
	} {
		_, err := Load(written(t, map[string]string{"toolchain.toml": text}))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestAMisspeltNameHearsOfTheSets(t *testing.T) {
	sets, err := Load(written(t, map[string]string{"toolchain.toml": january, "sets/seed/toolchain.toml": "inherits = \"2026-01\"\n"}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"sead": `did you mean "seed"?`, "zzzzzz": "there are 2026-01, seed"} {
		if _, err := sets.Find(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
