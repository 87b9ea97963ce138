package toolchain

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// manifest has packages with what is said of their targets.
func manifestText(packages map[string]string) string {
	text := "manifest-version = \"2\"\ndate = \"2026-03-01\"\n[renames.llvm-tools]\nto = \"llvm-tools-preview\"\n"
	for name, target := range packages {
		text += "[pkg." + name + "]\nversion = \"1\"\n[pkg." + name + ".target." + target + "\nurl = \"u\"\n"
	}
	return text
}

// TestOffer: a channel that rustup could not install is told from a server that does not answer for it.
func TestOffer(t *testing.T) {
	const here, channel = "x86_64-unknown-linux-gnu", "nightly-2026-03-01"
	with := func(name, target string) map[string]string {
		all := map[string]string{"rust-src": "\"*\"]\navailable = true"}
		for _, name := range []string{"rustc", "cargo", "rust-std", "llvm-tools-preview", "rustc-codegen-cranelift-preview"} {
			all[name] = here + "]\navailable = true"
		}
		all[name] = target
		return all
	}
	full := manifestText(with("rustfmt", here+"]\navailable = true"))
	pin := &Pin{
		Toolchain: PinnedChannel{Components: []string{"rust-src", "llvm-tools"}}, Optional: Optional{Components: []string{"rustc-codegen-cranelift-preview"}},
	}
	for name, test := range map[string]struct {
		channel string
		answers map[string]string // by path; others are not there
		code    int               // of an answer to everything else
		missing []string          // of an offer
		err     string            // else; of a *NotOffered when it begins with "rustup's server"
	}{
		"a nightly":               {channel, map[string]string{"/dist/2026-03-01/channel-rust-nightly.toml": full}, 404, []string{}, ""},
		"a beta":                  {"beta-2026-03-01", map[string]string{"/dist/2026-03-01/channel-rust-beta.toml": full}, 404, []string{}, ""},
		"a release":               {"1.94.0", map[string]string{"/dist/channel-rust-1.94.0.toml": full}, 404, []string{}, ""},
		"another day":             {channel, map[string]string{"/dist/2026-03-02/channel-rust-nightly.toml": full}, 404, nil, "rustup's server %s offers no nightly-2026-03-01: "},
		"no day":                  {"nightly-2026-02-30", nil, 404, nil, `channel "nightly-2026-02-30": there is no day 2026-02-30`},
		"a server that is broken": {channel, nil, 503, nil, "%s/dist/2026-03-01/channel-rust-nightly.toml: server answers 503"},
		"a page of a hotel":       {channel, map[string]string{"/dist/2026-03-01/channel-rust-nightly.toml": "<html>"}, 404, nil, "%s/dist/2026-03-01/channel-rust-nightly.toml: the answer is no manifest"},
		"an old manifest":         {channel, map[string]string{"/dist/2026-03-01/channel-rust-nightly.toml": "manifest-version = \"1\""}, 404, nil, "%s/dist/2026-03-01/channel-rust-nightly.toml: the answer is no manifest"},
		"without sources": {channel, map[string]string{"/dist/2026-03-01/channel-rust-nightly.toml": manifestText(with("rust-src", "\"*\"]\navailable = false"))}, 404, nil,
			"rustup's server %s offers nightly-2026-03-01 without rust-src for x86_64-unknown-linux-gnu"},
		"without what has two names": {channel, map[string]string{"/dist/2026-03-01/channel-rust-nightly.toml": manifestText(with("llvm-tools-preview", "riscv]\navailable = true"))}, 404, nil,
			"rustup's server %s offers nightly-2026-03-01 without llvm-tools for"},
		"without a compiler": {channel, map[string]string{"/dist/2026-03-01/channel-rust-nightly.toml": manifestText(with("rustc", here+"]\navailable = false"))}, 404, nil,
			"rustup's server %s offers nightly-2026-03-01 without rustc for"},
		"without Cranelift": {channel, map[string]string{"/dist/2026-03-01/channel-rust-nightly.toml": manifestText(with("rustc-codegen-cranelift-preview", here+"]\navailable = false"))}, 404,
			[]string{"rustc-codegen-cranelift-preview"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if text, ok := test.answers[r.URL.Path]; ok {
					_, _ = w.Write([]byte(text)) // the client says what came of it
					return
				}
				w.WriteHeader(test.code)
			}))
			defer s.Close()
			offer, err := Dist{Server: s.URL + "/", Host: here}.Ask(t.Context(), test.channel, pin)
			if test.err != "" {
				want := strings.Replace(test.err, "%s", s.URL, 1)
				if err == nil || !strings.HasPrefix(err.Error(), want) || errors.As(err, new(*NotOffered)) != strings.HasPrefix(want, "rustup's server") || errors.As(err, new(*NoAnswer)) != strings.HasPrefix(want, s.URL) {
					t.Errorf("got %T %v, want %s", err, err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&Offer{s.URL, here, test.missing}, offer); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHostTriple(t *testing.T) {
	for system, want := range map[[2]string]string{
		{"linux", "amd64"}: "x86_64-unknown-linux-gnu", {"linux", "arm64"}: "aarch64-unknown-linux-gnu", {"darwin", "arm64"}: "aarch64-apple-darwin",
	} {
		if got := HostTriple(system[0], system[1]); got != want {
			t.Errorf("%v is %s, want %s", system, got, want)
		}
	}
}
