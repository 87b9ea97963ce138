package cachefile

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// others are all things that can be at a path and are no file.
var others = map[string]func(t *testing.T, path string){
	"folder": func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o755)) },
	"full folder": func(t *testing.T, path string) {
		must(t, os.MkdirAll(filepath.Join(path, "in", "it"), 0o755))
		must(t, os.WriteFile(filepath.Join(path, "in", "file"), nil, 0o400))
		must(t, os.Chmod(filepath.Join(path, "in"), 0o500))
	},
	"pipe":          func(t *testing.T, path string) { must(t, unix.Mkfifo(path, 0o644)) },
	"link":          func(t *testing.T, path string) { must(t, os.Symlink(elsewhere(t), path)) },
	"dangling link": func(t *testing.T, path string) { must(t, os.Symlink("nowhere", path)) },
	"loop":          func(t *testing.T, path string) { must(t, os.Symlink(filepath.Base(path), path)) },
	"socket": func(t *testing.T, path string) {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
		must(t, err)
		l.SetUnlinkOnClose(false)
		must(t, l.Close())
	},
}

// elsewhere is a file of somebody's.
func elsewhere(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "theirs")
	must(t, os.WriteFile(path, []byte("theirs"), 0o644))
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// soon fails the test when f hangs.
func soon(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits")
	}
}

func TestWhatIsNoFileIsAbsentAndOutOfTheWay(t *testing.T) {
	for name, put := range others {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			put(t, path)
			if _, err := Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat: %v", err)
			}
			soon(t, func() {
				if _, err := Read(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("Read: %v", err)
				}
			})
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
			put(t, path)
			soon(t, func() {
				f, err := OpenWritable(path, 0o644)
				must(t, err)
				defer f.Close()
				if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
					t.Errorf("opened %v, %v", info, err)
				}
			})
			must(t, os.Remove(path))
			put(t, path)
			fresh := filepath.Join(filepath.Dir(path), "fresh")
			must(t, os.WriteFile(fresh, []byte("new"), 0o644))
			must(t, Rename(fresh, path))
			if b, err := Read(path); err != nil || string(b) != "new" {
				t.Errorf("after Rename: %q, %v", b, err)
			}
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestAFileOfOthersBehindALinkStays(t *testing.T) {
	theirs, path := elsewhere(t), filepath.Join(t.TempDir(), "f")
	must(t, os.Symlink(theirs, path))
	f, err := OpenWritable(path, 0o644)
	must(t, err)
	_, err = f.WriteString("mine")
	must(t, errors.Join(err, f.Close()))
	if b, err := os.ReadFile(theirs); err != nil || string(b) != "theirs" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestClearLeavesFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, []byte("x"), 0o644))
	must(t, Clear(path))
	if b, err := Read(path); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	must(t, clearFolder(path)) // it has come in the folder's place
	if b, err := Read(path); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestMakeFolderWhereSomethingElseIs(t *testing.T) {
	for name, put := range others {
		if name == "folder" || name == "full folder" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			put(t, filepath.Join(top, "a"))
			must(t, MakeFolder(top, "a/b"))
			if info, err := os.Stat(filepath.Join(top, "a", "b")); err != nil || !info.IsDir() {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func TestMakeFolderFollowsLinksToFoldersAndTouchesNothingAbove(t *testing.T) {
	top, other := t.TempDir(), t.TempDir()
	must(t, os.Symlink(other, filepath.Join(top, "a")))
	must(t, MakeFolder(top, "a/b"))
	if _, err := os.Stat(filepath.Join(other, "b")); err != nil {
		t.Error(err)
	}
	file := filepath.Join(top, "file")
	must(t, os.WriteFile(file, nil, 0o644))
	if err := MakeFolder(file, "a"); err == nil {
		t.Error("a folder in a file")
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("what is above was removed: %v", err)
	}
}

func TestAFileThatMayNotBeReadGetsItsRightsBack(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	path := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(path, []byte("x"), 0o644))
	must(t, os.Chmod(path, 0))
	if b, err := Read(path); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
}

// Two who make the same folder at once do not take it from each other.
func TestMakeFolderAtOnce(t *testing.T) {
	top := t.TempDir()
	for i := range 300 {
		rel := fmt.Sprint("sha256/", i)
		var all errgroup.Group
		for n := range 4 {
			all.Go(func() error {
				if err := MakeFolder(top, rel); err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(top, rel, fmt.Sprint(n)), nil, 0o644)
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}
