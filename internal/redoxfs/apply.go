package redoxfs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pannous/redox-clif/internal/secretkey"
)

// The operations.
const (
	OpDir    = "dir"    // makes a directory, or changes one that is there
	OpFile   = "file"   // writes a file's content, in place of an old one
	OpLink   = "link"   // makes a symbolic link, in place of an old link
	OpMeta   = "meta"   // sets mode, owner, time
	OpRemove = "remove" // removes
)

// Op is one change. For a new node nil means: mode 0755 or 0644, owner 0, time 0; for an old one: as it is.
type Op struct {
	Op   string `json:"op"`
	Path string `json:"path"` // absolute, inside the volume
	// From is a file of the host; Text is the content itself.
	From   string  `json:"from,omitempty"`
	Text   *string `json:"text,omitempty"`
	Target string  `json:"target,omitempty"` // of a link
	Mode   *uint16 `json:"mode,omitempty"`   // permission bits
	UID    *uint32 `json:"uid,omitempty"`
	GID    *uint32 `json:"gid,omitempty"`
	// MTime is seconds since 1970; creation and access time follow it.
	MTime     *uint64 `json:"mtime,omitempty"`
	MTimeNsec *uint32 `json:"mtime_nsec,omitempty"`
	// Recursive removes trees; MayLack accepts that there is nothing to remove.
	Recursive bool `json:"recursive,omitempty"`
	MayLack   bool `json:"may_lack,omitempty"`
}

// check refuses what JSON would silently change.
func (op *Op) check() error {
	for what, s := range map[string]string{"the path": op.Path, "the link's target": op.Target, "the host's file": op.From} {
		if !utf8.ValidString(s) {
			return &Error{Kind: Name, Path: strings.ToValidUTF8(op.Path, "�"), Message: fmt.Sprintf("%s %q is not UTF-8", what, s)}
		}
	}
	if op.Text != nil && !utf8.ValidString(*op.Text) {
		return &Error{Kind: Name, Path: op.Path, Message: "the text is not UTF-8"}
	}
	return op.checkSecret()
}

// checkSecret refuses a secret key: an image is for others.
func (op *Op) checkSecret() error {
	switch {
	case op.Op != OpFile:
		return nil
	case op.Text != nil:
		return secretkey.Check(op.Path, strings.NewReader(*op.Text))
	}
	return secretkey.CheckFile(op.From)
}

// Applied counts what was done.
type Applied struct {
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"` // of file content
}

// ApplyOptions say how operations are carried out.
type ApplyOptions struct {
	// Parents makes missing directories, 0755 root.
	Parents bool
	// FlushMiB bounds the memory: data is written each time so much of it is waiting. 0 keeps everything back until all
	// operations have succeeded, so that a failure leaves the volume as it was.
	FlushMiB int
	// NoSync leaves it to the caller to flush the file.
	NoSync bool
	// Progress is called now and then; may be nil.
	Progress func(Applied)
}

// Apply carries out operations in order.
func (v Volume) Apply(ctx context.Context, ops []Op, o ApplyOptions) (Applied, error) {
	var options []string
	if o.Parents {
		options = append(options, "--parents")
	}
	if o.NoSync {
		options = append(options, "--no-sync")
	}
	if o.FlushMiB > 0 {
		options = append(options, "--flush-mib", strconv.Itoa(o.FlushMiB))
	}
	if o.Progress != nil {
		options = append(options, "--progress")
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	for i := range ops {
		if err := ops[i].check(); err != nil {
			return Applied{}, err
		}
		if err := e.Encode(&ops[i]); err != nil {
			return Applied{}, err
		}
	}
	var done Applied
	return done, v.run(ctx, &text, &done, o.Progress, "apply", nil, options...)
}
