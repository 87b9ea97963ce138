package importer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cookbookOf writes recipes into a folder.
func cookbookOf(t *testing.T, recipes map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range recipes {
		file := filepath.Join(dir, name, "recipe.toml")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func follows(url string) string {
	return "[source]\ngit = \"" + url + "\"\n[build]\ntemplate = \"cargo\"\n"
}

func TestOneThatFailsDoesNotStopTheOthers(t *testing.T) {
	dir := cookbookOf(t, map[string]string{
		"a/here":    follows("here"),
		"a/gone":    follows("gone"),
		"b/script":  follows("gone") + "script = \"x\"\n",
		"b/nothing": "",
		"c/broken":  "[source",
	})
	got, err := Count(t.Context(), dir, func(_ context.Context, url, _ string) (string, error) {
		if url == "gone" {
			return "", errors.New("no such repository")
		}
		return commit, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Unread) != 1 || !strings.Contains(got.Unread[0], "c/broken/recipe.toml: ") {
		t.Errorf("unread %q", got.Unread)
	}
	got.Unread = nil
	want := &Survey{Found: 5, Read: 4, Whole: 1,
		Lost: []Lost{{NoCommit, 2, 1}, {NoSource, 1, 1}, {Script, 1, 0}},
		Unanswered: []string{
			filepath.Join(dir, "a/gone/recipe.toml") + ": no such repository",
			filepath.Join(dir, "b/script/recipe.toml") + ": no such repository",
		}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhereNobodyMayBeAskedNothingIsUnanswered(t *testing.T) {
	got, err := Count(t.Context(), cookbookOf(t, map[string]string{"a": follows("x")}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Survey{Found: 1, Read: 1, Lost: []Lost{{NoCommit, 1, 1}}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestASurveyEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Count(ctx, cookbookOf(t, map[string]string{"a": follows("x"), "b": follows("y")}), func(ctx context.Context, _, _ string) (string, error) {
		cancel()
		return "", ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
