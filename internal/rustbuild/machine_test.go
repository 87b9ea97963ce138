package rustbuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
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
		"unknown":                      fakeRecipe + "\n[unknown]\na = 1\n",
		"64 lower-case":                strings.Replace(fakeRecipe, "sha256 = \"0", "sha256 = \"g", 1),
		"is no pattern":                strings.Replace(fakeRecipe, "vendor/windows-*", "src/[", 1),
		`"stage0" is missing`:          strings.Replace(fakeRecipe, `stage0 = "0.9.0"`, "", 1),
		"llvm.oldest and llvm.newest":  strings.Replace(fakeRecipe, "newest = 22", "newest = 20", 1),
		`"needs.disk-mib" is missing`:  strings.Replace(fakeRecipe, "disk-mib = 10\n", "", 1),
		"not one of system, bootstrap": strings.Replace(fakeRecipe, "oldest = 21", "oldest = 21\nfrom = \"here\"", 1),
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
	var p Progress
	for _, step := range []struct{ line, status string }{
		{"   Compiling early v0.1.0", ""},
		{"Building bootstrap", "bootstrap"},
		{"   Compiling bootstrap v0.0.0 (/x)", "bootstrap bootstrap, 1 crates"},
		{"Building LLVM for x86_64-unknown-linux-gnu", "LLVM, 1 crates"},
		{"[3/4] Building CXX object lib/3.o", "LLVM 3 of 4, 1 crates"},
		{"Building stage1 compiler artifacts (stage0 -> stage1, x86_64-unknown-linux-gnu)", "compiler, 1 crates"},
		{"   Compiling rustc_middle v0.0.0 (/x)", "compiler rustc_middle, 2 crates"},
		{"warning: nothing new", "compiler rustc_middle, 2 crates"},
		{"Building stage1 codegen backend cranelift (stage0 -> stage1, x)", "codegen backend, 2 crates"},
	} {
		p.Line(step.line)
		if got := p.Status(); got != step.status {
			t.Errorf("%s: %q, want %q", step.line, got, step.status)
		}
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
	if err := used.Close(); err != nil {
		t.Fatal(err)
	}
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
