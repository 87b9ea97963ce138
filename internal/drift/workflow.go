package drift

import (
	"context"
	"os"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/globdir"
)

// Workflow is a workflow that names another toolchain than the pin.
const Workflow Kind = "workflow"

func checkWorkflows(_ context.Context, in *inputs, r *Report) error {
	workflows, err := in.checkout.workflows()
	for name, text := range workflows {
		r.add(compareWorkflow(in.channel, name, text)...)
	}
	return err
}

// workflows are the texts of the workflow files, ours and the examples, by slash path.
func (c *Checkout) workflows() (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, pattern := range []string{".github/workflows/*.yml", ".github/workflows/*.yaml", ".github/actions/*/action.yml", "examples/*.yml", "examples/*.yaml"} {
		found, err := globdir.In(c.Root, pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			texts[c.relative(path)] = text
		}
	}
	return texts, nil
}

// datedNightly is a toolchain named by a day. floating is one that is another tomorrow, where workflows
// and shell lines name toolchains: "+nightly", "toolchain: nightly", "rust-toolchain@nightly".
var (
	datedNightly = regexp.MustCompile(`\bnightly-\d{4}-\d{2}-\d{2}\b`)
	floating     = regexp.MustCompile(`(?:\+|@|toolchain[:=]?\s+["']?|toolchain install\s+)(nightly)(?:["'\s]|$)`)
)

// compareWorkflow compares the toolchains that a workflow names with the pin.
func compareWorkflow(channel, name string, text []byte) []Finding {
	var found []Finding
	for i, line := range strings.Split(string(text), "\n") {
		named := datedNightly.FindAllString(line, -1)
		if floating.MatchString(line) {
			named = append(named, "nightly")
		}
		for _, other := range named {
			if other != channel {
				found = append(found, Finding{Kind: Workflow, File: name, Line: i + 1, Expected: channel, Found: other, Fix: pinFix(channel)})
			}
		}
	}
	return found
}

// repinWorkflow is a workflow's text with the channel in place of every toolchain it names.
func repinWorkflow(channel string, text []byte) []byte {
	dated := datedNightly.ReplaceAll(text, []byte(channel))
	return floating.ReplaceAllFunc(dated, func(match []byte) []byte {
		return []byte(strings.Replace(string(match), "nightly", channel, 1))
	})
}
