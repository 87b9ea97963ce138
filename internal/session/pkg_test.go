package session

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/redoxfs"
)

// writeFile replaces a file, as everything does that changes an installed system: its copies are hard links.
func writeFile(t *testing.T, path, text string, perm os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil {
		t.Fatal(err)
	}
}

func TestChanges(t *testing.T) {
	top := t.TempDir()
	at := func(p string) string { return filepath.Join(top, p) }
	for _, p := range []string{"same", "new-content", "gone/deep/file", "becomes-link", "file-then-dir"} {
		writeFile(t, at(p), p, 0o644)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink("old", at("link")))
	must(os.Symlink("same", at("same-link")))
	before, err := hostTree(top)
	must(err)

	writeFile(t, at("new-content"), "changed", 0o600)
	writeFile(t, at("dir/setuid"), "x", 0o755|os.ModeSetuid)
	writeFile(t, at("a"), "x", 0o644)
	must(os.RemoveAll(at("gone")))
	must(os.Remove(at("becomes-link")))
	must(os.Symlink("a", at("becomes-link")))
	must(os.Remove(at("link")))
	must(os.Symlink("new", at("link")))
	must(os.Remove(at("file-then-dir")))
	must(os.Mkdir(at("file-then-dir"), 0o755))
	after, err := hostTree(top)
	must(err)

	mode := func(m uint16) *uint16 { return &m }
	want := []redoxfs.Op{
		{Op: redoxfs.OpRemove, Path: "/gone/deep/file"},
		{Op: redoxfs.OpRemove, Path: "/gone/deep"},
		{Op: redoxfs.OpRemove, Path: "/gone"},
		{Op: redoxfs.OpRemove, Path: "/file-then-dir"},
		{Op: redoxfs.OpRemove, Path: "/becomes-link"},
		{Op: redoxfs.OpFile, Path: "/a", From: at("a"), Mode: mode(0o644)},
		{Op: redoxfs.OpLink, Path: "/becomes-link", Target: "a"},
		{Op: redoxfs.OpDir, Path: "/dir", Mode: mode(0o755)},
		{Op: redoxfs.OpFile, Path: "/dir/setuid", From: at("dir/setuid"), Mode: mode(0o4755)},
		{Op: redoxfs.OpDir, Path: "/file-then-dir", Mode: mode(0o755)},
		{Op: redoxfs.OpLink, Path: "/link", Target: "new"},
		{Op: redoxfs.OpFile, Path: "/new-content", From: at("new-content"), Mode: mode(0o600)},
	}
	if diff := cmp.Diff(want, changes(top, before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVersionOf(t *testing.T) {
	tree := cas.DigestBytes([]byte("tree"))
	sum := strings.Repeat("ab", 32)
	commit := strings.Repeat("12", 20)
	tests := map[string]struct {
		src        recipe.Source
		overridden bool
		want       string
		id         string
	}{
		"git":            {src: recipe.Source{Git: "https://x/y.git", Commit: commit}, want: "git-121212121212", id: commit},
		"crate":          {src: recipe.Source{Crate: "ripgrep", Version: "14.1.1", SHA256: sum}, want: "14.1.1", id: sum},
		"archive":        {src: recipe.Source{Archive: "https://x/dl/foo-2.10.tar.gz", SHA256: sum}, want: "2.10", id: sum},
		"archive with v": {src: recipe.Source{Archive: "https://x/foo-v3.0.1.tgz", SHA256: sum}, want: "3.0.1", id: sum},
		"archive alone":  {src: recipe.Source{Archive: "https://x/main.tar.gz", SHA256: sum}, want: "sha256-abababababab", id: sum},
		"path":           {src: recipe.Source{Path: "."}, want: "tree-" + tree.Short(), id: tree.Hash},
		"overridden git": {src: recipe.Source{Git: "https://x/y.git", Commit: commit}, overridden: true, want: "tree-" + tree.Short(), id: tree.Hash},
	}
	for name, tt := range tests {
		if version, id := versionOf(tt.src, tree, tt.overridden); version != tt.want || id != tt.id {
			t.Errorf("%s: %q, %q, want %q, %q", name, version, id, tt.want, tt.id)
		}
	}
}

func TestRepoConfig(t *testing.T) {
	s := imageCheckout(t, map[string]string{"local/x": ""})
	root := s.Config.Root
	key := strings.Repeat("0f", 32)
	tests := map[string]struct {
		file, flag string
		want       []pkgrepo.Repo
		fails      []string
	}{
		"default": {want: []pkgrepo.Repo{{URL: DefaultRepository}}},
		"flag":    {file: "x", flag: "https://a/pkg," + root, want: []pkgrepo.Repo{{URL: "https://a/pkg"}, {URL: root}}},
		"file": {file: "[[repository]]\nname = 'n'\nurl = 'local'\nmirrors = ['https://m']\nkey = '" + key + "'\n",
			want: []pkgrepo.Repo{{Name: "n", URL: filepath.Join(root, "local"), Mirrors: []string{"https://m"}, Key: keyOf(0x0f)}}},
		"empty":        {file: "# nothing\n", fails: []string{"lists no [[repository]]"}},
		"no such flag": {flag: "no-such", fails: []string{`"no-such" is neither a URL nor a folder`}},
		"all mistakes": {file: "[[repository]]\nname = 'n'\n[[repository]]\nurl = 'https://x'\nkey = '12'\n[[repository]]\nurl = 'gone'\n",
			fails: []string{"repository 1: has no url", "repository 2: key", "repository 3: repository \"gone\""}},
	}
	for name, tt := range tests {
		file := filepath.Join(root, repositoriesFile)
		os.Remove(file)
		if tt.file != "" {
			writeFile(t, file, tt.file, 0o644)
		}
		got, err := s.repoConfig(tt.flag)
		for _, want := range tt.fails {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q", name, err, want)
			}
		}
		if len(tt.fails) > 0 {
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func keyOf(b byte) *pkgar.PublicKey {
	var k pkgar.PublicKey
	for i := range k {
		k[i] = b
	}
	return &k
}

// A library that only the version before brought does not count, and neither does one behind a link out of the system.
func TestSystemLibraries(t *testing.T) {
	outside, root := t.TempDir(), filepath.Join(t.TempDir(), "root")
	writeFile(t, filepath.Join(outside, "libout.so"), "x", 0o644)
	s := imageCheckout(t, nil)
	s.Streams.Err = devNull(t)
	s.Config.Cache = filepath.Join(s.Config.Root, "cache")
	keys, repo := filepath.Join(s.Config.Root, "keys"), filepath.Join(s.Config.Root, "repo")
	if err := s.PkgKeygen(keys, false, nil); err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	writeFile(t, filepath.Join(tree, "usr/lib/libold.so"), "x", 0o644)
	ctx := context.Background()
	err := s.PkgPublish(ctx, repo, PkgPublishFlags{PkgKey: PkgKey{Key: keys}, Dir: tree, Name: "lib", Version: "1"})
	if err == nil {
		err = s.PkgInstall(ctx, "lib", PkgInstallFlags{PkgSystem: PkgSystem{Root: root}, Repo: repo})
	}
	if err == nil {
		err = os.Symlink(outside, filepath.Join(root, "lib"))
	}
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(root, "usr/lib/libown.so"), "x", 0o644)

	sys := &system{name: "system", root: root}
	coming := []pkgrepo.Fetched{{Resolved: pkgrepo.Resolved{Found: pkgrepo.Found{Name: "lib"}}}}
	for _, tt := range []struct {
		coming []pkgrepo.Fetched
		have   map[string]bool
	}{
		{nil, map[string]bool{"libold.so": true, "libown.so": true, "libout.so": false}},
		{coming, map[string]bool{"libold.so": false, "libown.so": true, "libout.so": false}},
	} {
		have, err := sys.libraries(tt.coming)
		if err != nil {
			t.Fatal(err)
		}
		for library, want := range tt.have {
			if have(library) != want {
				t.Errorf("%d packages coming: %s: %v", len(tt.coming), library, !want)
			}
		}
	}
}

func devNull(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A package that came as a dependency stays one when it is upgraded, and leaves with what needed it.
func TestUpgradeKeepsManual(t *testing.T) {
	s := imageCheckout(t, nil)
	s.Streams.Err = devNull(t)
	s.Config.Cache = filepath.Join(s.Config.Root, "cache")
	keys, repo, root := filepath.Join(s.Config.Root, "keys"), filepath.Join(s.Config.Root, "repo"), filepath.Join(t.TempDir(), "root")
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	publish := func(name, version, depends string) {
		tree := t.TempDir()
		writeFile(t, filepath.Join(tree, "usr/share", name), version, 0o644)
		must(s.PkgPublish(ctx, repo, PkgPublishFlags{PkgKey: PkgKey{Key: keys}, Dir: tree, Name: name, Version: version, Depends: depends}))
	}
	must(s.PkgKeygen(keys, false, nil))
	publish("words", "1", "")
	publish("greeter", "1", "words")
	flags := PkgInstallFlags{PkgSystem: PkgSystem{Root: root}, Repo: repo}
	must(s.PkgInstall(ctx, "greeter", flags))
	publish("words", "2", "")
	publish("greeter", "2", "words")
	must(s.PkgUpgrade(ctx, flags))
	state, err := (&system{root: root}).state()
	must(err)
	got := map[string]bool{}
	for name, p := range state.Installed {
		got[string(name)] = p.Manual
	}
	if diff := cmp.Diff(map[string]bool{"greeter": true, "words": false}, got); diff != "" {
		t.Errorf("manual (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(filepath.Join(root, "usr/share/words"))
	if string(text) != "2" || err != nil {
		t.Errorf("words: %q, %v", text, err)
	}
}

// dynamicProgram is the smallest file that needs a library.
func dynamicProgram(t *testing.T, library string) string {
	t.Helper()
	const header, dynamic = 64, 2 * 16
	names := "\x00" + library + "\x00"
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_AARCH64), Version: 1, Shoff: uint64(header + dynamic + len(names)),
		Ehsize: header, Shentsize: 64, Shnum: 3, Shstrndx: 2}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	var out bytes.Buffer
	for _, part := range []any{
		h, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: 1}, elf.Dyn64{}, []byte(names), elf.Section64{},
		elf.Section64{Type: uint32(elf.SHT_DYNAMIC), Off: header, Size: dynamic, Link: 2, Entsize: 16},
		elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: header + dynamic, Size: uint64(len(names))},
	} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// A dynamic program is refused with the package that has its library, and installs with it, after it, or by force.
func TestInstallNeedsLibraries(t *testing.T) {
	s := imageCheckout(t, nil)
	s.Streams.Err = devNull(t)
	s.Config.Cache = filepath.Join(s.Config.Root, "cache")
	keys, repo := filepath.Join(s.Config.Root, "keys"), filepath.Join(s.Config.Root, "repo")
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.PkgKeygen(keys, false, nil))
	for name, file := range map[string][2]string{
		"vim":     {"usr/bin/vim", dynamicProgram(t, "libncursesw.so.6")},
		"ncurses": {"usr/lib/libncursesw.so.6", "library"},
	} {
		tree := t.TempDir()
		writeFile(t, filepath.Join(tree, file[0]), file[1], 0o755)
		must(s.PkgPublish(ctx, repo, PkgPublishFlags{PkgKey: PkgKey{Key: keys}, Dir: tree, Name: name, Version: "1"}))
	}
	install := func(root, names string, force bool) error {
		return s.PkgInstall(ctx, names, PkgInstallFlags{PkgSystem: PkgSystem{Root: root}, Repo: repo, Force: force})
	}
	fresh := func() string { return filepath.Join(t.TempDir(), "root") }

	root := fresh()
	err := install(root, "vim", false)
	for _, want := range []string{"is as it was", "usr/bin/vim needs the library libncursesw.so.6", `package "ncurses" has it`, "-force"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("vim alone: %v, want %q", err, want)
		}
	}
	if _, err := os.Lstat(root); !os.IsNotExist(err) {
		t.Errorf("the refused installation left %s: %v", root, err)
	}
	must(install(root, "ncurses", false))
	must(install(root, "vim", false))
	must(install(fresh(), "vim,ncurses", false))
	must(install(fresh(), "vim", true))
}

// What a program that stays needs is not removed, nor upgraded away; by force it is.
func TestRemoveKeepsLibraries(t *testing.T) {
	s := imageCheckout(t, nil)
	s.Streams.Err = devNull(t)
	s.Config.Cache = filepath.Join(s.Config.Root, "cache")
	keys, repo, root := filepath.Join(s.Config.Root, "keys"), filepath.Join(s.Config.Root, "repo"), filepath.Join(t.TempDir(), "root")
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	publish := func(name, version, file, text string) {
		tree := t.TempDir()
		writeFile(t, filepath.Join(tree, file), text, 0o755)
		must(s.PkgPublish(ctx, repo, PkgPublishFlags{PkgKey: PkgKey{Key: keys}, Dir: tree, Name: name, Version: version}))
	}
	must(s.PkgKeygen(keys, false, nil))
	publish("vim", "1", "usr/bin/vim", dynamicProgram(t, "libncursesw.so.6"))
	publish("ncurses", "1", "usr/lib/libncursesw.so.6", "library")
	publish("other", "1", "usr/share/other", "text")
	where := PkgSystem{Root: root}
	flags := PkgInstallFlags{PkgSystem: where, Repo: repo}
	must(s.PkgInstall(ctx, "ncurses,other", flags))
	must(s.PkgInstall(ctx, "vim", flags))
	writeFile(t, filepath.Join(root, "usr/bin/own"), dynamicProgram(t, "libncursesw.so.6"), 0o755)

	refuses := func(what string, err error, wants ...string) {
		t.Helper()
		for _, want := range append(wants, "is as it was", "-force") {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", what, err, want)
			}
		}
		if _, err := os.Stat(filepath.Join(root, "usr/lib/libncursesw.so.6")); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	refuses("remove", s.PkgRemove(ctx, "ncurses", where, false), "usr/bin/vim, of package vim, needs the library libncursesw.so.6, which would go",
		"usr/bin/own, which belongs to no package, needs")
	refuses("remove with vim", s.PkgRemove(ctx, "ncurses,vim", where, false), "usr/bin/own")
	s.Config.DryRun = true
	refuses("dry run", s.PkgRemove(ctx, "ncurses", where, false), "usr/bin/vim")
	s.Config.DryRun = false
	publish("ncurses", "2", "usr/lib/libncursesw.so.7", "library")
	refuses("upgrade", s.PkgUpgrade(ctx, flags), "usr/bin/vim", "usr/bin/own")
	must(s.PkgRemove(ctx, "other", where, false))
	must(os.Remove(filepath.Join(root, "usr/bin/own")))
	must(s.PkgRemove(ctx, "ncurses,vim", where, false))
	must(s.PkgInstall(ctx, "ncurses,vim", PkgInstallFlags{PkgSystem: where, Repo: repo, Force: true}))
	must(s.PkgRemove(ctx, "ncurses", where, true))
	if _, err := os.Stat(filepath.Join(root, "usr/bin/vim")); err != nil {
		t.Error(err)
	}
}

// What a server sends in place of a package changes nothing in the system and stays nowhere.
func TestInstallFromBadServer(t *testing.T) {
	ctx := context.Background()
	for name, harm := range map[string]func(good, other []byte) []byte{
		"another package": func(_, other []byte) []byte { return other },
		"too short":       func(good, _ []byte) []byte { return good[:len(good)-1] },
		"too long":        func(good, _ []byte) []byte { return append(good, 0) },
		"flipped byte":    func(good, _ []byte) []byte { good[len(good)-1] ^= 1; return good },
		"a page":          func(_, _ []byte) []byte { return []byte(strings.Repeat("<html>", 100)) },
		"nothing":         func(_, _ []byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s, repo := packageWorld(t)
			root := filepath.Join(t.TempDir(), "root")
			flags := PkgInstallFlags{PkgSystem: PkgSystem{Root: root}, Repo: repo}
			if err := s.PkgInstall(ctx, "ncurses", flags); err != nil {
				t.Fatal(err)
			}
			before, err := hostTree(root)
			if err != nil {
				t.Fatal(err)
			}
			archive := func(name string) string { return filepath.Join(repo, s.pkgTarget(), name+".pkgar") }
			good, err := os.ReadFile(archive("words"))
			if err != nil {
				t.Fatal(err)
			}
			other, err := os.ReadFile(archive("vim"))
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, archive("words"), string(harm(good, other)), 0o644)
			if err := s.PkgInstall(ctx, "greeter", flags); err == nil || !strings.Contains(err.Error(), "package words: ") {
				t.Errorf("%v", err)
			}
			after, err := hostTree(root)
			if err != nil {
				t.Fatal(err)
			}
			if ops := changes(root, before, after); len(ops) > 0 {
				t.Errorf("the system changed: %v", ops)
			}
			if siblings, err := os.ReadDir(filepath.Dir(root)); err != nil || len(siblings) != 1 {
				t.Errorf("left beside the system: %v, %v", siblings, err)
			}
			refs, err := s.pkgArchives().References() // ncurses and greeter
			if err != nil || len(refs) != 2 {
				t.Errorf("in the cache: %v, %v", refs, err)
			}
		})
	}
}
