package difftest

import (
	"slices"
	"strings"
	"testing"
)

// A toolchain that says that it has a patch may not show what the patch mends.
func TestMendedDefectsFail(t *testing.T) {
	expected := &Expected{Known: []Known{{Patch: "0012-a", Reason: "r", Note: "n"}}}
	results := []Result{{Name: "a/b", Reference: "1", Tested: "2", Known: &expected.Known[0]}, {Name: "a/c", Reference: "1", Tested: "1"}}
	objects := []ObjectResult{{&Object{Patch: "0013-b", Name: "o"}, "GOT"}}
	for _, test := range []struct {
		applied map[string]bool
		fails   []string
	}{
		{nil, nil},
		{map[string]bool{"0012-a": true}, []string{"1 of 3 cases differ", "a/b", "mended by cg_clif/0012-a"}},
		{map[string]bool{"0013-b": true}, []string{"1 of 3 cases differ", "object o: GOT (mended by cg_clif/0013-b"}},
	} {
		c := expected.Conclude(&Findings{Results: results, Objects: objects, Applied: test.applied})
		err := c.Err()
		if (err != nil) != (test.fails != nil) {
			t.Errorf("%v: %v", test.applied, err)
		}
		for _, want := range test.fails {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: no %q in %v", test.applied, want, err)
			}
		}
		if s := c.JUnit(0); s.Tests != 3 || s.Failures != min(len(test.fails), 1) {
			t.Errorf("report %+v", s)
		}
	}
}

func TestConclusionCounts(t *testing.T) {
	expected := &Expected{
		Known:   []Known{{Patch: "1", Reason: "seen", Note: "n"}, {Patch: "2", Reason: "not seen", Note: "n"}},
		Defects: []Defect{{Name: "z", Note: "n", Issue: "i"}, {Name: "y"}, {Name: "compiles"}},
	}
	c := expected.Conclude(&Findings{
		Results: []Result{{Name: "a", Tested: "x", Known: &expected.Known[0]}, {Name: "b", Tested: "x", Known: &expected.Known[0]}, {Name: "c"}},
		Refused: map[string]string{"z": "text z", "y": "text y"},
		Objects: []ObjectResult{{&Object{Name: "fine"}, ""}, {&Object{Name: "o", Note: "m"}, "GOT"}},
	})
	if c.Err() != nil || c.Cases != 3 || c.Listed() != 2 || c.Defects != 3 || c.Objects != 2 {
		t.Errorf("%+v, %v", c, c.Err())
	}
	if !slices.Equal(c.Known[0].Cases, []string{"a", "b"}) || len(c.Known[1].Cases) != 0 || c.Known[1].Reason != "not seen" {
		t.Errorf("known %+v", c.Known)
	}
	if want := []KnownDefect{{"z", "text z", "i", "n"}, {Name: "y", Seen: "text y"}}; !slices.Equal(c.Refused, want) {
		t.Errorf("refused %+v", c.Refused)
	}
	if want := []KnownDefect{{Name: "object o", Seen: "GOT", Note: "m"}}; !slices.Equal(c.Visible, want) {
		t.Errorf("visible %+v", c.Visible)
	}
	var names []string
	for _, f := range c.Findings {
		names = append(names, f.Name+" "+string(f.Verdict))
	}
	if want := []string{"a known", "b known", "c same", "defect y known", "defect z known", "object fine same", "object o known"}; !slices.Equal(names, want) {
		t.Errorf("findings %q", names)
	}
	if err := expected.Conclude(&Findings{}).Err(); err == nil || err.Error() != "no case was printed" {
		t.Error(err)
	}
}

// Only what fails is booted again, and only where the output does not say what differs.
func TestUnexplained(t *testing.T) {
	known := &Known{Patch: "1"}
	f := &Findings{Applied: map[string]bool{}, Results: []Result{
		{Name: "a", Reference: "9 items, hash 0", Tested: "9 items, hash 1"}, {Name: "b", Reference: "1", Tested: "2"},
		{Name: "c", Reference: "9 items, hash 0", Tested: "9 items, hash 0"}, {Name: "d", Reference: "9 items, hash 0", Tested: Missing, Known: known},
		{Name: "e", Reference: "9 items, hash 0", Tested: Missing},
	}}
	for most, want := range map[int]string{9: "ae", 1: "a"} {
		got := ""
		for _, r := range f.Unexplained(most) {
			got += r.Name
		}
		if got != want {
			t.Errorf("at most %d: %q, want %q", most, got, want)
		}
	}
	f.Unexplained(1)[0].First = "x"
	if f.Results[0].First != "x" {
		t.Error("they are copies")
	}
}

func TestAppliedPatchesAreTheBackends(t *testing.T) {
	got := AppliedPatches([]string{"cg_clif/0001-x.toml: the backend", "other/0002-y.toml: not the backend"})
	if len(got) != 1 || !got["0001-x"] {
		t.Errorf("%v", got)
	}
}

func TestReferenceRunsFirst(t *testing.T) {
	programs := []string{"cranelift/ints", "llvm/panics", "cranelift/simd", "llvm/ints", "llvm/abi"}
	SortPrograms(programs)
	if want := []string{"llvm/abi", "llvm/ints", "llvm/panics", "cranelift/ints", "cranelift/simd"}; !slices.Equal(programs, want) {
		t.Error(programs)
	}
}

func TestSettings(t *testing.T) {
	programs := []string{"llvm/a", "cranelift/a"}
	if got := Settings("7", programs, ""); got != "7,programs=llvm/a+cranelift/a" {
		t.Error(got)
	}
	if got := Settings("7", programs, "x/y"); got != "7,programs=llvm/a+cranelift/a,trace=x/y" {
		t.Error(got)
	}
}
