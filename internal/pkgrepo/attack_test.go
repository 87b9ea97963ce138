package pkgrepo

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo/signedindex"
)

// replaced makes dir a copy of another folder.
func replaced(t *testing.T, dir, by string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(by))); err != nil {
		t.Fatal(err)
	}
}

// copyOf is a copy of a folder.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	replaced(t, to, dir)
	return to
}

// again is a client with the memory of another, as the next run has it.
func again(t *testing.T, c *Client, change func(*Config)) *Client {
	t.Helper()
	config := c.config
	config.Repos = append([]Repo{}, config.Repos...)
	if change != nil {
		change(&config)
	}
	next, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func downgrade(c *Config) { c.Downgrade = true }

// reword changes a file of a repository's target by replacing words.
func reword(t *testing.T, dir, file string, oldNew ...string) {
	t.Helper()
	name := filepath.Join(dir, target, file)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(oldNew...).Replace(string(data))
	if changed == string(data) {
		t.Fatalf("%s has none of %q: %s", file, oldNew, data)
	}
	write(t, name, changed)
}

// twoStates is a repository with the two states it had: vim 1 and vim 2, and game.
func twoStates(t *testing.T, signed bool, versions ...string) (old, recent string) {
	t.Helper()
	recent = t.TempDir()
	publish(t, recent, 1, textPkg(t, "game", "7", "bin/game", "game"), textPkg(t, "vim", versions[0], "bin/vim", "vulnerable"))
	old = copyOf(t, recent)
	publish(t, recent, 1, textPkg(t, "vim", versions[1], "bin/vim", "fixed"))
	if !signed {
		unsigned(t, old)
		unsigned(t, recent)
	}
	return old, recent
}

// A server that shows an earlier state, all of it genuine, is refused, whether versions have an order or not, and also by who asks for
// nothing else than before. What -downgrade takes, it takes once.
func TestReplay(t *testing.T) {
	for name, test := range map[string]struct {
		signed   bool
		versions []string
	}{
		"signed, versions": {true, []string{"1.0.0", "2.0.0"}}, "signed, commits": {true, []string{"git-b", "git-a"}},
		"unsigned, versions": {false, []string{"1.0.0", "2.0.0"}}, "unsigned, commits": {false, []string{"git-b", "git-a"}},
	} {
		t.Run(name, func(t *testing.T) {
			old, recent := twoStates(t, test.signed, test.versions...)
			dir := copyOf(t, old)
			c := testClient(t, nil, dir)
			if _, err := fetchAll(c, "vim"); err != nil {
				t.Fatal(err)
			}
			replaced(t, dir, recent)
			if _, err := fetchAll(again(t, c, nil), "vim"); err != nil {
				t.Fatal(err)
			}
			replaced(t, dir, old)
			for range 2 {
				_, err := fetchAll(again(t, c, nil), "vim")
				var index *IndexError
				var order *OrderError
				if test.signed && !(errors.As(err, &index) && index.Downgrade) || !test.signed && !(errors.As(err, &order) && order.Downgrade) {
					t.Errorf("error %v", err)
				}
				fetched, err := fetchAll(again(t, c, downgrade), "vim")
				if err != nil || fetched[0].Version != test.versions[0] {
					t.Errorf("-downgrade: %v, %v", fetched, err)
				}
			}
			replaced(t, dir, recent)
			if _, err := fetchAll(again(t, c, nil), "vim"); err != nil {
				t.Errorf("the newest again: %v", err)
			}
		})
	}
}

// What was seen is not forgotten when a file of it is damaged, in any way, and the next run writes it anew.
func TestDamagedMemory(t *testing.T) {
	damages := map[string]func(path string) error{
		"gone":     os.Remove,
		"empty":    func(p string) error { return os.Truncate(p, 0) },
		"cut":      func(p string) error { return os.Truncate(p, 100) },
		"a folder": func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o755)) },
		"a link":   func(p string) error { return errors.Join(os.Remove(p), os.Symlink("nowhere", p)) },
		"a bit off": func(p string) error {
			data, err := os.ReadFile(p)
			data[150] ^= 1
			return errors.Join(err, os.WriteFile(p, data, 0o644))
		},
	}
	old, recent := twoStates(t, true, "1", "2")
	for name, damage := range damages {
		for _, copied := range []bool{false, true} {
			dir := copyOf(t, recent)
			c := testClient(t, nil, dir)
			if _, err := fetchAll(c, "vim"); err != nil {
				t.Fatal(err)
			}
			file := c.trust.File("repo0")
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if copied {
				file += ".copy"
			}
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			replaced(t, dir, old)
			if _, err := fetchAll(again(t, c, nil), "vim"); !errors.As(err, new(*IndexError)) {
				t.Errorf("%s: error %v", name, err)
			}
			replaced(t, dir, recent)
			if _, err := fetchAll(again(t, c, nil), "vim"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var was, is struct{ Content json.RawMessage }
			after, err := os.ReadFile(file)
			if err := errors.Join(err, json.Unmarshal(before, &was), json.Unmarshal(after, &is)); err != nil || !bytes.Equal(was.Content, is.Content) {
				t.Errorf("%s: afterwards %s, %v", name, after, err)
			}
		}
	}
}

// With both copies damaged nothing is believed, and the way out is named.
func TestLostMemory(t *testing.T) {
	c := testClient(t, nil, sample(t, 1))
	if _, err := fetchAll(c, "libc"); err != nil {
		t.Fatal(err)
	}
	file := c.trust.File("repo0")
	for _, f := range []string{file, file + ".copy"} {
		write(t, f, "{")
	}
	if _, err := fetchAll(again(t, c, nil), "libc"); err == nil || !strings.Contains(err.Error(), "rm -rf") {
		t.Errorf("error %v", err)
	}
}

// What a server without the key can do to a signed index, at the first contact or later. None of it gets anything wrong installed: it is
// refused, or what is forged is not looked at.
func TestForgedIndex(t *testing.T) {
	index := filepath.Join(target, signedindex.FileName)
	strangers := sample(t, 2)
	tests := map[string]struct {
		forge func(t *testing.T, dir string)
		first bool // already the first contact is safe
		fails bool
	}{
		"taken away": {func(t *testing.T, dir string) { unsigned(t, dir) }, false, true},
		"by another key": {func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(strangers, index))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, index), string(data))
		}, true, true},
		"payload":       {func(t *testing.T, dir string) { reword(t, dir, signedindex.FileName, `"payload":"e`, `"payload":"f`) }, true, true},
		"type":          {func(t *testing.T, dir string) { reword(t, dir, signedindex.FileName, "index.v1+json", "index.v2+json") }, true, true},
		"no signatures": {func(t *testing.T, dir string) { reword(t, dir, signedindex.FileName, `"sig":"`, `"gis":"`) }, true, true},
		"a page":        {func(t *testing.T, dir string) { write(t, filepath.Join(dir, index), "<html>") }, true, true},
		"huge": {func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, index), maxIndex+1); err != nil {
				t.Fatal(err)
			}
		}, true, true},
		"a description": {func(t *testing.T, dir string) {
			reword(t, dir, "libc.toml", `version = "1.0"`, `version = "99"`, `depends = []`, `depends = ["a"]`)
		}, true, false},
		"the list": {func(t *testing.T, dir string) { reword(t, dir, "repo.toml", "libc", "cbil") }, true, false},
		"an archive": {func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, target, "a.pkgar"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, target, "libc.pkgar"), string(data))
		}, true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := sample(t, 1)
			honest := testClient(t, nil, dir)
			if _, err := honest.Resolve(bg, []Name{"libc"}, nil); err != nil {
				t.Fatal(err)
			}
			test.forge(t, dir)
			for _, first := range []bool{false, true} {
				c := again(t, honest, nil)
				if first && !test.first {
					continue
				} else if first {
					c = testClient(t, nil, dir)
				}
				fetched, err := fetchAll(c, "libc")
				if (err != nil) != test.fails {
					t.Errorf("first contact %t: error %v", first, err)
				}
				if err == nil && (len(fetched) != 1 || fetched[0].Version != "1.0") {
					t.Errorf("first contact %t: %v", first, fetched)
				}
			}
		})
	}
}

// The index vouches for all bytes of an archive: one of the same files, by the same key, for another machine is another one.
func TestSameTableOtherArchive(t *testing.T) {
	dir, one := t.TempDir(), pkg(t, "vim")
	publish(t, dir, 1, one)
	opt := pkgar.CreateOptions{Key: testKey(t, 1), Arch: pkgar.ArchX86_64, NoSync: true}
	if _, err := pkgar.CreateFile(bg, filepath.Join(dir, target, "vim.pkgar"), one.Tree, opt); err != nil {
		t.Fatal(err)
	}
	if _, err := fetchAll(testClient(t, nil, dir), "vim"); err == nil || !strings.Contains(err.Error(), "the signed index says") {
		t.Errorf("error %v", err)
	}
}

// An index of the same serial with other content is refused: of two that were signed by mistake, or by a thief, one is wrong.
func TestSameSerial(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	publish(t, dir, 1, pkg(t, "vim"))
	write(t, filepath.Join(other, idFile), idOf(t, dir))
	publish(t, other, 1, textPkg(t, "vim", "3", "bin/vim", "other"))
	c := testClient(t, nil, dir)
	if _, err := fetchAll(c, "vim"); err != nil {
		t.Fatal(err)
	}
	replaced(t, dir, other)
	for _, change := range []func(*Config){nil, downgrade} {
		if _, err := fetchAll(again(t, c, change), "vim"); err == nil || !strings.Contains(err.Error(), "other content than the index of the same serial") {
			t.Errorf("error %v", err)
		}
	}
}

// idOf is the identity of a repository.
func idOf(t *testing.T, dir string) string {
	t.Helper()
	x, err := indexIn(filepath.Join(dir, target), target, testKey(t, 1).Public())
	if err != nil || x.Repository == "" {
		t.Fatal(x, err)
	}
	return x.Repository
}

// Two repositories of one key: what a mirror gives of the one is not taken for the other, whatever its serial is, also where the identity is
// known and the repository is not, and without a network.
func TestRepositoriesOfOneKeyAreNotSwapped(t *testing.T) {
	stable, nightly := t.TempDir(), t.TempDir()
	publish(t, stable, 1, textPkg(t, "vim", "1", "bin/vim", "stable"))
	if _, err := Publish(bg, nightly, target, testKey(t, 1), testNow.Add(time.Hour), []Publishing{textPkg(t, "vim", "2", "bin/vim", "nightly")}); err != nil {
		t.Fatal(err)
	}
	id := idOf(t, stable)
	known := func(c *Config) { c.Repos[0].ID = id }
	for name, test := range map[string]struct {
		swap   func(t *testing.T, dir string)
		change func(*Config)
		first  bool
		want   string
	}{
		"the same":               {func(*testing.T, string) {}, known, true, ""},
		"after the first":        {func(t *testing.T, dir string) { replaced(t, dir, nightly) }, nil, false, "another repository with the same key"},
		"after, with -downgrade": {func(t *testing.T, dir string) { replaced(t, dir, nightly) }, downgrade, false, "another repository with the same key"},
		"at first":               {func(t *testing.T, dir string) { replaced(t, dir, nightly) }, known, true, "which the repository's id wants"},
		"no index":               {func(t *testing.T, dir string) { unsigned(t, dir) }, known, true, "the repository's id needs one"},
		"not an id":              {func(*testing.T, string) {}, func(c *Config) { c.Repos[0].ID = "stable" }, true, "is not the identity of a repository"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, stable)
			c := testClient(t, nil, dir)
			if !test.first {
				if _, err := fetchAll(c, "vim"); err != nil {
					t.Fatal(err)
				}
			}
			test.swap(t, dir)
			config := c.config
			config.Repos = []Repo{c.config.Repos[0]}
			if test.change != nil {
				test.change(&config)
			}
			next, err := New(config)
			if err == nil {
				_, err = fetchAll(next, "vim")
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v", err)
			}
		})
	}
	c := testClient(t, nil, nightly)
	if _, err := fetchAll(c, "vim"); err != nil {
		t.Fatal(err)
	}
	offline := again(t, c, func(c *Config) { c.Offline, c.Repos[0].ID = true, id })
	if _, err := fetchAll(offline, "vim"); err == nil || !strings.Contains(err.Error(), "not of "+id) {
		t.Errorf("offline: %v", err)
	}
}

// A repository stays who it is: for another target, when its index is lost, and when the file beside it is.
func TestRepositoryStaysWhoItIs(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, 1, pkg(t, "vim"))
	id := idOf(t, dir)
	again := func(what, target string) {
		t.Helper()
		done, err := Publish(bg, dir, target, testKey(t, 1), testNow, []Publishing{pkg(t, "vim")})
		if err != nil || done.ID != id {
			t.Errorf("%s: %v, %v, not %s", what, done, err, id)
		}
	}
	unsigned(t, dir)
	again("the index is lost", target)
	if err := os.Remove(filepath.Join(dir, idFile)); err != nil {
		t.Fatal(err)
	}
	again("its file is lost", target)
	again("another target", "x86_64-unknown-redox")
	// An index of a version that gave none gets one without another change.
	x, err := indexIn(filepath.Join(dir, target), target, testKey(t, 1).Public())
	if err != nil {
		t.Fatal(err)
	}
	x.Repository = ""
	data, err := x.Sign(testKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, target, signedindex.FileName), string(data))
	again("an index of an earlier version", target)
	if idOf(t, dir) != id {
		t.Error("it has none afterwards")
	}
}

// The next location is asked when one has an old index, or none, or a forged one.
func TestStaleMirror(t *testing.T) {
	old, recent := twoStates(t, true, "1", "2")
	for name, mirror := range map[string]string{"old": old, "stripped": unsigned(t, copyOf(t, recent)), "strangers": func() string {
		d := copyOf(t, recent)
		reword(t, d, signedindex.FileName, `"payload":"e`, `"payload":"f`)
		return d
	}()} {
		dir := copyOf(t, recent)
		c := testClient(t, nil, dir)
		if _, err := fetchAll(c, "game"); err != nil {
			t.Fatal(err)
		}
		next := again(t, c, func(config *Config) { config.Repos[0].URL, config.Repos[0].Mirrors = mirror, []string{dir} })
		if fetched, err := fetchAll(next, "vim"); err != nil || fetched[0].Version != "2" {
			t.Errorf("%s: %v, %v", name, fetched, err)
		}
	}
}

// In upstream's form, the archive of one package is not taken for another: not when both are wanted, not when the list has it under
// another name, and not when it was seen before.
func TestOneArchiveTwoNames(t *testing.T) {
	forge := func(t *testing.T, dir string, depends string) {
		t.Helper()
		game := hashOf(t, dir, "game")
		reword(t, dir, "vim.toml", hashOf(t, dir, "vim"), game, `version = "1"`, `version = "99"`, "depends = []", "depends = ["+depends+"]")
		data, err := os.ReadFile(filepath.Join(dir, target, "game.pkgar"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, target, "vim.pkgar"), string(data))
	}
	for name, test := range map[string]struct {
		before  bool // game was fetched before
		depends string
		after   func(dir string) error
	}{
		"both wanted":  {false, `"game"`, func(dir string) error { return os.Remove(filepath.Join(dir, target, "repo.toml")) }},
		"listed":       {false, "", func(string) error { return nil }},
		"seen before":  {true, "", func(dir string) error { return os.Remove(filepath.Join(dir, target, "repo.toml")) }},
		"another list": {true, "", func(dir string) error { return os.WriteFile(filepath.Join(dir, target, "repo.toml"), nil, 0o644) }},
	} {
		dir, _ := twoStates(t, false, "1", "2")
		c := testClient(t, nil, dir)
		if test.before {
			if _, err := fetchAll(c, "game"); err != nil {
				t.Fatal(err)
			}
		}
		forge(t, dir, test.depends)
		if err := test.after(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := fetchAll(again(t, c, nil), "vim"); err == nil || !strings.Contains(err.Error(), "one archive does not serve two names") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	// Archives without a file are all the same, and harm nobody.
	dir := t.TempDir()
	publish(t, dir, 1, Publishing{Name: "a", Version: "1", Tree: t.TempDir(), Depends: []Name{"b"}}, Publishing{Name: "b", Version: "1", Tree: t.TempDir()})
	if _, err := fetchAll(testClient(t, nil, unsigned(t, dir)), "a"); err != nil {
		t.Error(err)
	}
}

func hashOf(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, target, name+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePackage(data)
	if err != nil {
		t.Fatal(err)
	}
	return p.Blake3
}

// Of several repositories, none takes over a name of another, also when that does not have the package any more. Who names one
// repository means it, and has it from there from then on.
func TestNameStaysWithItsKey(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	publish(t, first, 1, textPkg(t, "sudo", "1", "bin/sudo", "sudo"))
	publish(t, second, 2, textPkg(t, "sudo", "9", "bin/sudo", "another"), textPkg(t, "game", "1", "bin/game", "game"))
	c := testClient(t, nil, first, second)
	if _, err := fetchAll(c, "sudo", "game"); err != nil {
		t.Fatal(err)
	}
	both := again(t, c, func(config *Config) { config.Repos[0], config.Repos[1] = config.Repos[1], config.Repos[0] })
	var changed *NameError
	if _, err := fetchAll(both, "sudo"); !errors.As(err, &changed) || changed.Before.Repo != "repo0" {
		t.Errorf("asked first: %v", err)
	}
	alone := again(t, c, func(config *Config) { config.Repos = config.Repos[1:] })
	if _, err := fetchAll(alone, "sudo"); err != nil {
		t.Errorf("asked alone: %v", err)
	}
	if _, err := fetchAll(again(t, both, nil), "sudo"); err != nil {
		t.Errorf("asked first after it was asked alone: %v", err)
	}
}

// An installed system knows by itself what it has: it does not go back when the client's memory is lost.
func TestSystemDoesNotGoBack(t *testing.T) {
	for name, test := range map[string]struct {
		signed, strip bool
		versions      []string
	}{
		"versions": {false, false, []string{"1", "2"}}, "signed commits": {true, false, []string{"git-a", "git-b"}}, "stripped": {true, true, []string{"git-a", "git-b"}},
	} {
		t.Run(name, func(t *testing.T) {
			old, recent := twoStates(t, test.signed, test.versions...)
			if test.strip {
				unsigned(t, old)
			}
			root := t.TempDir()
			apply := func(dir string, change Change) error {
				t.Helper()
				fetched, err := fetchAll(testClient(t, nil, dir), "vim") // knows nothing
				if err != nil {
					t.Fatal(err)
				}
				change.Install = fetched
				_, err = Apply(bg, root, change, noSync)
				return err
			}
			if err := apply(recent, Change{}); err != nil {
				t.Fatal(err)
			}
			var back *DowngradeError
			if err := apply(old, Change{}); !errors.As(err, &back) || back.Name != "vim" {
				t.Errorf("error %v", err)
			}
			if got := files(t, root); len(got) != 1 || got[0] != "bin/vim=fixed" {
				t.Errorf("the system has %v", got)
			}
			if err := apply(recent, Change{}); err != nil {
				t.Errorf("the same again: %v", err)
			}
			if err := apply(old, Change{Downgrade: true}); err != nil {
				t.Errorf("-downgrade: %v", err)
			}
			if got := files(t, root); len(got) != 1 || got[0] != "bin/vim=vulnerable" {
				t.Errorf("-downgrade: the system has %v", got)
			}
			if err := apply(recent, Change{}); err != nil {
				t.Errorf("forward again: %v", err)
			}
			// A damaged record says nothing, and is written anew.
			write(t, filepath.Join(root, OriginsFile), "[package\x00")
			if err := apply(recent, Change{}); err != nil {
				t.Error(err)
			}
			if err := apply(old, Change{}); !errors.As(err, &back) {
				t.Errorf("after a damaged record: %v", err)
			}
		})
	}
}

// In upstream's form a description without a version is a metapackage, which needs no signature at all: it does not take a package's place,
// neither for a client that saw the package nor in a system that has it.
func TestPackageBecomesMetapackage(t *testing.T) {
	dir, _ := twoStates(t, false, "1", "2")
	root := t.TempDir()
	c := testClient(t, nil, dir)
	fetched, err := fetchAll(c, "vim")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(bg, root, Change{Install: fetched}, noSync); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, target, "vim.toml"), "name = \"vim\"\ntarget = \""+target+"\"\ndepends = []\n")
	if _, err := fetchAll(again(t, c, nil), "vim"); !errors.As(err, new(*OrderError)) {
		t.Errorf("the client: %v", err)
	}
	fetched, err = fetchAll(testClient(t, nil, dir), "vim")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(bg, root, Change{Install: fetched}, noSync); !errors.As(err, new(*DowngradeError)) {
		t.Errorf("the system: %v", err)
	}
	if got := files(t, root); len(got) != 1 {
		t.Errorf("the system has %v", got)
	}
}

// A package brings no file of the record.
func TestPackageWithRecord(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, 1, textPkg(t, "evil", "1", OriginsFile, "x"))
	fetched, err := fetchAll(testClient(t, nil, dir), "evil")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(bg, t.TempDir(), Change{Install: fetched, Force: true}, noSync); err == nil || !strings.Contains(err.Error(), "package manager's state") {
		t.Errorf("error %v", err)
	}
}

// A server that stays as it is, is noticed by who says how old an index may be.
func TestMaxAge(t *testing.T) {
	dir := sample(t, 1)
	for name, test := range map[string]struct {
		now   time.Time
		strip bool
		want  string
	}{
		"fresh": {testNow.AddDate(0, 0, 29), false, ""}, "old": {testNow.AddDate(0, 0, 32), false, "older than"},
		"a clock is a bit behind": {testNow.Add(-time.Hour), false, ""}, "a clock is wrong": {testNow.AddDate(-1, 0, 0), false, "clocks"},
		"no index": {testNow, true, "there is none"},
	} {
		at := dir
		if test.strip {
			at = unsigned(t, copyOf(t, dir))
		}
		c := testClient(t, func(c *Config) {
			c.Repos[0].MaxAge = 30 * 24 * time.Hour
			c.Now = func() time.Time { return test.now }
		}, at)
		if _, err := fetchAll(c, "libc"); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Offline, an index counts that was seen, not one that somebody put into the cache.
func TestOfflineIndex(t *testing.T) {
	old, recent := twoStates(t, true, "1", "2")
	c := testClient(t, nil, recent)
	if _, err := fetchAll(c, "vim", "game"); err != nil {
		t.Fatal(err)
	}
	offline := func(c *Config) { c.Offline = true }
	if _, err := fetchAll(again(t, c, offline), "vim"); err != nil {
		t.Error(err)
	}
	for _, by := range []string{old, ""} {
		cached := c.cachedMeta(c.repos[0], signedindex.FileName)
		data, err := os.ReadFile(filepath.Join(by, target, signedindex.FileName))
		if by != "" && err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(cached, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := fetchAll(again(t, c, offline), "vim"); err == nil || !strings.Contains(err.Error(), "offline") {
			t.Errorf("error %v", err)
		}
	}
}

// The serial rises with each change and only then, whatever the clock says, and also when the index was lost.
func TestSerial(t *testing.T) {
	dir := t.TempDir()
	var last uint64
	for i, step := range []struct {
		now   time.Time
		text  string
		lost  bool
		rises bool
	}{
		{testNow, "1", false, true}, {testNow.Add(time.Hour), "1", false, false}, {testNow, "2", false, true}, {testNow.AddDate(-10, 0, 0), "3", false, true},
		{time.Unix(-5, 0), "4", false, true}, {testNow.Add(time.Hour), "5", true, true},
	} {
		if step.lost {
			unsigned(t, dir)
		}
		done, err := Publish(bg, dir, target, testKey(t, 1), step.now, []Publishing{textPkg(t, "vim", "1", "bin/vim", step.text)})
		if err != nil {
			t.Fatal(err)
		}
		if done.Serial < last || (done.Serial > last) != step.rises {
			t.Errorf("step %d: serial %d after %d", i, done.Serial, last)
		}
		last = done.Serial
	}
	// A package that stays as it is, is of the index that first had it so.
	if _, err := Publish(bg, dir, target, testKey(t, 1), testNow.AddDate(1, 0, 0), []Publishing{textPkg(t, "game", "1", "bin/game", "game")}); err != nil {
		t.Fatal(err)
	}
	plan, err := testClient(t, nil, dir).Resolve(bg, []Name{"vim", "game"}, nil)
	if err != nil || plan.Packages[0].Serial != last || plan.Packages[1].Serial <= last {
		t.Errorf("%v, %v, last %d", plan, err, last)
	}
}

// The index vouches for what the key's owner published. What others put into the folder later is not in it; what lies there before
// there is an index, is.
func TestIndexVouches(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, 1, textPkg(t, "old", "1", "a", "a"), textPkg(t, "changed", "2", "b", "new"))
	before := t.TempDir()
	publish(t, before, 1, textPkg(t, "changed", "1", "b", "old"))
	for _, file := range []string{"changed.toml", "changed.pkgar"} {
		data, err := os.ReadFile(filepath.Join(before, target, file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, target, file), string(data))
	}
	x, err := readIndex(filepath.Join(dir, target, "repo.toml"))
	if err != nil {
		t.Fatal(err)
	}
	x.Packages["changed"] = hashOf(t, dir, "changed")
	write(t, filepath.Join(dir, target, "repo.toml"), string(x.TOML()))
	done, err := Publish(bg, dir, target, testKey(t, 1), testNow, []Publishing{textPkg(t, "fresh", "1", "c", "c")})
	if err != nil || len(done.Unlisted) != 1 || done.Unlisted[0] != "changed" || len(done.Adopted) > 0 {
		t.Errorf("%+v, %v", done, err)
	}
	c := testClient(t, nil, dir)
	if _, err := fetchAll(c, "old", "fresh"); err != nil {
		t.Error(err)
	}
	if _, err := fetchAll(c, "changed"); !errors.Is(err, ErrNotFound) {
		t.Errorf("changed by others: %v", err)
	}
	// Somebody else's archive in the folder is never signed for.
	foreign := sample(t, 2)
	data, err := os.ReadFile(filepath.Join(foreign, target, "libc.pkgar"))
	if err != nil {
		t.Fatal(err)
	}
	unsigned(t, dir)
	write(t, filepath.Join(dir, target, "old.pkgar"), string(data))
	done, err = Publish(bg, dir, target, testKey(t, 1), testNow, nil)
	if err != nil || len(done.Unlisted) != 1 || done.Unlisted[0] != "old" || len(done.Adopted) != 2 {
		t.Errorf("%+v, %v", done, err)
	}
	// A damaged index is not replaced in silence.
	write(t, filepath.Join(dir, target, signedindex.FileName), "{}")
	if _, err := Publish(bg, dir, target, testKey(t, 1), testNow, nil); err == nil || !strings.Contains(err.Error(), "put back") {
		t.Errorf("error %v", err)
	}
}

// Names that look like others, or do not fit into a folder, are refused wherever they come from.
func TestNamesOfAttackers(t *testing.T) {
	for _, name := range []string{"sudо", "ｖim", "vim\u200b", "../vim", "a/b", "vim vim", "vim\u202e", "$(id)", "`id`", "-vim;x", strings.Repeat("a", 250), "vim\x1b[2J", "a,b"} {
		if _, err := ParseName(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
		x := &signedindex.Index{Target: target, Serial: 1, Date: signedindex.Date(testNow), Packages: []signedindex.Package{{Name: name, Since: 1}}}
		data, err := x.Sign(testKey(t, 1))
		if err != nil {
			continue
		}
		if _, _, err := verifyIndex(data, testKey(t, 1).Public(), target); err == nil {
			t.Errorf("%q is accepted in an index", name)
		}
	}
	dir := t.TempDir()
	publish(t, dir, 1, pkg(t, "vim"))
	for _, list := range [][]Publishing{{pkg(t, "Vim")}, {pkg(t, "nano"), pkg(t, "NANO")}} {
		if _, err := Publish(bg, dir, target, testKey(t, 1), testNow, list); err == nil || !strings.Contains(err.Error(), "in case only") {
			t.Errorf("error %v", err)
		}
	}
}

// A server redirects to https only; one on this machine to this machine only.
func TestRedirectsOfAttackers(t *testing.T) {
	for _, to := range []string{"http://example.org/x", "ftp://example.org/x", "file:///etc/passwd"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }))
		c := testClient(t, nil, server.URL)
		if _, err := c.Info(bg, "vim"); err == nil || !strings.Contains(err.Error(), "redirected") {
			t.Errorf("%s: error %v", to, err)
		}
		server.Close()
	}
}

// The list of a repository without an index is shown to people, and a hash is a hash.
func TestListOfAttackers(t *testing.T) {
	dir := unsigned(t, sample(t, 1))
	write(t, filepath.Join(dir, target, "repo.toml"), "[packages]\nvim = \"\\u001b[2J\"\n")
	if m, err := testClient(t, nil, dir).Search(bg, ""); err == nil {
		t.Errorf("%v", m)
	}
}

// What upstream's tools see of a repository is the same with and without the index.
func TestUpstreamFilesStay(t *testing.T) {
	dir := sample(t, 1)
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".toml") && !strings.HasSuffix(name, ".pkgar") && name != target+"/"+signedindex.FileName && name != ".lock" && name != idFile {
			t.Errorf("%s is no file of upstream's form", name)
		}
	}
}
