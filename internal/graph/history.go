package graph

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/cas"
)

// Record is what is remembered of a node from the last build that went past it.
type Record struct {
	Action   *action.Action `json:"action"`
	Output   cas.Digest     `json:"output"`
	Duration time.Duration  `json:"duration_ns"` // of the last real run
	When     time.Time      `json:"when"`
	// Previous is the action before this one, so that it can be told afterwards why the step ran.
	Previous *action.Action `json:"previous,omitempty"`
}

// History keeps one Record per node in a folder. It explains and estimates; no
// decision about what is up to date rests on it. A record is read from disk once: a build asks for each
// when it orders the steps and when it is past them. The folder is one run's at a time (the checkout's lock).
type History struct {
	dir string

	mu   sync.Mutex
	read map[string]*Record // nil for a node without a record
}

// OpenHistory returns the history in dir.
func OpenHistory(dir string) *History { return &History{dir: dir, read: map[string]*Record{}} }

func (h *History) path(id string) string {
	return filepath.Join(h.dir, strings.NewReplacer("/", "__", ":", "_").Replace(id)+".json")
}

// Get returns the record of a node, or nil. Nobody may change it: others are given the same.
func (h *History) Get(id string) *Record {
	h.mu.Lock()
	r, known := h.read[id]
	h.mu.Unlock()
	if known {
		return r
	}
	r = h.load(id)
	h.keep(id, r)
	return r
}

func (h *History) keep(id string, r *Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.read[id] = r
}

func (h *History) load(id string) *Record {
	b, err := cachefile.Read(h.path(id))
	if err != nil {
		return nil
	}
	r := &Record{}
	if json.Unmarshal(b, r) != nil || r.Action == nil {
		return nil
	}
	return r
}

// Put replaces the record of a node.
func (h *History) Put(id string, r *Record) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(h.path(id), b, 0o644); err != nil {
		return err
	}
	h.keep(id, r)
	return nil
}

// IDs are the nodes there are records of.
func (h *History) IDs() []string {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return nil
	}
	var ids []string
	for _, e := range entries {
		if r, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			ids = append(ids, strings.ReplaceAll(r, "__", "/"))
		}
	}
	return ids
}
