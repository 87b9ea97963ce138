package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/manifest"
)

// imageCheckout is a Session in an empty checkout, enough for what needs neither recipes nor a cache.
func imageCheckout(t *testing.T, files map[string]string) *Session {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	store, err := cas.Open(filepath.Join(root, "cache", "cas"))
	if err != nil {
		t.Fatal(err)
	}
	return &Session{Config: &config.Config{Root: root, Target: config.DefaultTarget}, Store: store, Streams: Streams{Out: &strings.Builder{}, Err: os.Stderr}}
}

// The descriptions and boot tests of the repository are read as a user's would be.
func TestShippedImagesParse(t *testing.T) {
	s := imageCheckout(t, nil)
	s.Config.Root = filepath.Join("..", "..")
	for _, name := range s.imageNames("images") {
		if _, err := s.description(ImageFlags{Name: name}); err != nil {
			t.Error(err)
		}
	}
	names := s.imageNames(filepath.Join("images", "boot"))
	if len(names) == 0 {
		t.Error("no boot tests")
	}
	for _, name := range names {
		test, err := s.bootTest(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := test.script(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResolve(t *testing.T) {
	s := imageCheckout(t, map[string]string{"some/dir/file": "x", "some/dir/sub/other": "y"})
	b := &imageBuild{s: s, initfs: "initfs", stages: map[string]*manifest.Manifest{"base": {Files: []manifest.File{
		{Path: "bin/init", Mode: "0755"}, {Path: "bin/sh", Mode: "0777", Link: "init"}, {Path: "binary", Mode: "0644"},
	}}}}
	out := s.Config.Out()
	root := func(p string) string { return filepath.Join(s.Config.Root, p) }
	tests := map[string][]disk.Item{
		"initfs":        {{Host: filepath.Join(out, "initfs.img"), Mode: 0o644}},
		"base:bin/init": {{Host: filepath.Join(out, "base/root/bin/init"), Mode: 0o755}},
		"base:bin": {{Path: "init", Host: filepath.Join(out, "base/root/bin/init"), Mode: 0o755},
			{Path: "sh", Link: "init", Mode: 0o777}},
		"base:": {{Path: "bin/init", Host: filepath.Join(out, "base/root/bin/init"), Mode: 0o755},
			{Path: "bin/sh", Link: "init", Mode: 0o777}, {Path: "binary", Host: filepath.Join(out, "base/root/binary"), Mode: 0o644}},
		"file:some/dir/file": {{Host: root("some/dir/file"), Mode: 0o644}},
		"file:some": {{Dir: true, Mode: 0o755}, {Path: "dir", Dir: true, Mode: 0o755}, {Path: "dir/file", Host: root("some/dir/file"), Mode: 0o644},
			{Path: "dir/sub", Dir: true, Mode: 0o755}, {Path: "dir/sub/other", Host: root("some/dir/sub/other"), Mode: 0o644}},
	}
	for ref, want := range tests {
		got, err := b.resolve(t.Context(), ref)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", ref, err, diff)
		}
	}
	for _, ref := range []string{"base:nothing", "other:bin", "file:nothing", "base"} {
		if got, err := b.resolve(t.Context(), ref); err == nil {
			t.Errorf("%s leads to %v", ref, got)
		}
	}
}

func TestInjectOps(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	ops, err := InjectFlags{Kernel: file, Files: file + ":/usr/bin/f," + file + ":/etc/f:0600"}.ops()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint16{}
	for _, op := range ops {
		got[op.Path] = *op.Mode
	}
	want := map[string]uint16{"/boot/kernel": 0o644, "/usr/lib/boot/kernel": 0o644, "/usr/bin/f": 0o755, "/etc/f": 0o600}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, files := range []string{"f", file + ":etc/f", file + ":/etc/f:9", file + "x:/etc/f"} {
		if _, err := (InjectFlags{Files: files}).ops(); err == nil {
			t.Errorf("%s was accepted", files)
		}
	}
}

func TestAccelerator(t *testing.T) {
	tests := []struct {
		goos, goarch, guest string
		kvm                 bool
		want                string
	}{
		{"linux", "amd64", "aarch64", true, "tcg"},
		{"linux", "arm64", "aarch64", true, "kvm"},
		{"linux", "arm64", "aarch64", false, "tcg"},
		{"darwin", "arm64", "aarch64", false, "hvf"},
		{"darwin", "arm64", "x86_64", false, "tcg"},
		{"linux", "amd64", "x86_64", true, "kvm"},
	}
	for _, tt := range tests {
		if got := accelerator(tt.goos, tt.goarch, tt.guest, tt.kvm); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}

func TestCommandLine(t *testing.T) {
	got := commandLine("/usr/bin/q", []string{"-drive", "file=a b.img", "", "it's", "x,y=z:1"})
	if want := `/usr/bin/q -drive 'file=a b.img' '' 'it'\''s' x,y=z:1`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
