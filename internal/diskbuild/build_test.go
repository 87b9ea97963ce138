package diskbuild

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

func TestResolve(t *testing.T) {
	s := sessiontest.InCheckout(t, map[string]string{"some/dir/file": "x", "some/dir/sub/other": "y"})
	b := &Parts{s: s, initfs: "initfs", stages: map[string]*manifest.Manifest{"base": {Files: []manifest.File{
		{Path: "bin/init", Mode: "0755"}, {Path: "bin/sh", Mode: "0777", Link: "init"}, {Path: "binary", Mode: "0644"},
	}}}}
	out := s.Config.Out()
	root := func(p string) string { return filepath.Join(s.Config.Root, p) }
	tests := map[string][]disk.Item{
		"initfs":        {{Host: filepath.Join(out, "initfs.img"), Mode: 0o644}},
		"base:bin/init": {{Host: filepath.Join(out, "base/root/bin/init"), Mode: 0o755}},
		"base:bin": {{Path: "init", Host: filepath.Join(out, "base/root/bin/init"), Mode: 0o755},
			{Path: "sh", Link: "init", Mode: 0o777}},
		"base:": {{Path: "bin/init", Host: filepath.Join(out, "base/root/bin/init"), Mode: 0o755},
			{Path: "bin/sh", Link: "init", Mode: 0o777}, {Path: "binary", Host: filepath.Join(out, "base/root/binary"), Mode: 0o644}},
		"file:some/dir/file": {{Host: root("some/dir/file"), Mode: 0o644}},
		"file:some": {{Dir: true, Mode: 0o755}, {Path: "dir", Dir: true, Mode: 0o755}, {Path: "dir/file", Host: root("some/dir/file"), Mode: 0o644},
			{Path: "dir/sub", Dir: true, Mode: 0o755}, {Path: "dir/sub/other", Host: root("some/dir/sub/other"), Mode: 0o644}},
	}
	for ref, want := range tests {
		got, err := b.Resolve(t.Context(), ref)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", ref, err, diff)
		}
	}
	for _, ref := range []string{"base:nothing", "other:bin", "file:nothing", "base"} {
		if got, err := b.Resolve(t.Context(), ref); err == nil {
			t.Errorf("%s leads to %v", ref, got)
		}
	}
}
