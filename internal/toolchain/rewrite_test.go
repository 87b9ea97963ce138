package toolchain

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	oldChannel = "nightly-2025-10-03"
	newChannel = "nightly-2026-01-02"
)

// tree makes files in a fresh folder; a text that starts with "->" is a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if to, isLink := strings.CutPrefix(text, "->"); isLink {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(to, path)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		write(t, path, text, 0o644)
	}
	return root
}

// contents reads a tree back in tree's form.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if to, err := os.Readlink(path); err == nil {
			all[name] = "->" + to
			return nil
		}
		data, err := os.ReadFile(path)
		all[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func ownPin(channel string) string {
	return "# the pin\n[toolchain]\nchannel = \"" + channel + "\" # here\n\n[expected]\nrelease = \"1.94.0\"\ncommit = \"aa\"\n"
}

// mark is a byte order mark, as editors put it; rustup passes over it.
const mark = "\xef\xbb\xbf"

func TestRewritePin(t *testing.T) {
	root := tree(t, map[string]string{
		"toolchain.toml":             ownPin(oldChannel),
		"a/rust-toolchain":           oldChannel + "\n",
		"b/rust-toolchain.toml":      "# why\n[toolchain]\n  channel = '" + oldChannel + "' # c\nprofile = \"minimal\"\ntargets = [\"x\"]\nours = 1\n",
		"c/rust-toolchain.toml":      "[toolchain]\npath = \"/opt/rust\"\n",
		"d/rust-toolchain.toml":      "[toolchain]\nchannel = \"" + newChannel + "\"\n",
		"e/rust-toolchain":           "[toolchain]\nchannel = \"" + oldChannel + "\"\n",
		"f/rust-toolchain.toml":      "->../b/rust-toolchain.toml",
		"g/rust-toolchain.toml":      "->../toolchain.toml",
		"h/rust-toolchain.toml":      "->../h.txt",
		"h.txt":                      "[toolchain]\nchannel = \"stable\"\n",
		".git/rust-toolchain":        "not looked at",
		"out/CACHEDIR.TAG":           "cargo's",
		"out/pkg/rust-toolchain":     "not looked at",
		"i/rust-toolchain.toml":      "toolchain = { channel = \"" + oldChannel + "\", components = [\"a\"] }\n",
		"j/rust-toolchain.toml.orig": "not looked at",
		"k/rust-toolchain.toml":      mark + "[toolchain]\nchannel = \"" + oldChannel + "\"\n",
		"l/rust-toolchain":           mark + oldChannel + "\r\n",
	})
	files, err := FindToolchainFiles(root)
	if err != nil || len(files) != 11 {
		t.Fatalf("found %v, %v", files, err)
	}
	changes, err := RewritePin(Repin{Channel: newChannel, Pin: filepath.Join(root, "toolchain.toml"), Files: files})
	if err != nil {
		t.Fatal(err)
	}
	var summary []string
	for _, change := range changes {
		name, _ := filepath.Rel(root, change.Path)
		summary = append(summary, name+" "+change.Old+" "+change.New)
	}
	wantSummary := []string{
		"toolchain.toml " + oldChannel + " " + newChannel,
		"a/rust-toolchain " + oldChannel + " " + newChannel,
		"b/rust-toolchain.toml " + oldChannel + " " + newChannel,
		"c/rust-toolchain.toml path:/opt/rust " + newChannel,
		"e/rust-toolchain " + oldChannel + " " + newChannel,
		"h/rust-toolchain.toml stable " + newChannel,
		"i/rust-toolchain.toml " + oldChannel + " " + newChannel,
		"k/rust-toolchain.toml " + oldChannel + " " + newChannel,
		"l/rust-toolchain " + oldChannel + " " + newChannel,
	}
	if diff := cmp.Diff(wantSummary, summary); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{
		"toolchain.toml":        "# the pin\n[toolchain]\nchannel = \"" + newChannel + "\" # here\n\n[expected]\n",
		"a/rust-toolchain":      newChannel + "\n",
		"b/rust-toolchain.toml": "# why\n[toolchain]\n  channel = '" + newChannel + "' # c\nprofile = \"minimal\"\ntargets = [\"x\"]\nours = 1\n",
		"c/rust-toolchain.toml": "[toolchain]\nchannel = \"" + newChannel + "\"\n",
		"e/rust-toolchain":      "[toolchain]\nchannel = \"" + newChannel + "\"\n",
		"f/rust-toolchain.toml": "->../b/rust-toolchain.toml",
		"g/rust-toolchain.toml": "->../toolchain.toml",
		// A link out to a file nobody asked to change becomes a file.
		"h/rust-toolchain.toml": "[toolchain]\nchannel = \"" + newChannel + "\"\n",
		"h.txt":                 "[toolchain]\nchannel = \"stable\"\n",
		"i/rust-toolchain.toml": "toolchain = { channel = \"" + newChannel + "\", components = [\"a\"] }\n",
		"k/rust-toolchain.toml": mark + "[toolchain]\nchannel = \"" + newChannel + "\"\n",
		"l/rust-toolchain":      mark + newChannel + "\r\n",
	}
	got := contents(t, root)
	for name, text := range want {
		if diff := cmp.Diff(text, got[name]); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	again, err := RewritePin(Repin{Channel: newChannel, Pin: filepath.Join(root, "toolchain.toml"), Files: files})
	if err != nil || len(again) != 0 {
		t.Errorf("a second time: %v, %v", again, err)
	}
}

func TestRewritePinByLinks(t *testing.T) {
	root := tree(t, map[string]string{
		"toolchain/toolchain.toml":  ownPin(newChannel),
		"a/b/rust-toolchain.toml":   "[toolchain]\nchannel = \"stable\"\n",
		"rust-toolchain":            oldChannel + "\n",
		"linked/rust-toolchain":     "->../toolchain/toolchain.toml",
		"misled/rust-toolchain":     "->../rust-toolchain",
		"toolchain/rust-toolchain":  "x\n",
		"toolchain/unrelated.toml~": "",
	})
	files, err := FindToolchainFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	repin := Repin{Channel: newChannel, Pin: filepath.Join(root, "toolchain/toolchain.toml"), Files: files, Link: true}
	changes, err := RewritePin(repin)
	if err != nil || len(changes) != 4 {
		t.Fatalf("%v, %v", changes, err)
	}
	got := contents(t, root)
	for name, want := range map[string]string{
		"a/b/rust-toolchain.toml": "->../../toolchain/toolchain.toml", "rust-toolchain": "->toolchain/toolchain.toml",
		"linked/rust-toolchain": "->../toolchain/toolchain.toml", "misled/rust-toolchain": "->../toolchain/toolchain.toml",
		"toolchain/rust-toolchain": "->toolchain.toml", "toolchain/toolchain.toml": ownPin(newChannel),
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if again, err := RewritePin(repin); err != nil || len(again) != 0 {
		t.Errorf("a second time: %v, %v", again, err)
	}
}

func TestRewritePinNamesEveryBadFileFirst(t *testing.T) {
	root := tree(t, map[string]string{
		"toolchain.toml":          ownPin(oldChannel),
		"a/rust-toolchain":        oldChannel + "\n",
		"bad/rust-toolchain.toml": "[toolchain\n",
		"dir/rust-toolchain/x":    "",
		"odd/rust-toolchain.toml": "toolchain = 3\n",
		"off/rust-toolchain":      "->nowhere",
	})
	before := contents(t, root)
	var files []string
	for _, dir := range []string{"a", "dir", "off"} {
		files = append(files, filepath.Join(root, dir, "rust-toolchain"))
	}
	for _, dir := range []string{"bad", "odd"} {
		files = append(files, filepath.Join(root, dir, "rust-toolchain.toml"))
	}
	_, err := RewritePin(Repin{Channel: newChannel, Pin: filepath.Join(root, "toolchain.toml"), Files: files})
	for _, want := range []string{"/bad/rust-toolchain.toml: 1:11: expected", "dir/rust-toolchain: not a file", "odd/rust-toolchain.toml", "off/rust-toolchain"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	if diff := cmp.Diff(before, contents(t, root)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
	if _, err := RewritePin(Repin{Channel: "nightly"}); err == nil {
		t.Error("a moving channel: no error")
	}
}

func TestRewritePinPutsEverythingBack(t *testing.T) {
	root := tree(t, map[string]string{
		"toolchain.toml": ownPin(oldChannel), "a/rust-toolchain": oldChannel + "\n",
		"b/rust-toolchain": "->../c.txt", "c.txt": "stable\n", "d/rust-toolchain": oldChannel,
	})
	before := contents(t, root)
	files, err := FindToolchainFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := Repin{Channel: newChannel, Pin: filepath.Join(root, "toolchain.toml"), Files: files}.Plan()
	if err != nil || len(changes) != 4 {
		t.Fatalf("%v, %v", changes, err)
	}
	full := errors.New("no space left on device")
	err = apply(changes, func(change *Change) error {
		if strings.Contains(change.Path, "/d/") {
			return full
		}
		return change.write()
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "nothing is changed") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, contents(t, root)); diff != "" {
		t.Errorf("not put back:\n%s", diff)
	}
}

func TestFileChannel(t *testing.T) {
	root := tree(t, map[string]string{
		"1/rust-toolchain": "nightly\n", "2/rust-toolchain": "# c\n[toolchain]\n\nchannel = \"beta\"\n",
		"3/rust-toolchain.toml": "[toolchain]\npath = \"/x\"\n", "4/rust-toolchain.toml": "nightly\n", "5/rust-toolchain.toml": "",
	})
	for _, test := range []struct {
		file, channel string
		line          int
		bad           bool
	}{
		{"1/rust-toolchain", "nightly", 1, false}, {"2/rust-toolchain", "beta", 4, false}, {"3/rust-toolchain.toml", "path:/x", 2, false},
		{"4/rust-toolchain.toml", "", 0, true}, {"5/rust-toolchain.toml", "", 1, false}, {"6/rust-toolchain", "", 0, true},
	} {
		channel, line, err := FileChannel(filepath.Join(root, test.file))
		if channel != test.channel || line != test.line || (err != nil) != test.bad {
			t.Errorf("%s: %q, %d, %v", test.file, channel, line, err)
		}
	}
}
