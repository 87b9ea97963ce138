package rustbuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// fakeMachine has files, and programs that print something.
type fakeMachine struct {
	files  []string
	prints map[string]string // by argv
}

func (f *fakeMachine) has(path string) bool {
	for _, file := range f.files {
		if file == path {
			return true
		}
	}
	return false
}

func (f *fakeMachine) machine() Machine {
	return Machine{
		Look: func(name string) string {
			if path := "/usr/bin/" + name; f.has(path) {
				return path
			}
			return ""
		},
		Glob: func(path string) []string {
			if f.has(path) {
				return []string{path}
			}
			return nil
		},
		Run: func(_ context.Context, argv ...string) (string, error) {
			if out, ok := f.prints[strings.Join(argv[:2], " ")]; ok {
				return out, nil
			}
			return "", errors.New("exec format error")
		},
		Hint: func(debian, _, _ string) string { return "apt install " + debian },
	}
}

// installed is LLVM of some version as Debian has it.
func (f *fakeMachine) installed(major, version string, parts ...string) {
	bin := "/usr/lib/llvm-" + major + "/bin"
	for _, part := range parts {
		f.files = append(f.files, filepath.Join(bin, part))
	}
	if f.prints == nil {
		f.prints = map[string]string{}
	}
	f.prints[bin+"/llvm-config --version"] = version + "\n"
	f.prints[bin+"/llvm-config --bindir"] = bin + "\n"
}

func TestFindLLVM(t *testing.T) {
	everything := append([]string{"llvm-config", "lld"}, tools...)
	for name, test := range map[string]struct {
		install func(*fakeMachine)
		want    string // version, or all of the error
	}{
		"newest": {func(f *fakeMachine) {
			f.installed("21", "21.1.0", everything...)
			f.installed("22", "22.1.8", everything...)
		}, "22.1.8"},
		"older": {func(f *fakeMachine) {
			f.installed("14", "14.0.6", everything...)
			f.installed("21", "21.1.0", everything...)
		}, "21.1.0"},
		"none": {func(*fakeMachine) {}, "no LLVM of version 21 to 22 (llvm-config)\n  apt install llvm-22-dev llvm-22 lld-22"},
		"too old, in PATH": {func(f *fakeMachine) {
			f.files = []string{"/usr/bin/llvm-config"}
			f.prints = map[string]string{"/usr/bin/llvm-config --version": "14.0.6\n"}
		}, "no LLVM of version 21 to 22 (llvm-config): /usr/bin/llvm-config is 14.0.6\n  apt install llvm-22-dev llvm-22 lld-22"},
		"broken": {func(f *fakeMachine) { f.files = []string{"/usr/bin/llvm-config-22"} },
			"no LLVM of version 21 to 22 (llvm-config): /usr/bin/llvm-config-22 does not run\n  apt install llvm-22-dev llvm-22 lld-22"},
		"no lld": {func(f *fakeMachine) { f.installed("22", "22.1.8", append([]string{"llvm-config"}, tools...)...) }, "no lld of LLVM 22.1.8\n  apt install lld-22"},
		"lld in PATH": {func(f *fakeMachine) {
			f.installed("22", "22.1.8", append([]string{"llvm-config"}, tools...)...)
			f.files = append(f.files, "/usr/bin/lld-22")
		}, "22.1.8"},
		"one tool less": {func(f *fakeMachine) {
			f.installed("22", "22.1.8", append([]string{"llvm-config", "lld"}, tools[1:]...)...)
		}, "no llvm-ar of LLVM 22.1.8\n  apt install llvm-22"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeMachine{}
			test.install(f)
			l, err := FindLLVM(t.Context(), f.machine(), LLVMRange{Oldest: 21, Newest: 22})
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = l.Version
			}
			if got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestFindPrograms(t *testing.T) {
	f := &fakeMachine{files: []string{"/usr/bin/cc", "/usr/bin/c++", "/usr/bin/python3"}, prints: map[string]string{"/usr/bin/python3 -c": "3 11 /real/python3\n"}}
	p, err := FindPrograms(t.Context(), f.machine(), false)
	if err != nil || p.Python != "/real/python3" || p.CXX != "/usr/bin/c++" {
		t.Errorf("%+v, %v", p, err)
	}
	for _, python := range []string{"2 7 /x\n", "3 5 /x\n", ""} {
		f.prints["/usr/bin/python3 -c"] = python
		if _, err := FindPrograms(t.Context(), f.machine(), false); err == nil || !strings.Contains(err.Error(), "no Python 3 that runs: /usr/bin/python3\n  apt install python3") {
			t.Errorf("%q: %v", python, err)
		}
	}
	f.files = nil
	_, err = FindPrograms(t.Context(), f.machine(), false)
	for _, want := range []string{"apt install python3", "apt install gcc libc6-dev", "apt install g++"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: no %s", err, want)
		}
	}
}

func TestRecipeFaults(t *testing.T) {
	load := func(text string) error {
		_, err := Load(fstest.MapFS{Folder + "/fake.toml": {Data: []byte(text)}}, "fake", "")
		return err
	}
	if err := load(fakeRecipe); err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"unknown":                     fakeRecipe + "\n[unknown]\na = 1\n",
		"64 lower-case":               strings.Replace(fakeRecipe, "sha256 = \"0", "sha256 = \"g", 1),
		"is no pattern":               strings.Replace(fakeRecipe, "vendor/windows-*", "src/[", 1),
		"stage0 is missing":           strings.Replace(fakeRecipe, `stage0 = "0.9.0"`, "", 1),
		"llvm.oldest and llvm.newest": strings.Replace(fakeRecipe, "newest = 22", "newest = 20", 1),
		"needs.disk-mib":              strings.Replace(fakeRecipe, "disk-mib = 10\n", "", 1),
		"llvm.from must be":           strings.Replace(fakeRecipe, "oldest = 21", "oldest = 21\nfrom = \"here\"", 1),
	} {
		if err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err := Load(fstest.MapFS{Folder + "/a.toml": {}, Folder + "/b.toml": {}}, "", "")
	if err == nil || !strings.Contains(err.Error(), "has a, b") {
		t.Errorf("%v", err)
	}
}

func TestIdentity(t *testing.T) {
	k := newKit(t)
	in, err := k.build.Inputs()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{in.Identity(): "unchanged"}
	for i, change := range []func(*Inputs){
		func(in *Inputs) { in.Name = "x" }, func(in *Inputs) { in.Release = "x" }, func(in *Inputs) { in.Host = "x" }, func(in *Inputs) { in.Source = "x" },
		func(in *Inputs) { in.Stage0 = "x" }, func(in *Inputs) { in.LLVM = "x" }, func(in *Inputs) { in.Bootstrap = "x" }, func(in *Inputs) { in.Patches = "x" },
	} {
		other := in
		change(&other)
		if before, same := seen[other.Identity()]; same {
			t.Errorf("change %d and %s have one identity", i, before)
		}
		seen[other.Identity()] = fmt.Sprint("change ", i)
		if len(in.Differences(other)) != 1 {
			t.Errorf("change %d: differences %v", i, in.Differences(other))
		}
	}
	// The machine's own settings are in no identity.
	if _, err := k.build.bootstrapTOML(Stage0{"/a", "/b"}, 7); err != nil {
		t.Fatal(err)
	}
	if again, err := k.build.Inputs(); err != nil || again != in {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestDisk(t *testing.T) {
	needs := Needs{DiskMiB: 6 << 10, MemoryMiB: 1}
	for _, test := range []struct {
		free, used int64
		ok         bool
	}{{7 << 30, 0, true}, {5 << 30, 0, false}, {5 << 30, 2 << 30, true}, {1 << 29, 6 << 30, false}, {1 << 30, 9 << 30, true}} {
		err := CheckDisk("/cache", needs, test.used, func(string) (int64, error) { return test.free, nil })
		if (err == nil) != test.ok {
			t.Errorf("%+v: %v", test, err)
		}
		if little := (*TooLittleDisk)(nil); !test.ok && (!errors.As(err, &little) || !strings.Contains(err.Error(), "REDOX_CACHE=DIR")) {
			t.Errorf("%v", err)
		}
	}
}

func TestJobs(t *testing.T) {
	n := Needs{MemoryMiB: 1536}
	for _, test := range []struct{ jobs, memory, want int }{{2, 8000, 2}, {16, 8000, 5}, {4, 1536, 1}, {4, 1000, 0}} {
		if got := n.Jobs(test.jobs, int64(test.memory)); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

func TestProgress(t *testing.T) {
	now := time.Unix(1000, 0)
	profile := Profile{Total: 600, Marks: map[string]int{"bootstrap/bootstrap": 5, "compiler/rustc_middle": 100, "compiler/rustc_driver": 300, "backend/cranelift": 400}}
	p := NewProgress(profile, func() time.Time { return now })
	at := func(seconds int, line string) {
		now = time.Unix(1000+int64(seconds), 0)
		p.Line(line)
	}
	left := func() int {
		d, ok := p.Left()
		if !ok {
			t.Fatal("nothing is known")
		}
		return int(d.Seconds())
	}
	if left() != 600 {
		t.Errorf("at the start %d", left())
	}
	at(0, "Building bootstrap")
	at(10, "   Compiling bootstrap v0.0.0 (/x)")
	at(20, "Building stage1 compiler artifacts (stage0 -> stage1, x86_64-unknown-linux-gnu)")
	at(200, "   Compiling rustc_middle v0.0.0 (/x)")
	if left() != 1000 { // half as fast: 500 of the profile are left
		t.Errorf("at rustc_middle %d", left())
	}
	at(2000, "warning: it hangs")
	if left() != 600 { // no further than to the next mark, 300
		t.Errorf("before rustc_driver %d", left())
	}
	if text := p.Status(); text != "compiler rustc_middle, 2 crates, about 10 min left" {
		t.Error(text)
	}
	at(2010, "Building stage1 codegen backend cranelift (stage0 -> stage1, x)")
	at(2020, "   Compiling cranelift v0.1.0")
	if p.position != 400 {
		t.Errorf("position %f", p.position)
	}
}

// The machine was busy at first and is not any more.
func TestProgressOfLate(t *testing.T) {
	now := time.Unix(0, 0)
	p := NewProgress(Profile{Total: 500, Marks: map[string]int{"compiler/first": 0, "compiler/a": 100, "compiler/b": 200, "compiler/c": 300}}, func() time.Time { return now })
	p.Line("Building stage1 compiler artifacts (stage0 -> stage1, x)")
	p.Line("   Compiling first v0.0.0")
	for _, mark := range []struct {
		second int64
		crate  string
		left   time.Duration
	}{{1000, "a", 4000 * time.Second}, {1100, "b", 300 * time.Second}, {1200, "c", 200 * time.Second}} {
		now = time.Unix(mark.second, 0)
		p.Line("   Compiling " + mark.crate + " v0.0.0")
		if left, _ := p.Left(); left.Round(time.Second) != mark.left {
			t.Errorf("at %s %s, want %s", mark.crate, left, mark.left)
		}
	}
}

// A run that goes on measures its pace from where it began, and is no profile for the next one.
func TestProgressResumed(t *testing.T) {
	now := time.Unix(0, 0)
	p := NewProgress(Profile{Total: 600, Marks: map[string]int{"compiler/rustc_driver": 300, "backend/cranelift": 400}}, func() time.Time { return now })
	p.Line("Building stage1 compiler artifacts (stage0 -> stage1, x)")
	now = time.Unix(10, 0)
	p.Line("   Compiling rustc_driver v0.0.0")
	now = time.Unix(110, 0)
	p.Line("Building stage1 codegen backend cranelift (stage0 -> stage1, x)")
	p.Line("   Compiling cranelift v0.0.0")
	if left, ok := p.Left(); !ok || left < 190*time.Second || left > 230*time.Second {
		t.Errorf("left %s, %v", left, ok)
	}
	if _, ok := p.Profile(); ok {
		t.Error("half a run became a profile")
	}
	dir := t.TempDir()
	want := Profile{Total: 7, Marks: map[string]int{"a": 1}}
	if got := LoadProfile(dir, want); got.Total != 7 {
		t.Errorf("%+v", got)
	}
	if err := SaveProfile(dir, Profile{Total: 9}); err != nil {
		t.Fatal(err)
	}
	if got := LoadProfile(dir, want); got.Total != 9 {
		t.Errorf("%+v", got)
	}
}

func TestCollect(t *testing.T) {
	k := newKit(t)
	first := k.whole()
	k.patches()
	second := k.whole()
	items, err := k.build.Store.Items()
	if err != nil || len(items) != 2 {
		t.Fatalf("%+v, %v", items, err)
	}
	used, err := k.build.Store.Use(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if it.Path == second {
			t.Error("the newest can be collected")
		}
		removed, err := k.build.Store.Remove(it)
		if err != nil || removed != it.work {
			t.Errorf("%s in use: removed %v, %v", it.Path, removed, err)
		}
	}
	used.Close()
	for _, it := range items {
		if !it.work {
			if removed, err := k.build.Store.Remove(it); err != nil || !removed {
				t.Errorf("%v, %v", removed, err)
			}
		}
	}
	if exists(first) || !exists(second) || exists(k.build.Work()) {
		t.Error("the wrong ones are gone")
	}
	all, err := k.build.Store.List()
	if err != nil || len(all) != 1 || !all[0].Current {
		t.Errorf("%+v, %v", all, err)
	}
	if err := k.build.Store.Sweep(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(k.build.Store.Dir, partialPrefix+"*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
