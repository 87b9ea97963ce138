// Package redoxfs reads and writes RedoxFS inside image files, by the host tool of
// recipes/redoxfs-tool. Nothing is ever mounted.
//
// It owns the tool's command line and its JSON, in both directions. It must not know what a
// partition table or an image is for: callers say where in which file the file system lies. The format itself
// is known to the tool alone, which uses the upstream crate.
package redoxfs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pannous/redox-clif/internal/process"
)

// Kind says what went wrong, for callers that act on it.
type Kind string

// The kinds of errors. Usage means that this package and the tool do not fit together.
const (
	Usage        Kind = "usage"
	IO           Kind = "io"
	NotFound     Kind = "not-found"
	Exists       Kind = "exists"
	NotDirectory Kind = "not-a-directory"
	IsDirectory  Kind = "is-a-directory"
	NotEmpty     Kind = "not-empty"
	Link         Kind = "link"      // the path goes through a symbolic link
	Name         Kind = "name"      // no name that RedoxFS can hold: over 252 bytes, with a colon, ..
	Full         Kind = "full"      // no space left
	Truncated    Kind = "truncated" // the image ends before the file system does
	NotRedoxFS   Kind = "not-redoxfs"
	Version      Kind = "version"
	Encrypted    Kind = "encrypted"
	Corrupt      Kind = "corrupt" // a checksum is wrong, or what verify found
)

// Error is a failure that the tool has reported. Path is inside the image, "" when it is about the image.
type Error struct {
	Kind    Kind
	Path    string
	Message string
}

// Error has names of somebody else's in it; what would drive a terminal is replaced.
func (e *Error) Error() string {
	text := e.Message
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// KindOf returns the Kind of an error, "" for errors that are not the tool's.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Volume is a file system in a file.
type Volume struct {
	Tool   string // path of redoxfs-tool
	Image  string
	Offset int64 // bytes
	Length int64 // bytes; 0 means up to the end of the file
}

// Node is a file, directory or link of a volume.
type Node struct {
	Path   string `json:"path"` // absolute, with slashes
	Type   string `json:"type"` // "file", "dir", "link" or "other"
	Mode   uint16 `json:"mode"` // permission bits only, 07777
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Size   int64  `json:"size,omitempty"`
	Links  uint32 `json:"links"`
	Blocks uint64 `json:"blocks"` // of 4096 bytes, as far as the data needs some
	// MTime and MTimeNsec are seconds and nanoseconds since 1970.
	MTime     uint64 `json:"mtime"`
	MTimeNsec uint32 `json:"mtime_nsec,omitempty"`
	Target    string `json:"target,omitempty"` // of a link
	SHA256    string `json:"sha256,omitempty"` // of a file, when asked for
}

// Space is the size of a volume, in bytes.
type Space struct {
	Version    int    `json:"version"`
	UUID       string `json:"uuid"`
	Generation uint64 `json:"generation"`
	Size       int64  `json:"size"`
	Free       int64  `json:"free"`
}

// Report is what Verify has read.
type Report struct {
	Nodes  int64 `json:"nodes"`
	Files  int64 `json:"files"`
	Bytes  int64 `json:"bytes"`
	Blocks int64 `json:"blocks"`
	// Leaked blocks are neither in use nor free. Upstream's own code loses some when it removes files.
	Leaked int64 `json:"leaked_blocks"`
}

// Mkfs makes an empty file system over the whole place. Equal arguments give equal bytes. The data is not
// flushed to the disk.
func (v Volume) Mkfs(ctx context.Context, uuid string, at time.Time) error {
	return v.run(ctx, nil, nil, nil, "mkfs", nil, "--no-sync", "--uuid", uuid, "--time", strconv.FormatInt(max(at.Unix(), 0), 10))
}

// Grow makes the file system fill its place. The data is not flushed to the disk.
func (v Volume) Grow(ctx context.Context) error {
	return v.run(ctx, nil, nil, nil, "grow", nil, "--no-sync")
}

// Df tells the size and the free space.
func (v Volume) Df(ctx context.Context) (Space, error) {
	var s Space
	return s, v.run(ctx, nil, &s, nil, "df", nil)
}

// Verify reads every block that something refers to and checks all checksums. What it finds is
// one error of Kind Corrupt with a line for each finding.
func (v Volume) Verify(ctx context.Context) (Report, error) {
	var r Report
	return r, v.run(ctx, nil, &r, nil, "verify", nil)
}

// List returns the entries of a directory, or the file itself, sorted by name.
func (v Volume) List(ctx context.Context, path string) ([]Node, error) {
	return v.list(ctx, path)
}

// Tree returns a node and everything below it, parents first, with digests of the contents if asked for.
func (v Volume) Tree(ctx context.Context, path string, digests bool) ([]Node, error) {
	options := []string{"--recursive"}
	if digests {
		options = append(options, "--digest")
	}
	return v.list(ctx, path, options...)
}

func (v Volume) list(ctx context.Context, path string, options ...string) ([]Node, error) {
	var out struct{ Nodes []Node }
	return out.Nodes, v.run(ctx, nil, &out, nil, "ls", []string{path}, options...)
}

// Stat returns one node. Links are not followed.
func (v Volume) Stat(ctx context.Context, path string, digest bool) (Node, error) {
	var n Node
	if digest {
		return n, v.run(ctx, nil, &n, nil, "stat", []string{path}, "--digest")
	}
	return n, v.run(ctx, nil, &n, nil, "stat", []string{path})
}

// Cat writes a file's content.
func (v Volume) Cat(ctx context.Context, path string, to io.Writer) error {
	return v.run(ctx, nil, to, nil, "cat", []string{path})
}

// Get copies a file or tree to the host, where it must not be yet, and returns its nodes. Modes and times
// are set on the host, owners are not; what our user needs to read and remove the copy is added to the modes.
func (v Volume) Get(ctx context.Context, path, to string) ([]Node, error) {
	var out struct{ Nodes []Node }
	return out.Nodes, v.run(ctx, nil, &out, nil, "get", []string{path, to})
}

// Rm removes a file, link or empty directory, or a whole tree.
func (v Volume) Rm(ctx context.Context, path string, recursive bool) error {
	_, err := v.Apply(ctx, []Op{{Op: OpRemove, Path: path, Recursive: recursive}}, ApplyOptions{})
	return err
}

// Mkdir makes a directory, or sets the mode of one that is there.
func (v Volume) Mkdir(ctx context.Context, path string, mode uint16) error {
	_, err := v.Apply(ctx, []Op{{Op: OpDir, Path: path, Mode: &mode}}, ApplyOptions{})
	return err
}

// Chmod sets the permission bits.
func (v Volume) Chmod(ctx context.Context, path string, mode uint16) error {
	_, err := v.Apply(ctx, []Op{{Op: OpMeta, Path: path, Mode: &mode}}, ApplyOptions{})
	return err
}

// run runs the tool. into takes its output: an io.Writer as it is, anything else as JSON.
func (v Volume) run(ctx context.Context, stdin io.Reader, into any, progress func(Applied), command string, words []string, options ...string) error {
	args := append([]string{command}, options...)
	if v.Offset != 0 {
		args = append(args, "--offset", strconv.FormatInt(v.Offset, 10))
	}
	if v.Length != 0 {
		args = append(args, "--length", strconv.FormatInt(v.Length, 10))
	}
	args = append(append(args, "--", v.Image), words...)
	cmd := exec.CommandContext(ctx, v.Tool, args...)
	cmd.Env = []string{}
	cmd.Stdin = stdin
	var out bytes.Buffer
	cmd.Stdout = &out
	if w, ok := into.(io.Writer); ok {
		cmd.Stdout = w
	}
	messages := &messages{progress: progress}
	cmd.Stderr = messages
	err := process.RunWithUs(cmd) // nothing would take what it goes on writing
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed := messages.failure(); failed != nil && err != nil {
		return failed
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", v.Tool, command, err, strings.TrimSpace(messages.rest.String()))
	}
	if _, raw := into.(io.Writer); raw || into == nil {
		return nil
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		return fmt.Errorf("%s %s: answer %q: %w", v.Tool, command, shorten(out.String()), err)
	}
	return nil
}

func shorten(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// messages takes what the tool writes to standard error: one JSON object per line.
type messages struct {
	progress func(Applied)
	line     []byte       // not finished yet
	rest     bytes.Buffer // lines that are no message of the tool's
	last     *Error
}

func (m *messages) Write(b []byte) (int, error) {
	m.line = append(m.line, b...)
	for {
		line, after, found := bytes.Cut(m.line, []byte("\n"))
		if !found {
			return len(b), nil
		}
		if !m.take(line) {
			m.rest.Write(append(line, ' '))
		}
		m.line = append([]byte(nil), after...)
	}
}

func (m *messages) take(line []byte) bool {
	var msg struct {
		Error *struct {
			Kind          Kind
			Path, Message string
		}
		Progress *Applied
	}
	if json.Unmarshal(line, &msg) != nil {
		return false
	}
	if msg.Error != nil {
		m.last = &Error{Kind: msg.Error.Kind, Path: msg.Error.Path, Message: msg.Error.Message}
	}
	if msg.Progress != nil && m.progress != nil {
		m.progress(*msg.Progress)
	}
	return msg.Error != nil || msg.Progress != nil
}

// failure is the error reported, nil if there is none.
func (m *messages) failure() error {
	if m.last == nil {
		return nil
	}
	return m.last
}
