package front

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/nearest"
)

// Options are what stands before the first target.
type Options struct {
	List, All, Help bool
	// Mage are Mage's own options as they were given.
	Mage []string
	// Command says that among them is one that Mage obeys without a target: -version, -compile.
	Command bool
	// Elsewhere says that among them is another folder for Mage to work in.
	Elsewhere bool
}

// option is one of Mage's own.
type option struct {
	name, value, text  string
	command, elsewhere bool
}

// options are Mage's, and -all.
var options = []option{
	{name: "l", text: "list the targets; with -all all of them"},
	{name: "all", text: "with -l"},
	{name: "h", text: "help, as `mage help`"},
	{name: "v", text: "stream the output of the tools"},
	{name: "t", value: "TIME", text: "stop after so long, like 5m30s"},
	{name: "f", text: "compile the targets anew"},
	{name: "debug", text: "Mage's own messages"},
	{name: "keep", text: "keep the file that Mage writes to compile the targets"},
	{name: "gocmd", value: "GO", text: "the go command that compiles the targets"},
	{name: "multiline", text: "keep line ends in what the targets say of themselves"},
	{name: "compile", value: "FILE", text: "compile the targets to a file", command: true},
	{name: "goos", value: "OS", text: "with -compile", command: true},
	{name: "goarch", value: "ARCH", text: "with -compile", command: true},
	{name: "ldflags", value: "FLAGS", text: "with -compile", command: true},
	{name: "install", value: "SHELL", text: "Mage's own completion, of targets only", command: true},
	{name: "autocomplete", text: "the targets, one a line", command: true},
	{name: "version", text: "Mage's version", command: true},
	{name: "clean", text: "empty Mage's cache", command: true},
	{name: "init", text: "begin a magefile", command: true},
	{name: "d", value: "DIR", text: "another folder of magefiles", elsewhere: true},
	{name: "w", value: "DIR", text: "the folder to work in", elsewhere: true},
}

func findOption(name string) (option, bool) {
	i := slices.IndexFunc(options, func(o option) bool { return o.name == name })
	if i < 0 {
		return option{}, false
	}
	return options[i], true
}

// Split takes the options before the first target off a command line.
func Split(args []string) (o Options, words []string, err error) {
	for len(args) > 0 && isFlag(args[0]) {
		name, _, hasValue := cutFlag(args[0])
		if name == "help" {
			name = "h"
		}
		known, ok := findOption(name)
		if !ok {
			return o, nil, Wrong("%s", unknownOption(args[0], name, args[1:]))
		}
		taken := 1
		if known.value != "" && !hasValue {
			taken = 2
		}
		if taken > len(args) {
			return o, nil, Wrong("-%s wants a value: -%s %s", name, name, known.value)
		}
		switch name {
		case "l":
			o.List = true
		case "all":
			o.All = true
		case "h":
			o.Help = true
		default:
			o.Mage = append(o.Mage, args[:taken]...)
		}
		o.Command = o.Command || known.command
		o.Elsewhere = o.Elsewhere || known.elsewhere
		args = args[taken:]
	}
	if o.All && !o.List {
		return o, nil, Wrong("-all goes with -l")
	}
	return o, args, nil
}

func unknownOption(given, name string, rest []string) string {
	for _, word := range rest {
		if !isFlag(word) {
			return fmt.Sprintf("%s comes too early: a target's flags are written behind it: mage %s %s", given, word, given)
		}
	}
	names := []string{"help"}
	for _, o := range options {
		names = append(names, o.name)
	}
	return fmt.Sprintf("there is no option %s%s", given, didYouMean("-", nearest.Names(name, names)))
}

// isFlag tells flags from words. A lone hyphen is a word.
func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// cutFlag takes a flag apart: -name, --name=value. The name is in lower case.
func cutFlag(arg string) (name, value string, hasValue bool) {
	name, value, hasValue = strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
	return strings.ToLower(name), value, hasValue
}

// didYouMean is the end of a sentence about a misspelt name; "" when there is nothing near.
func didYouMean(prefix string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	for i := range names {
		names[i] = prefix + names[i]
	}
	last := len(names) - 1
	if last == 0 {
		return "; did you mean " + names[0] + "?"
	}
	return "; did you mean " + strings.Join(names[:last], ", ") + " or " + names[last] + "?"
}
