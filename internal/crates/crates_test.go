package crates

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

const sumOfA, sumOfB = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

const lockText = `version = 4
[[package]]
name = "own"
version = "0.1.0"
dependencies = ["a", "b", "g"]
[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "` + sumOfA + `"
[[package]]
name = "b"
version = "2.0.0+x"
source = "sparse+https://crates.example.org/index/"
checksum = "` + sumOfB + `"
[[package]]
name = "g"
version = "0.3.0"
source = "git+https://git.example.org/g.git?branch=next#0123456789abcdef0123456789abcdef01234567"
[[package]]
name = "h"
version = "0.4.0"
source = "git+https://git.example.org/g.git?branch=next#0123456789abcdef0123456789abcdef01234567"
`

func readLock(t *testing.T, text string) *Lock {
	t.Helper()
	lock, err := ReadLock([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func TestALockNamesWhatComesFromElsewhere(t *testing.T) {
	lock := readLock(t, lockText)
	if len(lock.Crates) != 2 || lock.Crates[0].Folder() != "registry/a-1.0.0" || lock.Crates[1].SHA256 != sumOfB {
		t.Errorf("crates: %+v", lock.Crates)
	}
	if len(lock.Repositories) != 1 || len(lock.Repositories[0].Packages) != 2 || lock.Repositories[0].URL != "https://git.example.org/g.git" {
		t.Errorf("repositories: %+v", lock.Repositories)
	}
}

// As cargos before 1.41 wrote it.
func TestChecksumsOfOldLocksAreFound(t *testing.T) {
	lock := readLock(t, "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n"+
		"[metadata]\n\"checksum a 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)\" = \""+sumOfA+"\"\n")
	if len(lock.Crates) != 1 || lock.Crates[0].SHA256 != sumOfA {
		t.Errorf("%+v", lock)
	}
}

// A lock is part of a source, which is anybody's text: nothing of it may lead out of the folder.
func TestHostileLocksAreRefused(t *testing.T) {
	for _, c := range [][2]string{
		{`name = "a"`, `name = "../a"`}, {`version = "1.0.0"`, `version = "/../../x"`}, {`name = "h"`, `name = ""`},
		{sumOfA, "../../../etc/passwd"}, {sumOfA, ""}, {`name = "a"`, `name = "-a"`}, {`version = "0.4.0"`, `version = "a\u0000b"`},
	} {
		if _, err := ReadLock([]byte(strings.Replace(lockText, c[0], c[1], 1))); err == nil || !strings.Contains(err.Error(), "Cargo.lock") {
			t.Errorf("%q in place of %q: %v", c[1], c[0], err)
		}
	}
}

func TestEverySourceOfTheLockIsReplaced(t *testing.T) {
	var config struct {
		Source map[string]map[string]string
	}
	lock := readLock(t, lockText)
	if _, err := toml.Decode(lock.Config("vendor", map[string]string{"own": "sparse+https://x/"}), &config); err != nil {
		t.Fatal(err)
	}
	for source, settings := range map[string]map[string]string{
		"crates-io": {}, "sparse+https://crates.example.org/index/": {"registry": "sparse+https://crates.example.org/index/"},
		"git+https://git.example.org/g.git?branch=next": {"git": "https://git.example.org/g.git", "branch": "next"},
	} {
		got := config.Source[source]
		for key, want := range settings {
			if got[key] != want {
				t.Errorf("%s: %s is %q", source, key, got[key])
			}
		}
		if dir := config.Source[got["replace-with"]]["directory"]; !strings.HasPrefix(dir, "vendor/") {
			t.Errorf("%s is replaced by %q, which is in %q", source, got["replace-with"], dir)
		}
	}
	if text := lock.FetchConfig("vendor"); strings.Contains(text, "crates-io") || !strings.Contains(text, "branch=next") {
		t.Errorf("to fetch:\n%s", text)
	}
}

func TestWhatOnlyTestsUseIsNotNeeded(t *testing.T) {
	output := "warning: something\n" + `{"packages":[{"id":"own","name":"own","version":"0.1.0","source":null},{"id":"other","name":"other","version":"0.1.0","source":null},` +
		`{"id":"a","name":"a","version":"1.0.0","source":"registry+https://github.com/rust-lang/crates.io-index"},` +
		`{"id":"b","name":"b","version":"2.0.0+x","source":"sparse+https://crates.example.org/index/"}],"workspace_members":["own","other"],` +
		`"resolve":{"nodes":[{"id":"own","deps":[{"pkg":"a","dep_kinds":[{"kind":null}]}]},{"id":"other","deps":[{"pkg":"b","dep_kinds":[{"kind":"dev"},{"kind":"build"}]}]},` +
		`{"id":"a","deps":[{"pkg":"b","dep_kinds":[{"kind":"dev"}]}]},{"id":"b","deps":[]}]}}` + "\n"
	for _, c := range []struct {
		packages []string
		want     []string
	}{{[]string{"own"}, []string{"a"}}, {[]string{"other"}, []string{"b"}}, {nil, []string{"a", "b"}}, {[]string{"own", "unknown"}, []string{"a", "b"}}} {
		needed, err := readLock(t, lockText).Needed([]byte(output), c.packages)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for crate := range needed {
			names = append(names, crate.Name)
		}
		if slices.Sort(names); !slices.Equal(names, c.want) {
			t.Errorf("%q: %q", c.packages, names)
		}
	}
	for _, output := range []string{"", "{}", "error: no"} {
		if _, err := readLock(t, lockText).Needed([]byte(output), nil); err == nil {
			t.Errorf("%q is an answer", output)
		}
	}
}

func TestAStubKeepsWhatCargoResolvesWith(t *testing.T) {
	text, err := Stub([]byte(`
[package]
name = "a"
version = "1.0.0"
links = "z"
build = "build.rs"
[lib]
name = "other"
proc-macro = true
[[bin]]
name = "x"
[features]
std = ["b/std", "dep:c"]
test = ["d/all"]
[dependencies.b]
version = "1"
[dev-dependencies.d]
version = "1"
[target.'cfg(windows)'.dependencies.c]
version = "2"
optional = true
[profile.release]
lto = true
`))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := toml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if keys, want := slices.Sorted(maps.Keys(got)), []string{"dependencies", "dev-dependencies", "features", "lib", "package", "target"}; !slices.Equal(keys, want) {
		t.Errorf("%q", keys)
	}
	for _, want := range []string{`path = "` + StubSource + `"`, "proc-macro = true", "build = false", `std = ["b/std", "dep:c"]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "links") {
		t.Error("links wants a build script")
	}
	if _, err := Stub([]byte("[workspace]\n")); err == nil {
		t.Error("a workspace is no package")
	}
}

func TestAMemberKeepsTheKeysOfItsWorkspace(t *testing.T) {
	tree := t.TempDir()
	for name, text := range map[string]string{
		"Cargo.toml":            "[workspace]\nmembers = [\"crates/*\"]\n[workspace.package]\nversion = \"0.4.0\"\n[workspace.dependencies]\na = \"1\"\n",
		"crates/h/Cargo.toml":   "[package]\nname = \"h\"\nversion.workspace = true\n[dependencies]\na.workspace = true\n",
		"crates/h/t/Cargo.toml": "[package]\nname = \"h\"\n",
		"crates/g/Cargo.toml":   "[package]\nname = \"g\"\n[workspace]\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Find(tree)
	if err != nil || !maps.Equal(found, map[string]string{"h": "crates/h", "g": "crates/g"}) {
		t.Fatalf("%v, %v", found, err)
	}
	for name, want := range map[string]string{"h": "version = \"0.4.0\"", "g": "[workspace]"} {
		if err := Complete(tree, found[name]); err != nil {
			t.Fatal(err)
		}
		text, _ := os.ReadFile(filepath.Join(tree, found[name], "Cargo.toml"))
		var any map[string]any
		if err := toml.Unmarshal(text, &any); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		if sums, _ := os.ReadFile(filepath.Join(tree, found[name], ChecksumName)); string(sums) != GitChecksum {
			t.Errorf("%s: %q", name, sums)
		}
	}
}
