package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

func nowhere(_ context.Context, ref string) ([]Item, error) { return nil, errors.New(ref + "?") }

func content(t testing.TB, tool, path, file string) []byte {
	t.Helper()
	v, err := Volume(tool, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context()); err != nil {
		t.Fatalf("%s does not verify: %v", path, err)
	}
	var b bytes.Buffer
	if err := v.Cat(t.Context(), file, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEdit(t *testing.T) {
	tool, path := make1(t)
	before := fileSum(t, path)
	e := openEditor(t, tool, path)
	host := randomFile(t, 9, 300_001)
	if err := e.Edit(t.Context(), []redoxfs.Op{put("/boot/initfs", host), put("/new/dir/file", host)}); err != nil {
		t.Fatal(err)
	}
	want, _ := os.ReadFile(host)
	if !bytes.Equal(content(t, tool, path, "/boot/initfs"), want) || !bytes.Equal(content(t, tool, path, "/new/dir/file"), want) {
		t.Error("other content")
	}
	all, err := e.Snapshots()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := e.RestoreSnapshot(t.Context(), all[0].Name); err != nil || fileSum(t, path) != before {
		t.Errorf("restored: %v", err)
	}
	tidy(t, path)
}

func TestEditRefuses(t *testing.T) {
	huge, host := randomFile(t, 1, 11<<20), randomFile(t, 2, 5000)
	root := int64(2 << 20)
	tests := []struct {
		name   string
		damage func(t *testing.T, path string)
		op     redoxfs.Op
		want   string
	}{
		{"full", nil, put("/huge", huge), "KiB free"},
		{"through a link", nil, put("/bin/sh", host), "symbolic link"},
		{"253 bytes", nil, put("/"+strings.Repeat("n", 253), host), "252"},
		{"no such file", nil, put("/x", host+"x"), "no such file"},
		{"truncated", func(t *testing.T, path string) { truncate(t, path, 8<<20) }, put("/x", host), "truncated"},
		{"version", func(t *testing.T, path string) { patchFile(t, path, root+8, 9) }, put("/x", host), "version 9"},
		{"header", func(t *testing.T, path string) { patchFile(t, path, root+100, 9, 9, 9) }, put("/x", host), "damaged"},
		{"encrypted", func(t *testing.T, path string) { patchFile(t, path, root+4096-24, 9, 9) }, put("/x", host), "encrypted"},
		{"flipped block", func(t *testing.T, path string) {
			b, _ := os.ReadFile(path)
			patchFile(t, path, int64(bytes.Index(b, []byte("echo hello"))), 'E')
		}, put("/x", host), "INCORRECT HASH"},
		{"no image", func(t *testing.T, path string) { truncate(t, path, 0); truncate(t, path, 1<<20) }, put("/x", host), "neither"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tool, path := make1(t)
			if tt.damage != nil {
				tt.damage(t, path)
			}
			before := fileSum(t, path)
			e := openEditor(t, tool, path)
			err := e.Edit(t.Context(), []redoxfs.Op{put("/first", host), tt.op})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if fileSum(t, path) != before {
				t.Error("the image was changed")
			}
			if all, _ := e.Snapshots(); len(all) != 0 {
				t.Errorf("snapshots %v", all)
			}
			tidy(t, path)
		})
	}
}

func TestBlessAndRestore(t *testing.T) {
	tool, path := make1(t)
	e := openEditor(t, tool, path)
	if err := e.Restore(t.Context()); !errors.Is(err, ErrNotBlessed) {
		t.Errorf("restored without a known good image: %v", err)
	}
	if _, err := e.Bless(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := fileSum(t, path)
	if info, err := os.Stat(Blessed(path)); err != nil || info.Mode().Perm() != 0o444 || fileSum(t, Blessed(path)) != good {
		t.Errorf("known good image: %v %v", info, err)
	}
	host := randomFile(t, 7, 10_000)
	change := []redoxfs.Op{put("/etc/hostname", host), put("/etc/init.d/zz", host), put("/usr/bin/extra", host),
		{Op: redoxfs.OpRemove, Path: "/root"}, {Op: redoxfs.OpMeta, Path: "/tmp", Mode: ptr[uint16](0o755)}}
	if err := e.Edit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	diffs, err := Diff(t.Context(), tool, Blessed(path), path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range diffs {
		got[d.Path] = d.What
	}
	// The time of a file that is replaced without one stays.
	want := map[string]string{"/etc/hostname": "content", "/etc/init.d/zz": "added", "/usr/bin": "added", "/usr/bin/extra": "added", "/root": "removed", "/tmp": "mode"}
	for p, w := range want {
		if got[p] != w {
			t.Errorf("%s: %q, want %q", p, got[p], w)
		}
		delete(got, p)
	}
	if len(got) > 0 {
		t.Errorf("more differences: %v", got)
	}
	if err := e.RestorePaths(t.Context(), []string{"/etc", "root", "/usr/bin"}); err != nil {
		t.Fatal(err)
	}
	diffs, err = Diff(t.Context(), tool, Blessed(path), path)
	if err != nil || len(diffs) != 1 || diffs[0].Path != "/tmp" {
		t.Errorf("after restoring paths: %v %v", diffs, err)
	}
	if err := e.Restore(t.Context()); err != nil || fileSum(t, path) != good {
		t.Errorf("restore: %v", err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o644 {
		t.Errorf("restored with mode %v", info.Mode())
	}
	patchFile(t, path, 2<<20+100, 1, 2, 3)
	if _, err := e.Bless(t.Context()); redoxfs.KindOf(err) != redoxfs.Corrupt {
		t.Errorf("a damaged image was blessed: %v", err)
	}
	tidy(t, path)
}

func TestSnapshotsArePruned(t *testing.T) {
	tool, path := make1(t)
	e := openEditor(t, tool, path)
	e.Keep = 2
	for i := range 4 {
		if err := e.Edit(t.Context(), []redoxfs.Op{put("/x", randomFile(t, int64(i), 1000))}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := e.Snapshots()
	if err != nil || len(all) != 2 || all[0].Name <= all[1].Name {
		t.Errorf("%v %v", all, err)
	}
}

func TestGrow(t *testing.T) {
	tool, path := make1(t)
	e := openEditor(t, tool, path)
	old := content(t, tool, path, "/boot/initfs")
	huge := randomFile(t, 31, 14<<20)
	if err := e.Edit(t.Context(), []redoxfs.Op{put("/huge", huge)}); redoxfs.KindOf(err) != redoxfs.Full {
		t.Fatalf("the image is large enough: %v", err)
	}
	for _, size := range []int64{12, 3, -1} {
		if err := e.Grow(t.Context(), size); err == nil {
			t.Errorf("grew to %d MiB", size)
		}
	}
	if err := e.Grow(t.Context(), 40); err != nil {
		t.Fatal(err)
	}
	root, err := FindRoot(path)
	if err != nil || root.Offset != 2*mib || root.Length != 37*mib {
		t.Errorf("RedoxFS at %+v, %v", root, err)
	}
	if err := e.Edit(t.Context(), []redoxfs.Op{put("/huge", huge)}); err != nil {
		t.Fatal(err)
	}
	want, _ := os.ReadFile(huge)
	if !bytes.Equal(content(t, tool, path, "/huge"), want) || !bytes.Equal(content(t, tool, path, "/boot/initfs"), old) {
		t.Error("other content")
	}
	tidy(t, path)
}

func TestBusy(t *testing.T) {
	tool, path := make1(t)
	e := openEditor(t, tool, path)
	var busy *BusyError
	if _, err := Open(t.Context(), tool, path); !errors.As(err, &busy) {
		t.Errorf("opened twice: %v", err)
	}
	e.Close()
	if runtime.GOOS != "linux" {
		t.Skip("other processes are seen on Linux only")
	}
	child := exec.Command("sleep", "60")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	child.ExtraFiles = []*os.File{f}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = child.Process.Kill(), child.Wait() }()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), tool, path); !errors.As(err, &busy) || !strings.Contains(err.Error(), "sleep (process") {
		t.Errorf("opened while a process has it: %v", err)
	}
}

func TestMain(m *testing.M) {
	if os.Getenv("IMAGE_TEST_CHILD") != "" {
		editForEver()
	}
	os.Exit(m.Run())
}

// editForEver is a child of TestKill: it edits and restores in turn until it is killed.
func editForEver() {
	tool, path, hosts := os.Args[1], os.Args[2], os.Args[3:]
	for i := 0; ; i++ {
		e, err := Open(context.Background(), tool, path)
		if err != nil {
			continue // what was killed before still has it open
		}
		e.Keep = 2
		if i%3 == 2 {
			err = e.Restore(context.Background())
		} else {
			err = e.Edit(context.Background(), []redoxfs.Op{put("/boot/initfs", hosts[i%2])})
		}
		e.Close()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// However a run is killed, the image verifies and is one that was there before or the one being made.
func TestKill(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 5
	}
	tool, path := make1(t)
	e := openEditor(t, tool, path)
	if _, err := e.Bless(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Close()
	hosts := []string{randomFile(t, 11, 400_000), randomFile(t, 12, 900_000)}
	known := map[string]string{string(content(t, tool, path, "/boot/initfs")): "blessed"}
	for _, h := range hosts {
		b, _ := os.ReadFile(h)
		known[string(b)] = filepath.Base(filepath.Dir(h))
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	seen := map[string]int{}
	for range rounds {
		child := exec.Command(self, append([]string{tool, path}, hosts...)...)
		child.Env = append(os.Environ(), "IMAGE_TEST_CHILD=1")
		var stderr bytes.Buffer
		child.Stderr = &stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(30+random.Intn(250)) * time.Millisecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
		if stderr.Len() > 0 {
			t.Fatalf("the child failed: %s", stderr.String())
		}
		state, ok := known[string(content(t, tool, path, "/boot/initfs"))]
		if !ok {
			t.Fatal("the image is neither old nor new")
		}
		seen[state]++
	}
	t.Logf("states seen: %v", seen)
	if len(seen) < 2 && rounds >= 50 {
		t.Error("the child was never killed after a change: the test shows nothing")
	}
	e = openEditor(t, tool, path) // removes what was left
	e.Close()
	tidy(t, path)
}
