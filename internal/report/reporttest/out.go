// Package reporttest makes folders as builds leave them, of any number of steps, for tests of reports and for a look at their page.
//
// It owns nothing that the product uses.
package reporttest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/junit"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/trace"
)

// workers is how many steps run at once.
const workers = 6

// Out fills a folder as a build of so many steps leaves it, with an image, tests and logs, and returns where their parts are.
func Out(t testing.TB, steps int) report.Sources {
	t.Helper()
	root := t.TempDir()
	out := filepath.Join(root, "out", "aarch64-unknown-redox-clif")
	from := report.Sources{Root: root, Out: out, Trace: filepath.Join(out, trace.FileName), Logs: filepath.Join(out, "log"),
		Against: filepath.Join(root, "before.json"), AgainstName: "the image before", History: graph.OpenHistory(filepath.Join(out, "state"))}
	recipes := max(3, steps/25)
	file := Build(steps, recipes)
	write(t, from.Trace, marshal(t, file))
	for _, s := range file.Build.Steps[:min(20, steps)] {
		write(t, filepath.Join(from.Logs, graph.LogName(s.ID)), []byte("   Compiling "+s.ID+"\n"))
	}
	m := Image(recipes)
	write(t, filepath.Join(out, manifest.FileName), encode(t, m))
	old := Image(recipes)
	old.Files[0].Size, old.Files[0].SHA256 = old.Files[0].Size-4096, "changed"
	old.Files = old.Files[:len(old.Files)-1]
	write(t, from.Against, encode(t, old))
	tests(t, from)
	from.Crates = func(f manifest.File) (map[string]int64, error) {
		return map[string]int64{"std": f.Size / 4, "core": f.Size / 5, "alloc": f.Size / 9, strings.ReplaceAll(filepath.Base(f.Path), "-", "_"): f.Size / 6, "serde": f.Size / 30}, nil
	}
	return from
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encode(t testing.TB, m *manifest.Manifest) []byte {
	t.Helper()
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Build is a trace in which every third step of a recipe was up to date and the others ran, each when what it needs was done and
// a worker was free.
func Build(steps, recipes int) *trace.File {
	b := &trace.Build{Schema: trace.Schema, Started: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		About: trace.About{Target: "aarch64-unknown-redox-clif", Toolchain: "rustc 1.96.0-nightly", Jobs: workers, Roots: []string{"recipe-000/step-0"}}}
	f := &trace.File{Build: b, Events: []trace.Event{}}
	free, done := make([]int64, workers), map[string]int64{}
	per := (steps + recipes - 1) / recipes
	for i := range steps {
		recipe, n := recipes-1-i/per, i%per
		s := trace.Step{ID: fmt.Sprintf("recipe-%03d/step-%d", recipe, n), Outcome: "ran"}
		if n > 0 {
			s.Needs = append(s.Needs, fmt.Sprintf("recipe-%03d/step-%d", recipe, n-1))
		} else {
			for _, below := range []int{recipe*2 + 1, recipe*2 + 2, recipe*3 + 7} {
				if last := fmt.Sprintf("recipe-%03d/step-%d", below, per-1); done[last] > 0 {
					s.Needs = append(s.Needs, last)
				}
			}
		}
		start := int64(0)
		for _, need := range s.Needs {
			start = max(start, done[need])
		}
		done[s.ID] = start + 1
		if i%3 == 2 {
			s.Outcome = "up to date"
		} else {
			w := 0
			for k := range free {
				if free[k] < free[w] {
					w = k
				}
			}
			start = max(start, free[w])
			took := int64(40_000 + (i*7919)%900_000)
			free[w], done[s.ID] = start+took, start+took
			b.Micros = max(b.Micros, start+took)
			reason := fmt.Sprintf("file src/main-%d.rs changed", i%17)
			if i%5 == 0 {
				reason = "not built before"
			}
			f.Events = append(f.Events, trace.Event{Name: s.ID, Cat: "step", Ph: "X", Ts: start, Dur: took, Pid: 1, Tid: w, Args: map[string]string{"outcome": "ran", "reason": reason}})
		}
		b.Steps = append(b.Steps, s)
	}
	return f
}

// Image is the manifest of an image with a few files of each recipe.
func Image(recipes int) *manifest.Manifest {
	m := &manifest.Manifest{Recipe: "initfs", Target: "aarch64-unknown-redox-clif", Toolchain: "rustc 1.96.0-nightly",
		Image: &manifest.Image{Name: "initfs.img", SHA256: hash("image"), Layout: 1, Entry: 0x3000, BootstrapSize: 238_264, BootstrapSHA256: hash("bootstrap"),
			Bootstrap: &manifest.File{Recipe: "recipe-001", Backend: "llvm"}}}
	total := m.Image.BootstrapSize + 16_100
	for i := range min(40, recipes*4) {
		f := manifest.File{Path: fmt.Sprintf("bin/program-%02d", i), Size: int64(3_000_000 / (i + 1)), Mode: "0755", SHA256: hash(fmt.Sprint(i)), Recipe: fmt.Sprintf("recipe-%03d", i%recipes),
			Backend: "cranelift", Source: "https://example.org/source.git at 0123"}
		if i%4 == 3 {
			f.Backend, f.Path = "", fmt.Sprintf("etc/file-%02d", i)
		}
		total += f.Size
		m.Files = append(m.Files, f)
	}
	m.Image.Size = total
	return m
}

func hash(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

func tests(t testing.TB, from report.Sources) {
	t.Helper()
	good := junit.NewSuite("boot login", "boot.login", 38*time.Second)
	for _, c := range []string{"the boot loader", "the root file system", "login: ", "an answer"} {
		good.Pass(c)
	}
	bad := junit.NewSuite("boot net", "boot.net", 12*time.Second)
	bad.Pass("address")
	bad.Skip("ping")
	bad.Fail("outcome", "silence", "nothing was printed for 60 s\n<last> & line")
	for name, s := range map[string]*junit.Suite{"boot-login": good, "boot-net": bad} {
		r, err := junit.Begin(filepath.Join(from.Out, "test", name+".xml"))
		if err == nil {
			err = r.Write(s)
		}
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(from.Logs, name+".serial.log"), []byte("Redox OS Bootloader 1.0.0\r\n\x1b[31mkernel::main:ERROR -- </script><b>not markup\x1b[0m\r\nredox login: \r\n"))
	}
}
