package linkline

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// UndefinedSymbol is a symbol that a linker did not find.
type UndefinedSymbol struct {
	// Symbol is its name, demangled where it has that form.
	Symbol string
	// Crate is the crate that wants it, or the object file where that is none of a crate.
	Crate string
	// Function is the first one that uses it, "" when the linker does not say.
	Function string
}

var (
	// undefinedLine is how lld begins: "rust-lld: error: undefined symbol: open".
	undefinedLine = regexp.MustCompile(`error: undefined (?:\w+ )?symbol: (.+)$`)
	// usedIn is where lld says it is used: ">>> init-0123456789abcdef.init.6208-cgu.0.rcgu.o:(init::main) in archive libinit.rlib".
	usedIn = regexp.MustCompile(`^>>>\s+(\S+):\((.*?)\)(?: in archive (.+))?$`)
	// crateFile is the file name of a crate's library or of an object of it.
	crateFile = regexp.MustCompile(`^(?:lib)?(\w+)-[0-9a-f]{16}\..*(?:rlib|o)$`)
)

// Undefined finds in what lld said the symbols that it did not find, in its order.
func Undefined(said string) []UndefinedSymbol {
	var all []UndefinedSymbol
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if m := undefinedLine.FindStringSubmatch(line); m != nil {
			all = append(all, UndefinedSymbol{Symbol: m[1]})
			continue
		}
		m := usedIn.FindStringSubmatch(line)
		if m == nil || len(all) == 0 || all[len(all)-1].Crate != "" {
			continue
		}
		file := m[1]
		if m[3] != "" {
			file = m[3]
		}
		last := &all[len(all)-1]
		last.Crate, last.Function = crateOf(file), m[2]
	}
	return all
}

func crateOf(file string) string {
	name := path.Base(file)
	if m := crateFile.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return name
}

// described is how many symbols are told one by one.
const described = 3

// Describe says in one line what was not found, and who wants it.
func Describe(all []UndefinedSymbol) string {
	var texts []string
	for _, u := range all[:min(len(all), described)] {
		text := "undefined symbol: " + u.Symbol
		if u.Crate != "" {
			text += fmt.Sprintf(" (wanted by %s", u.Crate)
			if u.Function != "" && u.Function != u.Crate {
				text += " in " + u.Function
			}
			text += ")"
		}
		texts = append(texts, text)
	}
	if more := len(all) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}
