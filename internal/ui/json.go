package ui

import (
	"encoding/json"
	"fmt"
	"io"
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
// compiler's is changed to be safe in HTML.
func WriteJSON(w io.Writer, target string, result any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(envelope{JSONSchema, target, result})
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
