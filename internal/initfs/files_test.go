package initfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func writeImage(t *testing.T, b []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "initfs.img")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestExtractAndBack(t *testing.T) {
	for _, v := range []Version{V1, V2} {
		spec := testSpec(v)
		spec.Root.Children[1].Children[0].Perm = 0o711
		img := open(t, pack(t, spec))
		out := filepath.Join(t.TempDir(), "tree")
		if err := img.Extract(context.Background(), out+"/"); err != nil {
			t.Fatal(err)
		}
		back, err := FromDir(out, DirOptions{KeepPerm: v == V1})
		if err != nil {
			t.Fatal(err)
		}
		want := listing(t, img.Root, v)
		if diff := cmp.Diff(want, listing(t, back, v)); diff != "" {
			t.Errorf("%s (-image +directory):\n%s", v, diff)
		}
		// Into an empty directory is fine, into a used one is not.
		if err := img.Extract(context.Background(), out); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("error %v, want not empty", err)
		}
		if err := img.Extract(context.Background(), t.TempDir()); err != nil {
			t.Error(err)
		}
	}
}

func TestExtractStaysInside(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	// A link that leads out, as upstream's archiver makes it of an absolute one: it is made, named, and not followed.
	b := handImage(V1)
	copy(b[0x30a9:], "../..")
	img := open(t, b)
	if err := img.Extract(context.Background(), out); err != nil {
		t.Error(err)
	}
	if target, err := os.Readlink(filepath.Join(out, "etc/l")); target != "../.." || err != nil {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	absolute := handImage(V1)
	copy(absolute[0x30a9:], "/etc")
	if links := open(t, absolute).OutsideLinks(); len(links) != 1 || !strings.Contains(links[0].Why, "absolute") {
		t.Errorf("an absolute one: %+v", links)
	}
	if links := img.OutsideLinks(); len(links) != 1 || links[0].Path != "etc/l" || !strings.Contains(links[0].Why, "leaves the image") {
		t.Errorf("outside: %+v", links)
	}
	if err := img.Verify(); err != nil && strings.Contains(err.Error(), "etc/l") {
		t.Errorf("a link that leads out is damage: %v", err)
	}
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	// A target that is a link.
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(parent, "link")); err != nil {
		t.Fatal(err)
	}
	if err := open(t, handImage(V1)).Extract(context.Background(), filepath.Join(parent, "link")); err == nil {
		t.Error("extracted through a link")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := open(t, handImage(V1)).Extract(ctx, out); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

func TestReplace(t *testing.T) {
	for _, v := range []Version{V1, V2} {
		spec := testSpec(v)
		if v == V1 {
			spec.BuildTime = Time{Sec: 77, Nsec: 8}
		}
		name := writeImage(t, pack(t, spec))
		file := filepath.Join(t.TempDir(), "new")
		data := bytes.Repeat([]byte("new "), 3000)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Replace(context.Background(), name, "/bin/a", file, nil); err != nil {
			t.Fatal(err)
		}
		spec.Root.Children[1].Children[0].Content = Bytes(data)
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, pack(t, spec)) {
			t.Errorf("%s: not the image that writing the edited tree gives", v)
		}
		if info, _ := os.Stat(name); info.Mode().Perm() != 0o600 {
			t.Errorf("the image's permissions became %v", info.Mode())
		}
	}
}

func TestReplaceChangesNothingOnFailure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, DefaultMaxSize); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("not an ELF for aarch64")
	tests := []struct {
		name  string
		edit  func([]byte) []byte
		path  string
		file  string
		check func(string, Content) error
		want  string
	}{
		{"missing", nil, "bin/b", file, nil, `no "b" there`},
		{"directory", nil, "bin", file, nil, "only files are replaced"},
		{"link", nil, "etc/l", file, nil, "is a link"},
		{"too large", nil, "bin/a", file, nil, "the limit is"},
		{"no file", nil, "bin/a", file + "x", nil, "no such file"},
		{"not regular", nil, "bin/a", filepath.Dir(file), nil, "not a regular file"},
		{"checked", nil, "bin/a", file, func(string, Content) error { return refusal }, refusal.Error()},
		{"damaged", func(b []byte) []byte { b[0x2005] = 1; return b }, "bin/a", file, nil, "damaged, nothing is changed"},
		{"no bootstrap", put64(0x1a, NoEntry), "bin/a", file, nil, "no bootstrap"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := handImage(V1)
			if tt.edit != nil {
				before = tt.edit(before)
			}
			name := writeImage(t, before)
			_, err := Replace(context.Background(), name, tt.path, tt.file, tt.check)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			after, _ := os.ReadFile(name)
			entries, _ := os.ReadDir(filepath.Dir(name))
			if !bytes.Equal(before, after) || len(entries) != 1 {
				t.Errorf("the image or its directory changed: %v", entries)
			}
		})
	}
	if _, err := Rewrite(context.Background(), writeImage(t, handImage(V1)), func(s *Spec) error { s.Version = V2; return nil }); err == nil || !strings.Contains(err.Error(), "has layout v1") {
		t.Errorf("error %v, want a refused layout", err)
	}
}

func TestFromDir(t *testing.T) {
	d := t.TempDir()
	for name, mode := range map[string]os.FileMode{"b": 0o600, "a": 0o711} {
		if err := os.WriteFile(filepath.Join(d, name), []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(d, "l")); err != nil {
		t.Fatal(err)
	}
	root, err := FromDir(d, DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{". directory 0755", "a file exec=true 61 0755", "b file exec=false 62 0644", "l link a 0777"}
	if diff := cmp.Diff(want, listing(t, root, V1)); diff != "" {
		t.Error(diff)
	}
	if _, err := FromDir(filepath.Join(d, "a"), DirOptions{}); err == nil {
		t.Error("a file taken for a directory")
	}
	if _, err := root.Lookup("a/b"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("error %v", err)
	}
}

// A file is looked into where it lies; any other content is read first.
func TestContentIsLookedInto(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("0123456789"), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := FileContent(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Content{file, Bytes([]byte("0123456789")), section{strings.NewReader("..0123456789.."), 2, 10}} {
		var got [4]byte
		err := LookInto(c, func(r io.ReaderAt) error { _, err := r.ReadAt(got[:], 6); return err })
		if err != nil || string(got[:]) != "6789" {
			t.Errorf("%T: %q, %v", c, got, err)
		}
		if all, err := ReadContent(c); err != nil || string(all) != "0123456789" {
			t.Errorf("%T: %q, %v", c, all, err)
		}
	}
	wrong := errors.New("wrong")
	if err := LookInto(file, func(io.ReaderAt) error { return wrong }); !errors.Is(err, wrong) {
		t.Error(err)
	}
}
