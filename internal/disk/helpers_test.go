package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
)

const small = `
description = "a test"
size-mib = 12
hostname = "test"

[boot]
kernel = "kernel"
initfs = "initfs"

[[user]]
name = "root"
uid = 0
gid = 0
home = "/root"
shell = "/bin/sh"
password = ""

[[file]]
to = "/etc/init.d/00_base"
text = "echo hello\n"

[[dir]]
path = "/tmp"
mode = "1777"

[[link]]
path = "/bin"
target = "usr/bin"
`

// randomFile makes a file of n bytes that nothing compresses.
func randomFile(t testing.TB, seed int64, n int) string {
	t.Helper()
	b := make([]byte, n)
	rand.New(rand.NewSource(seed)).Read(b)
	path := filepath.Join(t.TempDir(), "random")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// smallBuild is an image of given files, without any recipe.
func smallBuild(t testing.TB) *Build {
	t.Helper()
	d, err := Parse("small", "small.toml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	kernel, initfs := randomFile(t, 1, 200_000), randomFile(t, 2, 700_000)
	ops, err := d.Contents(t.Context(), func(_ context.Context, ref string) ([]Item, error) {
		return []Item{{Host: map[string]string{"kernel": kernel, "initfs": initfs}[ref], Mode: 0o644}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Build{Tool: redoxfstest.Tool(t), Description: d, Contents: ops, LoaderName: "BOOTAA64.EFI", Loader: randomFile(t, 3, 150_000)}
}

func make1(t testing.TB) (tool, path string) {
	t.Helper()
	b := smallBuild(t)
	path = filepath.Join(t.TempDir(), "small.img")
	if _, err := b.Make(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return b.Tool, path
}

func fileSum(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func openEditor(t testing.TB, tool, path string) *Editor {
	t.Helper()
	e, err := Open(t.Context(), tool, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func ptr[T any](v T) *T { return &v }

func put(path, host string) redoxfs.Op {
	return redoxfs.Op{Op: redoxfs.OpFile, Path: path, From: host, Mode: ptr[uint16](0o644)}
}

// tidy fails when something was left beside an image.
func tidy(t testing.TB, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "tmp-") || strings.Contains(e.Name(), "restore-") {
			t.Errorf("%s was left", e.Name())
		}
	}
}

func patchFile(t testing.TB, path string, at int64, b ...byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
