package reference

import (
	"fmt"
	"strings"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/source"
)

// environmentText is the page of the environment variables.
func environmentText(stability string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `%s
# The environment

A flag of a target comes before a variable, and a variable before the default. A misspelt `+"`REDOX_`"+` variable is an error.

%s

| variable | flag | meaning | default |
|---|---|---|---|
`, generatedMark, stability)
	for _, v := range config.Variables() {
		row(&b, cell("`"+v.Name+"="+v.Value+"`"), code(v.Flag), cell(v.Meaning), cell(v.Default))
	}
	row(&b, "`"+source.EnvPrefix+"<NAME>=DIR`", "", "a folder in place of the source of recipe NAME, in capitals and with _ for what is no letter or digit; it comes before [overrides.toml](overrides.md)", "")
	b.WriteString(`
` + "`REDOX_TEST_…`" + ` variables turn tests on: [testing.md](../testing.md).

## Variables of others

Nothing else of the environment reaches a build, and none of these a compiler. Nothing is printed in colour, so that there is nothing to do for ` + "`NO_COLOR`" + `.

| variable | meaning | default |
|---|---|---|
`)
	all := config.Standard()
	for len(all) > 0 { // a row for those of one meaning
		var names []string
		first := all[0]
		for len(all) > 0 && all[0].Meaning == first.Meaning {
			names, all = append(names, code(all[0].Name)), all[1:]
		}
		row(&b, strings.Join(names, ", "), cell(first.Meaning), cell(first.Default))
	}
	return b.String()
}

func row(b *strings.Builder, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
