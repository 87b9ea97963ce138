package pkgar

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/test/upstream"
)

// throughputM compares speeds: go test ./internal/pkgar -run Throughput -throughput=500, with REDOX_TEST_E2E=1.
var throughputM = flag.Int("throughput", 0, "compare create and extract with the pkgar tool on this many `MiB`")

// pkgarTools are the versions of the tool that we are compared with. Version 0.1 knows neither compression nor architectures.
var pkgarTools = []struct {
	name       string
	packagings []Packaging
}{{"pkgar", packagings}, {"pkgar-0.1", packagings[:1]}}

func run(t testing.TB, tool string, args ...string) string {
	t.Helper()
	out, err := exec.Command(tool, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// upstreamKeys writes our test key as files, which the tool then uses.
func upstreamKeys(t testing.TB) (secret, public string) {
	t.Helper()
	dir := t.TempDir()
	secret, public = filepath.Join(dir, "id_ed25519.toml"), filepath.Join(dir, "id_ed25519.pub.toml")
	if err := WriteKeyFiles(secret, public, testKey(t, 1), rand.Reader, nil); err != nil {
		t.Fatal(err)
	}
	return secret, public
}

// eachTool runs a test for every version of the tool and what it can pack.
func eachTool(t *testing.T, test func(t *testing.T, tool string, p Packaging)) {
	for _, v := range pkgarTools {
		for _, p := range v.packagings {
			t.Run(v.name+" "+p.String(), func(t *testing.T) { test(t, upstream.Path(t, v.name), p) })
		}
	}
}

func createArgs(secret, archive, dir string, p Packaging) []string {
	args := []string{"create", "--skey", secret, "--archive", archive, dir}
	if p == LZMA2 {
		args = append(args, "--compress")
	}
	return args
}

func TestUpstreamReadsOurs(t *testing.T) {
	_, public := upstreamKeys(t)
	dir := sampleTree(t)
	eachTool(t, func(t *testing.T, tool string, p Packaging) {
		file, to := filepath.Join(t.TempDir(), "ours.pkgar"), t.TempDir()
		if _, err := CreateFile(context.Background(), file, dir, CreateOptions{Key: testKey(t, 1), Packaging: p}); err != nil {
			t.Fatal(err)
		}
		run(t, tool, "extract", "--pkey", public, "--archive", file, to)
		// The tool writes with open's mode and so never sets the setuid bit of a file that it writes to afterwards.
		if diff := cmp.Diff(withoutSetuid(listTree(t, dir)), withoutSetuid(listTree(t, to))); diff != "" {
			t.Errorf("the tool extracts ours (-want +got):\n%s", diff)
		}
	})
}

func withoutSetuid(list []string) []string {
	for i := range list {
		list[i] = strings.Replace(list[i], "urwx", "-rwx", 1)
	}
	return list
}

func TestUpstreamWritesOurs(t *testing.T) {
	secret, _ := upstreamKeys(t)
	dir := sampleTree(t)
	eachTool(t, func(t *testing.T, tool string, p Packaging) {
		file, to := filepath.Join(t.TempDir(), "theirs.pkgar"), filepath.Join(t.TempDir(), "x")
		run(t, tool, createArgs(secret, file, dir, p)...)
		key := testKey(t, 1).Public()
		a, err := OpenFile(file, Options{Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if _, err := a.Verify(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := a.Extract(context.Background(), to, noSync); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(listTree(t, dir), listTree(t, to)); diff != "" {
			t.Errorf("we extract the tool's (-want +got):\n%s", diff)
		}
		if p != Raw {
			return
		}
		ours := &lockedBuffer{lock: make(chan struct{}, 1)}
		if _, err := Create(context.Background(), ours, dir, CreateOptions{Key: testKey(t, 1)}); err != nil {
			t.Fatal(err)
		}
		if string(mustRead(t, file)) != string(ours.b) {
			t.Error("the tool's raw archive of the same tree has other bytes than ours")
		}
	})
}

// TestUpstreamRefuses checks that the tool refuses our archives after a change, so that the tests above mean something.
func TestUpstreamRefuses(t *testing.T) {
	tool := upstream.Path(t, "pkgar")
	_, public := upstreamKeys(t)
	for _, at := range []int{0, flagsAt + 1, HeaderSize + 60, HeaderSize + 3*EntrySize + 5} {
		data := badSample(t, Raw)
		data[at] ^= 1
		file := filepath.Join(t.TempDir(), "bad.pkgar")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, "extract", "--pkey", public, "--archive", file, t.TempDir()).CombinedOutput(); err == nil {
			t.Errorf("the tool accepts a change of byte %d: %s", at, out)
		}
	}
}

func TestUpstreamKeys(t *testing.T) {
	tool := upstream.Path(t, "pkgar-keys")
	for _, pass := range []string{"", "correct horse"} {
		t.Run("passphrase "+pass, func(t *testing.T) {
			dir := t.TempDir()
			secret, public := filepath.Join(dir, "s.toml"), filepath.Join(dir, "p.toml")
			out, err := runTerminal(tool, []string{pass, pass}, "--skey", secret, "gen", "--pkey", public)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			key, err := ParseSecretKey(mustRead(t, secret), phrase(pass))
			if err != nil {
				t.Fatal(err)
			}
			if string(key.Public().TOML()) != string(mustRead(t, public)) {
				t.Errorf("public key is %v, the tool wrote %s", key.Public(), mustRead(t, public))
			}
			ours := filepath.Join(dir, "ours.toml")
			if err := WriteKeyFiles(ours, filepath.Join(dir, "ours.pub.toml"), testKey(t, 1), rand.Reader, []byte(pass)); err != nil {
				t.Fatal(err)
			}
			exported := filepath.Join(dir, "exported.toml")
			var answers []string
			if pass != "" {
				answers = []string{pass}
			}
			if out, err := runTerminal(tool, answers, "--skey", ours, "export", "--file", exported); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if string(mustRead(t, exported)) != string(testKey(t, 1).Public().TOML()) {
				t.Errorf("the tool takes our key for %s", mustRead(t, exported))
			}
		})
	}
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// runTerminal runs a program that asks for passphrases, which it does on a terminal only.
func runTerminal(tool string, answers []string, args ...string) (string, error) {
	master, slave, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer master.Close()
	cmd := exec.Command(tool, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Start(); err != nil {
		return "", errors.Join(err, slave.Close())
	}
	if err := slave.Close(); err != nil {
		return "", err
	}
	done := make(chan string)
	asked := make(chan struct{}, 100)
	go func() {
		var all strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			all.Write(buf[:n])
			for range strings.Count(string(buf[:n]), ": ") {
				asked <- struct{}{}
			}
			if err != nil {
				done <- all.String()
				return
			}
		}
	}()
	for _, answer := range answers {
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
		}
		time.Sleep(50 * time.Millisecond) // the tool switches the echo off after the question
		if _, err := master.WriteString(answer + "\n"); err != nil {
			return "", err
		}
	}
	err = cmd.Wait()
	return <-done, err
}

// TestThroughput prints how long both need for the same tree, once more than measured for warm caches.
func TestThroughput(t *testing.T) {
	if *throughputM == 0 {
		t.Skip("needs -throughput=MIB")
	}
	tool := upstream.Path(t, "pkgar")
	secret, public := upstreamKeys(t)
	dir := throughputTree(t, *throughputM<<20)
	for _, p := range packagings {
		t.Run(p.String(), func(t *testing.T) {
			theirs, ours := filepath.Join(t.TempDir(), "theirs.pkgar"), filepath.Join(t.TempDir(), "ours.pkgar")
			args := createArgs(secret, theirs, dir, p)
			// Replacing a file costs extra on some file systems, and only we do that by renaming.
			fresh := func(name string) {
				if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			theirCreate := best(p, func() {
				fresh(theirs)
				run(t, tool, args...)
			})
			ourCreate := best(p, func() {
				fresh(ours)
				if _, err := CreateFile(context.Background(), ours, dir, CreateOptions{Key: testKey(t, 1), Packaging: p, NoSync: true}); err != nil {
					t.Fatal(err)
				}
			})
			theirExtract := best(p, func() { run(t, tool, "extract", "--pkey", public, "--archive", theirs, t.TempDir()) })
			ourExtract := best(p, func() {
				key := testKey(t, 1).Public()
				a, err := OpenFile(theirs, Options{Key: &key})
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				if _, err := a.Extract(context.Background(), t.TempDir(), noSync); err != nil {
					t.Fatal(err)
				}
			})
			t.Logf("create:  theirs %v (%d bytes), ours %v (%d bytes)", theirCreate, fileSize(t, theirs), ourCreate, fileSize(t, ours))
			t.Logf("extract: theirs %v, ours %v", theirExtract, ourExtract)
			t.Logf("peak memory of this process: %d MiB", peakMemory()>>20)
			if ourCreate > theirCreate || ourExtract > theirExtract {
				t.Error("slower than the tool")
			}
		})
	}
}

func best(p Packaging, do func()) time.Duration {
	runs := 3
	if p == LZMA2 {
		runs = 1
	}
	var fastest time.Duration
	for range runs {
		start := time.Now()
		do()
		if d := time.Since(start); fastest == 0 || d < fastest {
			fastest = d
		}
	}
	return fastest.Round(time.Millisecond)
}

func fileSize(t testing.TB, name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// throughputTree is made of what the Go installation has: programs, text, and thousands of small files.
func throughputTree(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	root := strings.TrimSpace(run(t, "go", "env", "GOROOT"))
	for _, sub := range []string{"bin", "pkg", "src"} {
		err := filepath.WalkDir(filepath.Join(root, sub), func(name string, d fs.DirEntry, err error) error {
			if err != nil || size <= 0 || !d.Type().IsRegular() {
				return err
			}
			rel, _ := filepath.Rel(root, name)
			n, err := copyFile(filepath.Join(dir, rel), name)
			size -= int(n)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// copyFile copies piece by piece: the memory of this process is measured.
func copyFile(to, from string) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, err
	}
	out, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	return n, errors.Join(err, out.Close())
}
