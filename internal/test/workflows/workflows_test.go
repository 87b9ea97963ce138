package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestExpressions(t *testing.T) {
	w := &world{inputs: map[string]any{"demo": "true", "none": ""}, steps: map[string]any{"root": map[string]any{"outputs": map[string]any{"dir": "/x"}}}, event: "push", failed: true}
	for expression, want := range map[string]string{
		"inputs.demo == 'true'": "true", "inputs.demo != 'true' || inputs.none == ''": "true", "always() && steps.root.outputs.dir != ''": "true",
		"steps.other.outputs.dir": "", "!(inputs.none)": "true", "success()": "false", "'it''s'": "it's",
		"inputs.demo == 'true' && format('{0}/a', steps.root.outputs.dir) || 'b'": "/x/a", "inputs.none && 'a' || 'b'": "b",
	} {
		v, err := evaluate(expression, w.lookup, w.call)
		if got := asText(v); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", expression, got, err, want)
		}
	}
	for _, wrong := range []string{"", "inputs.demo ==", "(inputs.demo", "nobody.knows", "shout('x')", "inputs.demo inputs.none"} {
		if v, err := evaluate(wrong, w.lookup, w.call); err == nil {
			t.Errorf("%q is %v", wrong, v)
		}
	}
}

const root = "../../.."

// pinned is an action by a commit, with the release in a comment; we have none.
var pinned = regexp.MustCompile(`^\s*(- )?uses: ([\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|pannous/redox-clif/[\w./-]+@[0-9a-f]{40} # main of [\d-]+)$`)

// What every workflow, example and action of ours has: actions by commit, no expression in a script, bash, a bound on time and rights.
func TestWorkflowsAreAsAgreed(t *testing.T) {
	var files []string
	for _, pattern := range []string{".github/workflows/*.yml", ".github/actions/*/action.yml", "examples/*.yml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 8 {
		t.Fatalf("only %v", files)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			if strings.Contains(line, "uses:") && !strings.HasPrefix(strings.TrimSpace(line), "#") && !strings.Contains(line, "$/.github/") && !pinned.MatchString(line) {
				t.Errorf("%s: %s", file, line)
			}
		}
		if strings.Contains(string(text), "\njobs:") {
			checkWorkflow(t, file, text)
		}
	}
}

func checkWorkflow(t *testing.T, file string, text []byte) {
	t.Helper()
	var f workflow
	if err := yaml.Unmarshal(text, &f); err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	if f.Defaults.Run.Shell != "bash" || f.Permissions == nil || len(f.Permissions) != 0 || f.Concurrency.Group == "" {
		t.Errorf("%s: shell %q, permissions %v, concurrency %q", file, f.Defaults.Run.Shell, f.Permissions, f.Concurrency.Group)
	}
	for name, job := range f.Jobs {
		for _, s := range job.Steps {
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s: %s: %s: an expression in a script", file, name, s.title())
			}
		}
	}
}
