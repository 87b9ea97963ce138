package source

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"lukechampine.com/blake3"
)

// The sum of "abc" as b3sum gives it.
const blake3OfABC = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"

func blake3Of(data []byte) string {
	s := blake3.Sum256(data)
	return hex.EncodeToString(s[:])
}

func TestBLAKE3IsThatOfTheTool(t *testing.T) {
	if err := (digests{blake3: blake3OfABC}).check("abc", strings.NewReader("abc")); err != nil {
		t.Error(err)
	}
}

func TestAnArchiveByBLAKE3(t *testing.T) {
	ctx := context.Background()
	data := goodTar(t)
	srv, requests := server(t, data)
	wrong := strings.Repeat("0", 64)
	fetch := func(f *Fetcher, a Archive) error {
		a.URL = srv.URL + "/good"
		return f.Fetch(ctx, resolve(t, &Overrides{}, a))
	}
	t.Run("alone and beside sha256", func(t *testing.T) {
		for _, a := range []Archive{{Blake3: blake3Of(data)}, {SHA256: sum(data), Blake3: blake3Of(data)}} {
			f := newFetcher(t)
			if err := fetch(f, a); err != nil {
				t.Fatal(err)
			}
			a.Strip = 1
			a.URL = "u"
			dest := t.TempDir()
			if _, err := f.Export(ctx, resolve(t, &Overrides{}, a), dest); err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(dest + "/bin/run"); err != nil || string(text) != "r" {
				t.Errorf("%q %v", text, err)
			}
		}
	})
	t.Run("both have to be right", func(t *testing.T) {
		for algorithm, a := range map[string]Archive{
			"blake3": {SHA256: sum(data), Blake3: wrong},
			"sha256": {SHA256: wrong, Blake3: blake3Of(data)},
		} {
			err := fetch(newFetcher(t), a)
			var digest *DigestError
			if !errors.As(err, &digest) || digest.Algorithm != algorithm || digest.Want != wrong {
				t.Errorf("%s: %v", algorithm, err)
				continue
			}
			for _, want := range []string{srv.URL + "/good", "wrong digest: expected " + algorithm + " " + wrong, digest.Got, "[mirror]"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
		}
	})
	// A file in the store was checked for what its name says, and not for a sum that the recipe got later.
	t.Run("another sum is checked although the file is here", func(t *testing.T) {
		f := newFetcher(t)
		if err := fetch(f, Archive{SHA256: sum(data)}); err != nil {
			t.Fatal(err)
		}
		if err := fetch(f, Archive{SHA256: sum(data), Blake3: wrong}); !errors.As(err, new(*DigestError)) {
			t.Errorf("%v", err)
		}
	})
	t.Run("is asked for once", func(t *testing.T) {
		f := newFetcher(t)
		requests.Store(0)
		for range 2 {
			if err := fetch(f, Archive{Blake3: blake3Of(data)}); err != nil {
				t.Fatal(err)
			}
		}
		if n := requests.Load(); n != 1 {
			t.Errorf("%d requests for two fetches", n)
		}
	})
}

func TestIdentityOfArchives(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for want, archive := range map[string]Archive{
		"archive:sha256:" + a + ":strip=1":                  {URL: "u", SHA256: a, Strip: 1},
		"archive:blake3:" + b + ":strip=0":                  {URL: "u", Blake3: b},
		"archive:sha256:" + a + ":blake3:" + b + ":strip=0": {URL: "u", SHA256: a, Blake3: b},
	} {
		if id, ok := resolve(t, &Overrides{}, archive).Identity(); !ok || id != want {
			t.Errorf("%s, want %s", id, want)
		}
	}
}
