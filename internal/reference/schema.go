package reference

import (
	"bytes"
	"encoding/json"
)

// schema is a JSON Schema of draft 7, the newest that taplo reads. Tables that occur twice are written twice: taplo shows nothing of
// what stands beside a "$ref".
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        form               `json:"type,omitempty"`
	Enum        []any              `json:"enum,omitempty"`
	MinLength   int                `json:"minLength,omitempty"`
	MinItems    int                `json:"minItems,omitempty"`
	Minimum     *uint64            `json:"minimum,omitempty"`
	Maximum     *uint64            `json:"maximum,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	OneOf       []schema           `json:"oneOf,omitempty"`
	// Additional is false where no other keys are taken, and the schema of their values where they are the user's own.
	Additional any    `json:"additionalProperties,omitempty"`
	Taplo      *taplo `json:"x-taplo,omitempty"`
}

// taplo has what taplo and the editors that use it show of the values of an enumeration.
type taplo struct {
	Docs struct {
		EnumValues []string `json:"enumValues"`
	} `json:"docs"`
}

// schemaText is the schema of a kind of file.
func schemaText(f File, t *table) ([]byte, error) {
	s := tableSchema(t)
	s.Schema, s.Title, s.Description = "http://json-schema.org/draft-07/schema#", f.Path, t.Doc
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(s)
	return text.Bytes(), err
}

func tableSchema(t *table) *schema {
	s := &schema{Type: "object", Properties: map[string]*schema{}, Additional: false}
	for _, k := range t.Keys {
		below := valueSchema(k.Value)
		below.Description = k.Doc
		if k.Required || k.OneOf {
			below.wantContent(k.Value)
		}
		if k.Required {
			s.Required = append(s.Required, k.Name)
		}
		if k.OneOf {
			s.OneOf = append(s.OneOf, schema{Required: []string{k.Name}})
		}
		s.Properties[k.Name] = below
	}
	return s
}

func valueSchema(v value) *schema {
	switch v.Form {
	case formAny:
		return &schema{}
	case formTable:
		return tableSchema(v.Table)
	case formList:
		return &schema{Type: "array", Items: valueSchema(*v.Item)}
	case formMap:
		return &schema{Type: "object", Additional: valueSchema(*v.Item)}
	}
	s := &schema{Type: v.Form, Minimum: v.Low, Maximum: v.High}
	if len(v.Enum) > 0 {
		s.Taplo = &taplo{}
		for _, one := range v.Enum {
			s.Enum = append(s.Enum, one.Name)
			s.Taplo.Docs.EnumValues = append(s.Taplo.Docs.EnumValues, one.Doc)
		}
	}
	return s
}

// wantContent refuses what is as good as not there, as the reader does.
func (s *schema) wantContent(v value) {
	switch {
	case v.Form == formList:
		s.MinItems = 1
	case v.Pointer || len(v.Enum) > 0:
	case v.Form == formString:
		s.MinLength = 1
	case v.Form == formBool:
		s.Enum = []any{true}
	}
}
