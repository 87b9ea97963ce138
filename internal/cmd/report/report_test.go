package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/report/reporttest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
	"github.com/pannous/redox-clif/internal/ui"
)

// built is a session in a checkout in which something was built.
func built(t *testing.T) (*session.Session, *bytes.Buffer) {
	t.Helper()
	s, out := sessiontest.New(t)
	from := reporttest.Out(t, 24)
	s.Config.Root, s.Streams.Err = from.Root, sessiontest.DevNull(t)
	if err := os.MkdirAll(s.Config.Patches(), 0o755); err != nil {
		t.Fatal(err)
	}
	return s, out
}

func TestAReportInEveryForm(t *testing.T) {
	s, out := built(t)
	for _, c := range []struct {
		flags Flags
		want  string
	}{
		{Flags{Text: true}, "initfs for aarch64-unknown-redox-clif\n"},
		{Flags{Markdown: true}, "## initfs for aarch64-unknown-redox-clif\n"},
		{Flags{JSON: true}, "{\n  \"schema\": 1,\n  \"target\": \"report\",\n"},
	} {
		out.Reset()
		if err := Run(t.Context(), s, c.flags); err != nil || !strings.HasPrefix(out.String(), c.want) {
			t.Errorf("%+v: %v, got %.300s", c.flags, err, out)
		}
	}
	var r report.Report
	if err := ui.ReadJSON(out.Bytes(), "report", &r); err != nil || len(r.Build.Steps) != 24 {
		t.Errorf("%v, %+v", err, r.Build)
	}
	if err := Run(t.Context(), s, Flags{Text: true, JSON: true}); err == nil || !strings.Contains(err.Error(), "give one of them") {
		t.Errorf("two forms: %v", err)
	}
}

// The page goes to out/, and its short form behind what is in the job's summary already.
func TestThePageAndTheSummary(t *testing.T) {
	s, _ := built(t)
	s.Config.Summary = filepath.Join(t.TempDir(), "summary")
	if err := os.WriteFile(s.Config.Summary, []byte("before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), s, Flags{Against: filepath.Join(s.Config.Root, "before.json")}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(s.Config.Out(), FileName))
	if err != nil || !bytes.HasPrefix(page, []byte("<!doctype html>")) || !bytes.Contains(page, []byte(`id="changes"`)) {
		t.Errorf("%v, %.200s", err, page)
	}
	summary, err := os.ReadFile(s.Config.Summary)
	if err != nil || !strings.HasPrefix(string(summary), "before\n## initfs for ") || !strings.Contains(string(summary), "before.json") {
		t.Errorf("%v, %s", err, summary)
	}
}

// A folder stands for the manifest in it; what is asked for has to be there.
func TestAgainst(t *testing.T) {
	s, out := built(t)
	if err := Run(t.Context(), s, Flags{Text: true, Against: s.Config.Out()}); err != nil || !strings.Contains(out.String(), "the same image, file by file") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := Run(t.Context(), s, Flags{Text: true, Against: "nowhere.json"}); err == nil || !strings.Contains(err.Error(), "nowhere.json") {
		t.Errorf("%v", err)
	}
}

func TestWhereNothingWasBuilt(t *testing.T) {
	s, out := sessiontest.New(t)
	if err := Run(t.Context(), s, Flags{Text: true}); err != nil || !strings.Contains(out.String(), "the last build: mage initfs or mage demo builds\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What drift found is there in the next report.
func TestWhatATargetFoundIsKept(t *testing.T) {
	s, out := built(t)
	s.Keep("drift", map[string]any{"findings": []map[string]any{{"kind": "target-spec", "file": "targets/x.json", "expected": "a", "found": "b", "fix": "mage target:spec"}}})
	if err := Run(t.Context(), s, Flags{Text: true}); err != nil || !strings.Contains(out.String(), "target-spec: targets/x.json: expected a, found b; mend: mage target:spec\n") {
		t.Errorf("%v\n%s", err, out)
	}
	sessiontest.WriteFile(t, s.FoundFile("drift"), "nonsense", 0o644)
	out.Reset()
	if err := Run(t.Context(), s, Flags{Text: true}); err != nil || !strings.Contains(out.String(), "whether anything drifted: mage drift compares: ") {
		t.Errorf("%v\n%s", err, out)
	}
}
