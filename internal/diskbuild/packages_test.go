package diskbuild

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// packed are the contents of an image with packages, as "path mode text" by path.
func packed(t *testing.T, s *session.Session, description string) (map[string]string, error) {
	t.Helper()
	d, err := disk.Parse("t", "t.toml", []byte("size-mib = 16\n"+description))
	if err != nil {
		t.Fatal(err)
	}
	contents, err := d.Contents(t.Context(), func(_ context.Context, ref string) ([]disk.Item, error) {
		return []disk.Item{{Host: filepath.Join(s.Config.Root, ref), Mode: 0o700}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all, done, err := withPackages(t.Context(), s, d, contents)
	if err != nil {
		left, _ := filepath.Glob(filepath.Join(s.Config.Out(), "image", "*"))
		if len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		return nil, err
	}
	defer done()
	got := map[string]string{}
	for i, op := range all {
		if i > 0 && all[i-1].Path >= op.Path {
			t.Errorf("%s comes before %s", all[i-1].Path, op.Path)
		}
		if op.MTime == nil {
			t.Errorf("%s has the time of the build", op.Path)
		}
		text := op.Target
		if op.Op == redoxfs.OpFile && op.Text != nil {
			text = *op.Text
		} else if op.Op == redoxfs.OpFile {
			b, err := os.ReadFile(op.From)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		got[op.Path] = text
	}
	return got, nil
}

func TestImagePackages(t *testing.T) {
	s, repo := sessiontest.PackageWorld(t, "aarch64-unknown-redox")
	sessiontest.WriteFile(t, filepath.Join(s.Config.Root, "own"), "own", 0o644)
	description := "packages = ['greeter']\nhostname = 'h'\n[[file]]\nto = '/etc/own'\nfrom = 'own'\n[[link]]\npath = '/bin'\ntarget = 'usr/bin'\n[[dir]]\npath = '/tmp'\nmode = '1777'\n"
	got, err := packed(t, s, description)
	if err != nil {
		t.Fatal(err)
	}
	state, head := got["/etc/pkg/packages.toml"], got["/var/lib/packages/greeter.pkgar_head"]
	for _, want := range []string{"[installed.greeter]", "[installed.words]", "manual = true", "manual = false", "dependents = [\"greeter\"]", "[pubkeys.test]"} {
		if !strings.Contains(state, want) {
			t.Errorf("the state lacks %q:\n%s", want, state)
		}
	}
	if !strings.Contains(head, "usr/bin/greeter") || got["/var/lib/packages/words.pkgar_head"] == "" {
		t.Error("no heads")
	}
	for p, want := range map[string]string{"/usr/bin/greeter": "a program", "/usr/share/words": "hello", "/etc/own": "own", "/bin": "usr/bin", "/etc/hostname": "h\n"} {
		if got[p] != want {
			t.Errorf("%s: %q, want %q", p, got[p], want)
		}
	}
	if _, ok := got["/usr/bin"]; !ok {
		t.Error("the folder above a package's file is not named")
	}
	// Again, and without the repository: the cache has everything.
	s.Config.Offline = true
	if err := os.Rename(repo, repo+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(repo, 0o755); err != nil { // or packages.toml would be refused
		t.Fatal(err)
	}
	again, err := packed(t, s, description)
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("offline: %v\n%s", err, diff)
	}
	if _, err := packed(t, s, "packages = ['ncurses']"); err == nil || !strings.Contains(err.Error(), "packages: ") {
		t.Errorf("offline, a package that is not in the cache: %v", err)
	}
}

func TestImagePackagesRefused(t *testing.T) {
	s, repo := sessiontest.PackageWorld(t, "aarch64-unknown-redox")
	for description, want := range map[string][]string{
		"packages = ['nobody']": {"nobody", "pkg:search"},
		"packages = ['../x']":   {"../x"},
		"packages = ['vim']":    {"libncursesw.so.6", `package "ncurses" has it`, "add the package that has it to packages"},
		"packages = ['greeter']\n[[file]]\nto = '/usr/share/words'\ntext = 'mine'": {"usr/share/words", "package words", "replace = true"},
	} {
		_, err := packed(t, s, description)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v, want %q", description, err, w)
			}
		}
		if err != nil && strings.Contains(err.Error(), "-force") {
			t.Errorf("%s: there is no -force here: %v", description, err)
		}
	}
	// A library that is in the image is enough, and a file may take the place of a package's.
	if _, err := packed(t, s, "packages = ['vim']\n[[file]]\nto = '/usr/lib/libncursesw.so.6'\ntext = 'mine'"); err != nil {
		t.Error(err)
	}
	got, err := packed(t, s, "packages = ['greeter']\n[[file]]\nto = '/usr/share/words'\ntext = 'mine'\nreplace = true")
	if err != nil || got["/usr/share/words"] != "mine" || got["/usr/bin/greeter"] != "a program" {
		t.Errorf("%v, %q", err, got["/usr/share/words"])
	}
	// An archive that was not made by the repository's key.
	archives, err := filepath.Glob(filepath.Join(repo, "*", "ncurses.pkgar"))
	if err != nil || len(archives) != 1 {
		t.Fatal(archives, err)
	}
	b, err := os.ReadFile(archives[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	sessiontest.WriteFile(t, archives[0], string(b), 0o644)
	if _, err := packed(t, s, "packages = ['ncurses']"); err == nil || !strings.Contains(err.Error(), "ncurses") {
		t.Errorf("a damaged archive: %v", err)
	}
}
