package secretkey

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"
)

type closer struct{ bytes.Buffer }

func (*closer) Close() error { return nil }

// However a program's output comes apart, no key gets into the log, and all else does.
func TestRedact(t *testing.T) {
	hex := strings.Repeat("c3", 64)
	for in, want := range map[string]string{
		plain + "done\n": strings.Replace(plain, hex, "(a secret key)", 1) + "done\n",
		`File { salt: [1], skey: "` + hex + strings.Repeat("c3", 16) + `" }`: `File { salt: [1], skey: "(a secret key)" }`,
		`{"skey":"` + hex + `"} sk ske skey = "12" s`:                        `{"skey":"(a secret key)"} sk ske skey = "12" s`,
		"skey='" + hex[:64] + "'":                                            "skey='(a secret key)'",
		"sha512 " + hex + " of a risk":                                       "sha512 " + hex + " of a risk",
		"ends in skey = \"":                                                  "ends in skey = \"",
	} {
		for size := range len(in) {
			out := &closer{}
			r := Redact(out)
			for rest := in; rest != ""; {
				n := min(size+1, len(rest))
				if written, err := r.Write([]byte(rest[:n])); written != n || err != nil {
					t.Fatal(written, err)
				}
				rest = rest[n:]
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if out.String() != want {
				t.Fatalf("in pieces of %d: %q, want %q", size+1, out.String(), want)
			}
		}
	}
}

// full is a log on a disk that has room again when the log is closed.
type full struct{ closed bool }

func (f *full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func (f *full) Close() error {
	f.closed = true
	return nil
}

func TestALogThatCouldNotBeWrittenSaysSoWhenItIsClosed(t *testing.T) {
	for _, line := range []string{"1 2 3\n", "it says\n", "ends in skey = \""} {
		log := &full{}
		r := Redact(log)
		_, _ = r.Write([]byte(line))
		if err := r.Close(); !errors.Is(err, syscall.ENOSPC) || !log.closed {
			t.Errorf("%q: the end says %v, closed %t", line, err, log.closed)
		}
	}
}
