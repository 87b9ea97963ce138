package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pannous/redox-clif/internal/terminal"
)

// JSONSchema is raised when a field of an envelope, or of what targets put into it, changes its meaning or goes away. New
// fields do not raise it.
const JSONSchema = 1

// envelope is what every -json prints.
type envelope struct {
	Schema int    `json:"schema"`
	Target string `json:"target"` // the target that printed it, as one types it
	Result any    `json:"result"`
}

// WriteJSON writes what a target found as the one document that -json prints, indented, with a line end. No text of a
// compiler's is changed to be safe in HTML; what a terminal would act on is written as JSON's own escapes.
func WriteJSON(w io.Writer, target string, result any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(envelope{JSONSchema, target, result}); err != nil {
		return err
	}
	_, err := io.WriteString(w, terminal.JSON(text.String()))
	return err
}

// ReadJSON reads what WriteJSON wrote for a target. A document of another target or schema is an error.
func ReadJSON(text []byte, target string, result any) error {
	e := envelope{Result: result}
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	if e.Target != target || e.Schema != JSONSchema {
		return fmt.Errorf("is schema %d of target %q, want %d of %q", e.Schema, e.Target, JSONSchema, target)
	}
	return nil
}
