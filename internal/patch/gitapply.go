package patch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
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

func applyUnified(ctx context.Context, run []*Patch, over *Overlay, opts Options) ([]Result, error) {
	g, err := newGitApply(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(g.scratch)
	var commits []*commit
	var results []Result
	for _, p := range run {
		for i, c := range p.Unified.commits {
			r := Result{Patch: p.Name, Title: p.Title, Status: Satisfied}
			if len(p.Unified.commits) > 1 {
				r.Part, r.Title = fmt.Sprintf("commit %d", i+1), c.title
			}
			if names := c.paths(); len(names) == 1 {
				r.File = names[0]
			}
			commits, results = append(commits, c), append(results, r)
		}
	}
	there, err := g.satisfiedPrefix(ctx, commits, over, results)
	if err != nil {
		return nil, err
	}
	for i := there; i < len(commits); i++ {
		if err := g.one(ctx, commits[i], over, &results[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// gitApply runs `git apply` in scratch directories that hold only the files a
// commit names.
type gitApply struct {
	program, scratch string
	repository       string // empty but for its borrowed objects
	threeWay         bool
	fence            func(args []string) []string
	n                int
}

func newGitApply(ctx context.Context, opts Options) (*gitApply, error) {
	scratch, err := os.MkdirTemp(opts.TempDir, "patch-")
	if err != nil {
		return nil, err
	}
	if scratch, err = filepath.Abs(scratch); err != nil {
		return nil, err
	}
	g := &gitApply{program: opts.Git, scratch: scratch, repository: filepath.Join(scratch, "git"), threeWay: opts.ObjectDir != ""}
	if g.program == "" {
		g.program = "git"
	}
	if g.fence = func(args []string) []string { return args }; opts.Fence != nil {
		g.fence = opts.Fence(scratch)
	}
	if err := g.init(ctx, opts.ObjectDir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(scratch))
	}
	return g, nil
}

// init makes the repository. It is there for 3-way merges, and because only a
// repository's own attributes are stronger than a .gitattributes among the
// files: no byte may be converted on its way through.
func (g *gitApply) init(ctx context.Context, objects string) error {
	if message, ok, err := g.run(ctx, g.scratch, "", "init", "-q", "--template="); err != nil || !ok {
		return errors.Join(err, errors.New("git init: "+message))
	}
	files := map[string]string{"info/attributes": "* -text -ident -filter -working-tree-encoding !merge\n"}
	if objects != "" {
		files["objects/info/alternates"] = objects + "\n"
	}
	for name, text := range files {
		name = filepath.Join(g.repository, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// satisfiedPrefix is the largest n for which the tree has the first n commits.
func (g *gitApply) satisfiedPrefix(ctx context.Context, commits []*commit, over *Overlay, results []Result) (int, error) {
	for n := len(commits); n > 0; n-- {
		there, err := g.isThere(ctx, commits[:n], over, results[:n])
		if err != nil && !errors.Is(err, errAmbiguous) {
			return 0, err
		}
		if there {
			return n, nil
		}
	}
	return 0, nil
}

var errAmbiguous = errors.New("both the text before and the text after the change are found, so it cannot be told whether it is already there: write it as a TOML patch with a `satisfied` pattern, or make it anew from this source with git format-patch, which says of what files it was made")

// isThere says whether the tree has the commits: undone and made again, they
// lead back to it. `git apply -R` minds no modes, so those may still be missing
// then; they are set.
func (g *gitApply) isThere(ctx context.Context, commits []*commit, over *Overlay, results []Result) (bool, error) {
	known := map[*commit]bool{}
	changed, ok, err := g.roundTrip(ctx, over, commits, true, func(at Reader, c *commit) { known[c] = c.identified(at, newBlob) })
	if err != nil || !ok || contentDiffers(changed, over) {
		return false, err
	}
	for _, c := range commits {
		if !known[c] && c.has(hasContent) {
			if missing, err := g.canBeMissing(ctx, c, over); missing || err != nil {
				return false, err
			}
		}
	}
	for i, c := range commits {
		if len(changed) > 0 && c.has(setsMode) {
			results[i].Status, results[i].Detail = Applied, "only the mode, the rest is there"
		}
	}
	maps.Copy(over.Changed, changed)
	return true, nil
}

// canBeMissing: where lines repeat, a tree can look as if it had a change that
// it has not. git's ids of the files then tell.
func (g *gitApply) canBeMissing(ctx context.Context, c *commit, tree Reader) (bool, error) {
	changed, ok, err := g.roundTrip(ctx, tree, []*commit{c}, false, func(Reader, *commit) {})
	if err != nil || !ok || len(changed) > 0 {
		return false, err
	}
	if c.identified(tree, oldBlob) {
		return true, nil
	}
	return false, errAmbiguous
}

// roundTrip undoes the commits from the last back and makes them again, or the
// other way round, and returns what then differs from the tree; ok is false
// when one does not apply. undoing is called before a commit is undone.
func (g *gitApply) roundTrip(ctx context.Context, tree Reader, commits []*commit, undoFirst bool, undoing func(Reader, *commit)) (changed map[string]*File, ok bool, err error) {
	at, err := g.layout(tree, commits)
	if err != nil {
		return nil, false, err
	}
	defer at.Close()
	for _, undo := range []bool{undoFirst, !undoFirst} {
		for i, c := range commits {
			if undo {
				c = commits[len(commits)-1-i]
				undoing(at, c)
				_, ok, err = g.undo(ctx, at, c)
			} else {
				_, ok, err = g.apply(ctx, at, c)
			}
			if err != nil || !ok {
				return nil, false, err
			}
		}
	}
	changed, err = at.changes(tree)
	return changed, true, err
}

// layout makes a directory with all that the commits' paths meet in the tree.
func (g *gitApply) layout(tree Reader, commits []*commit) (*scratch, error) {
	g.n++
	at := &scratch{dir: filepath.Join(g.scratch, strconv.Itoa(g.n))}
	if err := os.Mkdir(at.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if at.DirTree, err = OpenDir(at.dir); err != nil {
		return nil, err
	}
	for _, c := range commits {
		for _, name := range c.paths() {
			if err := at.lay(tree, name); err != nil {
				return nil, errors.Join(err, at.Close())
			}
		}
	}
	return at, nil
}

func (g *gitApply) apply(ctx context.Context, at *scratch, c *commit, options ...string) (message string, ok bool, err error) {
	var diff strings.Builder
	for _, d := range c.diffs {
		diff.WriteString(d.text)
	}
	return g.run(ctx, at.dir, diff.String(), append([]string{"apply", "--whitespace=nowarn"}, options...)...)
}

var indexMode = regexp.MustCompile(`(?m)^(index [0-9a-f]+\.\.[0-9a-f]+) [0-7]{6}$`)

// undo takes a commit back. git cannot undo a copy: what was copied is
// removed, and it is for the caller to see whether the same comes again.
func (g *gitApply) undo(ctx context.Context, at *scratch, c *commit) (message string, ok bool, err error) {
	rest := &commit{}
	for _, d := range c.diffs {
		if f := d.files[0]; !f.IsCopy {
			// Undone, git would set the mode that an index line only mentions.
			rest.diffs = append(rest.diffs, fileDiff{text: indexMode.ReplaceAllString(d.text, "$1")})
		} else if err := at.Remove(f.NewName); err != nil {
			return err.Error(), false, nil
		}
	}
	if len(rest.diffs) == 0 {
		return "", true, nil
	}
	return g.apply(ctx, at, rest, "-R")
}

// one applies a single commit: already there, plainly, or by a 3-way merge.
func (g *gitApply) one(ctx context.Context, c *commit, over *Overlay, r *Result) error {
	alone := []Result{*r}
	there, err := g.isThere(ctx, []*commit{c}, over, alone)
	if errors.Is(err, errAmbiguous) {
		r.Status, r.Detail = Conflict, err.Error()
		return nil
	}
	if *r = alone[0]; err != nil || there {
		return err
	}
	at, err := g.layout(over, []*commit{c})
	if err != nil {
		return err
	}
	defer at.Close()
	message, ok, err := g.apply(ctx, at, c)
	if err == nil && !ok && g.threeWay { // git has checked all before it writes, so the files are as they were
		r.Detail = "by a 3-way merge"
		ok, err = g.merge(ctx, at, c)
	}
	if err != nil {
		return err
	}
	if !ok {
		return c.conflict(over, r, message)
	}
	// A merge that changes nothing has found the change already there, although
	// the lines around it are not the diff's.
	changed, err := at.changes(over)
	if len(changed) > 0 {
		r.Status = Applied
	}
	maps.Copy(over.Changed, changed)
	return err
}

func (g *gitApply) merge(ctx context.Context, at *scratch, c *commit) (bool, error) {
	if message, ok, err := g.run(ctx, at.dir, "", "add", "-A", "-f", "."); err != nil || !ok {
		return false, errors.Join(err, errors.New("git add: "+message))
	}
	_, ok, err := g.apply(ctx, at, c, "--3way", "--index")
	return ok, err
}

// run returns git's message and whether it succeeded; err is only for a git
// that could not be run.
func (g *gitApply) run(ctx context.Context, dir, stdin string, args ...string) (message string, ok bool, err error) {
	program, err := exec.LookPath(g.program)
	if err != nil {
		return "", false, err
	}
	args = g.fence(append([]string{program}, args...))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	// Nothing of the user's git configuration may change a result.
	cmd.Env = []string{
		"LC_ALL=C", "HOME=" + g.scratch, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "PATH=" + filepath.Dir(program),
		"GIT_DIR=" + g.repository, "GIT_WORK_TREE=" + dir, "GIT_INDEX_FILE=" + dir + ".index",
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

// conflict turns git's message into a result; the nearest lines are those that
// resemble the first line the failed hunk removes.
func (c *commit) conflict(over *Overlay, r *Result, message string) error {
	r.Status, r.Detail = Conflict, errorsOf(message)
	m := patchFailed.FindStringSubmatch(message)
	if m == nil {
		return c.missing(over, r)
	}
	r.File = m[1]
	r.Line, _ = strconv.Atoi(m[2])
	h := c.hunk(r.File, int64(r.Line))
	f, err := lookup(over, r.File)
	if err != nil || f == nil || h == nil {
		return err
	}
	if in, of := lineEnds(string(f.Data)), lineEnds(side(h, gitdiff.Line.Old)); in+of == "CRLFLF" || in+of == "LFCRLF" {
		r.Detail = fmt.Sprintf("the file has %s line ends, the patch %s: give both the same (core.autocrlf and mail programs change them); %s", in, of, r.Detail)
	}
	wanted := side(h, func(l gitdiff.Line) bool { return l.Op == gitdiff.OpDelete })
	if wanted == "" {
		wanted = side(h, gitdiff.Line.Old)
	}
	for _, near := range nearestLines(string(f.Data), wanted) {
		near.File = r.File
		r.Candidates = append(r.Candidates, near)
	}
	return nil
}

// missing is the conflict of a file that is not there.
func (c *commit) missing(over *Overlay, r *Result) error {
	for _, name := range c.paths() {
		if hint := throughLink(over, name); hint != "" {
			r.Detail = hint
			return nil
		}
		if f, err := lookup(over, name); err != nil || f != nil {
			continue
		}
		names, err := over.List()
		r.Candidates = nearestFiles(names, name)
		return err
	}
	return nil
}

// errorsOf are git's errors in one line, without its warnings.
func errorsOf(message string) string {
	var all []string
	for line := range strings.Lines(message) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "error: "); ok {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return message
	}
	return strings.Join(all, "; ")
}

func lineEnds(text string) string {
	switch {
	case isCRLF(text):
		return "CRLF"
	case strings.Contains(text, "\n") && !strings.Contains(text, "\r\n"):
		return "LF"
	}
	return "" // mixed, or no line
}
