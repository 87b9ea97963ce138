package crash

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
)

// built is an out/ whose initfs has a stripped program, whose symbols are in the history of builds.
func built(t *testing.T, paths ...string) *Programs {
	t.Helper()
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	must := func(d cas.Digest, err error) cas.Digest {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	whole := must(store.PutFile(t.Context(), "../symbolise/testdata/crash.llvm.elf"))
	history, out := graph.OpenHistory(t.TempDir()), t.TempDir()
	m := manifest.Manifest{Recipe: "demo"}
	for _, p := range paths {
		stripped := must(store.PutBytes([]byte("stripped " + p)))
		r := &graph.Record{
			Action: &action.Action{Inputs: must(store.Compose(nil, map[string]cas.Entry{"in": {Digest: whole}}))},
			Output: must(store.Compose(nil, map[string]cas.Entry{"stripped": {Digest: stripped}})),
		}
		if err := history.Put("demo/strip/"+p, r); err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, manifest.File{Path: p, Recipe: "demo", Backend: "llvm", SHA256: stripped.Hash, Size: stripped.Size, Mode: "755"})
	}
	lost := must(store.PutBytes([]byte("built elsewhere")))
	m.Files = append(m.Files, manifest.File{Path: "bin/lost", Recipe: "demo", Backend: "llvm", SHA256: lost.Hash, Size: lost.Size, Mode: "755"})
	text, err := m.Encode()
	if err == nil {
		err = os.WriteFile(filepath.Join(out, manifest.FileName), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Find(store, history, out)
}

func source(recipe, file string) string { return recipe + ":" + filepath.Base(file) }

func TestAStackIsToldInFunctionsFilesAndLines(t *testing.T) {
	const exception = "ELR_EL1: 0000000000401130\n  FP 00007fffffffc410: PC 000000000040115c\n  FP 00007fffffffc410: PC 0000000000000099\n"
	for _, c := range []struct {
		name, log string
		programs  []string
		want      string
	}{
		{"a program that the kernel names", exception + "UNHANDLED EXCEPTION, CPU #0, PID 20, NAME /scheme/initfs/bin/crash, CONTEXT 0x1\n", []string{"bin/crash", "bin/other"},
			"l:1: stack (/scheme/initfs/bin/crash)\n   0 crash: core::ptr::read_volatile::<u32> at demo:mod.rs:2095 (inlined)\n     crash: <*mut u32>::read_volatile at demo:mut_ptr.rs:1284 (inlined)\n" +
				"     crash: crash::deep::outer at demo:crash.rs:19\n   1 crash: _start at demo:crash.rs:26\n   2 0x99\n"},
		{"one that nobody names", exception, []string{"bin/crash"}, "   1 crash: _start at demo:crash.rs:26\n   2 0x99\n"},
		{"one of two", exception, []string{"bin/crash", "bin/other"}, "   1 crash: _start at demo:crash.rs:26\n       or other: _start\n   2 0x99\n"},
		{"one whose name the kernel cut", exception + "UNHANDLED EXCEPTION, CPU #0, PID 20, NAME /scheme/initfs/lib/drivers/virti, CONTEXT 0x1\n",
			[]string{"lib/drivers/virtio-blkd", "lib/drivers/pcid"}, "   1 virtio-blkd: _start at demo:crash.rs:26\n   2 0x99\n"},
		{"two whose name the kernel cut", exception + "UNHANDLED EXCEPTION, CPU #0, PID 20, NAME /scheme/initfs/lib/drivers/virti, CONTEXT 0x1\n",
			[]string{"lib/drivers/virtio-blkd", "lib/drivers/pcid", "lib/drivers/virtio-netd"}, "   1 virtio-blkd: _start at demo:crash.rs:26\n       or virtio-netd: _start\n   2 0x99\n"},
		{"one without symbols", exception + "UNHANDLED EXCEPTION, CPU #0, PID 20, NAME lost, CONTEXT 0x1\n", []string{"bin/crash"},
			"l:1: stack (lost)\n   0 0x401130\n   1 0x40115c\n   2 0x99\n  symbols are missing: bin/lost of demo: "},
	} {
		stacks, err := built(t, c.programs...).Stacks(strings.NewReader(c.log), source)
		if got := Text(stacks, "l"); err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v, got\n%s, want\n%s", c.name, err, got, c.want)
		}
	}
}

// What was never built has no programs, and a log is read all the same.
func TestNothingBuilt(t *testing.T) {
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := Find(store, graph.OpenHistory(filepath.Join(t.TempDir(), "none")), filepath.Join(t.TempDir(), "none"))
	stacks, err := p.Stacks(strings.NewReader("ELR_EL1: 0000000000401130\n"), source)
	if got := Text(stacks, "l"); err != nil || got != "l:1: stack\n   0 0x401130\n" {
		t.Errorf("%v\n%s", err, got)
	}
}
