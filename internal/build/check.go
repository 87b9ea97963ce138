package build

import (
	"fmt"

	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/recipe"
)

// checkVersion is raised when the rules for linked files change: results that the old rules
// let through are then made again.
const checkVersion = "1"

// checkLinked holds what a step linked to the rules of its kind, before anything strips it.
func (b *Builder) checkLinked(file string, s *recipe.Step) error {
	machine, err := b.machine()
	if err != nil {
		return err
	}
	var rules elfcheck.Rules
	switch s.RulesOrDefault() {
	case "program":
		rules = elfcheck.Program(machine)
		rules.NeedSymbols = true
	case "bootstrap":
		rules = elfcheck.Bootstrap(machine)
	case "kernel":
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
