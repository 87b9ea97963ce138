package pages

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/test/checkout"
	"github.com/pannous/redox-clif/internal/test/wants"
)

// goAsMage stands in for the go command: the pages have people type `go tool mage`.
const goAsMage = "#!/bin/sh\n[ \"$1 $2\" = 'tool mage' ] || { echo \"no go here: go $*\" >&2; exit 1; }\nshift 2\nexec \"$(command -v mage)\" \"$@\"\n"

// place is a small checkout where the blocks of a page are run, one after the other.
type place struct {
	dir, bin string
	env      []string
}

// newPlace makes one, with the compiled targets as `mage`, and nothing of the user's.
func newPlace(t *testing.T, mage string) *place {
	t.Helper()
	work := t.TempDir()
	c := &place{dir: filepath.Join(work, "redox-clif"), bin: filepath.Join(work, "bin")}
	// drift looks at the generated targets and at the workflows too.
	if err := errors.Join(checkout.Copy(c.dir, "magefiles", ".github"), checkout.InstallTyped(mage, c.bin)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.bin, "go"), []byte(goAsMage), 0o755); err != nil {
		t.Fatal(err)
	}
	c.env = []string{"HOME=" + work, "PATH=" + c.bin + ":/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "REDOX_CACHE=" + filepath.Join(work, "cache")}
	return c
}

// withCompilers gives the commands the user's tools, and the toolchain that the tests are told of.
func (c *place) withCompilers() *place {
	env := append(slices.Clone(c.env), "HOME="+os.Getenv("HOME"), "PATH="+c.bin+":"+os.Getenv("PATH"))
	if dir := wants.Cranelift.Given(); dir != "" {
		env = append(env, "REDOX_TOOLCHAIN="+dir)
	}
	return &place{c.dir, c.bin, env}
}

// withSystem is the same with the cache that the end-to-end scripts have, in which the real system need not be built each time, and
// with the user's mirrors.
func (c *place) withSystem(t *testing.T) *place {
	t.Helper()
	with := c.withCompilers()
	cache := wants.Cache.Given()
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(dir, "redox-clif-test")
	}
	with.env = append(with.env, "REDOX_CACHE="+cache)
	if mirrors := os.Getenv("REDOX_OVERRIDES"); mirrors != "" {
		with.env = append(with.env, "REDOX_OVERRIDES="+mirrors)
	}
	return with
}

// TestRun: what a page says that commands print is what they print.
func TestRun(t *testing.T) {
	mage := checkout.Compile(t)
	for _, p := range manuals(t) {
		if !slices.ContainsFunc(p.blocks, func(b block) bool { return b.has("run") }) {
			continue
		}
		t.Run(p.path, func(t *testing.T) {
			t.Parallel()
			p.run(t, newPlace(t, mage))
		})
	}
}

func (p *page) run(t *testing.T, c *place) {
	for _, b := range p.blocks {
		switch {
		case b.marks["file"] != "":
			c.write(t, b.marks["file"], b.text)
		case b.has("e2e") && wants.E2E.Given() != "1":
			// Not run. That its targets are there is tested all the same.
		case b.has("guest") && wants.Guest.Given() != "1":
		case b.has("run"):
			in := c
			if b.has("e2e") {
				in = c.withCompilers()
			}
			if b.has("guest") {
				in = c.withSystem(t)
			}
			if err := in.session(b); err != nil {
				t.Errorf("%s:%d: %v", p.path, b.line, err)
			}
		}
	}
}

func (c *place) write(t *testing.T, file, text string) {
	t.Helper()
	file = filepath.Join(c.dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// typed is a command with what it has to print.
type typed struct {
	command string
	prints  []string
}

func (b *block) typed() []typed {
	var all []typed
	for line := range strings.Lines(b.text) {
		line = strings.TrimRight(line, " \n")
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, typed{command: command})
		} else if len(all) > 0 {
			last := &all[len(all)-1]
			last.prints = append(last.prints, line)
		}
	}
	return all
}

// session types the commands of a block.
func (c *place) session(b block) error {
	all := b.typed()
	for i, cmd := range all {
		out, err := c.shell(cmd.command)
		if fails := b.has("fails") && i == len(all)-1; fails != (err != nil) {
			return fmt.Errorf("$ %s\n%s: %v", cmd.command, out, err)
		}
		if problem := compare(cmd.prints, out); problem != "" {
			return fmt.Errorf("$ %s\n%s\nit printed\n%s", cmd.command, problem, out)
		}
	}
	return nil
}

// shell runs a command; its failure is no error of ours, that it cannot be started is.
func (c *place) shell(command string) (string, error) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = c.dir, c.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	return strings.ReplaceAll(string(out), c.dir+"/", ""), err
}

// blanks are one: how wide a table is depends on what is in it.
var blanks = regexp.MustCompile(`[ \t]+`)

// compare says where what was printed is not what the page has. A page may leave out what a command prints altogether.
func compare(want []string, printed string) string {
	if len(want) == 0 {
		return ""
	}
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range want {
		if line == "…" {
			pattern.WriteString(`(.*\n)*?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(blanks.ReplaceAllString(line, " ")), "…", ".*") + ` ?\n`)
	}
	pattern.WriteString(`\n*\z`)
	if regexp.MustCompile(pattern.String()).MatchString(blanks.ReplaceAllString(printed, " ")) {
		return ""
	}
	return "the page has\n" + strings.Join(want, "\n")
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		want, printed string
		same          bool
	}{
		{"", "anything\n", true},
		{"a", "a\n", true},
		{"a…c", "abc\n", true},
		{"a\n…", "a\nb\nc\n", true},
		{"…\nc", "a\nb\nc\n", true},
		{"a b", "a\t   b  \n", true},
		{"a", "b\n", false},
		{"a", "a\nb\n", false},
		{"a\n…\nc", "a\nb\n", false},
	} {
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "\n")
		}
		if problem := compare(want, c.printed); (problem == "") != c.same {
			t.Errorf("%q, %q: %s", c.want, c.printed, problem)
		}
	}
}
