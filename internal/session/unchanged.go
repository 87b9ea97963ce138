package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/safepath"
	"github.com/pannous/redox-clif/internal/terminal"
	"github.com/pannous/redox-clif/internal/ui"
	"github.com/pannous/redox-clif/internal/unchanged"
)

// KeepUnchanged lets the next call like this one be answered by what this one said, as long as all that was looked at is as it is. It is for targets
// that build and export and do nothing else, as the last thing that they do. A build that had something to do is not kept, nor is one of which it is
// not known what it looked at. That a record cannot be written costs the next run a tenth of a second, and is no error.
func (s *Session) KeepUnchanged(built *Built) {
	if !s.isRepeatable(built) {
		return
	}
	call := unchanged.Call{Root: s.Config.Root, Program: filepath.Join(s.Config.Root, "out", "mage", "mage"), Words: s.Words, Environ: s.environ}
	if self, err := os.Executable(); err != nil || self != call.Program {
		return // started in another way, in which nobody asks for a record
	}
	s.looked.Content(call.Program)
	if s.lookedAtByBuild(built) != nil {
		return
	}
	_ = call.Keep(unchanged.Run{Began: s.began, Lock: s.checkoutLock(), Said: s.said.bytes(), Seen: s.looked})
}

// isRepeatable tells whether a build is one whose like can be told by looking at files alone.
func (s *Session) isRepeatable(built *Built) bool {
	idle := built.Summary.Count(graph.UpToDate) == len(built.Summary.Outcomes)
	remote, err := s.RemoteSettings()
	// GitHub is told of each run, with what it found. Without HOME the account says what the home folder is, and without RUSTUP_HOME as well rustup.
	return idle && err == nil && remote.Cache == "" && s.Words != nil && !s.Config.Verbose && !s.Config.GitHub && !s.Config.DryRun && !s.distrust && s.homeIsGiven()
}

func (s *Session) homeIsGiven() bool {
	for _, e := range s.environ {
		if value, ok := strings.CutPrefix(e, "HOME="); ok {
			return value != ""
		}
	}
	return false
}

// lookedAtByBuild adds what a build rests on and what was not noted while it was read.
func (s *Session) lookedAtByBuild(built *Built) error {
	c, d := s.Config, s.description
	folders, err := safepath.Folders(c.Cache)
	if err != nil {
		return err
	}
	s.looked.Rights(folders...)
	// That is of the build before; where it was another one, this one would have written it.
	s.looked.Content(s.TraceFile())
	s.looked.Content(c.Pin(), c.PinLock(), c.Overrides, c.Recipes(), filepath.Join(c.RustupHome, "toolchains"), s.Edits().Dir)
	if c.ToolchainName != "" {
		s.looked.Content(c.Toolchain, s.BuiltToolchains().Link(c.ToolchainName))
	}
	for name := range d.broken {
		s.looked.Content(filepath.Join(c.Recipes(), name), filepath.Join(c.Recipes(), name, "recipe.toml"))
	}
	for _, r := range d.recipes {
		s.looked.Content(r.Dir, r.Path)
	}
	all := []error{s.looked.Tree(c.Patches()), s.looked.Tree(c.Targets())}
	for _, n := range built.Roots {
		files, err := s.Store.Files(built.Summary.Outputs[n])
		s.looked.Content(files...)
		all = append(all, err)
	}
	for _, key := range built.Summary.Keys {
		s.looked.Content(s.Actions.Path(key))
	}
	s.looked.Content(s.Stats.Looked()...)
	return errors.Join(all...)
}

// transcript is what a session has said; a nil one forgets it. Goroutines share it.
type transcript struct {
	mu   sync.Mutex
	text []byte
}

func (t *transcript) add(line string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(append(t.text, line...), '\n')
}

func (t *transcript) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text
}

// listener adds to a transcript what a build says that finds nothing to do: notices.
type listener struct {
	ui.Observer
	said *transcript
}

func (l listener) Notice(line string) {
	l.said.add(terminal.Clean(line))
	l.Observer.Notice(line)
}
