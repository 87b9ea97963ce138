package pkg

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

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
		"by blake3":      {src: recipe.Source{Archive: "https://x/main.tar.gz", Blake3: sum}, want: "blake3-abababababab", id: sum},
		"path":           {src: recipe.Source{Path: "."}, want: "tree-" + tree.Short(), id: tree.Hash},
		"overridden git": {src: recipe.Source{Git: "https://x/y.git", Commit: commit}, overridden: true, want: "tree-" + tree.Short(), id: tree.Hash},
	}
	for name, tt := range tests {
		if version, id := versionOf(tt.src, tree, tt.overridden); version != tt.want || id != tt.id {
			t.Errorf("%s: %q, %q, want %q, %q", name, version, id, tt.want, tt.id)
		}
	}
}

// A package that came as a dependency stays one when it is upgraded, and leaves with what needed it.
func TestUpgradeKeepsManual(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	s.Streams.Err = sessiontest.DevNull(t)
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
		sessiontest.WriteFile(t, filepath.Join(tree, "usr/share", name), version, 0o644)
		must(Publish(ctx, s, repo, PublishFlags{Key: Key{Key: keys}, Dir: tree, Name: name, Version: version, Depends: depends}))
	}
	must(Keygen(s, keys, false, nil))
	publish("words", "1", "")
	publish("greeter", "1", "words")
	flags := InstallFlags{SystemFlags: SystemFlags{Root: root}, Choice: packages.Choice{Repo: repo}}
	must(Install(ctx, s, "greeter", flags))
	publish("words", "2", "")
	publish("greeter", "2", "words")
	must(Upgrade(ctx, s, flags))
	state, err := (&packages.System{Root: root}).State()
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

// A dynamic program is refused with the package that has its library, and installs with it, after it, or by force.
func TestInstallNeedsLibraries(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	s.Streams.Err = sessiontest.DevNull(t)
	s.Config.Cache = filepath.Join(s.Config.Root, "cache")
	keys, repo := filepath.Join(s.Config.Root, "keys"), filepath.Join(s.Config.Root, "repo")
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(Keygen(s, keys, false, nil))
	for name, file := range map[string][2]string{
		"vim":     {"usr/bin/vim", sessiontest.DynamicProgram(t, "libncursesw.so.6")},
		"ncurses": {"usr/lib/libncursesw.so.6", "library"},
	} {
		tree := t.TempDir()
		sessiontest.WriteFile(t, filepath.Join(tree, file[0]), file[1], 0o755)
		must(Publish(ctx, s, repo, PublishFlags{Key: Key{Key: keys}, Dir: tree, Name: name, Version: "1"}))
	}
	install := func(root, names string, force bool) error {
		return Install(ctx, s, names, InstallFlags{SystemFlags: SystemFlags{Root: root}, Choice: packages.Choice{Repo: repo}, Force: force})
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
	s := sessiontest.InCheckout(t, nil)
	s.Streams.Err = sessiontest.DevNull(t)
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
		sessiontest.WriteFile(t, filepath.Join(tree, file), text, 0o755)
		must(Publish(ctx, s, repo, PublishFlags{Key: Key{Key: keys}, Dir: tree, Name: name, Version: version}))
	}
	must(Keygen(s, keys, false, nil))
	publish("vim", "1", "usr/bin/vim", sessiontest.DynamicProgram(t, "libncursesw.so.6"))
	publish("ncurses", "1", "usr/lib/libncursesw.so.6", "library")
	publish("other", "1", "usr/share/other", "text")
	where := SystemFlags{Root: root}
	flags := InstallFlags{SystemFlags: where, Choice: packages.Choice{Repo: repo}}
	must(Install(ctx, s, "ncurses,other", flags))
	must(Install(ctx, s, "vim", flags))
	sessiontest.WriteFile(t, filepath.Join(root, "usr/bin/own"), sessiontest.DynamicProgram(t, "libncursesw.so.6"), 0o755)

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
	refuses("remove", Remove(ctx, s, "ncurses", where, false), "usr/bin/vim, of package vim, needs the library libncursesw.so.6, which would go",
		"usr/bin/own, which belongs to no package, needs")
	refuses("remove with vim", Remove(ctx, s, "ncurses,vim", where, false), "usr/bin/own")
	s.Config.DryRun = true
	refuses("dry run", Remove(ctx, s, "ncurses", where, false), "usr/bin/vim")
	s.Config.DryRun = false
	publish("ncurses", "2", "usr/lib/libncursesw.so.7", "library")
	refuses("upgrade", Upgrade(ctx, s, flags), "usr/bin/vim", "usr/bin/own")
	must(Remove(ctx, s, "other", where, false))
	must(os.Remove(filepath.Join(root, "usr/bin/own")))
	must(Remove(ctx, s, "ncurses,vim", where, false))
	must(Install(ctx, s, "ncurses,vim", InstallFlags{SystemFlags: where, Choice: packages.Choice{Repo: repo}, Force: true}))
	must(Remove(ctx, s, "ncurses", where, true))
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
			s, repo := sessiontest.PackageWorld(t, "aarch64-unknown-redox")
			root := filepath.Join(t.TempDir(), "root")
			flags := InstallFlags{SystemFlags: SystemFlags{Root: root}, Choice: packages.Choice{Repo: repo}}
			if err := Install(ctx, s, "ncurses", flags); err != nil {
				t.Fatal(err)
			}
			before, err := disk.HostTree(root)
			if err != nil {
				t.Fatal(err)
			}
			archive := func(name string) string { return filepath.Join(repo, packages.Target(s), name+".pkgar") }
			good, err := os.ReadFile(archive("words"))
			if err != nil {
				t.Fatal(err)
			}
			other, err := os.ReadFile(archive("vim"))
			if err != nil {
				t.Fatal(err)
			}
			sessiontest.WriteFile(t, archive("words"), string(harm(good, other)), 0o644)
			if err := Install(ctx, s, "greeter", flags); err == nil || !strings.Contains(err.Error(), "package words: ") {
				t.Errorf("%v", err)
			}
			after, err := disk.HostTree(root)
			if err != nil {
				t.Fatal(err)
			}
			if ops := disk.Changes(root, before, after); len(ops) > 0 {
				t.Errorf("the system changed: %v", ops)
			}
			if siblings, err := os.ReadDir(filepath.Dir(root)); err != nil || len(siblings) != 1 {
				t.Errorf("left beside the system: %v, %v", siblings, err)
			}
			refs, err := packages.Archives(s).References() // ncurses and greeter
			if err != nil || len(refs) != 2 {
				t.Errorf("in the cache: %v, %v", refs, err)
			}
		})
	}
}
