// Package patch applies a component's series of changes to its source tree.
//
// It owns the on-disk format of patches/<series>/, the rules that say whether
// a change is applied, already there, not needed or in conflict, and the
// digest of a series. It must not know where a source comes from, which recipe
// names the series, or where patched trees are kept: it reads and writes
// through [Tree], and the caller hands it a fresh copy, never the source.
//
// # Format
//
// A series is a folder. Its *.toml and *.patch files are applied in the byte
// order of their names (NNNN-name.toml). A .patch file is what git format-patch
// or git diff writes, or a mail box of several such: its commits are given to
// `git apply` one by one, with their modes, links, copies and binary files.
// Submodules, names without a/ and b/, and paths out of the tree are refused.
// A .toml file has the keys of [Document] and no others.
//
// # Satisfied
//
// An edit is satisfied when its `satisfied` pattern is found, or when its text
// stands where the edit would put it: beside every anchor for before and
// after; for replace, `count` times with no anchor left outside of it. A new
// file is satisfied by a file of the same bytes. A commit of a .patch file is
// satisfied when it can be undone and, made again, leads back to the same tree;
// where only modes are then other ones, those are set. Apply proves it for what
// it has just computed: a series that would not be recognised on its own result
// is refused, so a second application can never insert a text twice.
package patch

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Series is a loaded and validated folder of patches.
type Series struct {
	Name    string // the folder's name, for messages only
	Patches []Patch
}

// Patch is one file of a series: either TOML edits and files, or unified diffs.
type Patch struct {
	Name      string // file name within the series
	Title     string
	Reason    string
	Upstream  string
	Test      string
	Needed    *Condition
	Satisfied *Condition
	Context   []Condition
	Edits     []Edit
	Files     []NewFile
	Unified   *Unified // nil for a TOML patch
}

// Condition is a pattern looked for in one file of the tree.
type Condition struct {
	File    string
	Pattern *regexp.Regexp
}

// Where says how an edit's text relates to its anchor.
type Where string

// The three kinds of edit.
const (
	Replace Where = "replace" // in place of the anchor, or of all up to `until`
	Before  Where = "before"  // as whole lines before the lines that the anchor touches
	After   Where = "after"   // as whole lines behind them
)

// Values are the three kinds.
func (Where) Values() []string { return tomlfile.Values(Replace, Before, After) }

// Edit is one change of one existing file.
type Edit struct {
	File      string
	Anchor    string
	Until     string // empty: the region is the anchor itself
	Where     Where
	Text      string
	Count     int
	Regex     bool
	Satisfied *regexp.Regexp
	// Context are texts that have to be in the function around the anchor, or in the file where there is none.
	Context []string

	anchor, until *regexp.Regexp // literals are quoted, so matching has one path
}

// NewFile is a whole file of ours.
type NewFile struct {
	Path string
	Text []byte
}

// Status is what became of one edit.
type Status string

// The four results. Only Conflict is a failure.
const (
	Applied   Status = "applied"
	Satisfied Status = "satisfied"
	NotNeeded Status = "not-needed"
	Conflict  Status = "conflict"
)

// Result is the outcome of one edit, one new file or one commit of unified diffs.
type Result struct {
	Patch      string // file name within the series
	Title      string
	Part       string // "edit 2", "file 1", "commit 3" of a mail box; empty for a whole patch
	File       string // slash path in the source; empty for a commit of several files
	Line       int    // first changed or matched line from 1; 0 when not known
	Status     Status
	Detail     string      // why, when Status alone does not say it
	Candidates []Candidate // with Conflict: the nearest places
}

// String is the result as one line, followed by indented candidate lines.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", r.Patch)
	if r.Part != "" {
		fmt.Fprintf(&b, "%s: ", r.Part)
	}
	if r.File != "" {
		b.WriteString(r.File)
		if r.Line > 0 {
			fmt.Fprintf(&b, ":%d", r.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(string(r.Status))
	if r.Detail != "" {
		b.WriteString(": " + r.Detail)
	}
	for _, c := range r.Candidates {
		b.WriteString("\n    " + c.String())
	}
	return b.String()
}

// Candidate is a place that resembles what an edit looked for.
type Candidate struct {
	File       string
	Line       int // from 1; 0 when the candidate is a whole file
	Text       string
	Similarity float64 // 0 to 1
	// Difference says what is wanted and what is there, without what both have; "" where nothing is in common.
	Difference string
}

// String is "file:line (83%): text", and what differs.
func (c Candidate) String() string {
	if c.Line == 0 {
		return fmt.Sprintf("%s (%.0f%%)", c.File, c.Similarity*100)
	}
	text := fmt.Sprintf("%s:%d (%.0f%%): %s", c.File, c.Line, c.Similarity*100, c.Text)
	if c.Difference != "" {
		text += " [" + c.Difference + "]"
	}
	return text
}

// ConflictError is one failed edit; Apply returns all of them together.
type ConflictError struct{ Result Result }

func (e *ConflictError) Error() string { return e.Result.String() }

// Report lists what became of every part of a series, in order.
type Report struct {
	Results []Result
	Changed []string // paths written or removed, sorted
}

// Count is how many results have the status.
func (r *Report) Count(s Status) int {
	n := 0
	for _, res := range r.Results {
		if res.Status == s {
			n++
		}
	}
	return n
}

// Summary is one line such as "3 applied, 1 satisfied".
func (r *Report) Summary() string {
	var parts []string
	for _, s := range []Status{Applied, Satisfied, NotNeeded, Conflict} {
		if n := r.Count(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 {
		return "nothing to apply"
	}
	return strings.Join(parts, ", ")
}
