package builder

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/recipe"
)

// checkLinked holds what a step linked to the rules of its kind, before anything strips it.
func (b *Builder) checkLinked(file string, s *recipe.Step) error {
	machine, err := b.machine()
	if err != nil {
		return err
	}
	var rules elfcheck.Rules
	switch s.RulesOrDefault() {
	case recipe.RulesProgram:
		rules = elfcheck.Program(machine)
		rules.NeedSymbols = true
	case recipe.RulesBootstrap:
		rules = elfcheck.Bootstrap(machine)
	case recipe.RulesKernel:
		rules = elfcheck.Kernel(machine)
	default:
		return nil
	}
	report, err := elfcheck.CheckFile(file, rules)
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return fmt.Errorf("%s breaks the rules for a %s: %w", file, s.RulesOrDefault(), err)
	}
	return nil
}

// checkLinkLine holds what a program will be linked with to the rule that each CRT object is named once: the target
// spec names them, so a recipe's flags must not. Found here, it costs no compile; and a linker that takes both
// without a word (-z muldefs) makes programs that run their initialisers twice.
func checkLinkLine(spec []byte, s *recipe.Step) error {
	if s.RulesOrDefault() != recipe.RulesProgram {
		return nil
	}
	var objects struct {
		Before map[string][]string `json:"pre-link-objects"`
		After  map[string][]string `json:"post-link-objects"`
	}
	if err := json.Unmarshal(spec, &objects); err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(objects.Before)) {
		line := slices.Concat(objects.Before[kind], s.RustFlags, objects.After[kind])
		var texts []string
		for _, finding := range elfcheck.CheckLinkLine(line) {
			texts = append(texts, finding.Msg)
		}
		if len(texts) > 0 {
			return fmt.Errorf("step %s would link with %s: %s", s.Name, strings.Join(line, " "), strings.Join(texts, "; "))
		}
	}
	return nil
}
