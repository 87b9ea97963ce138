package ui

import (
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/terminal"
)

// TestEnvelope: scripts read this form; a change of it raises JSONSchema.
func TestEnvelope(t *testing.T) {
	var b strings.Builder
	if err := WriteJSON(&b, "drift", map[string]string{"found": "a < b"}); err != nil {
		t.Fatal(err)
	}
	const want = "{\n  \"schema\": 1,\n  \"target\": \"drift\",\n  \"result\": {\n    \"found\": \"a < b\"\n  }\n}\n"
	if b.String() != want {
		t.Errorf("got %s", b.String())
	}
	var back struct{ Found string }
	if err := ReadJSON([]byte(want), "drift", &back); err != nil || back.Found != "a < b" {
		t.Errorf("%+v, %v", back, err)
	}
	if err := ReadJSON([]byte(want), "doctor", &back); err == nil {
		t.Error("another target's document was read")
	}
	if err := ReadJSON([]byte(strings.Replace(want, "1", "2", 1)), "drift", &back); err == nil {
		t.Error("another schema was read")
	}
}

// A document is the same whether a terminal is looking or not, and gives back what went in.
func TestJSONIsFitForATerminal(t *testing.T) {
	const text = "a\x1b[2J\u009b\u202e\x7fé"
	var b strings.Builder
	if err := WriteJSON(&b, "x", text); err != nil {
		t.Fatal(err)
	}
	if terminal.Clean(b.String()) != b.String() {
		t.Errorf("%q", b.String())
	}
	var got string
	if err := ReadJSON([]byte(b.String()), "x", &got); err != nil || got != text {
		t.Errorf("%q, %v", got, err)
	}
}
