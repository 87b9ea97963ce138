package drift

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// Source is a recipe's source as the comparers want it.
type Source struct {
	// Name is the recipe's, with "@profile" behind it for a profile's own source.
	Name string
	// Recipe is the recipe file, a slash path below the checkout.
	Recipe string
	// Identity names the pinned content: the commit with those of its submodules, a digest.
	Identity string
	// Series are the patch series in order.
	Series []string
	// Locks are the paths of the Cargo.lock files that builds of the source go by, there or not. A
	// source may hold many more that nobody builds with.
	Locks []string
	// Tree is the source as it is before patches.
	Tree *Tree
	// Overridden: the user put something else in its place. OverriddenBelow are the folders of
	// submodules for which that is so.
	Overridden      bool
	OverriddenBelow []string
}

// overridden tells whether a file of the source is not the pinned one's.
func (s *Source) overridden(name string) bool {
	return s.Overridden || slices.ContainsFunc(s.OverriddenBelow, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
}

// PinFix is the command that carries the pin everywhere.
func PinFix(channel string) string { return "mage toolchain:pin " + channel }

// IsToolchainFile knows the two names that rustup reads.
func IsToolchainFile(name string) bool {
	base := path.Base(name)
	return base == "rust-toolchain" || base == "rust-toolchain.toml"
}

// File compares the text of one toolchain file with the pin. source is empty for one in the
// checkout; name is its slash path.
func File(channel, source, recipe, name string, text []byte) []Finding {
	f := Finding{Kind: ToolchainFile, Source: source, InCheckout: recipe, File: name, Expected: channel, Fix: PinFix(channel)}
	found, line, err := toolchain.ChannelOf(name, text)
	switch {
	case err != nil:
		f.Found, f.Fix = "an unreadable file: "+errs.FirstLine(err.Error()), "make the file readable by hand, then "+f.Fix
	case found == channel:
		return nil
	case found == "":
		f.Found, f.Line = "no channel", line
	default:
		f.Found, f.Line = found, line
	}
	return []Finding{f}
}

// SourceFiles compares every toolchain file of a source, as its patches leave it, with the pin.
func SourceFiles(channel string, s *Source) ([]Finding, error) {
	var found []Finding
	for _, name := range s.Tree.named(IsToolchainFile) {
		file, err := s.Tree.ReadFile(name)
		if err != nil {
			return nil, err
		}
		found = append(found, File(channel, s.Name, s.Recipe, name, file.Data)...)
	}
	for name, end := range s.Tree.links(IsToolchainFile) {
		if IsToolchainFile(end) {
			continue // is compared itself
		}
		if end == "" {
			found = append(found, Finding{
				Kind: ToolchainFile, Source: s.Name, InCheckout: s.Recipe, File: name, Expected: channel,
				Found: "a link that leads out of the source", Fix: "replace the link by a patch of " + path.Dir(s.Recipe),
			})
			continue
		}
		file, err := s.Tree.ReadFile(end)
		if err != nil {
			return nil, err
		}
		found = append(found, File(channel, s.Name, s.Recipe, name, file.Data)...)
	}
	return found, nil
}

// datedNightly is a toolchain named by a day. floating is one that is another tomorrow, where workflows
// and shell lines name toolchains: "+nightly", "toolchain: nightly", "rust-toolchain@nightly".
var (
	datedNightly = regexp.MustCompile(`\bnightly-\d{4}-\d{2}-\d{2}\b`)
	floating     = regexp.MustCompile(`(?:\+|@|toolchain[:=]?\s+["']?|toolchain install\s+)(nightly)(?:["'\s]|$)`)
)

// WorkflowFile compares the toolchains that a workflow names with the pin.
func WorkflowFile(channel, name string, text []byte) []Finding {
	var found []Finding
	for i, line := range strings.Split(string(text), "\n") {
		named := datedNightly.FindAllString(line, -1)
		if floating.MatchString(line) {
			named = append(named, "nightly")
		}
		for _, other := range named {
			if other != channel {
				found = append(found, Finding{Kind: Workflow, File: name, Line: i + 1, Expected: channel, Found: other, Fix: PinFix(channel)})
			}
		}
	}
	return found
}

// RepinWorkflow is a workflow's text with the channel in place of every toolchain it names.
func RepinWorkflow(channel string, text []byte) []byte {
	dated := datedNightly.ReplaceAll(text, []byte(channel))
	return floating.ReplaceAllFunc(dated, func(match []byte) []byte {
		return []byte(strings.Replace(string(match), "nightly", channel, 1))
	})
}

// LockText compares the channel that toolchain.lock.toml is for with the pin.
func LockText(channel, name string, lock *toolchain.Lock, text []byte) []Finding {
	if lock.Channel == channel {
		return nil
	}
	return []Finding{{
		Kind: ToolchainLock, File: name, Line: lineOf(text, "channel"), Expected: channel, Found: lock.Channel, Fix: lockFix,
	}}
}

const lockFix = "mage toolchain:lock"

// PinExpectations compares what the pin expects its channel to be with what is installed.
func PinExpectations(pin *toolchain.Pin, name string, text []byte, version toolchain.Version) []Finding {
	var found []Finding
	for _, fact := range []struct{ key, want, got string }{
		{"release", pin.Expected.Release, version.Release}, {"commit", pin.Expected.Commit, version.Commit},
	} {
		if fact.want != "" && fact.want != fact.got {
			found = append(found, Finding{
				Kind: ToolchainLock, File: name, Line: lineOf(text, "expected", fact.key), Expected: fact.key + " " + fact.want, Found: fact.got,
				Fix: "reinstall it: rustup toolchain uninstall " + pin.Toolchain.Channel + " && mage toolchain:install",
			})
		}
	}
	return found
}

// Installed compares the lock with the installed toolchain. known is false when the lock has nothing for
// this host. When it is another compiler altogether, its files are not listed one by one.
func Installed(name string, lock *toolchain.Lock, text []byte, version toolchain.Version, identity *toolchain.Identity) (found []Finding, known bool) {
	if _, known = lock.Host[version.Host]; !known {
		return nil, false
	}
	another := lock.Host[version.Host].Commit != version.Commit
	for _, d := range lock.Compare(lock.Channel, version, identity) {
		key, isFile := lockKey(version.Host, d.What)
		if isFile && another {
			continue
		}
		found = append(found, Finding{
			Kind: ToolchainLock, File: name, Line: lineOf(text, key...),
			Expected: fmt.Sprintf("%s %s", d.What, d.Want), Found: d.Got,
			Fix: lockFix + " if the installed toolchain is right, else rustup toolchain uninstall " + lock.Channel + " && mage toolchain:install",
		})
	}
	return found, true
}

// lockKey is the key of the lock behind LockDrift.What.
func lockKey(host, what string) (key []string, isFile bool) {
	keys := map[string]string{
		"rustc release": "release", "rustc commit": "commit", "rustc commit date": "commit-date", "LLVM": "llvm", "cargo": "cargo",
	}
	if key, ok := keys[what]; ok {
		return []string{"host", host, key}, false
	}
	return []string{"host", host, "files", what}, true
}
