package difftest

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const serial = `smoke: entering EL0 at 0x60e8
begin bin/llvm/ints
bootstrap: exec /bin/llvm/ints size=1 entry=0x1
case u8/add: 1 2 3
case u8/sub: 40 items, hash 00000000000000aa
exit 0 bin/llvm/ints
begin bin/llvm/panics
panic: panicked at x.rs:1:
index out of bounds
exit 101 bin/llvm/panics
begin bin/cranelift/ints
item u8/sub 0: same
case u8/add: 1 2 3
case u8/sub: 40 items, hash 00000000000000ab
exit 0 bin/cranelift/ints
begin bin/cranelift/panics
case late/one: printed
PANIC: data abort in EL0
`

func TestCompare(t *testing.T) {
	run, err := Parse(strings.ReplaceAll(serial, "\n", "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	known := []Known{{Cases: []string{"u8/sub"}, Reason: "r", Note: "n"}}
	got := map[string][2]string{}
	for _, r := range Compare(run, known) {
		if r.Differs() {
			got[r.Name] = [2]string{r.Reference, r.Tested}
		}
		if (r.Known != nil) != (r.Name == "u8/sub") {
			t.Errorf("%s: known is %v", r.Name, r.Known)
		}
	}
	want := map[string][2]string{
		"u8/sub":        {"40 items, hash 00000000000000aa", "40 items, hash 00000000000000ab"},
		"panics/output": {"panic: panicked at x.rs:1:\nindex out of bounds", "PANIC: data abort in EL0"},
		"panics/exit":   {"101", Missing},
		"late/one":      {Missing, "printed"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFirstItem(t *testing.T) {
	run, err := Parse("begin bin/llvm/a\nitem g/c 0: x\nitem g/c 1: y: z\nexit 0 bin/llvm/a\nbegin bin/cranelift/a\nitem g/c 0: x\nitem g/c 1: w\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := FirstItem(run, "g/c"); got != "first difference: item 1 of 2: llvm y: z, cranelift w" {
		t.Error(got)
	}
}

func TestTwoCasesOfOneName(t *testing.T) {
	if _, err := Parse("begin bin/llvm/a\ncase x/y: 1\ncase x/y: 2\n"); err == nil {
		t.Error("not noticed")
	}
}

func TestReadExpected(t *testing.T) {
	_, err := ReadExpected("expected.toml", []byte("[[known]]\ncases = ['c/d']\n[[defect]]\nname = 'x'\n[[object]]\nname = 'y'\n"))
	for _, want := range []string{`"known.0.reason" is missing`, `"known.0.patch"`, `"known.0.note"`, `"defect.0.refused"`, `"object.0.patch"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	_, err = ReadExpected("expected.toml", []byte(`
[[known]]
patch = "p"
cases = ["a/b", "a/b"]
reason = "because"
note = "n.md"
[[defect]]
patch = "p"
name = "x"
refused = "("
note = "n.md"
[[object]]
patch = "p"
name = "y"
note = "n.md"
`))
	for _, want := range []string{`"a/b" is there twice`, "missing closing", `object "y": refused or has-not`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	e := realExpected(t)
	notes := map[string]bool{}
	for _, k := range e.Known {
		notes[k.Note] = true
	}
	for _, d := range e.Defects {
		notes[d.Note] = true
	}
	for _, o := range e.Objects {
		notes[o.Note] = true
	}
	for note := range notes {
		if _, err := os.Stat("../../notes/" + note); err != nil {
			t.Error(err)
		}
	}
}

// The programs that lie in the recipe are those of the seeds.
func TestProgramIsUpToDate(t *testing.T) {
	text, err := os.ReadFile("../../recipes/difftest/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	seeds, err := ReadSeeds(string(text))
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../recipes/difftest/cases/src/bin/random.rs")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, Program(seeds)) {
		t.Error("random.rs is not what the seeds give: go generate ./internal/difftest")
	}
}

func TestSeeds(t *testing.T) {
	if bytes.Equal(Program([]uint64{1}), Program([]uint64{2})) {
		t.Error("two seeds give the same program")
	}
	for _, text := range []string{"1\n1\n", "x\n"} {
		if _, err := ReadSeeds(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
