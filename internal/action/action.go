// Package action is the data model of a build step: what is run on which inputs, its
// digest, and the cache from digests to results.
//
// It owns the encoding of Command and Action (the Bazel Remote Execution API v2
// messages, canonical protobuf bytes) and the action cache on disk. It must not
// know how a step is run, scheduled or shown, nor what a recipe is.
//
// What is in an action's digest, and why:
//
//	arguments            the exact argv, with paths as %{root}/… so that the place of a checkout is not in it
//	environment          the whole environment of the tool; nothing is inherited
//	output paths         what is kept of what the tool writes
//	salt                 the toolchain's identity and whatever else decides the bytes but is no file of the input tree; a worker need
//	                     not offer it, so that it is no platform property
//	input root           the Merkle tree of every file the step may read
package action

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/cas"
)

// Root is the placeholder for the folder a step runs in. Arguments and environment
// values name paths below it; it is expanded when the step runs and never enters a digest expanded.
const Root = "%{root}"

// Action is one step as data. Two actions with equal fields have equal digests and
// may share a result.
type Action struct {
	// Args is the argv. A first element that starts with "builtin:" names a step done by
	// this program itself; the version that follows the name is raised whenever its
	// output for equal input changes.
	Args []string `json:"args"`
	// Env is the whole environment.
	Env map[string]string `json:"env,omitempty"`
	// Outputs are the paths kept, relative to the root, sorted.
	Outputs []string `json:"outputs,omitempty"`
	// Salt holds what else decides the result (toolchain identity, probed facts), by name.
	Salt map[string]string `json:"salt,omitempty"`
	// Inputs is the root Directory of the input tree. The zero Digest stands for the empty folder.
	Inputs cas.Digest `json:"inputs"`
}

// Builtin is the action of a step that this program does itself, with the version that is raised when its
// output for equal input changes. Both are in the digest.
func Builtin(name string, version int, args ...string) *Action {
	return &Action{Args: append([]string{fmt.Sprintf("builtin:%s/%d", name, version)}, args...)}
}

// Field numbers of build.bazel.remote.execution.v2.
const (
	commandArguments, commandEnv, commandOutputPaths = 1, 2, 7
	envName, envValue                                = 1, 2
	actionCommandDigest, actionInputRoot, actionSalt = 1, 2, 9
)

// Command returns the canonical bytes of the Command message.
func (a *Action) Command() []byte {
	var b []byte
	for _, arg := range a.Args {
		b = appendBytes(b, commandArguments, []byte(arg))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Env)) {
		b = appendBytes(b, commandEnv, pair(envName, name, envValue, a.Env[name]))
	}
	outputs := append([]string(nil), a.Outputs...)
	sort.Strings(outputs)
	for _, out := range outputs {
		b = appendBytes(b, commandOutputPaths, []byte(out))
	}
	return b
}

// Message returns the canonical bytes of the Action message.
func (a *Action) Message() []byte {
	command := cas.DigestBytes(a.Command())
	inputs := a.Inputs
	if inputs.IsZero() {
		inputs = cas.DigestBytes(nil)
	}
	b := appendBytes(nil, actionCommandDigest, cas.MarshalDigest(command))
	b = appendBytes(b, actionInputRoot, cas.MarshalDigest(inputs))
	if salt := a.saltBytes(); len(salt) > 0 {
		b = appendBytes(b, actionSalt, salt)
	}
	return b
}

// saltBytes are the lines name="value" of the salt, sorted by name.
func (a *Action) saltBytes() []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(a.Salt)) {
		b = fmt.Appendf(b, "%s=%q\n", name, a.Salt[name])
	}
	return b
}

// Digest is the action's cache key: the digest of its Action message.
func (a *Action) Digest() cas.Digest { return cas.DigestBytes(a.Message()) }

func appendBytes(b []byte, num protowire.Number, v []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendBytes(b, v)
}

func pair(nameField protowire.Number, name string, valueField protowire.Number, value string) []byte {
	m := appendBytes(nil, nameField, []byte(name))
	if value == "" {
		return m
	}
	return appendBytes(m, valueField, []byte(value))
}

// Result is what running an action gave. Only successes are kept.
type Result struct {
	// Output is the root Directory of what the step wrote.
	Output cas.Digest `json:"output"`
	// Node names the graph node that ran it, for people.
	Node string `json:"node"`
	// Start and Duration tell when and how long it ran.
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration_ns"`
	// Notices are lines that whoever uses the output should know.
	Notices []string `json:"notices,omitempty"`
	// Remote says that a remote cache had the result: files of its output may be there and not here.
	Remote bool `json:"remote,omitempty"`
}

// Cache maps action digests to results, one file each, under a folder.
type Cache struct {
	dir string
}

// OpenCache returns the action cache in dir. The folder is made by the first Put.
func OpenCache(dir string) *Cache { return &Cache{dir: dir} }

// Dir is the folder of the cache.
func (c *Cache) Dir() string { return c.dir }

// entry is the form on disk. Sum covers the result's JSON, so that a flipped byte reads
// as a miss and not as another result.
type entry struct {
	Result json.RawMessage `json:"result"`
	Sum    string          `json:"sum"`
}

// Path is the file of an action's result, whether it is there or not.
func (c *Cache) Path(d cas.Digest) string { return filepath.Join(c.dir, d.Hash[:2], d.Hash) }

// Get returns the result kept for a digest. A damaged entry is removed and counts as absent.
func (c *Cache) Get(d cas.Digest) (Result, bool, error) {
	b, err := cachefile.Read(c.Path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, fmt.Errorf("reading the action cache: %w", err)
	}
	r, ok := decode(b)
	if !ok {
		_ = os.Remove(c.Path(d))
		return r, false, nil
	}
	c.touch(c.Path(d))
	return r, true, nil
}

// usedWindow is how exactly it is kept when an entry was last used: writing the time at every use
// would cost a disk write per step of every build.
const usedWindow = time.Hour

// touch notes that an entry was used. A cache that cannot be written to is used without a note.
func (c *Cache) touch(path string) {
	now := time.Now()
	if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) > usedWindow {
		_ = os.Chtimes(path, now, now)
	}
}

func decode(b []byte) (Result, bool) {
	var e entry
	if json.Unmarshal(b, &e) != nil {
		return Result{}, false
	}
	sum := sha256.Sum256(e.Result)
	if hex.EncodeToString(sum[:]) != e.Sum {
		return Result{}, false
	}
	var r Result
	if json.Unmarshal(e.Result, &r) != nil || r.Output.IsZero() {
		return Result{}, false
	}
	return r, true
}

// Put keeps a result.
func (c *Cache) Put(d cas.Digest, r Result) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	b, err := json.Marshal(entry{raw, hex.EncodeToString(sum[:])})
	if err != nil {
		return err
	}
	path := c.Path(d)
	if err := cachefile.MakeFolder(c.dir, d.Hash[:2]); err != nil {
		return fmt.Errorf("writing the action cache: %w", err)
	}
	// The entry has its own sum: one that a power failure tore counts as absent.
	if err := atomicfile.Write(path, b, 0o644); err != nil {
		return fmt.Errorf("writing the action cache: %w", err)
	}
	return nil
}

// Forget removes an entry; one that is not there is no error.
func (c *Cache) Forget(d cas.Digest) error {
	err := os.Remove(c.Path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Walk calls f with every intact entry, which was last used at its file's modification time (give or
// take an hour), and removes damaged ones, which it counts, and what killed runs left half-written.
func (c *Cache) Walk(f func(cas.Digest, Result, fs.FileInfo) error) (damaged int, err error) {
	err = filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name(), ".") {
			if time.Since(info.ModTime()) > usedWindow {
				return os.Remove(path)
			}
			return nil
		}
		b, err := cachefile.Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		r, ok := decode(b)
		if !ok {
			damaged++
			return os.Remove(path)
		}
		return f(cas.Digest{Hash: e.Name()}, r, info)
	})
	return damaged, err
}
