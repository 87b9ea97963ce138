package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/config/environ"
)

func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"recipes", "toolchain", "deep/er"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "toolchain/toolchain.toml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestFlagBeatsEnvironmentBeatsDefault(t *testing.T) {
	root := checkout(t)
	three := 3
	for _, c := range []struct {
		env   []string
		flags Flags
		jobs  int
	}{
		{[]string{"REDOX_JOBS=5"}, Flags{}, 5},
		{[]string{"REDOX_JOBS=5"}, Flags{Jobs: &three}, 3},
	} {
		got, err := Load(c.env, filepath.Join(root, "deep/er"), c.flags)
		if err != nil {
			t.Fatal(err)
		}
		if got.Jobs != c.jobs || got.Root != root {
			t.Errorf("%v: jobs %d, root %s", c.env, got.Jobs, got.Root)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := Load([]string{"REDOX_JOBS=many", "REDOX_OFFLINE=perhaps", "REDOX_TOOLCHIAN=/x"}, checkout(t), Flags{})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"REDOX_JOBS", "REDOX_OFFLINE", "REDOX_TOOLCHIAN"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not reported in: %v", want, err)
		}
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	many, none := 100000, ""
	for _, c := range []struct {
		env   []string
		flags Flags
		want  string
	}{
		{nil, Flags{Jobs: &many}, "100000"},
		{[]string{"REDOX_JOBS=100000"}, Flags{}, "100000"},
		{[]string{"REDOX_TARGET=../x"}, Flags{}, "../x"},
		{[]string{"REDOX_SET=../x"}, Flags{}, "../x"},
		{[]string{"REDOX_CACHE=/x/a [b]/cache"}, Flags{}, "REDOX_CACHE=DIR"},
		{[]string{"REDOX_CACHE=/x/%{root}/cache"}, Flags{}, "REDOX_CACHE=DIR"},
		{[]string{"REDOX_OVERRIDES=/nowhere/overrides.toml"}, Flags{}, "/nowhere/overrides.toml"},
	} {
		if _, err := Load(c.env, checkout(t), c.flags); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.env, err)
		}
	}
	if c, err := Load(nil, checkout(t), Flags{Toolchain: &none}); err != nil || c.Toolchain != "" {
		t.Errorf("an empty -toolchain is %q: %v", c.Toolchain, err)
	}
}

func TestCacheWithoutAHome(t *testing.T) {
	root := checkout(t)
	want := filepath.Join(root, "out/cache/redox-clif")
	if home := accountHome(); home != "" {
		want = filepath.Join(home, ".cache/redox-clif")
	}
	c, err := Load(nil, filepath.Join(root, "deep"), Flags{})
	if err != nil || c.Cache != want {
		t.Errorf("the cache is %s, want %s: %v", c.Cache, want, err)
	}
}

// A ~/ that no shell has expanded is the home folder, wherever a folder is named.
func TestHomeInValues(t *testing.T) {
	home := t.TempDir()
	c, err := Load([]string{"HOME=" + home, "REDOX_CACHE=~/cache", "REDOX_TOOLCHAIN=~/rust", "REDOX_SOURCE_BASE=~/base"}, checkout(t), Flags{})
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{c.Cache: "cache", c.Toolchain: "rust", c.SourceDirs["BASE"]: "base"} {
		if got != filepath.Join(home, want) {
			t.Errorf("%s, want %s in the home folder", got, want)
		}
	}
}

// ~NAME is an account's home folder; one that is not there is not made in the checkout.
func TestHomeOfAnotherAccount(t *testing.T) {
	root, err := user.LookupId("0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{"HOME=/h", "REDOX_CACHE=~" + root.Username + "/cache", "REDOX_TOOLCHAIN=~"}, checkout(t), Flags{})
	if err != nil || c.Cache != filepath.Join(root.HomeDir, "cache") || c.Toolchain != "/h" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Load([]string{"HOME=/h", "REDOX_CACHE=~no-such-account/cache"}, checkout(t), Flags{}); err == nil || !strings.Contains(err.Error(), "./~no-such-account/cache") {
		t.Errorf("%v", err)
	}
	if c, err := Load([]string{"HOME=/h", "REDOX_CACHE=./~x"}, checkout(t), Flags{}); err != nil || filepath.Base(c.Cache) != "~x" {
		t.Errorf("%v", err)
	}
}

// Folders in which some tool cannot work are refused at once, with the tool's reason.
func TestUnusableCaches(t *testing.T) {
	for dir, want := range map[string]string{"/a%2Fb": "linker", "/a:b": "list of folders", "/a*b": "pattern", "/a\xffb": "UTF-8", "/a [b]": "pattern"} {
		if _, err := Load([]string{"REDOX_CACHE=" + dir}, checkout(t), Flags{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "REDOX_CACHE=DIR") {
			t.Errorf("%q: %v, want %q", dir, err, want)
		}
	}
}

// TestEveryVariableIsListed: what the package reads of the environment is what its lists say, and the other way round.
func TestEveryVariableIsListed(t *testing.T) {
	syntax, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{}
	for _, name := range slices.Concat(environ.Network(), environ.Transports(), environ.Display()) {
		read[name] = true
	}
	ast.Inspect(syntax, func(n ast.Node) bool {
		var name ast.Expr
		switch n := n.(type) {
		case *ast.IndexExpr: // env["NAME"]
			if env, ok := n.X.(*ast.Ident); ok && env.Name == "env" {
				name = n.Index
			}
		case *ast.CallExpr: // boolean(env, "NAME"), number(env, "NAME", …)
			if len(n.Args) > 1 {
				if env, ok := n.Args[0].(*ast.Ident); ok && env.Name == "env" {
					name = n.Args[1]
				}
			}
		}
		if text, ok := name.(*ast.BasicLit); ok {
			read[strings.Trim(text.Value, `"`)] = true
		}
		return true
	})
	listed := map[string]bool{}
	for _, v := range slices.Concat(environ.Variables(), environ.Standard()) {
		if !strings.HasPrefix(v.Name, environ.RemotePrefix) { // passed on as they are
			listed[v.Name] = true
		}
		if v.Meaning == "" {
			t.Errorf("%s: no meaning", v.Name)
		}
	}
	if diff := cmp.Diff(listed, read); diff != "" {
		t.Errorf("-listed +read\n%s", diff)
	}
}

func TestOutsideACheckout(t *testing.T) {
	if _, err := Load(nil, t.TempDir(), Flags{}); err == nil || !strings.Contains(err.Error(), "checkout") {
		t.Errorf("got %v", err)
	}
}

// What fetches gets how to fetch; what runs programs of others gets no credentials.
func TestTransportsAreApartFromTheNetwork(t *testing.T) {
	c, err := Load([]string{
		"PATH=/bin", "HOME=/h", "https_proxy=p", "GIT_SSH_COMMAND=ssh -i key", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=c",
		"GIT_DIR=/elsewhere", "GIT_AUTHOR_NAME=me", "XDG_CONFIG_HOME=/h/etc",
	}, checkout(t), Flags{})
	if err != nil {
		t.Fatal(err)
	}
	transports := "GIT_SSH_COMMAND=ssh -i key GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=a.b GIT_CONFIG_VALUE_0=c"
	if got := strings.Join(c.NetworkEnv, " "); got != "https_proxy=p" {
		t.Errorf("network: %s", got)
	}
	if got := strings.Join(c.Transports, " "); got != transports {
		t.Errorf("transports: %s", got)
	}
	if got := strings.Join(c.GitEnv(), " "); got != "PATH=/bin HOME=/h XDG_CONFIG_HOME=/h/etc https_proxy=p "+transports {
		t.Errorf("git: %s", got)
	}
}
