package targetspec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// JSON is the specification as the given compiler reads it: keys sorted, two
// blanks of indentation, a newline at the end, the same bytes every time.
//
// The only error is a soft-float target for an architecture whose name for it
// nobody knows.
func (s *Spec) JSON(compiler Compiler) ([]byte, error) {
	keys := map[string]any{}
	for key, value := range s.strings() {
		if *value != nil {
			keys[key] = **value
		}
	}
	for key, value := range s.bools() {
		if *value != nil {
			keys[key] = **value
		}
	}
	for key, lists := range s.perKey() {
		if len(*lists) > 0 {
			keys[key] = *lists
		}
	}
	if compiler.NoWeakLinkage {
		delete(keys, "allows-weak-linkage")
	}
	s.addShaped(keys, compiler)
	if err := s.addSoftFloat(keys, compiler); err != nil {
		return nil, err
	}
	return encode(keys)
}

// addShaped adds the keys whose JSON form is not the TOML one.
func (s *Spec) addShaped(keys map[string]any, compiler Compiler) {
	if s.PointerWidth != nil {
		keys["target-pointer-width"] = *s.PointerWidth
		if compiler.PointerWidthString {
			keys["target-pointer-width"] = strconv.Itoa(*s.PointerWidth)
		}
	}
	if s.MaxAtomicWidth != nil {
		keys["max-atomic-width"] = *s.MaxAtomicWidth
	}
	if s.StackProbes != nil {
		keys["stack-probes"] = map[string]string{"kind": *s.StackProbes}
	}
	if len(s.Features) > 0 {
		keys["features"] = strings.Join(s.Features, ",")
	}
	if s.Families != nil {
		keys["target-family"] = s.Families
	}
	if s.SplitDebugKinds != nil {
		keys["supported-split-debuginfo"] = s.SplitDebugKinds
	}
	if s.Description != "" {
		keys["metadata"] = map[string]any{"description": s.Description}
	}
}

// addSoftFloat declares the calling convention. aarch64 says it by "abi" (the
// cfg target_abi) and, from some compiler on, must say it by "rustc-abi" too;
// x86_64 says it by "rustc-abi" only.
func (s *Spec) addSoftFloat(keys map[string]any, compiler Compiler) error {
	if s.SoftFloat == nil || !*s.SoftFloat {
		return nil
	}
	switch {
	case is(s.Arch, "aarch64"):
		keys["abi"] = "softfloat"
	case is(s.Arch, "x86_64"):
	default:
		return fmt.Errorf("target %s: how to declare soft-float for %s is not known", s.Triple, *s.Arch)
	}
	if name := compiler.SoftFloatABI[*s.Arch]; name != "" {
		keys["rustc-abi"] = name
	}
	return nil
}

func encode(keys map[string]any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(keys); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
