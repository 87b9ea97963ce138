package patch

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"

	"github.com/pannous/redox-clif/internal/symlink"
)

// Unified is the content of a .patch file.
type Unified struct {
	Data    []byte
	commits []*commit
}

// commit is one mail of the file, or all of a file that is no mail box. Its
// changes are made together: each reads what was there before all of them.
type commit struct {
	title string // empty: the diff has no subject
	diffs []fileDiff
}

// fileDiff is a diff of one file, or of several that plain diff wrote.
type fileDiff struct {
	text  string
	files []*gitdiff.File
}

var (
	mailStart = regexp.MustCompile(`(?m)^From [0-9a-f]{40,64} `)
	// A header is one only with what follows it: people write such lines into
	// commit messages.
	gitHeader   = regexp.MustCompile(`(?m)^diff --git .*\n(?:old mode|new mode|deleted file|new file|copy from|rename |similarity |dissimilarity |index |--- )`)
	plainHeader = regexp.MustCompile(`(?m)^--- .*\n\+\+\+ .*\n@@ -\d`)
	prefixed    = regexp.MustCompile(`^(?:diff --git (?:"?a/.* "?b/|"?b/.* "?a/)|(?:---|\+\+\+) (?:"?[ab]/|/dev/null))`)
	subject     = regexp.MustCompile(`(?m)^Subject: (?:\[PATCH[^\]]*\] )?(.+)$`)
)

// parseUnified reads the diffs of a .patch file and refuses what a patch of
// ours must not do: change submodules, write outside of the tree.
func parseUnified(data []byte) (*Unified, error) {
	u := &Unified{Data: data}
	text := string(data)
	if isCRLF(text) { // a mail program's or a checkout's; a file's own CR has another one behind it
		text = unixLines(text)
	}
	for _, mail := range cutBefore(mailStart, text, 1) {
		c, err := parseCommit(mail)
		if err != nil {
			return nil, err
		}
		if len(c.diffs) > 0 {
			u.commits = append(u.commits, c)
		}
	}
	if len(u.commits) == 0 {
		return nil, errNoPaths
	}
	return u, nil
}

// piece is a part of a .patch file with the number of its first line.
type piece struct {
	text string
	line int
}

// cutBefore cuts a text in front of every match.
func cutBefore(re *regexp.Regexp, text string, line int) []piece {
	var all []piece
	from := 0
	for _, m := range append(re.FindAllStringIndex(text, -1), []int{len(text), 0}) {
		all = append(all, piece{text[from:m[0]], line})
		line += strings.Count(text[from:m[0]], "\n")
		from = m[0]
	}
	return all
}

func parseCommit(mail piece) (*commit, error) {
	pieces := cutBefore(gitHeader, mail.text, mail.line)
	c := &commit{title: titleOf(pieces[0].text)}
	// In front of git's first header is the message, and where git has written
	// no mail there can be plain diffs, too.
	message, isMail := pieces[0], mailStart.MatchString(mail.text)
	if at := plainHeader.FindStringIndex(message.text); at != nil && !(isMail && len(pieces) > 1) {
		pieces[0] = piece{message.text[at[0]:], message.line + strings.Count(message.text[:at[0]], "\n")}
	} else {
		pieces = pieces[1:]
	}
	for _, p := range pieces {
		changed, err := p.parse()
		if err != nil {
			return nil, err
		}
		c.diffs = append(c.diffs, changed)
	}
	return c, nil
}

// titleOf is the subject of a mail.
func titleOf(message string) string {
	if header, err := gitdiff.ParsePatchHeader(message); err == nil && header.Title != "" {
		return header.Title
	}
	if m := subject.FindStringSubmatch(message); m != nil { // a mail without a sender
		return strings.TrimSpace(m[1])
	}
	return ""
}

func (p piece) parse() (fileDiff, error) {
	files, _, err := gitdiff.Parse(strings.NewReader(p.text))
	if err != nil { // once more, so that its line numbers are those of the whole file
		_, _, err = gitdiff.Parse(strings.NewReader(strings.Repeat("\n", p.line-1) + p.text))
		return fileDiff{}, errors.New(strings.TrimPrefix(err.Error(), "gitdiff: "))
	}
	isGit := strings.HasPrefix(p.text, "diff --git ")
	if isGit && len(files) > 1 {
		return fileDiff{}, fmt.Errorf("line %d: behind the diff of %s is one without git's header: put it into a .patch file of its own", p.line, files[0].NewName)
	}
	for _, f := range files {
		if isGit {
			err = p.checkPrefixes()
		} else {
			err = takePrefixes(f)
		}
		if err == nil {
			err = checkFile(f)
		}
		if err != nil {
			return fileDiff{}, fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	return fileDiff{p.text, files}, nil
}

// checkPrefixes looks at a header of git's: the library takes one folder off
// the names, whatever it is called.
func (p piece) checkPrefixes() error {
	for line := range strings.Lines(p.text) {
		if strings.HasPrefix(line, "@@ -") || strings.HasPrefix(line, "GIT binary patch") {
			break
		}
		names := strings.HasPrefix(line, "diff --git ") || strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ")
		if names && !prefixed.MatchString(line) {
			return fmt.Errorf("%q: %w", strings.TrimSpace(line), errPrefix)
		}
	}
	return nil
}

// takePrefixes is for plain diff, where the library leaves them on the names.
func takePrefixes(f *gitdiff.File) error {
	for _, name := range []*string{&f.OldName, &f.NewName} {
		if *name == "" {
			continue
		}
		if !strings.HasPrefix(*name, "a/") && !strings.HasPrefix(*name, "b/") {
			return fmt.Errorf("path %q: %w", *name, errPrefix)
		}
		*name = (*name)[len("a/"):]
	}
	return nil
}

// The types of git's modes; the rest of a mode is permissions.
const (
	typeOfMode = 0o170000
	modeLink   = 0o120000
	modeModule = 0o160000
)

func checkFile(f *gitdiff.File) error {
	names := namesOf(f)
	if len(names) == 0 {
		return errors.New("it names no file")
	}
	for _, name := range names {
		if strings.HasSuffix(name, "\r") {
			return errors.New("some lines of the patch end in CRLF and others in LF: save it with LF, which git's own lines have")
		}
		if err := checkPath(name); err != nil {
			return err
		}
	}
	for _, mode := range []fs.FileMode{f.OldMode, f.NewMode} {
		switch mode & typeOfMode {
		case modeModule:
			return fmt.Errorf("%s is a submodule: a patch cannot change it, [source.submodules] of the recipe names its commit", names[0])
		case modeLink:
			if err := checkTarget(f); err != nil {
				return err
			}
		}
	}
	if f.IsBinary && f.BinaryFragment == nil {
		return fmt.Errorf("%s is binary and its content is not in the patch: make it with git format-patch or git diff --binary", names[0])
	}
	return nil
}

// checkTarget refuses a link that a patch leads out of the tree by itself. Whether it does by way of other links, who has the
// whole tree finds out.
func checkTarget(f *gitdiff.File) error {
	for _, h := range f.TextFragments {
		target := strings.TrimSuffix(side(h, gitdiff.Line.New), "\n")
		for _, leaves := range symlink.Leaving(map[string]string{f.NewName: target}) {
			return fmt.Errorf("the link %w; a path of the system that the source is for is written from the root", leaves)
		}
	}
	return nil
}

// namesOf are the paths that a diff reads, writes or removes: one or two.
func namesOf(f *gitdiff.File) []string {
	names := slices.DeleteFunc([]string{f.OldName, f.NewName}, func(n string) bool { return n == "" })
	return slices.Compact(names)
}

// side is the text of a hunk's lines of some kind.
func side(h *gitdiff.TextFragment, has func(gitdiff.Line) bool) string {
	var b strings.Builder
	for _, l := range h.Lines {
		if has(l) {
			b.WriteString(l.Line)
		}
	}
	return b.String()
}

var (
	errNoPaths = errors.New("not a unified diff: it names no file")
	errPrefix  = errors.New(`no a/ and b/ in front of the names: make the patch with git -c diff.noprefix=false -c diff.mnemonicPrefix=false format-patch, or write a/ and b/ there`)
)

// paths are all that the commit reads, writes or removes, sorted.
func (c *commit) paths() []string {
	var names []string
	for _, d := range c.diffs {
		for _, f := range d.files {
			names = append(names, namesOf(f)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// has says whether something holds for a file of the commit.
func (c *commit) has(holds func(*gitdiff.File) bool) bool {
	return slices.ContainsFunc(c.diffs, func(d fileDiff) bool { return slices.ContainsFunc(d.files, holds) })
}

// hasContent is false where a file is only renamed or copied or gets a mode.
func hasContent(f *gitdiff.File) bool { return len(f.TextFragments) > 0 || f.BinaryFragment != nil }

func setsMode(f *gitdiff.File) bool { return f.NewMode != 0 && f.NewMode != f.OldMode }

// hunk is the one of a file's that starts at a line, nil if there is none.
func (c *commit) hunk(name string, line int64) (found *gitdiff.TextFragment) {
	c.has(func(f *gitdiff.File) bool {
		at := slices.IndexFunc(f.TextFragments, func(h *gitdiff.TextFragment) bool { return h.OldPosition == line })
		if at < 0 || !slices.Contains(namesOf(f), name) {
			return false
		}
		found = f.TextFragments[at]
		return true
	})
	return found
}

func oldBlob(f *gitdiff.File) (name, id string) { return f.OldName, f.OldOIDPrefix }
func newBlob(f *gitdiff.File) (name, id string) { return f.NewName, f.NewOIDPrefix }

// identified says whether the tree's files are, by git's ids of them, those
// before or after the commit.
func (c *commit) identified(tree Reader, blob func(*gitdiff.File) (name, id string)) bool {
	known := false
	other := c.has(func(f *gitdiff.File) bool {
		name, id := blob(f)
		if name == "" || !hasContent(f) {
			return false
		}
		is, err := tree.ReadFile(name)
		known = err == nil && isBlob(is.Data, id)
		return !known
	})
	return known && !other
}

// isBlob compares a file with git's id of it, which may be shortened or, in
// what no git has written, all zeros.
func isBlob(data []byte, id string) bool {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data))
	return id != "" && strings.HasPrefix(hex.EncodeToString(sum[:]), id)
}
