package cache

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// The total is what the disk has lost: folders that a collection does not know count as well.
func TestStatsCountEverything(t *testing.T) {
	s, out := sessiontest.New(t)
	sessiontest.WriteFile(t, filepath.Join(s.Config.Cache, config.ReproPrefix+"123", "a", "x"), strings.Repeat("x", 3<<20), 0o644)
	sessiontest.WriteFile(t, filepath.Join(s.Config.Cache, "mine.txt"), strings.Repeat("x", 1<<20), 0o644)
	for i := range shownFolders + 2 {
		sessiontest.WriteFile(t, filepath.Join(s.Config.Work(), fmt.Sprintf("step%d/key/state", i)), "x", 0o644)
	}
	if err := Stats(t.Context(), s, false); err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(out.String()) {
		if cells := strings.Fields(line); len(cells) > 0 {
			rows[cells[0]] = cells
		}
	}
	for name, want := range map[string]string{"repro-*": "3.0 MiB", "other": "1.0 MiB"} {
		if cells := rows[name]; len(cells) < 4 || strings.Join(cells[2:4], " ") != want {
			t.Errorf("%s: %v, want %s\n%s", name, cells, want, out)
		}
	}
	if cells := rows["total"]; len(cells) < 2 || !strings.HasPrefix(cells[1], "4.") {
		t.Errorf("total: %v\n%s", cells, out)
	}
	if !strings.Contains(out.String(), "and 2 smaller ones") {
		t.Errorf("all work folders are listed:\n%s", out)
	}
}
