package graph

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// reason says in one line why an action that is not in the cache has to run; `mage why` has all of it.
func reason(store *cas.Store, last *Record, now *action.Action) string {
	if last == nil {
		return "not built before"
	}
	changes := Changes(action.Differences(store, last.Action, now))
	if len(changes) == 0 {
		// Collected, or made for another cache: a checkout remembers one build of each step, wherever its result is.
		return "its result is not in this cache"
	}
	more := changes[1:]
	switch {
	case len(more) == 0:
		return changes[0]
	case len(more) > 1 && !slices.ContainsFunc(more, func(c string) bool { return !strings.HasPrefix(c, "file ") }):
		return fmt.Sprintf("%s (and %d more files)", changes[0], len(more))
	}
	return fmt.Sprintf("%s (and %d more)", changes[0], len(more))
}

// Changes says in words what differs between two actions, one line for each change: an argument that has another value is one,
// although it is two differences.
func Changes(differences []action.Difference) []string {
	var args, others []action.Difference
	for _, d := range differences {
		if d.Field == "argument" {
			args = append(args, d)
		} else {
			others = append(others, d)
		}
	}
	changes := argumentChanges(args)
	for _, d := range others {
		changes = append(changes, fieldChange(d)...)
	}
	return changes
}

// argumentChanges pairs the arguments that were with those that are, by the setting that they are of.
func argumentChanges(args []action.Difference) []string {
	gone, added := map[string][]string{}, map[string][]string{}
	var settings []string
	for _, d := range args {
		setting, side := settingOf(d.Old+d.New), added
		if d.New == "" {
			side = gone
		}
		side[setting] = append(side[setting], d.Old+d.New)
		if !slices.Contains(settings, setting) {
			settings = append(settings, setting)
		}
	}
	var changes []string
	for _, s := range settings {
		changes = append(changes, settingChanges(s, gone[s], added[s])...)
	}
	if len(args) > 0 && len(changes) == 0 {
		return []string{"its sources are in another order"}
	}
	return changes
}

// The settings of arguments that are no NAME=VALUE.
const (
	sourceSetting  = "source"     // source-3=ID
	builtinSetting = "builtin"    // builtin:NAME/VERSION
	objectSetting  = "its config" // a JSON object
	plainSetting   = "argument"
)

var numberedSource = regexp.MustCompile(`^source-\d+=`)

func settingOf(arg string) string {
	name, _, isPair := strings.Cut(arg, "=")
	switch {
	case numberedSource.MatchString(arg):
		return sourceSetting
	case strings.HasPrefix(arg, "builtin:"):
		return builtinSetting
	case strings.HasPrefix(arg, "{"):
		return objectSetting
	case isPair:
		return name
	}
	return plainSetting
}

func settingChanges(setting string, gone, added []string) []string {
	switch {
	case setting == sourceSetting:
		return listChanges(sourceNames(gone), sourceNames(added))
	case setting == builtinSetting && len(gone) == 1 && len(added) == 1:
		return []string{fmt.Sprintf("this redox-clif does the step in another way (%s, was %s)", added[0], gone[0])}
	case setting == plainSetting && len(gone) == 1 && len(added) == 1 && !strings.HasPrefix(gone[0]+added[0], "-"):
		return []string{valueChange(plainSetting, gone[0], added[0])}
	case setting == plainSetting || setting == builtinSetting || len(gone) != 1 || len(added) != 1:
		return listChanges(named(plainSetting, gone), named(plainSetting, added))
	}
	return valueChanges(setting, strings.TrimPrefix(gone[0], setting+"="), strings.TrimPrefix(added[0], setting+"="))
}

func named(kind string, values []string) []string {
	var all []string
	for _, v := range values {
		if name, value, isPair := strings.Cut(v, "="); isPair && strings.HasPrefix(value, "{") {
			v = name
		} else if strings.HasPrefix(v, "{") {
			v = "with settings of the step"
		}
		all = append(all, kind+" "+v)
	}
	return all
}

// sourceNames leave out the number, which another source before it changes. A source in place of a git dependency is named as
// package prepare names its node.
func sourceNames(args []string) []string {
	var names []string
	for _, a := range args {
		_, id, _ := strings.Cut(a, "=")
		if url, isOverride := strings.CutPrefix(id, "override/"); isOverride {
			names = append(names, "override of git dependency "+strings.TrimPrefix(url, "https___")+" by a folder")
		} else {
			names = append(names, "source "+id)
		}
	}
	return names
}

// listChanges says what is in one list only.
func listChanges(gone, added []string) []string {
	var changes []string
	for _, v := range gone {
		if !slices.Contains(added, v) {
			changes = append(changes, v+" is gone")
		}
	}
	for _, v := range added {
		if !slices.Contains(gone, v) {
			changes = append(changes, v+" is new")
		}
	}
	return changes
}

// fieldChange is the words for a difference that is none of an argument.
func fieldChange(d action.Difference) []string {
	kind, name, _ := strings.Cut(d.Field, " ")
	switch {
	case d.Field == "input tree":
		return []string{"files of its input changed (this cache does not know which)"}
	case d.Field == "argument order":
		return []string{"its arguments are in another order"}
	case kind == "output":
		return listChanges(nonEmpty("output "+d.Old, d.Old), nonEmpty("output "+d.New, d.New))
	case kind == "file":
		return []string{fileChange(d)}
	case kind == "salt":
		return valueChanges(name, d.Old, d.New)
	}
	return valueChanges(d.Field, d.Old, d.New)
}

func nonEmpty(text, of string) []string {
	if of == "" {
		return nil
	}
	return []string{text}
}

func fileChange(d action.Difference) string {
	switch {
	case d.Old == "":
		return d.Field + " is new"
	case d.New == "":
		return d.Field + " is gone"
	}
	return d.Field + " changed"
}

// valueChanges says how a setting's value differs: part by part where it has parts.
func valueChanges(name, old, now string) []string {
	var a, b map[string]any
	if json.Unmarshal([]byte(old), &a) == nil && json.Unmarshal([]byte(now), &b) == nil {
		return objectChanges(name, a, b)
	}
	if was, is := flags(old), flags(now); len(was) > 1 || len(is) > 1 {
		if changes := listChanges(was, is); len(changes) > 0 {
			return []string{name + ": " + strings.Join(changes, ", ")}
		}
		return []string{name + ": in another order"}
	}
	return []string{valueChange(name, old, now)}
}

// flags are the parts of a list of flags, as RUSTFLAGS (blanks) and CARGO_ENCODED_RUSTFLAGS (unit separators) have them. A
// value that has no flag in it is no list.
func flags(value string) []string {
	parts := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\x1f' })
	if !slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(p, "-") }) {
		return nil
	}
	return parts
}

// valueWidth bounds a value that is shown. Of a longer one it is only said that it changed: the part that did might be cut.
const valueWidth = 60

var digest = regexp.MustCompile(`^[0-9a-f]{32,}$`)

func valueChange(name, old, now string) string {
	shown := len(old) <= valueWidth && len(now) <= valueWidth && !digest.MatchString(old+now) && !strings.HasPrefix(old+now, "{")
	switch {
	case old == "" && shown:
		return fmt.Sprintf("%s is new (%s)", name, now)
	case old == "":
		return name + " is new"
	case now == "" && shown:
		return fmt.Sprintf("%s is gone (was %s)", name, old)
	case now == "":
		return name + " is gone"
	case shown:
		return fmt.Sprintf("%s: %s -> %s", name, old, now)
	}
	return name + " changed"
}

func objectChanges(name string, a, b map[string]any) []string {
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	var changes []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if reflect.DeepEqual(a[k], b[k]) {
			continue
		}
		was, wasList := a[k].([]any)
		is, isList := b[k].([]any)
		if wasList || isList {
			if elements := listChanges(elementNames(k, was), elementNames(k, is)); len(elements) > 0 {
				changes = append(changes, elements...)
				continue
			}
		}
		changes = append(changes, valueChange(name+": "+k, scalar(a[k]), scalar(b[k])))
	}
	return changes
}

// elementNames name the elements of a list. What takes the place of a dependency is an object with its URL.
func elementNames(list string, elements []any) []string {
	var names []string
	for _, e := range elements {
		object, _ := e.(map[string]any)
		of, by := "", "by a folder"
		if url := scalar(object["url"]); url != "" {
			of = "git dependency " + url
		} else if crate := scalar(object["crate"]); crate != "" {
			of = "crate " + crate
		}
		if version := scalar(object["version"]); version != "" {
			by = "by version " + version
		} else if object["remove"] == true {
			by = "by nothing"
		}
		switch {
		case of != "":
			names = append(names, "override of "+of+" "+by)
		case object != nil:
			names = append(names, "an entry of "+list)
		default:
			names = append(names, list+": "+scalar(e))
		}
	}
	return names
}

// scalar is a value of a JSON object as text; of one that has parts, its JSON.
func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}
