package redoxfs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
)

// Upstream's programs make trees as deep as a path is long.
func TestDeepTree(t *testing.T) {
	v := newVolume(t, 16)
	deep := strings.Repeat("/d", 400)
	apply(t, v, redoxfs.Op{Op: redoxfs.OpDir, Path: deep})
	if r := verify(t, v); r.Nodes != 401 {
		t.Errorf("report %+v", r)
	}
	nodes, err := v.Get(t.Context(), "/", filepath.Join(t.TempDir(), "copy"))
	if err != nil || len(nodes) != 401 || nodes[400].Path != deep {
		t.Errorf("%d nodes, %v", len(nodes), err)
	}
	if err := v.Rm(t.Context(), "/d", true); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, v); r.Nodes != 1 || r.Leaked != 0 {
		t.Errorf("report %+v", r)
	}
}

// A file of the guest may be larger than the disk of the host.
func TestHolesStayHoles(t *testing.T) {
	v := newVolume(t, 16)
	dir := t.TempDir()
	host, copied := filepath.Join(dir, "host"), filepath.Join(dir, "copied")
	if err := os.WriteFile(host, []byte("begin"), 0o644); err != nil {
		t.Fatal(err)
	}
	const size = 100<<20 + 3
	if err := os.Truncate(host, size); err != nil {
		t.Fatal(err)
	}
	apply(t, v, redoxfs.Op{Op: redoxfs.OpFile, Path: "/sparse", From: host})
	if _, err := v.Get(t.Context(), "/sparse", copied); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(copied, &st); err != nil || st.Size != size || st.Blocks > 1024 {
		t.Errorf("%d bytes in %d blocks, %v", st.Size, st.Blocks, err)
	}
	if b, err := os.ReadFile(copied); err != nil || string(b[:6]) != "begin\x00" {
		t.Errorf("other content, %v", err)
	}
}

// Our user, who need not be root, can read and remove what was copied out of an image.
func TestCopyIsOurs(t *testing.T) {
	v := newVolume(t, 16)
	apply(t, v, redoxfs.Op{Op: redoxfs.OpDir, Path: "/d", Mode: ptr[uint16](0o055)},
		redoxfs.Op{Op: redoxfs.OpFile, Path: "/d/f", Text: ptr("x"), Mode: ptr[uint16](0o020)})
	dir := filepath.Join(t.TempDir(), "copy")
	nodes, err := v.Get(t.Context(), "/d", dir)
	if err != nil || nodes[0].Mode != 0o055 || nodes[1].Mode != 0o020 {
		t.Fatal(nodes, err)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o755, filepath.Join(dir, "f"): 0o620} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v; %v", path, info.Mode(), want, err)
		}
	}
}

// A full disk of the host is no damage of the image. The limit of the shell stands for it.
func TestHostIsFull(t *testing.T) {
	v := newVolume(t, 16)
	limited := filepath.Join(t.TempDir(), "limited")
	script := fmt.Sprintf("#!/bin/sh\ntrap '' XFSZ\nulimit -f 8192\nexec %s \"$@\"\n", redoxfstest.Tool(t))
	if err := os.WriteFile(limited, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	v.Tool = limited
	ops, _ := sample(t)
	more, _ := sample(t)
	for i := range more {
		more[i].Path = "/more" + more[i].Path
	}
	_, err := v.Apply(t.Context(), append(ops, more...), redoxfs.ApplyOptions{Parents: true, FlushMiB: 1})
	if redoxfs.KindOf(err) != redoxfs.IO || strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v of kind %q", err, redoxfs.KindOf(err))
	}
}

// JSON would make other names of them.
func TestNotUTF8(t *testing.T) {
	v := newVolume(t, 16)
	for _, op := range []redoxfs.Op{
		{Op: redoxfs.OpDir, Path: "/d\xff"},
		{Op: redoxfs.OpLink, Path: "/l", Target: "\xff"},
		{Op: redoxfs.OpFile, Path: "/f", From: "/\xff"},
		{Op: redoxfs.OpFile, Path: "/f", Text: ptr("\xff")},
	} {
		_, err := v.Apply(t.Context(), []redoxfs.Op{op}, redoxfs.ApplyOptions{})
		if redoxfs.KindOf(err) != redoxfs.Name || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("%+v: %v", op, err)
		}
	}
}

func TestErrorsDoNotDriveTheTerminal(t *testing.T) {
	err := &redoxfs.Error{Kind: redoxfs.Corrupt, Path: "dir/\x1b]0;title\x07", Message: "block 5 of \x1b[2J is damaged\nand ü"}
	if got, want := err.Error(), "dir/\ufffd]0;title\ufffd: block 5 of \ufffd[2J is damaged\nand ü"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
