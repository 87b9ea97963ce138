package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// carried are the pieces of a source as they would be in a file.
func carried(t *testing.T, f *Fetcher, s Source) (names []string, texts map[string]string) {
	t.Helper()
	texts = map[string]string{}
	err := f.EachPiece(context.Background(), s, func(name string, size int64, body io.Reader) error {
		text, err := io.ReadAll(body)
		if int64(len(text)) != size {
			t.Errorf("%s has %d bytes and not %d", name, len(text), size)
		}
		names = append(names, name)
		texts[name] = string(text)
		return err
	})
	place(t, "", err)
	return names, texts
}

func take(t *testing.T, f *Fetcher, names []string, texts map[string]string) error {
	t.Helper()
	staging, err := f.Stage()
	place(t, "", err)
	defer staging.Close()
	for _, name := range names {
		if err := staging.Take(name, strings.NewReader(texts[name])); err != nil {
			return err
		}
	}
	return staging.Publish(context.Background())
}

func TestACommitIsCarriedToAnotherStore(t *testing.T) {
	upstream, commits := repo(t, "one", "two")
	from := newFetcher(t)
	there := newFetcher(t)
	there.Offline = true
	for i, want := range []string{"one", "two"} { // the second goes into a repository that is there
		g := Git{URL: upstream, Commit: commits[i]}
		r := resolve(t, &Overrides{}, g)
		if got, err := exported(t, from, r, "file"); got != want {
			t.Fatal(got, err)
		}
		names, texts := carried(t, from, g)
		place(t, "", take(t, there, names, texts))
		if got, err := exported(t, there, r, "file"); got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// Each of them is refused, and the store is as it was.
func TestPiecesThatAreNotWhatTheySay(t *testing.T) {
	upstream, commits := repo(t, "one")
	from := newFetcher(t)
	g := Git{URL: upstream, Commit: commits[0]}
	if _, err := exported(t, from, resolve(t, &Overrides{}, g), "file"); err != nil {
		t.Fatal(err)
	}
	names, texts := carried(t, from, g)
	for i, name := range names {
		f := newFetcher(t)
		changed := map[string]string{}
		for other, text := range texts {
			changed[other] = text
		}
		changed[name] += "X"
		if err := take(t, f, names, changed); !errors.As(err, new(*PieceError)) {
			t.Errorf("%s with another content: %v", name, err)
		}
		without := append(append([]string{}, names[:i]...), names[i+1:]...)
		if err := take(t, f, without, texts); !errors.As(err, new(*PieceError)) {
			t.Errorf("without %s: %v", name, err)
		}
		if left, _ := os.ReadDir(f.Store); len(left) > 0 {
			t.Errorf("it left %v", left)
		}
	}
	zeros := strings.Repeat("0", 64)
	for _, name := range []string{"crate/" + zeros, "archive/" + zeros, "lock/" + zeros + "-" + zeros, "crate/../" + zeros, "crate/x", "git/x/y/z",
		"git/../" + strings.Repeat("0", 40) + "/" + strings.Repeat("0", 40), "git/..-0123456789abcdef.git/x/" + zeros, "other/" + zeros, ""} {
		f := newFetcher(t)
		if err := take(t, f, []string{name}, map[string]string{name: "x"}); !errors.As(err, new(*PieceError)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestALockIsKeptUnderWhatItWasMadeFrom(t *testing.T) {
	f := newFetcher(t)
	key, other := strings.Repeat("a", 64), strings.Repeat("b", 64)
	if got, err := f.KeptLock(key); got != nil || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	place(t, "", f.KeepLock(key, []byte("text")))
	if got, err := f.KeptLock(key); string(got) != "text" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, _ := f.KeptLock(other); got != nil {
		t.Errorf("%q", got)
	}
	files, _ := filepath.Glob(filepath.Join(f.Store, "lock", "*"))
	for _, file := range files {
		overwrite(t, file, []byte("EVIL"))
	}
	if got, _ := f.KeptLock(key); got != nil {
		t.Errorf("a damaged one is given: %q", got)
	}
}
