package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/foldcase"
)

// fake is a machine of the test's making.
type fake struct {
	programs map[string]string
	root     fstest.MapFS
	folds    bool
	free     int64
	goes     string
}

func (f fake) Look(program string) string { return f.programs[program] }
func (f fake) LookIn(folders []string, program string) string {
	for _, dir := range folders {
		if path := f.programs[dir+"/"+program]; path != "" {
			return path
		}
	}
	return ""
}
func (f fake) Root() fs.FS { return f.root }
func (f fake) Run(_ context.Context, argv ...string) (string, error) {
	if f.goes == "" {
		return "", errors.New("exec format error\nand more")
	}
	return "go" + f.goes + "\n", nil
}
func (f fake) Free(string) (int64, error) { return f.free, nil }

func (f fake) FoldsCase(string) (bool, error) { return f.folds, nil }

func osRelease(text string) fstest.MapFS {
	return fstest.MapFS{"etc/os-release": &fstest.MapFile{Data: []byte(text)}}
}

var settings = Settings{
	GoVersion: "1.26", GOOS: "linux", Arch: "aarch64", Cache: "/cache", Out: "/out", ToolFolders: []string{"/usr/bin", "/bin"},
	Toolchain: Toolchain{Channel: "nightly-2026-01-02", Name: "rustc 1.94.0-nightly", Cranelift: true},
	Sandbox:   Sandbox{Way: "bubblewrap"},
}

func complete() fake {
	root := osRelease("ID=debian\n")
	for _, name := range []string{"usr/share/AAVMF/AAVMF_CODE.fd", "usr/share/AAVMF/AAVMF_VARS.fd"} {
		root[name] = &fstest.MapFile{}
	}
	programs := map[string]string{}
	for _, name := range []string{"go", "git", "rustup", "cc", "clang", "qemu-system-aarch64"} {
		programs[name] = "/bin/" + name
		programs["/bin/"+name] = "/bin/" + name
	}
	return fake{programs: programs, root: root, free: 100 << 30, goes: "1.26.8"}
}

func TestNothingMissing(t *testing.T) {
	r := Examine(t.Context(), complete(), settings)
	for _, l := range r.Lines {
		if l.State != OK || l.Fix != "" {
			t.Errorf("%+v", l)
		}
	}
	if r.Missing() != 0 {
		t.Errorf("%d missing", r.Missing())
	}
}

func TestWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*fake, *Settings)
		want  string // state what: fix
		fails bool
	}{
		{"git", func(f *fake, _ *Settings) { delete(f.programs, "git") }, "missing git: sudo apt install git", true},
		{"git on Fedora", func(f *fake, _ *Settings) {
			delete(f.programs, "git")
			f.root["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=fedora")}
		}, "missing git: sudo dnf install git", true},
		{"git on macOS", func(f *fake, s *Settings) { delete(f.programs, "git"); s.GOOS = "darwin" }, "missing git: xcode-select --install", true},
		{"C compiler", func(f *fake, _ *Settings) {
			for _, name := range []string{"cc", "/bin/cc", "clang", "/bin/clang"} {
				delete(f.programs, name)
			}
		},
			"missing C compiler of the host: sudo apt install gcc libc6-dev\nabsent clang: sudo apt install clang lld", true},
		{"a C compiler that is not called cc, as rustc calls its linker", func(f *fake, _ *Settings) { delete(f.programs, "cc"); delete(f.programs, "/bin/cc") },
			"missing C compiler of the host: sudo apt install gcc libc6-dev", true},
		{"a cc where only the user looks", func(f *fake, _ *Settings) {
			delete(f.programs, "/bin/cc")
			f.programs["cc"] = "/home/u/.nix-profile/bin/cc"
		}, "missing C compiler of the host: sudo apt install gcc libc6-dev", true},
		{"clang", func(f *fake, _ *Settings) { delete(f.programs, "clang") }, "absent clang: sudo apt install clang lld", false},
		{"QEMU", func(f *fake, _ *Settings) { delete(f.programs, "qemu-system-aarch64") }, "missing qemu-system-aarch64: sudo apt install qemu-system-arm", true},
		{"firmware", func(f *fake, _ *Settings) { delete(f.root, "usr/share/AAVMF/AAVMF_VARS.fd") }, "absent UEFI firmware: sudo apt install qemu-efi-aarch64", false},
		{"QEMU on an unknown system", func(f *fake, _ *Settings) {
			delete(f.programs, "qemu-system-aarch64")
			f.root["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=arch")}
		}, "missing qemu-system-aarch64: sudo apt install qemu-system-arm (Debian, Ubuntu), sudo dnf install qemu-system-aarch64 (Fedora) or brew install qemu (macOS)", true},
		{"a remote cache that is of no use", func(_ *fake, s *Settings) {
			s.Remote = &Remote{Address: "grpc://a:1", Problem: "it did not answer in time"}
		},
			"absent remote cache: REDOX_REMOTE_* or [remote] in overrides.toml (docs/remote-cache.md); builds go on without it", false},
		{"a remote cache", func(_ *fake, s *Settings) { s.Remote = &Remote{Address: "grpc://a:1", Detail: "API 2.3"} }, "", false},
		{"a file system as macOS makes it", func(f *fake, _ *Settings) { f.folds = true },
			"absent names in the cache: " + foldcase.Remedy, false},
		{"old go", func(f *fake, _ *Settings) { f.goes = "1.19.2" }, "missing go: get 1.26 or newer from https://go.dev/dl/", true},
		{"go that fetches its successor", func(f *fake, _ *Settings) { f.goes = "1.22.1" }, "", false},
		{"broken go", func(f *fake, _ *Settings) { f.goes = "" }, "missing go: sudo apt install golang-go", true},
		{"no rustup", func(f *fake, s *Settings) {
			delete(f.programs, "rustup")
			s.Toolchain = Toolchain{Channel: "nightly-2026-01-02", Problem: "rustup is not installed\nmore"}
		}, "missing rustup: " + rustupInstall + "\nmissing Rust toolchain: go tool mage toolchain:install", true},
		{"wrong directory", func(_ *fake, s *Settings) {
			s.Toolchain = Toolchain{Channel: "nightly-2026-01-02", Directory: "/x", Problem: "/x is no toolchain directory"}
		}, "missing Rust toolchain: set REDOX_TOOLCHAIN to a toolchain directory, or unset it to use nightly-2026-01-02", true},
		{"components", func(_ *fake, s *Settings) { s.Toolchain.Lacking = []string{"rust-src", "llvm-tools", "llvm-tools"} },
			"missing Rust components: rustup component add llvm-tools rust-src --toolchain nightly-2026-01-02", true},
		{"another rustc", func(_ *fake, s *Settings) { s.Toolchain.Problem = "the pin expects something else" },
			"missing Rust toolchain: rustup toolchain uninstall nightly-2026-01-02 && go tool mage toolchain:install", true},
		{"Cranelift", func(_ *fake, s *Settings) { s.Toolchain.Cranelift = false },
			"absent Cranelift backend: go tool mage toolchain:install -cranelift, or REDOX_TOOLCHAIN=DIR, or -backend='llvm:*'", false},
		{"sandbox", func(_ *fake, s *Settings) { s.Sandbox = Sandbox{Problem: "bubblewrap: not installed"} }, "absent sandbox: sudo apt install bubblewrap", false},
		{"sandbox that the kernel denies", func(_ *fake, s *Settings) {
			s.Sandbox = Sandbox{Problem: "bubblewrap: denied\nby", Setting: "kernel.a", Wanted: "0"}
		}, "absent sandbox: sudo sysctl -w kernel.a=0; docs/sandbox.md has a way for bubblewrap alone", false},
		{"sandbox of macOS", func(_ *fake, s *Settings) { s.Sandbox, s.GOOS = Sandbox{Problem: "none"}, "darwin" },
			"absent sandbox: sandbox-exec is part of macOS: look whether /usr/bin is in PATH", false},
		{"space", func(f *fake, _ *Settings) { f.free = 2 << 30 }, "missing space for the cache: go tool mage cache:gc, or REDOX_CACHE=DIR on another disk", true},
		{"LLVM to build a toolchain with", func(_ *fake, s *Settings) {
			s.Build = []Part{{What: "Python 3", Detail: "/bin/python3"}, {What: "LLVM", Detail: "/bin/llvm-config is 14.0.6", Fix: "sudo apt install llvm-22-dev"}}
		}, "absent LLVM: sudo apt install llvm-22-dev", false},
		{"network", func(_ *fake, s *Settings) {
			s.Hosts = []Host{
				{What: "source of base", From: "https://host/base.git", Try: func(context.Context) error { return errors.New("no route\nat all") }},
				{What: "crate registry", From: "cargo", Try: func(context.Context) error { return nil }},
			}
		}, "absent source of base: check the proxy settings (https_proxy), or name a [mirror] in overrides.toml", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, s := complete(), settings
			test.spoil(&m, &s)
			r := Examine(t.Context(), m, s)
			var got []string
			for _, l := range r.Lines {
				if l.State != OK {
					got = append(got, fmt.Sprintf("%s %s: %s", l.State, l.What, l.Fix))
				}
				if strings.Contains(l.Detail, "\n") {
					t.Errorf("more than a line: %q", l.Detail)
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
			if fails := r.Missing() > 0; fails != test.fails {
				t.Errorf("fails: %v", fails)
			}
		})
	}
}
