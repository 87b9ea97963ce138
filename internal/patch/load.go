package patch

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Document is patches/<series>/NNNN-name.toml as it is written: edits of a source's files and new files, with the reason for them.
//
// Every pattern is an RE2 regular expression, in which ^ and $ are the ends of lines. Texts and anchors have "\n"; in a file whose
// every line ends in "\r\n" they match and produce that. A final newline that is missing stays missing.
type Document struct {
	// Title is one line for lists.
	Title string `toml:"title,required"`
	// Reason says why the change is needed.
	Reason string `toml:"reason,required"`
	// Upstream is the URL or commit that has the same change.
	Upstream string `toml:"upstream"`
	// Test is what fails without the patch: a boot test ("test:boot sync"), another target ("test:relibc"), or a test of ours
	// ("TestInsertedTextIsNeverTwice"). "build" is the build itself, which does not end without it.
	Test string `toml:"test"`
	// Needed is what the source must have for the patch to be wanted: without a match the whole patch is "not needed".
	Needed *DocumentCondition `toml:"needed"`
	// Satisfied is what the source has when it needs the patch no more: with a match the whole patch is "satisfied".
	Satisfied *DocumentCondition `toml:"satisfied"`
	// Context is what the edits rely on elsewhere in the source, as the signature of a function that they call: without a match an edit
	// that would be applied is a conflict.
	Context []DocumentCondition `toml:"context"`
	// Edit has changes of existing files, made in this order.
	Edit []DocumentEdit `toml:"edit"`
	// File has whole files of ours. One that is there already with the same bytes is "satisfied".
	File []DocumentFile `toml:"file"`
}

// DocumentCondition is a pattern in one file of the source.
type DocumentCondition struct {
	// File is a slash path in the source.
	File string `toml:"file,required"`
	// Pattern is looked for in the file.
	Pattern string `toml:"pattern,required"`
}

// DocumentEdit is one change of one existing file. It is satisfied when its text stands where the edit would put it.
type DocumentEdit struct {
	// File is a slash path in the source.
	File string `toml:"file,required"`
	// Anchor is the text to find, literal or with `regex = true` a pattern: short, and of identifiers.
	Anchor string `toml:"anchor,required"`
	// Until ends what is replaced: with `where = "replace"` the region goes from the anchor to the first `until` behind it. Without
	// it the anchor alone is replaced.
	Until string `toml:"until"`
	// Where says how the text relates to the anchor.
	Where Where `toml:"where,required"`
	// Text is ours, taken literally: "$1" is not expanded. An empty one is a deletion, which needs a `satisfied` pattern or a
	// condition on the patch.
	Text *string `toml:"text,required"`
	// Count is how often the anchor must occur, 1 by default.
	Count *int `toml:"count"`
	// Regex says that `anchor` and `until` are patterns.
	Regex bool `toml:"regex"`
	// Satisfied is a pattern that the same file matches when the edit is already there.
	Satisfied string `toml:"satisfied"`
	// Context are texts, taken literally, that have to be in the function around the anchor, its head included: what the edit relies on.
	// Where the anchor is in no function they have to be in the file. Without one of them the edit is a conflict.
	Context []string `toml:"context"`
}

// DocumentFile is a new file.
type DocumentFile struct {
	// Path is a slash path in the source.
	Path string `toml:"path,required"`
	// Text is the content.
	Text *string `toml:"text,oneof"`
	// From is a file beside the patch with the content.
	From string `toml:"from,oneof"`
}

// Load reads the series in folder name of fsys (os.DirFS of the repository's
// patches folder). All faults of all files are returned at once as a
// *multierror.Error. A folder without any patch is an error: a series that a
// recipe names must do something.
func Load(fsys fs.FS, name string) (*Series, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("series name %q is not a folder below patches", name)
	}
	entries, err := fs.ReadDir(fsys, name)
	if err != nil {
		return nil, err
	}
	s := &Series{Name: path.Base(name)}
	var faults *multierror.Error
	for _, e := range entries { // fs.ReadDir sorts by name
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		var p *Patch
		var err error
		switch path.Ext(e.Name()) {
		case ".toml":
			p, err = loadTOML(fsys, name, e.Name())
		case ".patch":
			p, err = loadUnified(fsys, name, e.Name())
		default:
			continue // a file some [[file]] takes by `from`, or a README
		}
		if err != nil {
			faults = multierror.Append(faults, err)
			continue
		}
		s.Patches = append(s.Patches, *p)
	}
	if err := faults.ErrorOrNil(); err != nil {
		return nil, err
	}
	if len(s.Patches) == 0 {
		return nil, fmt.Errorf("%s: no *.toml or *.patch file", shown(name))
	}
	return s, nil
}

// shown is the path of a file as messages have it, from the repository's top.
func shown(names ...string) string { return path.Join("patches", path.Join(names...)) }

func loadTOML(fsys fs.FS, dir, name string) (*Patch, error) {
	data, err := fs.ReadFile(fsys, path.Join(dir, name))
	if err != nil {
		return nil, err
	}
	var raw Document
	if err := tomlfile.Decode(shown(dir, name), data, &raw); err != nil {
		return nil, err
	}
	v := &validator{file: shown(dir, name)}
	p := v.patch(name, &raw, func(from string) ([]byte, error) {
		return fs.ReadFile(fsys, path.Join(dir, from))
	})
	if err := v.faults.ErrorOrNil(); err != nil {
		return nil, err
	}
	return p, nil
}

// validator turns raw into typed values and keeps every fault.
type validator struct {
	file   string
	faults *multierror.Error
}

func (v *validator) fault(where, format string, args ...any) {
	v.faults = multierror.Append(v.faults, fmt.Errorf("%s: %s: "+format, append([]any{v.file, where}, args...)...))
}

func (v *validator) patch(name string, raw *Document, read func(string) ([]byte, error)) *Patch {
	p := &Patch{Name: name, Title: raw.Title, Reason: strings.TrimSpace(raw.Reason), Upstream: raw.Upstream, Test: raw.Test}
	if strings.Contains(raw.Title, "\n") {
		v.fault("title", "must be one line")
	}
	p.Needed = v.condition("needed", raw.Needed)
	p.Satisfied = v.condition("satisfied", raw.Satisfied)
	for i := range raw.Context {
		p.Context = append(p.Context, *v.condition(fmt.Sprintf("context %d", i+1), &raw.Context[i]))
	}
	if len(raw.Edit)+len(raw.File) == 0 {
		v.fault("edit", "the patch changes nothing: it has no [[edit]] and no [[file]]")
	}
	guarded := raw.Needed != nil || raw.Satisfied != nil
	for i := range raw.Edit {
		p.Edits = append(p.Edits, v.edit(fmt.Sprintf("edit %d", i+1), &raw.Edit[i], guarded))
	}
	for i := range raw.File {
		p.Files = append(p.Files, v.newFile(fmt.Sprintf("file %d", i+1), &raw.File[i], read))
	}
	return p
}

func (v *validator) condition(where string, raw *DocumentCondition) *Condition {
	if raw == nil {
		return nil
	}
	v.path(where, "file", raw.File)
	return &Condition{File: raw.File, Pattern: v.regexp(where, "pattern", raw.Pattern)}
}

func (v *validator) edit(where string, raw *DocumentEdit, guarded bool) Edit {
	e := Edit{
		File: raw.File, Anchor: unixLines(raw.Anchor), Until: unixLines(raw.Until),
		Where: raw.Where, Text: unixLines(*raw.Text), Count: 1, Regex: raw.Regex,
	}
	v.path(where, "file", raw.File)
	if e.Until != "" && e.Where != Replace {
		v.fault(where, `until is only for where = "replace"`)
	}
	v.emptyText(where, &e, raw, guarded)
	if raw.Count != nil {
		e.Count = *raw.Count
		if e.Count < 1 {
			v.fault(where, "count = %d must be at least 1", e.Count)
		}
	}
	if raw.Satisfied != "" {
		e.Satisfied = v.regexp(where, "satisfied", raw.Satisfied)
	}
	for _, text := range raw.Context {
		if strings.TrimSpace(text) == "" {
			v.fault(where, "context has an empty text")
		}
		e.Context = append(e.Context, unixLines(text))
	}
	e.anchor = v.matcher(where, "anchor", e.Anchor, e.Regex)
	if e.Until != "" {
		e.until = v.matcher(where, "until", e.Until, e.Regex)
	}
	return e
}

// emptyText: a deletion leaves nothing behind by which a second application
// could tell "already done" from "the source has changed".
func (v *validator) emptyText(where string, e *Edit, raw *DocumentEdit, guarded bool) {
	if e.Text != "" {
		return
	}
	if e.Where != Replace {
		v.fault(where, "text is empty")
	} else if raw.Satisfied == "" && !guarded {
		v.fault(where, "an empty text (a deletion) needs a `satisfied` pattern, or [needed] or [satisfied] on the patch")
	}
}

func (v *validator) newFile(where string, raw *DocumentFile, read func(string) ([]byte, error)) NewFile {
	f := NewFile{Path: raw.Path}
	v.path(where, "path", raw.Path)
	switch {
	case raw.Text != nil:
		f.Text = []byte(unixLines(*raw.Text))
	case checkPath(raw.From) != nil:
		v.fault(where, "from: %v", checkPath(raw.From))
	default:
		data, err := read(raw.From)
		if err != nil {
			v.fault(where, "from: %w", err)
		}
		f.Text = data
	}
	return f
}

func (v *validator) path(where, key, name string) {
	if err := checkPath(name); err != nil {
		v.fault(where, "%s: %v", key, err)
	}
}

func (v *validator) matcher(where, key, text string, isRegexp bool) *regexp.Regexp {
	if !isRegexp {
		text = regexp.QuoteMeta(text)
	}
	return v.regexp(where, key, text)
}

func (v *validator) regexp(where, key, text string) *regexp.Regexp {
	re, err := regexp.Compile("(?m)" + text)
	if err != nil {
		v.fault(where, "%s: %v", key, err)
		return regexp.MustCompile(`\z\A.`) // never matches; the series is refused anyway
	}
	return re
}

func loadUnified(fsys fs.FS, dir, name string) (*Patch, error) {
	data, err := fs.ReadFile(fsys, path.Join(dir, name))
	if err != nil {
		return nil, err
	}
	u, err := parseUnified(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown(dir, name), err)
	}
	title := cmp.Or(u.commits[0].title, strings.TrimSuffix(name, ".patch"))
	return &Patch{Name: name, Title: title, Unified: u}, nil
}

// unixLines makes a text from a TOML file that was checked out with CRLF the
// same as everywhere else.
func unixLines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
