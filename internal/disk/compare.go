package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

// compare reads back what operations have written.
func compare(ctx context.Context, v redoxfs.Volume, ops []redoxfs.Op) error {
	for _, op := range ops {
		if op.Op == redoxfs.OpRemove {
			continue
		}
		n, err := v.Stat(ctx, op.Path, op.Op == redoxfs.OpFile)
		if err != nil {
			return err
		}
		if op.Mode != nil && n.Mode != *op.Mode {
			return fmt.Errorf("%s has mode %04o, not %04o", op.Path, n.Mode, *op.Mode)
		}
		if op.Op == redoxfs.OpLink && n.Target != op.Target {
			return fmt.Errorf("%s leads to %q, not to %q", op.Path, n.Target, op.Target)
		}
		if op.Op != redoxfs.OpFile {
			continue
		}
		want, err := digest(op)
		if err != nil {
			return err
		}
		if n.SHA256 != want {
			return fmt.Errorf("%s has other content than was written", op.Path)
		}
	}
	return nil
}

func digest(op redoxfs.Op) (string, error) {
	h := sha256.New()
	if op.Text != nil {
		io.WriteString(h, *op.Text)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	f, err := os.Open(op.From)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Difference is a path that two images do not agree on.
type Difference struct {
	Path string
	// What is "added", "removed", "content", or the names of what differs: "mode, owner".
	What string
	// Old and New are nil where there is nothing.
	Old, New *redoxfs.Node
}

// Diff lists what differs between two images, by path.
func Diff(ctx context.Context, tool, old, new string) ([]Difference, error) {
	before, err := nodes(ctx, tool, old)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", old, err)
	}
	after, err := nodes(ctx, tool, new)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", new, err)
	}
	var out []Difference
	for p, o := range before {
		n, there := after[p]
		if !there {
			out = append(out, Difference{p, "removed", o, nil})
		} else if what := changed(o, n); what != "" {
			out = append(out, Difference{p, what, o, n})
		}
	}
	for p, n := range after {
		if before[p] == nil {
			out = append(out, Difference{p, "added", nil, n})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

func nodes(ctx context.Context, tool, path string) (map[string]*redoxfs.Node, error) {
	v, err := volume(tool, path)
	if err != nil {
		return nil, err
	}
	list, err := v.Tree(ctx, "/", true)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*redoxfs.Node, len(list))
	for i := range list {
		out[list[i].Path] = &list[i]
	}
	return out, nil
}

func changed(a, b *redoxfs.Node) string {
	if a.Type != b.Type {
		return "was a " + a.Type + ", is a " + b.Type
	}
	var what []string
	add := func(differs bool, name string) {
		if differs {
			what = append(what, name)
		}
	}
	add(a.SHA256 != b.SHA256, "content")
	add(a.Target != b.Target, "target")
	add(a.Mode != b.Mode, "mode")
	add(a.UID != b.UID || a.GID != b.GID, "owner")
	add(a.Type != "dir" && (a.MTime != b.MTime || a.MTimeNsec != b.MTimeNsec), "time")
	return strings.Join(what, ", ")
}
