package remote

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// worker is what an entry says of who made it.
const worker = "redox-clif"

// Field numbers of the message Tree.
const treeRoot, treeChildren = 1, 2

func digestMessage(d cas.Digest) *repb.Digest { return &repb.Digest{Hash: d.Hash, SizeBytes: d.Size} }

// digestOf reads a digest of the server's.
func digestOf(d *repb.Digest) (cas.Digest, error) {
	return cas.ParseDigest(fmt.Sprintf("%s/%d", d.GetHash(), d.GetSizeBytes()))
}

// newEntry is the ActionResult of a result.
func newEntry(r action.Result, tree cas.Digest) *repb.ActionResult {
	return &repb.ActionResult{
		OutputDirectories: []*repb.OutputDirectory{{
			TreeDigest: digestMessage(tree), RootDirectoryDigest: digestMessage(r.Output), IsTopologicallySorted: true,
		}},
		StdoutRaw:         []byte(strings.Join(r.Notices, "\n")),
		ExecutionMetadata: &repb.ExecutedActionMetadata{Worker: worker, VirtualExecutionDuration: durationpb.New(r.Duration)},
	}
}

// readEntry takes an ActionResult apart. One that is not of our form is an error.
func readEntry(m *repb.ActionResult) (r action.Result, tree cas.Digest, err error) {
	if m.GetExitCode() != 0 || len(m.GetOutputDirectories()) != 1 || len(m.GetOutputFiles())+len(m.GetOutputSymlinks()) > 0 {
		return r, tree, errors.New("it is not a result of this program's")
	}
	dir := m.OutputDirectories[0]
	if dir.GetPath() != "" {
		return r, tree, fmt.Errorf("its output is %q, not all of it", dir.GetPath())
	}
	if tree, err = digestOf(dir.GetTreeDigest()); err != nil {
		return r, tree, err
	}
	if root := dir.GetRootDirectoryDigest(); root != nil {
		if r.Output, err = digestOf(root); err != nil {
			return r, tree, err
		}
	}
	if text := string(m.GetStdoutRaw()); text != "" {
		r.Notices = strings.Split(text, "\n")
	}
	r.Duration = m.GetExecutionMetadata().GetVirtualExecutionDuration().AsDuration()
	r.Remote = true
	return r, tree, nil
}

// treeOf is the canonical Tree message of an output, and the files that it names. Every Directory is in it once, those above before
// those below.
func treeOf(store *cas.Store, root cas.Digest) (tree []byte, messages, files []cas.Digest, err error) {
	seen := map[cas.Digest]bool{}
	var order []cas.Digest
	directories := map[cas.Digest]*cas.Directory{}
	var visit func(d cas.Digest) error
	visit = func(d cas.Digest) error {
		if seen[d] {
			return nil
		}
		seen[d] = true
		dir, err := store.LoadDirectory(d)
		if err != nil {
			return err
		}
		directories[d] = dir
		for _, sub := range dir.Dirs {
			if err := visit(sub.Digest); err != nil {
				return err
			}
		}
		order = append(order, d) // those below first
		return nil
	}
	if err := visit(root); err != nil {
		return nil, nil, nil, err
	}
	have := map[cas.Digest]bool{}
	for i := len(order) - 1; i >= 0; i-- {
		dir := directories[order[i]]
		field := protowire.Number(treeChildren)
		if i == len(order)-1 {
			field = treeRoot
		}
		tree = protowire.AppendTag(tree, field, protowire.BytesType)
		tree = protowire.AppendBytes(tree, dir.Marshal())
		messages = append(messages, order[i])
		for _, f := range dir.Files {
			if !have[f.Digest] {
				have[f.Digest] = true
				files = append(files, f.Digest)
			}
		}
	}
	return tree, messages, files, nil
}

// keepTree stores the Directory messages of a Tree and returns the digest of its root. Every Directory that one names has to be in
// it: nothing else is asked for later.
func keepTree(store *cas.Store, tree []byte) (root cas.Digest, err error) {
	var rootText []byte
	texts := map[cas.Digest][]byte{}
	for len(tree) > 0 {
		num, typ, n := protowire.ConsumeTag(tree)
		if n < 0 || typ != protowire.BytesType {
			return root, errors.New("its Tree is no message of that kind")
		}
		text, m := protowire.ConsumeBytes(tree[n:])
		if m < 0 {
			return root, errors.New("its Tree is cut short")
		}
		tree = tree[n+m:]
		switch num {
		case treeRoot:
			if rootText != nil {
				return root, errors.New("its Tree has two roots")
			}
			rootText = text
		case treeChildren:
			texts[cas.DigestBytes(text)] = text
		}
	}
	if rootText == nil {
		rootText = []byte{} // the empty folder, whose message is empty
	}
	texts[cas.DigestBytes(rootText)] = rootText
	for _, text := range texts {
		dir, err := cas.UnmarshalDirectory(text)
		if err != nil {
			return root, err
		}
		if err := checkCanonical(dir, text); err != nil {
			return root, err
		}
		for _, sub := range dir.Dirs {
			if texts[sub.Digest] == nil {
				return root, fmt.Errorf("its Tree lacks the folder %q", sub.Name)
			}
		}
	}
	for _, text := range texts {
		if _, err := store.PutBytes(text); err != nil {
			return root, err
		}
	}
	return cas.DigestBytes(rootText), nil
}

// checkCanonical refuses a Directory that is encoded otherwise than it would be here, for it would have another digest once it is written
// again, and one that has a name twice: a file below such a name could be written through a link.
func checkCanonical(dir *cas.Directory, text []byte) error {
	names := map[string]bool{}
	for _, f := range dir.Files {
		names[f.Name] = true
	}
	for _, d := range dir.Dirs {
		names[d.Name] = true
	}
	for _, l := range dir.Symlinks {
		names[l.Name] = true
	}
	sorted := *dir
	sorted.Files, sorted.Dirs, sorted.Symlinks = slices.Clone(dir.Files), slices.Clone(dir.Dirs), slices.Clone(dir.Symlinks)
	sorted.Sort()
	if len(names) != len(dir.Files)+len(dir.Dirs)+len(dir.Symlinks) || !bytes.Equal(sorted.Marshal(), text) {
		return errors.New("a folder of its Tree is not in canonical form")
	}
	return nil
}
