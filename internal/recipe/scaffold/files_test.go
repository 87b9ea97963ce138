package scaffold

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestAllIsWrittenOrNothing(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	if err := os.WriteFile(at("lock"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	blocked := at("file/below") // a file cannot be a folder
	if err := os.WriteFile(at("file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	changes := []Change{
		{Path: at("recipes/a/src/main.rs"), Text: []byte("m")}, {Path: at("lock"), Text: []byte("new"), Renew: true},
		{Path: at("made"), Text: []byte("x"), Renew: true}, {Path: at("recipes/a/recipe.toml"), Text: []byte("r")},
	}
	for name, wrong := range map[string]Change{
		"is there":        {Path: at("file"), Text: []byte("z")},
		"cannot be there": {Path: blocked, Text: []byte("z"), Renew: true},
	} {
		if err := Apply(append(changes[:3:3], wrong)); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := read(t, at("lock")); got != "old" {
			t.Errorf("%s: the old file has %q", name, got)
		}
		if left, err := os.ReadDir(root); err != nil || len(left) != 2 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
	}
	if err := Apply(changes); err != nil {
		t.Fatal(err)
	}
	if read(t, at("recipes/a/src/main.rs"))+read(t, at("lock"))+read(t, at("made"))+read(t, at("recipes/a/recipe.toml")) != "mnewxr" {
		t.Error("not all of it was written")
	}
	var taken *TakenError
	if err := Apply(changes); !errors.As(err, &taken) || taken.Path != at("recipes/a/src/main.rs") {
		t.Errorf("%v", err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}
