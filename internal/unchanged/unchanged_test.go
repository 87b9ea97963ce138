package unchanged

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/lockfile"
)

// seenFolder is a folder with something of each kind, all of it seen.
func seenFolder(t *testing.T) (dir string, seen *Seen) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"file", "many/1", "many/2", "many/3", "many/4", "many/5", "led-to", "rights/in"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("text"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link": "led-to", "loose": "nothing"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	seen = &Seen{}
	for _, name := range []string{"file", "link", "loose", "absent", "no/where"} {
		seen.Content(filepath.Join(dir, name))
	}
	if err := seen.Tree(filepath.Join(dir, "many")); err != nil {
		t.Fatal(err)
	}
	seen.Rights(filepath.Join(dir, "rights"), "/")
	return dir, seen
}

// later is a time at which everything of a test has been left alone for long enough.
func later() time.Time { return time.Now().Add(time.Second) }

func keep(t *testing.T, c Call, seen *Seen, lock string) {
	t.Helper()
	if err := c.Keep(Run{Began: later(), Lock: lock, Said: []byte("nothing to do\n"), Seen: seen}); err != nil {
		t.Fatal(err)
	}
}

func TestARunIsRepeatedWhileAllIsAsItWas(t *testing.T) {
	write := func(name, text string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644) }
	}
	for name, test := range map[string]struct {
		change func(dir string) error
		want   bool
	}{
		"nothing":                             {func(string) error { return nil }, true},
		"a file beside that nobody looked at": {write("beside", ""), true},
		"a file in a folder of rights":        {write("rights/new", ""), true},
		"a file of a folder of rights":        {write("rights/in", "other"), true},
		"the file itself":                     {write("file", "else"), false},
		"one of many":                         {write("many/5", "else"), false},
		"a file in a folder":                  {write("many/new", ""), false},
		"what a link leads to":                {write("led-to", "else"), false},
		"what a link led to before":           {write("nothing", ""), false},
		"what was not there":                  {write("absent", ""), false},
		"the file, with its old time": {func(dir string) error {
			path := filepath.Join(dir, "file")
			info, err := os.Stat(path)
			return errors.Join(err, os.WriteFile(path, []byte("else"), 0o644), os.Chtimes(path, info.ModTime(), info.ModTime()))
		}, false},
		"the folder of what was not there": {func(dir string) error { return os.MkdirAll(filepath.Join(dir, "no/where"), 0o755) }, false},
		"a file is gone":                   {func(dir string) error { return os.Remove(filepath.Join(dir, "file")) }, false},
		"a folder is gone":                 {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "many")) }, false},
		"a file may be run":                {func(dir string) error { return os.Chmod(filepath.Join(dir, "file"), 0o755) }, false},
		"others may write":                 {func(dir string) error { return os.Chmod(filepath.Join(dir, "rights"), 0o777) }, false},
		"a link leads elsewhere": {func(dir string) error {
			link := filepath.Join(dir, "link")
			return errors.Join(os.Remove(link), os.Symlink("file", link))
		}, false},
		"a file became a folder": {func(dir string) error {
			file := filepath.Join(dir, "file")
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o755))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, seen := seenFolder(t)
			c := Call{Root: t.TempDir(), Program: "mage", Words: []string{"initfs"}, Environ: []string{"A=1"}}
			keep(t, c, seen, filepath.Join(c.Root, "lock"))
			if err := test.change(dir); err != nil {
				t.Fatal(err)
			}
			said, ok := c.Repeat(later())
			if ok != test.want || ok && string(said) != "nothing to do\n" {
				t.Errorf("%v, %q; want %v", ok, said, test.want)
			}
		})
	}
}

func TestOnlyTheSameCallIsRepeated(t *testing.T) {
	root := t.TempDir()
	same := Call{Root: root, Program: "mage", Words: []string{"initfs", "-j=2"}, Environ: []string{"A=1", "B=2", "SHLVL=1"}}
	keep(t, same, &Seen{}, filepath.Join(root, "lock"))
	for name, test := range map[string]struct {
		change func(c *Call)
		want   bool
	}{
		"the same":               {func(*Call) {}, true},
		"one more shell":         {func(c *Call) { c.Environ = []string{"SHLVL=2", "_=/bin/mage", "B=2", "A=1"} }, true},
		"as Mage has it":         {func(c *Call) { c.Environ = append(c.Environ, "MAGEFILE_VERBOSE=0") }, true},
		"verbose":                {func(c *Call) { c.Environ = append(c.Environ, "MAGEFILE_VERBOSE=1") }, false},
		"another variable":       {func(c *Call) { c.Environ = append(c.Environ, "C=") }, false},
		"another value":          {func(c *Call) { c.Environ = []string{"A=1", "B=3", "SHLVL=1"} }, false},
		"a variable less":        {func(c *Call) { c.Environ = []string{"A=1"} }, false},
		"another word":           {func(c *Call) { c.Words = []string{"initfs", "-j=3"} }, false},
		"words joined otherwise": {func(c *Call) { c.Words = []string{"initfs -j=2"} }, false},
		"another program":        {func(c *Call) { c.Program = "other" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := same
			test.change(&c)
			if _, ok := c.Repeat(later()); ok != test.want {
				t.Errorf("%v, want %v", ok, test.want)
			}
		})
	}
}

func TestARecordIsBelievedForAnHour(t *testing.T) {
	c := Call{Root: t.TempDir()}
	keep(t, c, &Seen{}, filepath.Join(c.Root, "lock"))
	for after, want := range map[time.Duration]bool{time.Minute: true, MaxAge + time.Minute: false, -time.Minute: false} {
		if _, ok := c.Repeat(time.Now().Add(after)); ok != want {
			t.Errorf("after %v: %v, want %v", after, ok, want)
		}
	}
}

func TestWhoeverHasTheLockIsWaitedFor(t *testing.T) {
	c := Call{Root: t.TempDir()}
	path := filepath.Join(c.Root, "lock")
	keep(t, c, &Seen{}, path)
	lock, err := lockfile.Try(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Repeat(later()); ok {
		t.Error("repeated while another process has the lock")
	}
	lock.Release()
	if _, ok := c.Repeat(later()); !ok {
		t.Error("not repeated when the lock is free")
	}
}

// What changed during the run, or just before it, may have been seen or not.
func TestWhatHasJustBeenChangedIsNotRecorded(t *testing.T) {
	for _, name := range []string{"file", "link", "loose", "absent", "no/where", "many"} {
		dir, _ := seenFolder(t)
		seen := &Seen{}
		seen.Content(filepath.Join(dir, name))
		c := Call{Root: t.TempDir()}
		if err := c.Keep(Run{Began: time.Now(), Lock: "lock", Seen: seen}); !errors.Is(err, ErrFresh) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := c.Repeat(later()); ok {
			t.Errorf("%s: repeated", name)
		}
	}
}

func TestADamagedRecordIsNone(t *testing.T) {
	dir, seen := seenFolder(t)
	c := Call{Root: t.TempDir()}
	keep(t, c, seen, filepath.Join(dir, "lock"))
	whole, err := os.ReadFile(c.path())
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 5 {
		flipped := append([]byte{}, whole...)
		flipped[i] ^= 0x10
		for _, b := range [][]byte{flipped, whole[:i]} {
			if err := os.WriteFile(c.path(), b, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, ok := c.Repeat(later()); ok {
				t.Fatalf("believed with byte %d of %d damaged, %d left", i, len(whole), len(b))
			}
		}
	}
}

// A record whose sum is right may have been made by another version, or by nobody.
func FuzzRecordsAreRead(f *testing.F) {
	f.Add(record{kept: time.Now(), lock: "/lock", said: []byte("x"), things: []thing{{path: "/a/b"}}}.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parse(b); err == nil {
			r.holds()
		}
		record{body: b}.holds()
	})
}

func TestRecordsThatNobodyBelievesAreRemoved(t *testing.T) {
	old := Call{Root: t.TempDir(), Words: []string{"old"}}
	lock := filepath.Join(old.Root, "lock")
	keep(t, old, &Seen{}, lock)
	before := time.Now().Add(-2 * MaxAge)
	if err := os.Chtimes(old.path(), before, before); err != nil {
		t.Fatal(err)
	}
	young := Call{Root: old.Root, Words: []string{"young"}}
	keep(t, young, &Seen{}, lock)
	again := Call{Root: old.Root, Words: []string{"again"}}
	keep(t, again, &Seen{}, lock)
	entries, err := os.ReadDir(old.folder())
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}
