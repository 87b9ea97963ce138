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

func (Quiet) Begin([]*graph.Node) {}

func (Quiet) Started(*graph.Node, string, time.Duration) {}

func (Quiet) Status(*graph.Node, string) {}

func (Quiet) Waited(*graph.Node, time.Duration) {}

// Finished implements graph.Observer.
func (Quiet) Finished(*graph.Node, graph.Outcome, time.Duration, error) {}

func (Quiet) Notice(string) {}
