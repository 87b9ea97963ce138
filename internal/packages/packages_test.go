package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

func TestRepoConfig(t *testing.T) {
	s := sessiontest.InCheckout(t, map[string]string{"local/x": "", "a,b/x": ""})
	root := s.Config.Root
	key := strings.Repeat("0f", 32)
	tests := map[string]struct {
		file, flag string
		want       []pkgrepo.Repo
		fails      []string
	}{
		"default": {want: []pkgrepo.Repo{{URL: DefaultRepository}}},
		"flag":    {file: "x", flag: "https://a/pkg," + root, want: []pkgrepo.Repo{{URL: "https://a/pkg"}, {URL: root}}},
		"a comma": {flag: filepath.Join(root, "a,b"), want: []pkgrepo.Repo{{URL: filepath.Join(root, "a,b")}}},
		"an id":   {file: "[[repository]]\nurl = 'https://a'\nid = '" + key[:32] + "'\n", want: []pkgrepo.Repo{{URL: "https://a", ID: key[:32]}}},
		"file": {file: "[[repository]]\nname = 'n'\nurl = 'local'\nmirrors = ['https://m']\nkey = '" + key + "'\n",
			want: []pkgrepo.Repo{{Name: "n", URL: filepath.Join(root, "local"), Mirrors: []string{"https://m"}, Key: keyOf(0x0f)}}},
		"empty":        {file: "# nothing\n", fails: []string{`key "repository" is missing`}},
		"no such flag": {flag: "no-such", fails: []string{`"no-such" is neither a URL nor a folder`}},
		"all mistakes": {file: "[[repository]]\nurl = 'https://x'\nkey = '12'\n[[repository]]\nurl = 'gone'\n",
			fails: []string{"repository 1: key", "repository 2: repository \"gone\""}},
		"no url": {file: "[[repository]]\nname = 'n'\n", fails: []string{`key "repository.0.url" is missing`}},
	}
	for name, tt := range tests {
		file := filepath.Join(root, RepositoriesFile)
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if tt.file != "" {
			sessiontest.WriteFile(t, file, tt.file, 0o644)
		}
		got, err := repoConfig(s, tt.flag)
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
	sessiontest.WriteFile(t, filepath.Join(outside, "libout.so"), "x", 0o644)
	s := sessiontest.InCheckout(t, nil)
	s.Streams.Err = sessiontest.DevNull(t)
	s.Config.Cache = filepath.Join(s.Config.Root, "cache")
	repo, ctx := filepath.Join(s.Config.Root, "repo"), t.Context()
	sessiontest.Publish(t, repo, Target(s), sessiontest.Package{Name: "lib", Version: "1", File: "usr/lib/libold.so", Text: "x"})
	fetched, err := Fetch(ctx, s, []pkgrepo.Name{"lib"}, Choice{Repo: repo})
	if err == nil {
		_, err = pkgrepo.Apply(ctx, root, pkgrepo.Change{Install: fetched}, pkgar.ExtractOptions{NoSync: true})
	}
	if err == nil {
		err = os.Symlink(outside, filepath.Join(root, "lib"))
	}
	if err != nil {
		t.Fatal(err)
	}
	sessiontest.WriteFile(t, filepath.Join(root, "usr/lib/libown.so"), "x", 0o644)

	sys := &System{Name: "system", Root: root}
	coming := []pkgrepo.Fetched{{Resolved: pkgrepo.Resolved{Found: pkgrepo.Found{Name: "lib"}}}}
	for _, tt := range []struct {
		coming []pkgrepo.Fetched
		have   map[string]bool
	}{
		{nil, map[string]bool{"libold.so": true, "libown.so": true, "libout.so": false}},
		{coming, map[string]bool{"libold.so": false, "libown.so": true, "libout.so": false}},
	} {
		have, err := sys.Libraries(tt.coming)
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
