package patch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// parseUnified finds the paths a diff touches. git itself parses the hunks;
// this only has to know which files to lay out for it, and to refuse what a
// patch of ours must not do (links, submodules, paths outside of the tree).
func parseUnified(data []byte) (*Unified, error) {
	u := &Unified{Data: data}
	seen := map[string]bool{}
	add := func(name string) error {
		name, err := diffPath(name)
		if err != nil || name == "" || seen[name] {
			return err
		}
		if err := checkPath(name); err != nil {
			return err
		}
		seen[name] = true
		u.Paths = append(u.Paths, name)
		return nil
	}
	hunk := hunkCounter{}
	scan := bufio.NewScanner(bytes.NewReader(data))
	scan.Buffer(nil, len(data)+1)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSuffix(scan.Text(), "\r")
		if hunk.inside(line) {
			continue
		}
		for _, name := range headerPaths(line) {
			if err := add(name); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		if linkMode.MatchString(line) {
			return nil, fmt.Errorf("line %d: symbolic links and submodules in a patch are not supported", n)
		}
	}
	if err := scan.Err(); err != nil {
		return nil, err
	}
	if len(u.Paths) == 0 {
		return nil, errNoPaths
	}
	sort.Strings(u.Paths)
	return u, nil
}

var (
	linkMode   = regexp.MustCompile(`^(?:(?:new|deleted) file mode|new mode|old mode|index [0-9a-f]+\.\.[0-9a-f]+) 1[26]0000$`)
	hunkHeader = regexp.MustCompile(`^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@`)
)

// hunkCounter tells hunk lines from headers: a removed line "-- x" looks like
// the header "--- x".
type hunkCounter struct{ before, after int }

func (h *hunkCounter) inside(line string) bool {
	if h.before > 0 || h.after > 0 {
		switch {
		case strings.HasPrefix(line, "-"):
			h.before--
		case strings.HasPrefix(line, "+"):
			h.after--
		case strings.HasPrefix(line, `\`):
		default:
			h.before--
			h.after--
		}
		return true
	}
	m := hunkHeader.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	h.before, h.after = count(m[1]), count(m[2])
	return true
}

func count(s string) int {
	if s == "" {
		return 1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0 // git will refuse it
	}
	return n
}

// headerPaths are the paths a header line names, still with a/ or b/.
func headerPaths(line string) []string {
	for _, p := range []string{"--- ", "+++ "} {
		if name, ok := strings.CutPrefix(line, p); ok {
			name, _, _ = strings.Cut(name, "\t") // time stamp of plain diff
			return []string{name}
		}
	}
	for _, p := range []string{"rename from ", "rename to ", "copy from ", "copy to "} {
		if name, ok := strings.CutPrefix(line, p); ok {
			if strings.HasPrefix(name, `"`) {
				return []string{`"a/` + name[1:]}
			}
			return []string{"a/" + name}
		}
	}
	// Only a change of mode, an empty or a binary file has no --- and +++;
	// both names are then the same.
	if rest, ok := strings.CutPrefix(line, "diff --git "); ok && len(rest)%2 == 1 {
		a, b := rest[:len(rest)/2], rest[len(rest)/2+1:]
		strip := func(s string) string { return strings.TrimPrefix(strings.TrimPrefix(s, `"`), "a/") }
		if strip(a) == strings.TrimPrefix(strings.TrimPrefix(b, `"`), "b/") {
			return []string{a}
		}
	}
	return nil
}

// diffPath unquotes a name and removes its a/ or b/; /dev/null gives "".
func diffPath(name string) (string, error) {
	if strings.HasPrefix(name, `"`) {
		unquoted, err := strconv.Unquote(name)
		if err != nil {
			return "", fmt.Errorf("bad quoted path %s", name)
		}
		name = unquoted
	}
	if name == "/dev/null" {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(name, "a/"); ok {
		return rest, nil
	}
	if rest, ok := strings.CutPrefix(name, "b/"); ok {
		return rest, nil
	}
	return "", fmt.Errorf("path %q has no a/ or b/ prefix, as git writes it", name)
}

// git undoes a change of mode that is not there, with a warning.
var (
	modeChange = regexp.MustCompile(`(?m)^new mode `)
	otherMode  = regexp.MustCompile(`(?m)^warning: .* has type \d+, expected \d+$`)
)

// unifiedRun is the longest prefix of patches that are unified diffs. A run is
// handled as a whole, because a later diff may change what an earlier one
// wrote: satisfied is then seen only when they are undone from the last back.
func unifiedRun(patches []Patch) []*Patch {
	var run []*Patch
	for i := range patches {
		if patches[i].Unified == nil {
			break
		}
		run = append(run, &patches[i])
	}
	return run
}

func applyUnified(ctx context.Context, run []*Patch, over *overlay, opts Options) ([]Result, error) {
	scratch, err := os.MkdirTemp(opts.TempDir, "patch-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	if scratch, err = filepath.Abs(scratch); err != nil {
		return nil, err
	}
	g := &gitApply{program: opts.Git, scratch: scratch, objects: opts.ObjectDir}
	if g.program == "" {
		g.program = "git"
	}
	prefix, err := g.satisfiedPrefix(ctx, run, over)
	if err != nil {
		return nil, err
	}
	var results []Result
	for i, p := range run {
		r := Result{Patch: p.Name, Title: p.Title, Status: Satisfied}
		if len(p.Unified.Paths) == 1 {
			r.File = p.Unified.Paths[0]
		}
		if i >= prefix {
			if err := g.one(ctx, p, over, &r); err != nil {
				return nil, err
			}
		}
		results = append(results, r)
	}
	return results, nil
}

// gitApply runs `git apply` in scratch directories that hold only the files a
// diff names.
type gitApply struct {
	program, scratch, objects string
	n                         int
}

// satisfiedPrefix is the largest n for which the first n diffs, undone from the
// n-th back, all apply in reverse.
func (g *gitApply) satisfiedPrefix(ctx context.Context, run []*Patch, tree Tree) (int, error) {
	for n := len(run); n > 0; n-- {
		dir, err := g.layout(tree, run[:n])
		if err != nil {
			return 0, err
		}
		all := true
		for i := n - 1; i >= 0 && all; i-- {
			var message string
			message, all, err = g.run(ctx, dir, run[i].Unified.Data, "apply", "-R", "--whitespace=nowarn", "-")
			if err != nil {
				return 0, err
			}
			if modeChange.Match(run[i].Unified.Data) && otherMode.MatchString(message) {
				all = false
			}
		}
		if all {
			return n, nil
		}
	}
	return 0, nil
}

// one applies a single diff: already there, plainly, or by a 3-way merge.
func (g *gitApply) one(ctx context.Context, p *Patch, over *overlay, r *Result) error {
	if n, err := g.satisfiedPrefix(ctx, []*Patch{p}, over); err != nil || n == 1 {
		r.Status = Satisfied
		return err
	}
	dir, err := g.layout(over, []*Patch{p})
	if err != nil {
		return err
	}
	message, ok, err := g.run(ctx, dir, p.Unified.Data, "apply", "--whitespace=nowarn", "-")
	if err != nil {
		return err
	}
	if !ok && g.objects != "" {
		if dir, ok, err = g.threeWay(ctx, p, over); err != nil {
			return err
		}
		r.Detail = "by a 3-way merge"
	}
	if !ok {
		return p.unifiedConflict(over, r, message)
	}
	// A merge that changes nothing has found the change already there, although
	// the lines around it are not the diff's.
	changed, err := collect(dir, p.Unified.Paths, over)
	r.Status = Satisfied
	if changed {
		r.Status = Applied
	}
	return err
}

// threeWay merges in a throw-away repository that borrows the source's objects.
func (g *gitApply) threeWay(ctx context.Context, p *Patch, tree Tree) (string, bool, error) {
	dir, err := g.layout(tree, []*Patch{p})
	if err != nil {
		return "", false, err
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A", "-f", "."}} {
		if message, ok, err := g.run(ctx, dir, nil, args...); err != nil || !ok {
			return "", false, errors.Join(err, fmt.Errorf("git %s: %s", args[0], message))
		}
		alternates := filepath.Join(dir, ".git", "objects", "info", "alternates")
		if err := os.WriteFile(alternates, []byte(g.objects+"\n"), 0o644); err != nil {
			return "", false, err
		}
	}
	_, ok, err := g.run(ctx, dir, p.Unified.Data, "apply", "--3way", "--index", "--whitespace=nowarn", "-")
	return dir, ok, err
}

// layout writes the files the diffs name into a new scratch directory.
func (g *gitApply) layout(tree Tree, run []*Patch) (string, error) {
	g.n++
	dir := filepath.Join(g.scratch, strconv.Itoa(g.n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for _, p := range run {
		for _, name := range p.Unified.Paths {
			if err := layoutFile(tree, dir, name); err != nil {
				return "", err
			}
		}
	}
	return dir, nil
}

func layoutFile(tree Tree, dir, name string) error {
	f, err := tree.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	to := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if f.Executable {
		perm = 0o755
	}
	return os.WriteFile(to, f.Data, perm)
}

// collect takes what git made of the files into the overlay and says whether
// anything changed.
func collect(dir string, names []string, over *overlay) (bool, error) {
	scratch, err := OpenDir(dir)
	if err != nil {
		return false, err
	}
	defer scratch.Close()
	changed := false
	for _, name := range names {
		was, wasErr := over.ReadFile(name)
		f, err := scratch.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err = nil; wasErr == nil {
				changed, err = true, over.Remove(name)
			}
		case err == nil && (wasErr != nil || was.Executable != f.Executable || !bytes.Equal(was.Data, f.Data)):
			changed, err = true, over.WriteFile(name, f)
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// run returns git's message and whether it succeeded; err is only for a git
// that could not be run.
func (g *gitApply) run(ctx context.Context, dir string, stdin []byte, args ...string) (string, bool, error) {
	cmd := exec.CommandContext(ctx, g.program, args...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(stdin)
	// Nothing of the user's git configuration may change a result, and a
	// repository around the scratch directory must not be found.
	cmd.Env = []string{
		"LC_ALL=C", "HOME=" + g.scratch, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_CEILING_DIRECTORIES=" + g.scratch, "PATH=" + filepath.Dir(cmd.Path),
	}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", false, ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", false, err
	}
	return strings.TrimSpace(string(out)), err == nil, nil
}

var patchFailed = regexp.MustCompile(`(?m)^error: patch failed: (.+):(\d+)$`)

// unifiedConflict turns git's message into a result; the nearest lines are
// those that resemble the first line the failed hunk removes.
func (p *Patch) unifiedConflict(over *overlay, r *Result, message string) error {
	r.Status = Conflict
	r.Detail = strings.ReplaceAll(strings.ReplaceAll(message, "error: ", ""), "\n", "; ")
	m := patchFailed.FindStringSubmatch(message)
	if m == nil {
		for _, name := range p.Unified.Paths {
			if _, err := over.ReadFile(name); errors.Is(err, fs.ErrNotExist) {
				names, err := over.List()
				r.Candidates = nearestFiles(names, name)
				return err
			}
		}
		return nil
	}
	f, err := over.ReadFile(m[1])
	if err != nil {
		return err
	}
	r.File = m[1]
	r.Line, _ = strconv.Atoi(m[2])
	for _, c := range nearestLines(string(f.Data), p.Unified.removedAt(m[1], m[2])) {
		c.File = m[1]
		r.Candidates = append(r.Candidates, c)
	}
	return nil
}

// removedAt is the removed (else the context) text of the hunk of file that
// starts at the line.
func (u *Unified) removedAt(file, line string) string {
	var removed, context strings.Builder
	inFile, inHunk := false, false
	for l := range strings.Lines(string(u.Data)) {
		switch {
		case strings.HasPrefix(l, "--- "):
			inFile, inHunk = strings.TrimSpace(l) == "--- a/"+file, false
		case strings.HasPrefix(l, "@@ "):
			inHunk = inFile && (strings.HasPrefix(l, "@@ -"+line+",") || strings.HasPrefix(l, "@@ -"+line+" "))
		case inHunk && strings.HasPrefix(l, "-"):
			removed.WriteString(l[1:])
		case inHunk && strings.HasPrefix(l, " "):
			context.WriteString(l[1:])
		}
	}
	if removed.Len() > 0 {
		return removed.String()
	}
	return context.String()
}
