package drift

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// ToolchainFile is a rust-toolchain file that names another toolchain than the pin.
const ToolchainFile Kind = "toolchain-file"

func checkToolchainFiles(ctx context.Context, in *inputs, r *Report) error {
	wrong := multierror.Append(nil, in.checkoutFiles(r))
	for i := range in.sources {
		src := &in.sources[i]
		if src.missing(ToolchainFile, r) {
			continue
		}
		found, err := in.sourceFiles(ctx, src)
		r.add(found...)
		wrong = multierror.Append(wrong, err)
	}
	return errs.One(wrong)
}

// checkoutFiles compares those of this checkout with the pin of the active set.
func (in *inputs) checkoutFiles(r *Report) error {
	if !in.checkout.Active {
		return nil
	}
	files, err := in.checkout.toolchainFiles()
	if err != nil {
		return err
	}
	found, err := compareFiles(in.channel, &Source{}, in.checkout.Root, files)
	r.add(found...)
	return err
}

// toolchainFiles are those of this checkout, and of the folders that take the place of sources.
func (c *Checkout) toolchainFiles(folders ...string) ([]string, error) {
	var files []string
	var wrong *multierror.Error
	for _, dir := range append([]string{c.Root}, folders...) {
		found, err := toolchain.FindToolchainFiles(dir)
		wrong = multierror.Append(wrong, err)
		files = append(files, found...)
	}
	out := c.path("out") + string(filepath.Separator)
	files = slices.DeleteFunc(files, func(path string) bool { return strings.HasPrefix(path, out) })
	slices.Sort(files)
	return slices.Compact(files), errs.One(wrong)
}

// sourceFiles compares the files of one source. A folder of the user's is looked at as it is, where links to the pin lead somewhere.
func (in *inputs) sourceFiles(ctx context.Context, src *Source) ([]Finding, error) {
	switch {
	case src.local:
		return nil, nil // they are among the checkout's
	case src.folder != "":
		files, err := toolchain.FindToolchainFiles(src.folder)
		if err != nil {
			return nil, err
		}
		return compareFiles(in.channel, src, src.folder, files)
	}
	if in.applyPatches(ctx, src).err != nil {
		return nil, nil // the patch series' own check says it
	}
	return compareSourceFiles(in.channel, src)
}

// compareFiles compares files below a folder with the pin.
func compareFiles(channel string, src *Source, dir string, files []string) ([]Finding, error) {
	var found []Finding
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return found, err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator)))
		found = append(found, compareFile(channel, src.Name, src.Recipe, name, text)...)
	}
	return found, nil
}

// pinFix is the command that carries the pin everywhere.
func pinFix(channel string) string { return "mage toolchain:pin " + channel }

// compareFile compares the text of one toolchain file with the pin. source is empty for one in the
// checkout; name is its slash path.
func compareFile(channel, source, recipe, name string, text []byte) []Finding {
	f := Finding{Kind: ToolchainFile, Source: source, InCheckout: recipe, File: name, Expected: channel, Fix: pinFix(channel)}
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

// compareSourceFiles compares every toolchain file of a source, as its patches leave it, with the pin.
func compareSourceFiles(channel string, s *Source) ([]Finding, error) {
	var found []Finding
	for _, name := range s.Tree.named(toolchain.IsToolchainFile) {
		file, err := s.Tree.ReadFile(name)
		if err != nil {
			return nil, err
		}
		found = append(found, compareFile(channel, s.Name, s.Recipe, name, file.Data)...)
	}
	for name, end := range s.Tree.links(toolchain.IsToolchainFile) {
		if toolchain.IsToolchainFile(end) {
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
		found = append(found, compareFile(channel, s.Name, s.Recipe, name, file.Data)...)
	}
	return found, nil
}
