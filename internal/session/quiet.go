package session

import (
	"path/filepath"
	"time"

	"github.com/pannous/redox-clif/internal/graph"
)

// QuietEngine runs source nodes without a status display and without touching what explains real builds.
func (s *Session) QuietEngine() *graph.Engine {
	e := s.engine(Quiet{})
	e.History = graph.OpenHistory(filepath.Join(s.Config.State(), "sources"))
	e.LogDir = filepath.Join(s.Config.Logs(), "sources")
	return e
}

// Quiet is an Observer that keeps everything to itself.
type Quiet struct{}

// Begin has nothing to show.
func (Quiet) Begin([]*graph.Node) {}

// Started shows nothing.
func (Quiet) Started(*graph.Node, string, time.Duration) {}

// Status shows nothing.
func (Quiet) Status(*graph.Node, string) {}

// Waited shows nothing.
func (Quiet) Waited(*graph.Node, time.Duration) {}

// Finished implements graph.Observer.
func (Quiet) Finished(*graph.Node, graph.Outcome, time.Duration, error) {}

// Notice keeps the line to itself.
func (Quiet) Notice(string) {}
