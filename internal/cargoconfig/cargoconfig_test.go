package cargoconfig

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

// home makes a folder with .cargo and other files in it; $ stands for its path.
func home(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "$", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDownload(t *testing.T) {
	const mirror = "[source.crates-io]\nreplace-with = \"m\"\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"none":                       {nil, ""},
		"what changes a build stays": {map[string]string{".cargo/config.toml": "[build]\nrustflags = [\"-O\"]\n[env]\nA = \"b\"\n[patch.crates-io]\nx = { path = \"x\" }\n[net]\nretry = 7\n"}, "[net]\nretry = 7\n"},
		"relative to the folder around": {
			map[string]string{".cargo/config.toml": mirror + "[source.m]\ndirectory = \"vend\"\n[source.l]\nlocal-registry = \"../l\"\n[source.a]\ndirectory = \"/a\"\n[http]\ncainfo = \"ca.pem\"\nproxy = \"p:1\"\n"},
			mirror + "[source.m]\ndirectory = \"$/vend\"\n[source.l]\nlocal-registry = \"$/../l\"\n[source.a]\ndirectory = \"/a\"\n[http]\ncainfo = \"$/ca.pem\"\nproxy = \"p:1\"\n",
		},
		"programs and indexes": {
			map[string]string{".cargo/config.toml": "[registries.r]\nindex = \"idx\"\ncredential-provider = [\"bin/p\", \"x/y\"]\n[registries.s]\nindex = \"sparse+https://h/\"\ncredential-provider = \"p x/y\"\n[registry]\nglobal-credential-providers = [\"bin/q a\", \"cargo:token\"]\n"},
			"[registries.r]\nindex = \"file://$/idx\"\ncredential-provider = [\"$/bin/p\", \"x/y\"]\n[registries.s]\nindex = \"sparse+https://h/\"\ncredential-provider = \"p x/y\"\n[registry]\nglobal-credential-providers = [\"$/bin/q a\", \"cargo:token\"]\n",
		},
		"the old name comes first": {map[string]string{".cargo/config": "[net]\nretry = 1\n", ".cargo/config.toml": "[net]\nretry = 2\n"}, "[net]\nretry = 1\n"},
		"includes": {
			map[string]string{
				".cargo/config.toml": "include = [\"mirror.toml\", { path = \"none.toml\", optional = true }, { path = \"../sub/x/more.toml\" }]\n[net]\nretry = 3\n",
				".cargo/mirror.toml": mirror + "[source.m]\ndirectory = \"vend\"\n[net]\nretry = 1\noffline = true\n[build]\njobs = 1\n",
				"sub/x/more.toml":    "include = \"deeper.toml\"\n[source.m]\ndirectory = \"vend\"\n",
				"sub/x/deeper.toml":  "[source.d]\ndirectory = \"d\"\n[source.m]\ndirectory = \"not this\"\n",
			},
			mirror + "[source.m]\ndirectory = \"$/sub/vend\"\n[source.d]\ndirectory = \"$/sub/d\"\n[net]\nretry = 3\noffline = true\n",
		},
		"tables of includes": {
			map[string]string{".cargo/config.toml": "[[include]]\npath = \"m.toml\"\n", ".cargo/m.toml": mirror},
			mirror,
		},
		"lists": {
			map[string]string{
				".cargo/config.toml": "include = \"m.toml\"\n[registry]\nglobal-credential-providers = [\"b\"]\ncredential-provider = [\"b\"]\n",
				".cargo/m.toml":      "[registry]\nglobal-credential-providers = [\"a\"]\ncredential-provider = [\"a\", \"x\"]\n",
			},
			"[registry]\nglobal-credential-providers = [\"a\", \"b\"]\ncredential-provider = [\"b\"]\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := home(t, test.files)
			text, _, err := Download(filepath.Join(dir, ".cargo"))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(test.want, "$/../l", filepath.Join(filepath.Dir(dir), "l"))
			if diff := cmp.Diff(decoded(t, strings.ReplaceAll(want, "$", dir)), decoded(t, text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func decoded(t *testing.T, text string) table {
	t.Helper()
	all := table{}
	if _, err := toml.Decode(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"no TOML":         {map[string]string{".cargo/config.toml": "[net\n"}, []string{"/.cargo/config.toml"}},
		"not there":       {map[string]string{".cargo/config.toml": "include = [\"m.toml\"]\n"}, []string{"/.cargo/config.toml: include", "/.cargo/m.toml"}},
		"in a circle":     {map[string]string{".cargo/config.toml": "include = \"m.toml\"\n", ".cargo/m.toml": "include = \"config.toml\"\n"}, []string{"/.cargo/config.toml includes itself", "/.cargo/m.toml"}},
		"of a wrong kind": {map[string]string{".cargo/config.toml": "include = [3]\n"}, []string{"/.cargo/config.toml: include = 3"}},
	} {
		_, _, err := Download(filepath.Join(home(t, test.files), ".cargo"))
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// What a configuration is read from is known, also what is not there and would count.
func TestFilesThatAreLookedForAreNamed(t *testing.T) {
	dir := home(t, map[string]string{
		".cargo/config.toml": "include = [\"a.toml\", { path = \"gone.toml\", optional = true }]\n",
		".cargo/a.toml":      "include = \"b.toml\"\n",
		".cargo/b.toml":      "",
	})
	_, files, err := Download(filepath.Join(dir, ".cargo"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config", "config.toml", "a.toml", "b.toml", "gone.toml"} {
		if !slices.Contains(files, filepath.Join(dir, ".cargo", name)) {
			t.Errorf("%s is not among %q", name, files)
		}
	}
}

// Cargo finds the same vendored crate with the settings in another home as with the user's own.
func TestCargoTakesTheSettingsInAnotherHome(t *testing.T) {
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		t.Skip("there is no cargo")
	}
	dir := home(t, map[string]string{
		".cargo/config.toml":             "[source.crates-io]\nreplace-with = \"v\"\n[source.v]\ndirectory = \"vend\"\n",
		"vend/tiny/Cargo.toml":           "[package]\nname = \"tiny\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
		"vend/tiny/src/lib.rs":           "",
		"vend/tiny/.cargo-checksum.json": "{\"files\":{}}",
		"p/Cargo.toml":                   "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ntiny = \"1\"\n",
		"p/src/lib.rs":                   "",
	})
	settings, _, err := Download(filepath.Join(dir, ".cargo"))
	if err != nil {
		t.Fatal(err)
	}
	other := home(t, map[string]string{"config.toml": settings})
	for _, home := range []string{filepath.Join(dir, ".cargo"), other} {
		cmd := exec.Command(cargo, "metadata", "--offline", "--format-version=1")
		cmd.Dir, cmd.Env = filepath.Join(dir, "p"), append(os.Environ(), "CARGO_HOME="+home, "__CARGO_TEST_ROOT="+filepath.Join(dir, "p"))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), filepath.Join(dir, "vend/tiny/Cargo.toml")) {
			t.Errorf("%s: %v\n%s", home, err, out)
		}
	}
}
