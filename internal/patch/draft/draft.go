// Package draft writes a change of a source as a patch in TOML: the other way round of what package patch does.
//
// It owns how an anchor is chosen, and how a patch looks that a program wrote. It must not know where the change is from, in which
// series it goes, nor what a commit is. What it writes was applied to the source before it, and applied again, by package patch: it
// leads to the source after it, and is recognised there.
package draft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Change is what a patch has to do, and what it says of itself.
type Change struct {
	Title, Reason string
	// Before and After are the source without it and with it; Files are the paths at which they differ.
	Before, After patch.Reader
	Files         []string
	// Old is the patch that it takes the place of, nil for a new one: what that says of files that are as it leaves them stays.
	Old *patch.Document
	// Beside reads a file beside the old patch, which a [[file]] takes by `from`.
	Beside func(name string) ([]byte, error)
}

// Patch is a patch in TOML with the files beside it that it takes by `from`.
type Patch struct {
	Text   []byte
	Beside map[string][]byte
	// Anew are the files of the source whose edits were written anew where the old patch had others: their anchors are a program's choice.
	Anew []string
}

// InexpressibleError says that TOML has no words for a change: a unified diff has them.
type InexpressibleError struct{ Path, Why string }

func (e *InexpressibleError) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.Why) }

// TOML writes the change.
func TOML(ctx context.Context, c Change) (*Patch, error) {
	var last error
	for _, careful := range []bool{false, true} {
		d := &drafting{c: c, careful: careful, patch: &Patch{Beside: map[string][]byte{}}}
		err := d.draft()
		if err == nil {
			err = d.check(ctx)
		}
		if err == nil {
			return d.patch, nil
		}
		last = err
	}
	return nil, last
}

// drafting is one attempt.
type drafting struct {
	c       Change
	careful bool // every edit gets a pattern by which it knows its result
	doc     patch.Document
	patch   *Patch
}

// draft fills in the document and its text.
func (d *drafting) draft() error {
	d.doc.Title, d.doc.Reason = d.c.Title, d.c.Reason
	if old := d.c.Old; old != nil {
		d.doc.Upstream, d.doc.Test, d.doc.Needed, d.doc.Satisfied, d.doc.Context = old.Upstream, old.Test, old.Needed, old.Satisfied, old.Context
		if err := d.keep(); err != nil {
			return err
		}
	}
	for _, name := range d.c.Files {
		if err := d.file(name); err != nil {
			return err
		}
	}
	d.patch.Text = []byte(text(&d.doc))
	return nil
}

// keep takes over what the old patch says of files that change as it has them changed, and leaves only the others to be drafted.
func (d *drafting) keep() error {
	with := patch.NewOverlay(d.c.Before)
	if err := d.apply(with, d.c.Old); err != nil {
		return err
	}
	left := d.c.Files[:0:0]
	for _, name := range d.c.Files {
		same, err := equal(with, d.c.After, name)
		if err != nil {
			return err
		}
		if !same {
			left = append(left, name)
			continue
		}
		if err := d.keepFile(name); err != nil {
			return err
		}
	}
	d.c.Files = left
	return nil
}

func (d *drafting) keepFile(name string) error {
	for _, e := range d.c.Old.Edit {
		if e.File == name {
			d.doc.Edit = append(d.doc.Edit, e)
		}
	}
	for _, f := range d.c.Old.File {
		if f.Path != name {
			continue
		}
		d.doc.File = append(d.doc.File, f)
		if f.From == "" {
			continue
		}
		data, err := d.c.Beside(f.From)
		if err != nil {
			return err
		}
		d.patch.Beside[f.From] = data
	}
	return nil
}

// apply applies a document alone. Where it does not fit any more, nothing of it stays.
func (d *drafting) apply(to *patch.Overlay, doc *patch.Document) error {
	series, done, err := load(text(doc), d.beside(doc))
	if err != nil {
		return err
	}
	defer done()
	_, err = patch.Apply(context.Background(), series, to, patch.Options{})
	if conflict := (*patch.ConflictError)(nil); errors.As(err, &conflict) {
		return nil
	}
	return err
}

// beside are the files that a document takes by `from`, as far as they are to be had.
func (d *drafting) beside(doc *patch.Document) map[string][]byte {
	files := map[string][]byte{}
	for _, f := range doc.File {
		if data, ok := d.patch.Beside[f.From]; ok {
			files[f.From] = data
		} else if f.From != "" && d.c.Beside != nil {
			if data, err := d.c.Beside(f.From); err == nil {
				files[f.From] = data
			}
		}
	}
	return files
}

// load reads a patch as package patch does.
func load(text string, beside map[string][]byte) (*patch.Series, func(), error) {
	dir, err := os.MkdirTemp("", "redox-clif-draft-*")
	if err != nil {
		return nil, nil, err
	}
	done := func() { _ = os.RemoveAll(dir) }
	files := map[string][]byte{patchName: []byte(text)}
	for name, data := range beside {
		files[name] = data
	}
	for name, data := range files {
		at := filepath.Join(dir, seriesName, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, data, 0o644)); err != nil {
			done()
			return nil, nil, err
		}
	}
	series, err := patch.Load(os.DirFS(dir), seriesName)
	if err != nil {
		done()
		return nil, nil, err
	}
	return series, done, nil
}

const seriesName, patchName = "draft", "0001-draft.toml"

// check applies what was drafted.
func (d *drafting) check(ctx context.Context) error {
	series, done, err := load(string(d.patch.Text), d.patch.Beside)
	if err != nil {
		return err
	}
	defer done()
	with := patch.NewOverlay(d.c.Before)
	report, err := patch.Apply(ctx, series, with, patch.Options{})
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(report.Changed, d.c.Files) {
		same, err := equal(with, d.c.After, name)
		if err == nil && !same {
			err = &InexpressibleError{name, "the edits that were found for it do not lead to what it is"}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// equal tells whether a file is the same in two trees.
func equal(a, b patch.Reader, name string) (bool, error) {
	one, err := read(a, name)
	if err != nil {
		return false, err
	}
	other, err := read(b, name)
	if err != nil || one == nil || other == nil {
		return one == nil && other == nil, err
	}
	return one.Link == other.Link && one.Executable == other.Executable && bytes.Equal(one.Data, other.Data), nil
}

// read is a file of a tree, nil where there is none.
func read(tree patch.Reader, name string) (*patch.File, error) {
	f, err := tree.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, patch.ErrNotRegular) {
		return nil, nil
	}
	return &f, err
}

// file drafts what becomes of one file.
func (d *drafting) file(name string) error {
	before, err := read(d.c.Before, name)
	if err != nil {
		return err
	}
	after, err := read(d.c.After, name)
	if err != nil {
		return err
	}
	if why := inexpressible(before, after); why != "" {
		return &InexpressibleError{name, why}
	}
	if d.c.Old != nil {
		d.patch.Anew = append(d.patch.Anew, name)
	}
	if before == nil {
		d.newFile(name, after.Data)
		return nil
	}
	edits, err := editsOf(name, string(before.Data), string(after.Data), d.careful)
	d.doc.Edit = append(d.doc.Edit, edits...)
	return err
}

// inexpressible is why a change of a file cannot be said in TOML, "" where it can.
func inexpressible(before, after *patch.File) string {
	switch {
	case after == nil:
		return "it is removed"
	case after.Link || before != nil && before.Link:
		return "it is a link"
	case after.Executable != (before != nil && before.Executable):
		return "its mode changes"
	case !isText(after.Data) || before != nil && !isText(before.Data):
		return "it is no text"
	}
	return ""
}

// isText tells whether TOML can hold a file, and gives back the bytes that it was given.
func isText(data []byte) bool {
	if !utf8.Valid(data) {
		return false
	}
	if bytes.Count(data, []byte("\r")) > 0 && bytes.Count(data, []byte("\n")) != bytes.Count(data, []byte("\r\n")) {
		return false
	}
	return !slices.ContainsFunc(data, func(c byte) bool { return c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f })
}

// longFile is the number of lines from which on a new file lies beside its patch.
const longFile = 30

func (d *drafting) newFile(name string, data []byte) {
	var f patch.DocumentFile
	f.Path = name
	if from := d.oldFrom(name); from != "" {
		f.From = from
	} else if bytes.Count(data, []byte("\n")) > longFile || bytes.Contains(data, []byte("\r")) {
		f.From = d.free(filepath.Base(name))
	}
	if f.From != "" {
		d.patch.Beside[f.From] = data
	} else {
		s := string(data)
		f.Text = &s
	}
	d.doc.File = append(d.doc.File, f)
}

// oldFrom is the file beside the old patch that had the content of a new file.
func (d *drafting) oldFrom(name string) string {
	if d.c.Old != nil {
		for _, f := range d.c.Old.File {
			if f.Path == name {
				return f.From
			}
		}
	}
	return ""
}

// free is a name beside the patch that no other file of it has. A patch's own endings would make the file one of the series.
func (d *drafting) free(name string) string {
	if ext := filepath.Ext(name); ext == ".toml" || ext == ".patch" || strings.HasPrefix(name, ".") {
		name = "new-" + strings.TrimPrefix(name, ".") + ".txt"
	}
	for d.patch.Beside[name] != nil {
		name = "x" + name
	}
	return name
}

// Read reads a patch in TOML for Change.Old. name is for messages.
func Read(name string, data []byte) (*patch.Document, error) {
	var doc patch.Document
	if err := tomlfile.Decode(name, data, &doc); err != nil {
		return nil, err
	}
	return &doc, nil
}
